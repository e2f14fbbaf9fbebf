"""The checks of a row against its passage: what a user would lose is a model trained on invented answers."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.errors import UsageError
from corpusforge.generate.verify.checks import problems
from corpusforge.generate.verify.entailment import Entailment
from corpusforge.generate.verify.figures import figures
from corpusforge.generate.verify.lexicon import lexicon
from corpusforge.generate.verify.stage import Verify
from corpusforge.generate.verify.words import cut
from corpusforge.record import Message, Record

from .pages import run
from .proof_rows import PASSAGE, item, row


def reason(made: Record) -> str:
    found = next(problems(made), None)
    return found.reason if found else ""


TRUE = [
    "The Fernway router has 4 network ports and one USB port.",
    "Hold the reset button for ten seconds to restore the factory settings.",
    "Don't unplug the router while the update is running.",
    "To restore the factory settings, hold the reset button for 10 seconds.",
    "Port numbers may be changed only by administrators.",
    "You can connect at least 32 devices. The update log is kept in `/var/log/fernway.log`.",
]


@pytest.mark.parametrize("answer", TRUE)
def test_a_true_answer_in_other_words_stays(answer: str) -> None:
    assert reason(row(answer)) == ""


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("The Fernway router has five network ports and one USB port.", "number-not-in-source"),
        ("Hold the reset button for 10 minutes to restore the factory settings.", "unit-not-in-source"),
        ("You can connect at least 4 devices.", "number-not-in-source"),
        ("The Larkspur router has four network ports and one USB port.", "name-not-in-source"),
        ("The update log is kept in `/var/log/messages`.", "code-not-in-source"),
        ("The Fernway router has four network ports and one HDMI port.", "name-not-in-source"),
        ("Unplug the router while the update is running.", "negation-differs"),
        ("Do not hold the reset button for 10 seconds to restore the factory settings.", "negation-differs"),
        ("Administrators may change the port numbers.", "scope-differs"),
        ("Only administrators must change the port numbers.", "scope-differs"),
        ("You can connect at most 32 devices.", "scope-differs"),
        ("You can connect 32 devices.", "scope-differs"),
        ("You can connect at least 32 devices. Premium customers receive a free replacement battery.", "unsupported"),
        ("Hold the reset button for 10 seconds, which also erases stored voicemail greetings.", "unsupported"),
    ],
)
def test_an_answer_with_one_planted_error_is_refused_by_its_rule(answer: str, rule: str) -> None:
    assert reason(row(answer)) == rule


def test_a_name_in_the_place_of_another_is_found_though_both_are_in_the_passage() -> None:
    passage = "Fernway is installed by the tool Aster before setup. Meadow is removed by the tool Birch after setup."
    wrong = row("Fernway is installed by the tool Birch before setup.", passage=passage, title="")
    assert reason(wrong) == "name-not-in-source"
    assert reason(row("Fernway is installed by the tool Aster before setup.", passage=passage, title="")) == ""


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [("1,000 files", "1000", ""), ("twelve users", "12", ""), ("50% of it", "50", "percent"), ("22.04 is out", "22.04", ""),
     ("$20 a month", "20", "usd"), ("10GB free", "10", "bytes"), ("a 6-character code", "6", "")],
)  # fmt: skip
def test_numbers_are_read_as_they_are_written(text: str, value: str, dimension: str) -> None:
    (found,) = [one for one in figures(cut(text), lexicon("en")) if not one.soft]
    assert (found.value, found.dimension) == (value, dimension)


def test_one_length_of_time_in_two_units_agrees_and_two_versions_do_not() -> None:
    def of(text: str) -> list[object]:
        return [one for one in figures(cut(text), lexicon("en")) if not one.soft]

    assert of("60 minutes")[0].agrees(of("1 hour")[0])  # type: ignore[attr-defined]
    assert not of("60 minutes")[0].agrees(of("60 hours")[0])  # type: ignore[attr-defined]
    assert not of("version 3.10")[0].agrees(of("version 3.1")[0])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "question",
    ["According to the text, how many ports are there?", "What does the passage say about ports?", "What does it do?",
     "How can I change this?", "What is mentioned above?", "Why should I read this section?"],
)  # fmt: skip
def test_a_question_that_needs_the_text_beside_it_is_refused(question: str) -> None:
    assert reason(row(TRUE[0], question=question)) == "not-self-contained"


@pytest.mark.parametrize(
    "question",
    ["Is it possible to reset the Fernway router?", "How many devices can I connect, and which of them may print?",
     "What happens to the Fernway router when its update fails?", "How long does it take to reset the router?"],
)  # fmt: skip
def test_a_question_that_stands_alone_stays(question: str) -> None:
    assert reason(row(TRUE[0], question=question)) == ""


def test_an_answer_in_another_language_is_refused() -> None:
    german = "Der Router hat vier Anschlüsse für das Netzwerk und einen weiteren für Speicher, die man jederzeit nutzen kann."
    assert "wrong-language" in [one.reason for one in problems(row(german))]


def test_a_row_without_its_parts_is_refused_and_nothing_is_raised() -> None:
    good = row(TRUE[0])
    assert reason(good.with_messages((Message("user", "Only a question?"),))) == "structure"
    assert reason(row("Yes.", quote=None, context={"start": 0, "end": 0, "text": ""})) == "no-source"
    assert reason(row(TRUE[0], evidence=[])) == "no-evidence"
    assert reason(row(TRUE[0], evidence=[{"record": "another:1", "start": 0, "end": 5}])) == "no-evidence"
    assert reason(row(TRUE[0], evidence=[{"start": "0"}])) == "no-evidence"
    assert reason(row(" - ")) == "empty-answer"


def test_an_unanswerable_question_needs_no_evidence_but_a_source() -> None:
    refusal = row("The documentation does not say.", answerable=False, evidence=[])
    assert reason(refusal) == ""
    assert reason(row("The documentation does not say.", answerable=False, evidence=[], context={})) == "no-source"


def test_evidence_that_leaves_out_its_not_does_not_prove_the_contrary() -> None:
    assert reason(row("Unplug the router while the update is running.", quote="unplug the router while")) != ""


OPTIONS = ("10 seconds", "20 seconds", "a year", "two friends")


def test_a_sound_item_stays() -> None:
    asked = "For how long must the reset button of the Fernway router be held?"
    assert reason(item(*OPTIONS, question=asked, quote="10 seconds")) == ""


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("10 seconds", "10 s", "a year", "two friends"), "equal-options"),
        (("10 seconds", "ten seconds", "a year", "two friends"), "equal-options"),
        (("10 seconds", "All of the above", "a year", "two friends"), "position-cue"),
        (("10 seconds", "reset button", "a year", "two friends"), "distractor-true"),
        (("10 seconds", "a quarter of an hour or, where the lamp stays dark, as long as it takes", "a week that has no "
          "end and no beginning at all", "as many friends as there are in the whole wide world"), "length-cue"),
    ],
)  # fmt: skip
def test_an_item_that_gives_itself_away_or_has_two_right_options_is_refused(
    options: tuple[str, ...], rule: str
) -> None:
    sentence = "Hold the reset button for 10 seconds to restore the factory settings."
    made = item(*options, question="For how long must the reset button of the router be held?", quote=sentence)
    assert reason(made) == rule


def test_an_item_whose_letter_or_marks_are_wrong_is_refused() -> None:
    made = item(*OPTIONS)
    for change in (
        {"gold": 7},
        {"gold": True},
        {"near": [0], "far": [1, 2]},
        {"answer": "20 seconds"},
        {"options": ["x"]},
    ):
        changed = item(*OPTIONS, quote="10 seconds")
        changed.meta = {**changed.meta, **change}
        assert reason(changed) == "structure"
    assert made.meta["gold"] == 0


def test_a_wrong_option_that_another_page_gives_as_the_answer_drops_the_item(tmp_path: Path) -> None:
    asked = "How long is the warranty of the Fernway router in Norway?"
    here = (
        "The warranty of the Fernway router in Norway is five years, says this page. Batteries are not covered by it."
    )
    there = "The warranty of the Fernway router in Norway was three years until last spring. It begins on delivery."
    made = item("five years", "three years", "six weeks", "ten days", question=asked, passage=here, quote="five years")
    other = row("It begins on delivery.", question="When does the warranty of the router begin?", passage=there)
    other.meta = {**other.meta, "evidence": [{**other.meta["evidence"][0], "record": "kb:other"}]}
    other.parents = ("kb:other",)
    rows, dropped, _ = run(Verify, {"mcq.kb-00000": [made], "qa.kb-00000": [other]}, tmp_path)
    assert [one.reason for one in dropped["mcq.kb-00000"]] == ["distractor-true-elsewhere"]
    rows, _, _ = run(Verify, {"mcq.kb-00000": [made]}, tmp_path)
    assert len(rows["mcq.kb-00000"]) == 1


def test_every_row_comes_out_once_kept_or_with_its_reason(tmp_path: Path) -> None:
    given_rows = [row(answer) for answer in (*TRUE, "The Larkspur router has nine ports.", " - ")]
    rows, dropped, contexts = run(Verify, {"qa.kb-00000": given_rows}, tmp_path)
    assert {r.id for r in rows["qa.kb-00000"]} | {d.record.id for d in dropped["qa.kb-00000"]} == {
        r.id for r in given_rows
    }
    assert len(dropped["qa.kb-00000"]) == 2
    assert contexts["qa.kb-00000"].counts["kb"]["proven"] == len(TRUE)


WORDS = st.sampled_from(
    "the|router|server|Aster|not|only|all|may|must|12|four|`ls`|port|button|opens|never|without|users".split("|")  # noqa: SIM905
)
SENTENCE = st.lists(WORDS, min_size=3, max_size=12).map(lambda words: " ".join(["Every", *words]) + ".")


@given(st.lists(SENTENCE, min_size=1, max_size=5, unique=True), st.data())
def test_a_sentence_of_the_passage_never_disagrees_with_it(sentences: list[str], data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(sentences))
    made = row(chosen, passage=" ".join(sentences), quote=chosen, title="", question="What is said about routers?")
    assert not [p.reason for p in problems(made) if p.reason not in ("wrong-language", "too-long")]


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=200))
def test_any_text_is_judged_without_an_error_and_twice_alike(question: str, answer: str, passage: str) -> None:
    made = row(answer, question=question, passage=passage + " .", quote=None, title="")
    assert [p.reason for p in problems(made)] == [p.reason for p in problems(made)]


def test_the_passage_is_what_the_tests_say() -> None:
    assert "four network ports" in PASSAGE


def test_a_grounding_model_drops_what_it_doubts_and_is_not_asked_about_spans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Doubter:
        model = SimpleNamespace(config=SimpleNamespace(id2label={0: "contradiction", 1: "ENTAILMENT"}))

        def __call__(self, pairs: list[dict[str, str]], truncation: bool) -> list[list[dict[str, object]]]:
            asked.extend(pair["text_pair"] for pair in pairs)
            scores = [0.1 if "USB" in pair["text_pair"] else 0.9 for pair in pairs]
            return [[{"label": "ENTAILMENT", "score": s}, {"label": "contradiction", "score": 1 - s}] for s in scores]

    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(pipeline=lambda *_, **__: Doubter()))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    rows = [row(TRUE[0]), row(TRUE[1]), row(TRUE[5], engine="extractive")]
    _, dropped, _ = run(Verify, {"qa.kb-00000": rows}, tmp_path, grounding_model=tmp_path / "model")
    assert [(one.reason, one.score) for one in dropped["qa.kb-00000"]] == [("not-entailed", 0.1)]
    assert len(asked) == 2


def test_a_grounding_model_without_its_library_or_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no model"):
        Entailment(tmp_path)
