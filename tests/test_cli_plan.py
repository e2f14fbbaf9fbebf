"""`corpusforge plan` says what will run and why: a reader who trusts it must never wait or worry for nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from corpusforge.curate.language import Language
from corpusforge.stage import Stage

from .cli_corpus import RECIPE, built, copied, make_corpus, planned

Rows = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = make_corpus(tmp_path_factory.mktemp("plan") / "corpus")
    built(recipe)
    return recipe


@pytest.fixture
def recipe(built_once: Path, tmp_path: Path) -> Path:
    """The recipe in a private copy of the built workspace."""
    return copied(built_once, tmp_path / "corpus")


def edited(recipe: Path, old: str, new: str) -> None:
    text = recipe.read_text()
    assert old in text
    recipe.write_text(text.replace(old, new, 1))


def states(rows: Rows, *names: str) -> set[str]:
    return {str(rows[name]["state"]) for name in names}


def test_before_the_first_build_nothing_is_known_and_nothing_is_invented(tmp_path: Path) -> None:
    rows = planned(make_corpus(tmp_path / "corpus"))
    assert {row["why"] for row in rows.values()} == {"never built"}
    assert {row["records"] for row in rows.values()} == {None}
    assert list(rows)[-1] == "mix"


def test_an_unchanged_recipe_runs_nothing(recipe: Path) -> None:
    rows = planned(recipe)
    assert {row["state"] for row in rows.values()} == {"reuse"}
    assert {row["why"] for row in rows.values()} == {"nothing changed"}


def test_an_edited_file_is_named_and_each_step_names_the_step_it_reads(recipe: Path) -> None:
    article = recipe.parents[1] / "help" / "badge.md"
    article.write_text(article.read_text() + "\nOpen the window of the badge office.\n")
    rows = planned(recipe)
    assert rows["ingest"]["why"] == "changed: badge.md"
    assert rows["ingest"]["run"] == 1
    assert rows["qa"]["why"] == rows["reading"]["why"] == "input decontaminate changes"
    assert rows["mix"]["state"] == "maybe"


def test_a_new_and_a_removed_file_are_named(recipe: Path) -> None:
    room = recipe.parents[1] / "help"
    (room / "badge.md").rename(room / "card.md")
    assert planned(recipe)["ingest"]["why"] == "new: card.md; gone: badge.md"


def test_a_new_source_and_one_left_out_are_named(recipe: Path) -> None:
    workspace = recipe.parents[1]
    (workspace / "notes").mkdir()
    (workspace / "notes" / "one.md").write_text("# A note\n\nWrite it down before the meeting begins.\n")
    source = (workspace / "sources" / "help.yaml").read_text().replace("help", "notes")
    (workspace / "sources" / "notes.yaml").write_text(source)
    edited(recipe, "[chats, help]", "[help, notes]")
    assert planned(recipe)["ingest"]["why"] == "new source notes; source chats left out"


def test_a_source_that_is_gone_is_no_reason_to_read_the_others(recipe: Path) -> None:
    edited(recipe, "[chats, help]", "[help]")
    rows = planned(recipe)
    assert rows["ingest"]["state"] == "reuse"
    assert rows["ingest"]["why"] == "source chats left out"


@pytest.mark.parametrize(
    ("old", "new", "step", "why"),
    [
        ("preset: none", "preset: docs", "quality", "setting preset none is now docs"),
        ("per_passage: 2", "per_passage: 1", "qa", "setting per_passage 2 is now 1"),
        ("after: normalise}", "after: normalise, marker: Posted}", "drop-footer", "setting marker Sent from my is now"),
        ("  holdout:", "  language: false\n  holdout:", "quality", "language left out before it"),
        ("reading: {}", "reading: {}, mcq: {}", "mcq", "new step"),
        ("tokenizer: bytes", "tokenizer: bytes\nseed: 18", "normalise", "seed 17 is now 18"),
        (
            "share: 2%}, public: {share: 98%}",
            "share: 3%}, public: {share: 97%}",
            "mix",
            "completion.domain.share 2% is",
        ),
        ("mix:", "gates: {grounded: 90%}\nmix:", "mix", "gates changed"),
        ("name: own", "name: own\nabout: {purpose: A test.}", "mix", "about changed"),
    ],
)
def test_a_changed_recipe_is_told_by_what_changed(recipe: Path, old: str, new: str, step: str, why: str) -> None:
    edited(recipe, old, new)
    rows = planned(recipe)
    assert rows[step]["state"] == "run"
    assert str(rows[step]["why"]).startswith(why)
    names = list(rows)
    for earlier in names[: names.index(step)]:
        assert rows[earlier]["state"] == "reuse", earlier


def test_a_share_moved_back_finds_the_build_that_was(recipe: Path) -> None:
    first = (recipe.parents[1] / "builds" / "own" / "latest").read_text().strip()
    edited(recipe, "share: 2%}, public: {share: 98%}", "share: 3%}, public: {share: 97%}")
    built(recipe)
    recipe.write_text(RECIPE)
    assert planned(recipe)["mix"]["why"] == f"built before as {first}"


def test_a_source_that_says_something_else_is_named(recipe: Path) -> None:
    source = recipe.parents[1] / "sources" / "help.yaml"
    source.write_text(source.read_text().replace("CC0-1.0", "CC-BY-4.0"))
    assert planned(recipe)["ingest"]["why"] == "help: licence changed"
    source.write_text(source.read_text().replace("CC-BY-4.0", "CC0-1.0").replace("data: none", "data: [person]"))
    rows = planned(recipe)
    assert rows["ingest"]["state"] == "reuse"
    assert rows["normalise"]["why"] == "help: personal_data changed"
    source.write_text(source.read_text().replace("[person]", "none").replace("markdown", "{reader: text}"))
    assert planned(recipe)["ingest"]["why"] == "help: its format, reader or shards changed"


def test_an_edited_stage_file_is_named(recipe: Path) -> None:
    stage = recipe.parents[1] / "stages" / "ours.py"
    stage.write_text(stage.read_text() + "# a second thought\n")
    assert planned(recipe)["drop-footer"]["why"] == "file ours.py of the stage changed"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda patch: patch.setattr(Language, "version", 99), "version {} is now 99"),
        (lambda patch: patch.setattr(Language, "libraries", ("pytest",)), "library "),
        (lambda patch: patch.setattr(Language, "resources", classmethod(_template)), "file tests/test_cli_plan.py of"),
    ],
    ids=["version", "library", "template"],
)
def test_a_stage_that_became_another_is_told(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], why: str
) -> None:
    version = Language.version
    change(monkeypatch)
    assert str(planned(recipe)["language"]["why"]).startswith(why.format(version))


def _template(_: type[Stage]) -> tuple[Path, ...]:
    return (Path(__file__),)


def test_lost_results_are_told_from_changes(recipe: Path) -> None:
    shutil.rmtree(recipe.parents[1] / "builds" / "own" / "steps" / "language")
    assert planned(recipe)["language"]["why"] == "its results are gone"


def test_an_interrupted_first_build_is_not_called_never_built(tmp_path: Path) -> None:
    recipe = make_corpus(tmp_path / "corpus")
    built(recipe)
    root = tmp_path / "corpus" / "builds" / "own"
    shutil.rmtree(root / (root / "latest").read_text().strip())
    (root / "latest").unlink()
    next((root / "steps" / "ingest").glob("*.json")).unlink()
    assert planned(recipe)["ingest"]["why"] == "was interrupted"
