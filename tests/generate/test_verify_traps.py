"""Traps that other generators fell into, each by its number in the project's list of the field's failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusforge.generate.alike import Alike
from corpusforge.generate.verify.checks import DEFAULT, problems
from corpusforge.generate.verify.stage import Verify, verdict
from corpusforge.recipe import read_recipe
from corpusforge.record import Record

from .pages import run
from .proof_rows import row

REPOSITORY = Path(__file__).parents[2]


def reasons(made: Record) -> list[str]:
    return [one.reason for one in problems(made)]


def test_trap_1_a_source_of_fewer_than_fifty_characters_is_checked_like_any_other() -> None:
    short = "A plan has at most 10 subnets."
    asked = "How many subnets does a plan have?"
    assert reasons(row("A plan has at most 10 subnets.", passage=short, question=asked, title="")) == []
    assert "number-not-in-source" in reasons(
        row("A plan has at most 12 subnets.", passage=short, question=asked, title="")
    )


def test_trap_7_no_row_is_judged_without_its_source() -> None:
    for context in ({}, {"start": 0, "end": 0, "text": ""}, None):
        assert reasons(row("The router has four network ports.", context=context)) == ["no-source"]


def test_trap_8_evidence_is_the_parents_own_text_and_not_a_text_made_of_it() -> None:
    made = row("The router has four network ports.")
    for record in ("kb:a-summary-of-it", made.id):
        evidence = [{**made.meta["evidence"][0], "record": record}]
        assert reasons(row("The router has four network ports.", evidence=evidence)) == ["no-evidence"]


def test_trap_9_the_shipped_prompts_hold_no_example_that_could_be_labelled_wrongly() -> None:
    for path in sorted((REPOSITORY / "src/corpusforge/generate/prompts").glob("*check*.j2")):
        text = path.read_text("utf-8").lower()
        assert "example" not in text, path.name
        assert "answer: yes" not in text, path.name


@pytest.mark.parametrize("name", sorted(path.stem for path in (REPOSITORY / "recipes").glob("*.yaml")))
def test_trap_11_the_shipped_recipes_have_every_check_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUSFORGE_DATA", str(REPOSITORY.parent / "shared" / "data"))
    text = (REPOSITORY / "recipes" / f"{name}.yaml").read_text("utf-8")
    assert "verify: false" not in text
    assert "alike: false" not in text
    shipped = Verify.Settings()
    assert shipped.longest_unsupported == DEFAULT.longest_unsupported  # type: ignore[attr-defined]
    assert shipped.min_support > 0  # type: ignore[attr-defined]
    assert shipped.nearest > 0  # type: ignore[attr-defined]
    if name == "demo":
        recipe = read_recipe(REPOSITORY / "recipes" / "demo.yaml")
        assert [use.name for use in recipe.proofs][-2:] == ["verify", "alike"]


def test_trap_21_a_quote_that_does_not_hold_drops_the_row(tmp_path: Path) -> None:
    moved = row("The Fernway router has four network ports and one USB port.", quote="The update log is kept in")
    wrong = row("The Fernway router has nine network ports and one USB port.")
    outside = row("The Fernway router has four network ports.")
    outside.meta = {**outside.meta, "evidence": [{**outside.meta["evidence"][0], "end": 10_000}]}
    rows, dropped, _ = run(Verify, {"qa.kb-00000": [moved, wrong, outside]}, tmp_path)
    assert [one.record.id for one in dropped["qa.kb-00000"]] == [wrong.id, outside.id]
    # What the passage says stays, though the writer pointed at another of its sentences.
    assert [one.id for one in rows["qa.kb-00000"]] == [moved.id]


def test_trap_22_questions_that_begin_alike_stay_and_copies_that_begin_otherwise_go(tmp_path: Path) -> None:
    begins = "How do I reset the "
    asked = [f"{begins}{thing}?" for thing in ("router password", "printer counter", "display language")]
    copy = "In which way can I reset the router password?"
    made = [row(f"Answer number {k}.", question=q) for k, q in enumerate([*asked, copy])]
    rows, dropped, _ = run(Alike, {"qa.kb-00000": made}, tmp_path)
    assert len(rows["qa.kb-00000"]) == 3
    assert [one.reason for one in dropped["qa.kb-00000"]] == ["near-duplicate-question"]
    assert dropped["qa.kb-00000"][0].record.meta["question"] in (asked[0], copy)


@pytest.mark.parametrize("given", ["yes, partially", "Yes", "partly", "unparsable", "no", "yes."])
def test_trap_25_only_a_plain_yes_keeps_a_row(given: str) -> None:
    assert verdict(row("The router has four network ports.", verdict=given)) is not None
    assert verdict(row("The router has four network ports.", verdict="yes")) is None


def test_trap_25_nine_true_sentences_do_not_carry_a_tenth() -> None:
    true = ("The Fernway router has four network ports and one USB port. Hold the reset button for 10 seconds to restore "
            "the factory settings. Do not unplug the router while the update is running. Only administrators may change "
            "the port numbers. You can connect at least 32 devices. ")  # fmt: skip
    assert reasons(row(true.strip())) == []
    assert "unsupported" in reasons(row(f"{true}Replacement antennas ship from a warehouse near Lisbon."))
