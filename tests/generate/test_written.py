"""Rows that a model writes: each asked-for row is there or has a reason, and what is there is proven by the text."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusforge.errors import UsageError
from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse
from corpusforge.generate.phrasings import FOLDER
from corpusforge.generate.verify.checks import problems
from corpusforge.generate.write.chunk import chunks
from corpusforge.generate.write.mcq import WrittenMCQ
from corpusforge.generate.write.prompt import file_of, find_prompts
from corpusforge.generate.write.qa import WrittenQA, without_answer
from corpusforge.generate.write.reading import WrittenReading
from corpusforge.generate.write.rewrite import Rewrite
from corpusforge.generate.write.turns import Turns
from corpusforge.generate.write.writer import Writer
from corpusforge.record import Dropped, Record
from corpusforge.stage import StageContext

from .pages import FACTS, chat, evidence_text, manuals, page, run
from .scripted import ENGINE, Scripted, body, kind_of, plugged

WRITERS: tuple[type[Writer], ...] = (WrittenQA, WrittenMCQ, WrittenReading, Rewrite, Turns)
TAGGED = {**ENGINE, "output": "tagged"}
SOLVED = chat(
    ("ann", "My printer p70 does not print after the update, what can I do?"),
    ("bob", "ann: Remove the driver p70 and install version 4 of it from the menu Drivers."),
    ("ann", "thanks, that worked"),
    ("bob", "np"),
)


def write(
    stage: type[Writer], records: list[Record], **settings: Any
) -> tuple[list[Record], list[Dropped], Counter[str]]:
    """A stage without a survey over some records: rows, dropped parents, counts."""
    ctx = StageContext(stage.Settings(**{"engine": TAGGED, **settings}), 1, FACTS)
    items = list(stage().apply(records, ctx))
    counts = Counter(ctx.counts.get("kb", {}))
    lost = sum(n for key, n in counts.items() if key.startswith("missing."))
    assert counts["asked"] == counts["written"] + lost, counts
    return [i for i in items if isinstance(i, Record)], [i for i in items if isinstance(i, Dropped)], counts


def without(*names: str) -> Any:
    return lambda kind, document, n: "no row here" if kind.rstrip("+") in names else None


def test_questions_come_in_both_directions_with_evidence_that_stands_in_the_text(engine: Scripted) -> None:
    records = manuals(6)
    rows, dropped, counts = write(WrittenQA, records, per_passage=3, reverse=1, unanswerable=0)
    assert not dropped
    assert counts["asked"] == len(rows) == 24
    assert Counter(row.meta["direction"] for row in rows) == {"forward": 18, "reverse": 6}
    parents = {record.id: record for record in records}
    for row in rows:
        parent = parents[row.parents[0]]
        assert row.meta["answer"] in evidence_text(row, parents)
        context = row.meta["context"]
        assert parent.text[context["start"] : context["end"]] == context["text"]
        assert parent.text.encode()[slice(*context["bytes"])].decode() == context["text"]
        assert row.meta["verdict"] == "yes"
        assert (row.side, row.group, row.licence, row.origin) == (
            parent.side,
            parent.group,
            parent.licence,
            parent.origin,
        )
        assert not list(problems(row))


@pytest.mark.parametrize("output", ["json", "tagged"])
def test_both_forms_of_output_give_the_same_rows(engine: Scripted, output: str) -> None:
    rows, _, _ = write(WrittenQA, manuals(2), engine={**ENGINE, "output": output})
    tagged, _, _ = write(WrittenQA, manuals(2))
    assert [row.meta["answer"] for row in rows] == [row.meta["answer"] for row in tagged]
    schemas = {request.schema is None for request in engine.requests}
    assert schemas == ({True, False} if output == "json" else {True})


def test_the_document_comes_first_byte_for_byte_and_the_task_last(engine: Scripted) -> None:
    write(WrittenQA, manuals(2), unanswerable=0.5, tone="Say it plainly.", product="Acme Home")
    heads: dict[str, set[str]] = {}
    for prompt in engine.prompts:
        head, mark, task = prompt.partition("Say it plainly.")
        assert mark, "the house's tone stands in every prompt"
        assert "<document>" not in task
        heads.setdefault(body(prompt), set()).add(head)
    assert len(heads) == 2
    assert all(len(same) == 1 for same in heads.values())
    assert all("Source: Acme Home\n" in head for same in heads.values() for head in same)


def test_rows_are_checked_right_after_they_were_written_while_the_chunk_is_hot(engine: Scripted) -> None:
    write(WrittenQA, manuals(3), engine={**TAGGED, "max_in_flight": 1}, unanswerable=0)
    documents = [body(prompt) for prompt in engine.prompts]
    kinds = [kind_of(prompt).endswith("-check") for prompt in engine.prompts]
    for document in set(documents):
        own = [check for text, check in zip(documents, kinds, strict=True) if text == document]
        assert own == sorted(own), "writers first, then checkers"
    checks = [request for request in engine.requests if request.sampling.max_tokens == 1]
    assert len(checks) == sum(kinds)
    assert all(request.sampling.temperature == 0 for request in checks)


def test_questions_without_an_answer_are_five_to_seven_in_a_hundred_and_say_so(engine: Scripted) -> None:
    asked = answerable = 0
    for n in range(4000):
        (chunk,) = chunks(page(f"The lamp number {n} glows for {n} hours in the dark."), 700, 3.0, 1)
        asked += without_answer(chunk, 4, 0.06)
        answerable += 4
    assert 0.05 <= asked / (asked + answerable) <= 0.07
    rows, _, _ = write(WrittenQA, manuals(10), unanswerable=0.3)
    open_ = [row for row in rows if row.meta.get("answerable") is False]
    assert len(open_) >= 10
    assert all(row.meta["evidence"] == [] and "document" in row.meta["answer"].lower() for row in open_)
    assert {row.meta["verdict"] for row in open_} == {"yes"}
    assert not [p for row in open_ for p in problems(row)]


def test_a_question_that_the_text_does_answer_is_not_taken_for_one_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, Scripted(lambda kind, d, n: "Yes" if kind == "qa-unanswerable-check" else None))
    rows, _, _ = write(WrittenQA, manuals(6), unanswerable=0.3)
    assert {row.meta["verdict"] for row in rows if row.meta.get("answerable") is False} == {"no"}


def test_trap_21_a_row_whose_quote_is_not_in_the_text_is_rejected_and_kept_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = "<row><question>How long does the lamp last?</question><answer>Ten years.</answer><quote>It lasts ten years.</quote></row>"
    engine = plugged(monkeypatch, Scripted(lambda kind, d, n: made if kind.startswith("qa") else None))
    rows, _, counts = write(WrittenQA, manuals(1), per_passage=1, reverse=0, unanswerable=0)
    (row,) = rows
    assert row.meta["rejected"] == "quote-not-found"
    assert row.meta["evidence"] == []
    assert row.meta["verdict"] == ""
    assert [problem.reason for problem in problems(row)] == ["quote-not-found"]
    assert engine.calls == {"qa": 1, "qa+": 1}, "asked once more, and its check not at all"
    assert counts["repaired"] == 0


def test_a_bad_row_is_asked_for_once_more_and_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = plugged(monkeypatch, Scripted(without("qa")))
    engine.reply = lambda kind, d, n: "nothing" if kind == "qa" else None
    rows, _, counts = write(WrittenQA, manuals(2), per_passage=2, reverse=0, unanswerable=0)
    assert len(rows) == 4
    assert [row.meta["repaired"] for row in rows] == [1] * 4
    assert counts["repaired"] == 4
    engine.reply = without("qa")
    engine.calls.clear()
    rows, dropped, counts = write(WrittenQA, manuals(2), per_passage=2, reverse=0, unanswerable=0)
    assert not rows
    assert engine.calls == {"qa": 2, "qa+": 2}, "never more than once"
    assert counts["missing.unparsable"] == 4
    assert {item.reason for item in dropped} == {"unparsable"}
    rows, _, counts = write(WrittenQA, manuals(2), per_passage=2, reverse=0, unanswerable=0, repair=False)
    assert counts["missing.unparsable"] == 4
    assert engine.calls == {"qa": 4, "qa+": 2}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("!refused", "refused"), ("!context", "context"), ("!timeout", "call-failed"), ("", "unparsable")],
)
def test_trap_16_each_missing_row_has_a_reason(monkeypatch: pytest.MonkeyPatch, answer: str, reason: str) -> None:
    plugged(monkeypatch, Scripted(lambda kind, d, n: answer if kind.startswith("qa") and "camera" in d else None))
    rows, dropped, counts = write(
        WrittenQA, manuals(12), engine={**TAGGED, "max_failed": 1}, per_passage=3, reverse=1, unanswerable=0
    )
    hit = sum("camera" in record.text for record in manuals(12))
    assert counts[f"missing.{reason}"] == 4 * hit
    assert len(dropped) == hit
    assert len(rows) == 4 * (12 - hit)


def test_trap_15_one_call_that_fails_takes_no_other_row_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, Scripted(lambda kind, d, n: "!server" if kind == "qa-reverse" and "a0" in d else None))
    rows, dropped, counts = write(WrittenQA, manuals(4), engine={**TAGGED, "max_failed": 1}, unanswerable=0)
    assert not dropped
    assert len(rows) == 15
    assert counts["missing.call-failed"] == 1


def test_fewer_rows_than_asked_for_are_counted_and_more_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def one(kind: str, document: str, n: int) -> str | None:
        return Scripted()._own("qa", document, {"qa": 1, "qa+": 0}.get(kind, n), "") if kind.startswith("qa") else None

    plugged(monkeypatch, Scripted(lambda kind, d, n: one(kind, d, n) if kind in ("qa", "qa+") else None))
    rows, _, counts = write(WrittenQA, manuals(1), per_passage=3, reverse=0, unanswerable=0)
    assert (len(rows), counts["missing.too-few"] + counts["missing.unparsable"]) == (1, 2)
    plugged(monkeypatch, Scripted(lambda kind, d, n: Scripted()._own("qa", d, 5, "") if kind == "qa" else None))
    rows, _, counts = write(WrittenQA, manuals(1), per_passage=3, reverse=0, unanswerable=0)
    assert (len(rows), counts["surplus"]) == (3, 2)


def test_the_same_question_twice_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(kind: str, document: str, n: int) -> str | None:
        return Scripted()._own("qa", document, 1, "") * n if kind.startswith("qa") and "check" not in kind else None

    plugged(monkeypatch, Scripted(twice))
    rows, _, counts = write(WrittenQA, manuals(1), per_passage=3, reverse=0, unanswerable=0)
    assert (len(rows), counts["missing.duplicate"]) == (1, 2)


@pytest.mark.parametrize("said", ["Maybe", "", "Yes and no", "The answer is yes", "10"])
def test_a_check_that_answers_neither_yes_nor_no_rejects_the_row_and_says_so(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    plugged(monkeypatch, Scripted(lambda kind, d, n: said if kind == "qa-check" else None))
    rows, _, _ = write(WrittenQA, manuals(1), unanswerable=0)
    assert {row.meta["verdict"] for row in rows} == {"unparsable"}


def test_trap_1_a_short_source_is_checked_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    made = "<row><question>How many subnets are there at most?</question><answer>12 subnets.</answer><quote>At most 10 subnets.</quote></row>"
    plugged(monkeypatch, Scripted(lambda kind, d, n: made if kind.startswith("qa") and "check" not in kind else None))
    rows, _, _ = write(
        WrittenQA, [page("At most 10 subnets.")], per_passage=1, reverse=0, unanswerable=0, min_chunk_tokens=1
    )
    assert len(rows) == 1
    assert "number-not-in-source" in [problem.reason for problem in problems(rows[0])]
    assert rows[0].meta["verdict"] == ""


def test_traps_7_and_8_the_check_reads_the_document_itself_and_the_words_of_the_evidence(engine: Scripted) -> None:
    (record,) = manuals(1)
    rows, _, _ = write(WrittenQA, [record], unanswerable=0)
    write(Rewrite, [record], styles=["faq"])
    seen = [prompt for prompt in engine.prompts if kind_of(prompt).endswith("-check")]
    assert len(seen) == 4 + 1
    assert all(body(prompt) == record.text.strip() for prompt in seen)
    for row, prompt in zip(rows, seen, strict=False):
        assert f"“{evidence_text(row, {record.id: record})}”" in prompt


def test_traps_9_18_and_25_no_prompt_holds_an_example_a_letter_or_half_a_yes() -> None:
    for path in sorted(FOLDER.glob("*.j2")):
        text = path.read_text()
        assert "example" not in text.lower(), path
        assert not any(f"{letter}." in text.replace("e.g.", "") for letter in ("A", "B", "C", "D")), path
        assert "partial" not in text.lower(), path
        if path.stem.endswith("-check") and "unanswerable" not in path.stem:
            assert "even" not in text.lower().split(), path


def test_trap_11_checks_and_repair_are_on_unless_a_recipe_says_otherwise() -> None:
    for stage in WRITERS:
        settings = stage.Settings(engine=TAGGED)
        assert settings.check
        assert settings.repair
        assert any(name.endswith("-check") for name in stage.templates(settings))


@pytest.mark.parametrize("stage", WRITERS, ids=lambda stage: stage.name)
def test_trap_12_a_template_without_its_placeholder_is_an_error_before_anything_runs(
    stage: type[Writer], tmp_path: Path
) -> None:
    for name in stage.templates(stage.Settings(engine=TAGGED)):
        whole = file_of(name).read_text()
        for bad, told in (
            (whole.replace("{{ format }}", ""), "lacks {{ format }}"),
            (whole + "{{ colour }}", "{{ colour }}, which nothing fills"),
            (whole.replace("version: 1", "no number"), "does not say its version"),
            (whole + "{% if %}", "is no template"),
        ):
            (tmp_path / f"{name}.j2").write_text(bad)
            with pytest.raises(UsageError, match=told.replace("{", r"\{").replace("}", r"\}")):
                stage.check(stage.Settings(engine=TAGGED, prompts=str(tmp_path)))
        (tmp_path / f"{name}.j2").write_text(whole)
    stage.check(stage.Settings(engine=TAGGED, prompts=str(tmp_path)))
    (tmp_path / "qa-chekc.j2").write_text("x")
    with pytest.raises(UsageError, match="is no template of any task"):
        stage.check(stage.Settings(engine=TAGGED, prompts=str(tmp_path)))


def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path: Path) -> None:
    (tmp_path / "qa.j2").write_text("{# version: 1 #}{{ n.__class__.__mro__ }} {{ format }} {{ n }}")
    prompt = find_prompts(["qa"], str(tmp_path))["qa"]
    with pytest.raises(Exception, match="unsafe"):
        prompt.render(n=1, format="x", language="English")


def test_what_a_document_says_is_never_read_as_a_template(engine: Scripted) -> None:
    text = "# Braces\n\nThe page shows {{ 7 * 7 }} and {% raw %} as they stand in the source of every template."
    write(WrittenQA, [page(text)], unanswerable=0)
    assert all("{{ 7 * 7 }}" in prompt and "49" not in prompt for prompt in engine.prompts)


def test_trap_10_every_setting_of_a_task_is_read_by_something(engine: Scripted, tmp_path: Path) -> None:
    (tmp_path / "qa.j2").write_text(file_of("qa").read_text().replace("version: 1", "version: 9"))
    changed: dict[str, Any] = {
        "engine": {**TAGGED, "temperature": 0.1}, "tone": "Brief.", "product": "Acme", "languages": ["de"],
        "prompts": str(tmp_path), "chunk_tokens": 64, "bytes_per_token": 1.5, "min_chunk_tokens": 400, "max_chunks": 1,
        "check": False, "repair": False, "kinds": ["doc"], "sources": [], "per_passage": 1, "reverse": 0,
        "unanswerable": 0.4,
    }  # fmt: skip
    assert set(changed) == set(WrittenQA.Settings.model_fields)
    records = [page("# Long\n\n" + "\n\n".join(record.text for record in manuals(3)), key="long"), *manuals(2)]
    plain = {"engine": TAGGED, "chunk_tokens": 700}

    def seen(**settings: Any) -> bytes:
        engine.requests.clear()
        engine.reply = lambda kind, d, n: "nothing" if kind == "qa-reverse" else None
        rows, _, counts = write(WrittenQA, records, **{**plain, **settings})
        sent = sorted(repr(request) for request in engine.requests)
        return orjson.dumps([sent, [row.meta for row in rows], counts], option=orjson.OPT_SORT_KEYS)

    first = seen()
    for name, value in changed.items():
        if name != "max_chunks":
            assert seen(**{name: value}) != first, name
    assert seen(max_chunks=1, chunk_tokens=200) != seen(chunk_tokens=200)


def test_identity_is_what_decides_rows_and_nothing_of_where_or_how(tmp_path: Path) -> None:
    def identity(**settings: Any) -> tuple[Any, Any]:
        made = WrittenQA.Settings(**{"engine": TAGGED, **settings})
        return WrittenQA.identity_settings(made), WrittenQA.also_identity(made)

    assert identity() == identity(
        engine={**TAGGED, "address": "http://127.0.0.1:7/v1", "timeout": 9, "prompt_price": 3}
    )
    assert identity() != identity(engine={**TAGGED, "temperature": 0})
    assert identity() != identity(tone="x")
    (tmp_path / "rewrite-faq.j2").write_text(file_of("rewrite-faq").read_text() + "x")
    assert identity() == identity(prompts=str(tmp_path)), "another task's template"
    (tmp_path / "qa-check.j2").write_text(file_of("qa-check").read_text() + "x")
    assert identity() != identity(prompts=str(tmp_path))


def test_a_resolved_conversation_gives_one_question_and_an_unresolved_one_none(engine: Scripted) -> None:
    open_ = chat(("ann", "My modem does not ring, what can I do?"), ("bob", "No idea, sorry."), key="o")
    rows, dropped, _ = write(WrittenQA, [SOLVED, open_])
    (row,) = rows
    assert [item.reason for item in dropped] == ["not-resolved"]
    assert row.meta["template"] == "qa-chat"
    assert "np" not in row.meta["context"]["text"], "what follows the thanks is no part of the chunk"
    rows, dropped, _ = write(Turns, [SOLVED, *manuals(1)], exchanges=1)
    assert [message.role for message in rows[0].messages or ()] == ["user", "assistant"]
    assert rows[0].kind == "turns"
    assert [item.reason for item in dropped] == ["not-selected"]


def test_a_conversation_marked_as_american_is_english(engine: Scripted) -> None:
    rows, dropped, _ = write(WrittenQA, [replace(SOLVED, language="en-US")])
    assert len(rows) == 1
    assert not dropped
    rows, dropped, _ = write(WrittenQA, [replace(SOLVED, language="de")])
    assert [item.reason for item in dropped] == ["not-resolved"]


def test_a_conversation_of_several_exchanges_is_whole_or_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, Scripted())
    rows, _, counts = write(Turns, [SOLVED], exchanges=3)
    assert counts["asked"] == 1
    assert [m.role for m in rows[0].messages or ()] == ["user", "assistant"] * 3
    assert rows[0].text.count("user: ") == 3
    plugged(
        monkeypatch,
        Scripted(lambda kind, d, n: Scripted()._own("turns", d, n - 1, "") if kind.startswith("turns") else None),
    )
    rows, _, counts = write(Turns, [SOLVED], exchanges=3)
    assert (rows, counts["missing.too-few"]) == ([], 1)


def test_rewritten_chunks_are_text_for_training_and_name_what_they_are_about(engine: Scripted) -> None:
    record = page(manuals(1)[0].text, title="The router manual")
    rows, _, _ = write(Rewrite, [record], styles=["faq", "table", "tutorial", "facts"])
    assert [row.meta["style"] for row in rows] == ["faq", "table", "tutorial", "facts"]
    assert all(row.kind == "rewrite" and row.meta["completion"].startswith("# The router manual\n") for row in rows)
    assert all("router" in row.meta["question"].lower() for row in rows)


def test_languages_choose_records_and_name_the_language_to_write_in(engine: Scripted) -> None:
    german, english = (page(record.text, key=key) for record, key in zip(manuals(2), "de", strict=True))
    german.language = "de"
    rows, dropped, _ = write(WrittenQA, [german, english], languages=["de"], unanswerable=0)
    assert {row.language for row in rows} == {"de"}
    assert [item.reason for item in dropped] == ["other-language"]
    assert all("in German" in prompt for prompt in engine.prompts if not kind_of(prompt).endswith("-check"))


def test_chunks_that_do_not_fit_the_engine_are_told_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="do not fit into the engine's context of 2048 tokens"):
        WrittenQA.check(WrittenQA.Settings(engine={**TAGGED, "context_tokens": 2048}, chunk_tokens=900))


def questions(records: list[Record], **settings: Any) -> list[Record]:
    return write(WrittenQA, records, **settings)[0]


def test_items_are_made_of_accepted_questions_with_near_and_far_options_of_their_form(
    engine: Scripted, tmp_path: Path
) -> None:
    asked = questions(manuals(30), per_passage=4, unanswerable=0.1)
    rows, dropped, contexts = run(WrittenMCQ, {"a": asked}, tmp_path, engine=TAGGED)
    items = rows["a"]
    assert len(items) > 60
    by_id = {row.id: row for row in asked}
    for item in items:
        meta, question = item.meta, by_id[item.meta["from"]]
        assert question.meta.get("answerable", True)
        assert item.parents == (*question.parents, question.id)
        assert meta["options"][meta["gold"]] == meta["answer"]
        assert sorted([meta["gold"], *meta["near"], *meta["far"]]) == [0, 1, 2, 3]
        assert len(set(meta["options"])) == 4
        assert all(meta["options"][far] not in meta["context"]["text"] for far in meta["far"])
        assert meta["evidence"] == question.meta["evidence"]
    assert {item.reason for item in dropped["a"]} >= {"not-selected"}
    letters = Counter(item.meta["gold"] for item in items)
    assert max(letters.values()) - min(letters.values()) <= 0.2 * len(items)
    counts = contexts["a"].counts["kb"]
    assert counts["asked"] == len(
        [row for row in asked if row.id not in {d.record.id for d in dropped["a"]}]
    ) or counts["asked"] >= len(items)


def test_trap_18_letters_are_placed_by_code_and_no_prompt_names_one(engine: Scripted, tmp_path: Path) -> None:
    rows, _, _ = run(WrittenMCQ, {"a": questions(manuals(12))}, tmp_path, engine=TAGGED)
    assert rows["a"]
    for prompt in engine.prompts:
        task = prompt.rpartition("</document>")[2]
        assert not any(f"\n{letter}. " in task for letter in "ABCD")


def test_a_near_option_that_the_text_says_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked_by = plugged(monkeypatch, Scripted())
    asked = questions(manuals(12))

    def near(kind: str, document: str, n: int) -> str | None:
        line = document.splitlines()[2]
        return f"<row><wrong>{line}</wrong><changed>all</changed></row>" if kind.startswith("mcq-near") else None

    asked_by.reply = near
    rows, dropped, contexts = run(WrittenMCQ, {"a": asked}, tmp_path, engine=TAGGED)
    assert not rows["a"]
    assert contexts["a"].counts["kb"]["missing.near-in-text"] > 0
    assert "near-in-text" in {item.reason for item in dropped["a"]}


def test_questions_that_failed_their_check_become_no_items(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugged(monkeypatch, Scripted(lambda kind, d, n: "No" if kind == "qa-check" else None))
    rows, dropped, _ = run(WrittenMCQ, {"a": questions(manuals(6), unanswerable=0)}, tmp_path, engine=TAGGED)
    assert not rows["a"]
    assert {item.reason for item in dropped["a"]} == {"not-accepted"}


def test_reading_keeps_the_tasks_by_rules_and_adds_summaries(engine: Scripted, tmp_path: Path) -> None:
    rows, _, _ = run(WrittenReading, {"a": manuals(12)}, tmp_path, engine=TAGGED)
    engines = Counter(row.meta["engine"] for row in rows["a"])
    assert engines["extractive"] > 12
    assert engines["endpoint"] == 12
    summary = next(row for row in rows["a"] if row.meta["engine"] == "endpoint")
    assert summary.meta["template"] == "reading-summary"
    assert summary.meta["context"]["text"] in summary.meta["question"]


def test_trap_17_one_chunk_may_give_many_rows_in_one_stage(engine: Scripted) -> None:
    rows, _, _ = write(WrittenQA, manuals(1), per_passage=10, reverse=3, unanswerable=0.3)
    assert len(rows) >= 10
    assert len({row.id for row in rows}) == len(rows)


def test_trap_14_calls_are_made_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Scripted):
        under_way = most = 0

        async def answer(self, request: GenerationRequest) -> GenerationResponse:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0.01)
            self.under_way -= 1
            return await super().answer(request)

    engine = plugged(monkeypatch, Slow())
    write(WrittenQA, manuals(20))
    assert engine.most >= 20


def test_rows_do_not_depend_on_the_order_in_which_answers_come(monkeypatch: pytest.MonkeyPatch) -> None:
    class Uneven(Scripted):
        async def answer(self, request: GenerationRequest) -> GenerationResponse:
            await asyncio.sleep((len(request.messages[0].content) * 7919 + request.seed) % 20 / 1000)
            return await super().answer(request)

    plugged(monkeypatch, Scripted())
    steady = write(WrittenQA, manuals(20))[0]
    plugged(monkeypatch, Uneven())
    assert write(WrittenQA, manuals(20))[0] == steady
