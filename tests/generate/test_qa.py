"""The extractive question rules: what is asked, what answers, and what must not be asked."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusforge.generate.qa import QA
from corpusforge.generate.qa_miner import mine
from corpusforge.record import Record, Span, render

from .pages import chat, evidence_text, manuals, page, run


def pairs(record: Record, family: str) -> list[tuple[str, str]]:
    return [(pair.question, pair.answer) for pair in mine(record) if pair.family == family]


def test_a_question_heading_is_asked_with_the_page_title() -> None:
    ((question, answer),) = pairs(
        page("# Acme Bank\n\n## Are cards free?\n\nYes, every card is free of charge."), "faq"
    )
    assert "Are cards free?" in question
    assert "Acme Bank" in question
    assert answer == "Yes, every card is free of charge."


def test_goal_headings_ask_how_and_say_which_product() -> None:
    record = page("# Acme Mail\n\n## Change your password\n\nOpen Settings and choose Password, then type the new one.")
    ((question, _),) = pairs(record, "how")
    assert "change my password" in question
    assert "Acme Mail" in question


def test_what_is_asked_only_where_the_text_defines() -> None:
    defined = page("# Swap\n\nSwap is disk space that stands in for memory when memory is full.")
    told = page("# Swap\n\nMost machines have some disk space for when memory is full, and it helps.")
    assert pairs(defined, "what")
    assert not pairs(told, "what")
    assert pairs(told, "about")


@pytest.mark.parametrize(
    "body",
    [
        "This is why you should restart the machine from time to time.",
        "As mentioned above, restart the machine and wait for a minute.",
        "{% include list.html items=page.items %} and some more words after it",
        "See the following list, which explains all about it:",
    ],
)
def test_answers_that_point_out_of_themselves_are_not_given(body: str) -> None:
    assert not mine(page(f"# Acme\n\n## Restart the machine\n\n{body}"))


def test_generic_headings_are_never_asked_about() -> None:
    record = page("# See also\n\nThere is a lot of further reading on machines in the library.")
    assert not mine(record)


def test_table_cells_answer_row_and_column() -> None:
    text = "# Fees\n\n| Card | Fee | Limit |\n|---|---|---|\n| Gold | 5 EUR | 900 |\n| Silver | 2 EUR | 300 |\n"
    found = dict(pairs(page(text), "cell"))
    assert any("fee" in q and "Gold" in q and a == "5 EUR" for q, a in found.items())
    assert len(found) == 4


def test_a_row_key_that_stands_twice_asks_nothing() -> None:
    text = "# Fees\n\n| Card | Fee |\n|---|---|\n| Gold | 5 EUR |\n| Gold | 2 EUR |\n| Iron | 1 EUR |\n"
    assert [answer for _, answer in pairs(page(text), "cell")] == ["1 EUR"]


def test_steps_give_the_procedure_and_the_next_step() -> None:
    steps = "1. Unplug the power cable.\n2. Wait for ten seconds.\n3. Plug the cable in again.\n"
    text = f"# Acme Box\n\n## Reset the box\n\n{steps}"
    record = page(text)
    ((_, procedure),) = pairs(record, "steps")
    assert procedure.startswith("1. Unplug")
    assert procedure.endswith("again.")
    ((question, answer),) = pairs(record, "next-step")
    follows = {"Unplug the power cable.": "Wait for ten seconds.", "Wait for ten seconds.": "Plug the cable in again."}
    asked = next(step for step in follows if step in question)
    assert answer == follows[asked]


def test_definitions_go_both_ways_but_never_give_themselves_away() -> None:
    text = (
        "# Flags\n\n- **-v**: prints every file name while it works\n- **-x**: takes the files out of the archive\n"
        "- **-c**: makes -c archives out of single files\n"
    )
    record = page(text)
    assert ("prints every file name while it works") in [answer for _, answer in pairs(record, "entry")]
    assert {answer for _, answer in pairs(record, "term")} == {"-v", "-x"}


def test_commands_are_asked_by_their_purpose() -> None:
    items = "- [c]reate an archive:\n\n`tar cf {{x.tar}}`\n\n- List its files:\n\n`tar tf {{x.tar}}`\n"
    text = f"# tar\n\n> Archive files.\n\n{items}"
    found = dict(pairs(page(text), "command"))
    assert any("create an archive" in question for question in found)
    assert set(found.values()) == {"tar cf {{x.tar}}", "tar tf {{x.tar}}"}


def test_conditions_answer_with_the_whole_sentence() -> None:
    text = (
        "# Acme Box\n\nThe box blinks. If the red light is on, call the hotline and have your\ncontract at hand. Bye."
    )
    ((question, answer),) = pairs(page(text), "condition")
    assert "if the red light is on" in question
    assert answer == "If the red light is on, call the hotline and have your contract at hand."


def test_only_chats_whose_asker_was_helped_give_an_answer() -> None:
    question = ("ann", "hello, how do I mount a usb stick on my laptop?")
    answer = ("bob", "plug it in and run udisksctl mount with the name of the stick")
    helped = chat(question, answer, ("ann", "thanks, that worked"))
    ((asked, told),) = pairs(helped, "chat")
    assert asked == "How do I mount a usb stick on my laptop?"
    assert told == answer[1]
    for last in ("still does not work", "thanks anyway", "did you read what I wrote?", "I will try later"):
        assert not mine(chat(question, answer, ("ann", last)))
    assert not mine(chat(question, ("bob", "which stick do you want to mount?"), ("ann", "thanks")))
    assert not mine(chat(question, ("bob", "sorry, no idea how to mount that usb stick"), ("ann", "thanks")))


def test_gold_pairs_are_kept_in_any_language() -> None:
    record = page(
        "Berlin ist die Hauptstadt.", meta={"qa": {"question": "Was ist die Hauptstadt?", "answer": "Berlin"}}
    )
    ((question, answer),) = pairs(replace(record, language="de"), "gold")
    assert (question, answer) == ("Was ist die Hauptstadt?", "Berlin")


def test_english_rules_leave_other_languages_alone() -> None:
    record = manuals(1)[0]
    assert mine(record)
    assert not mine(replace(record, language="fr"))
    assert mine(replace(record, language="en-US")) == mine(replace(record, language="en")) == mine(record)


def test_short_answers_never_hold_a_redaction() -> None:
    text = "# Staff\n\n| Desk | Phone |\n|---|---|\n| Sales | [PHONE] |\n| Help | 118 |\n"
    at = text.index("[PHONE]")
    record = page(text, spans=(Span("PHONE", at, at + 7, "test", 1.0),))
    assert [answer for _, answer in pairs(record, "cell")] == ["118"]


def test_every_answer_stands_in_its_evidence_and_rows_carry_their_parent(tmp_path: Path) -> None:
    """A row that cannot be traced to its words is a claim without proof."""
    parents = {record.id: replace(record, side="holdout") for record in manuals(6)}
    rows, dropped, contexts = run(QA, {"kb-00000": list(parents.values())}, tmp_path, per_passage=4)
    assert not dropped["kb-00000"]
    families = {key for key in contexts["kb-00000"].counts["kb"] if key.startswith("qa.")}
    assert {"qa.steps", "qa.cell", "qa.faq", "qa.condition", "qa.entry"} <= families
    for row in rows["kb-00000"]:
        (parent,) = (parents[p] for p in row.parents)
        assert "".join(row.meta["answer"].split()) == "".join(evidence_text(row, parents).split())
        assert (row.kind, row.source, row.side, row.group) == ("qa", parent.source, "holdout", parent.group)
        assert (row.licence, row.language, row.origin) == (parent.licence, "en", parent.origin)
        assert row.text == render(row.messages or ())
        assert [m.content for m in row.messages or ()] == [row.meta["question"], row.meta["answer"]]
    ids = [row.id for row in rows["kb-00000"]]
    assert len(set(ids)) == len(ids)


def test_every_parent_is_kept_or_dropped_with_a_reason(tmp_path: Path) -> None:
    shard = [
        *manuals(3),
        page("Too little.", key="short"),
        page("# T\n\nWords.", key="w", source="web"),
        chat(("a", "hi")),
    ]
    rows, dropped, _ = run(QA, {"kb-00000": shard}, tmp_path)
    used = {parent for row in rows["kb-00000"] for parent in row.parents}
    left = {item.record.id: item.reason for item in dropped["kb-00000"]}
    assert used | left.keys() == {record.id for record in shard}
    assert not used & left.keys()
    assert sorted(left.values()) == ["no-qa-found", "no-qa-found", "not-selected"]


def test_rows_do_not_depend_on_shards_or_their_order(tmp_path: Path) -> None:
    records = manuals(8)
    one, _, _ = run(QA, {"kb-00000": records}, tmp_path / "one")
    shuffled = records[:]
    random.Random(2).shuffle(shuffled)
    two, _, _ = run(QA, {"kb-00001": shuffled[5:], "kb-00000": shuffled[:5]}, tmp_path / "two")
    assert {r.id: r for r in one["kb-00000"]} == {r.id: r for shard in two.values() for r in shard}


def test_per_passage_and_per_record_limits_hold(tmp_path: Path) -> None:
    rows, _, _ = run(QA, {"kb-00000": manuals(2)}, tmp_path, per_passage=1, max_per_record=3)
    counts = [sum(record.id in row.parents for row in rows["kb-00000"]) for record in manuals(2)]
    assert counts == [3, 3]


def test_a_question_with_two_answers_in_the_corpus_is_asked_nowhere(tmp_path: Path) -> None:
    """Two truths for one question teach a model to contradict itself."""
    first = page("# Acme\n\n## When do you open?\n\nWe open at nine on working days.", key="x")
    second = page("# Acme\n\n## When do you open?\n\nWe open at ten on all days.", key="y")
    rows, dropped, contexts = run(QA, {"kb-00000": [first], "kb-00001": [second]}, tmp_path)
    assert not [row for shard in rows.values() for row in shard]
    assert [items[0].reason for items in dropped.values()] == ["only-repeated-questions"] * 2
    assert contexts["kb-00000"].counts["kb"] == {"ambiguous-question": 1}


def test_of_equal_rows_the_held_out_one_stays(tmp_path: Path) -> None:
    """A training row that repeats a held-out one would leak the exam."""
    text = "Cards are free for students and apprentices."
    record = page(text, key="x", title="Are cards free for students?")
    copy = replace(page(text, key="y", title="Are cards free for students?"), side="holdout")
    rows, dropped, _ = run(QA, {"kb-00000": [record], "kb-00001": [copy]}, tmp_path)
    assert not rows["kb-00000"]
    assert dropped["kb-00000"][0].reason == "only-repeated-questions"
    assert [row.side for row in rows["kb-00001"]] == ["holdout"]


WILD = st.text(alphabet=st.sampled_from(list("aBc1 .,:?#-|*>`\n\t[](){}%\u00e9")), max_size=300)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(WILD, st.text(max_size=20))
def test_no_text_breaks_the_rules_and_all_evidence_lies_within_it(text: str, title: str) -> None:
    for pair in mine(page(text, title=title)):
        assert all(0 <= start < end <= len(text) for start, end in pair.spans)
        joined = "\n".join(text[start:end] for start, end in pair.spans)
        assert "".join(pair.answer.split()).strip("`") in "".join(joined.split()) or pair.family in ("term",)
