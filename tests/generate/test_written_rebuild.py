"""What is changed is paid for again, nothing else; and what comes of it is what a build from nothing gives."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpusforge.build import Built
from corpusforge.errors import StepFailed
from corpusforge.record import Record

from .factory import built, document, records_of, rows_of, workspace
from .scripted import Scripted, plugged

DOCUMENTS = dict.fromkeys(range(100), 0)
TASKS = {"mcq": {}, "rewrite": {"styles": ["faq"]}, "prompts": "prompts"}
OWN = "{# version: 3 #}\nRewrite the document in {{ language }} as a list of frequently asked questions, {{ n }} of them.\n{{ format }}\n"


def made(folder: Path) -> Path:
    """A workspace with a prompt of its own."""
    (folder / "prompts").mkdir(parents=True)
    (folder / "prompts" / "rewrite-faq.j2").write_text(OWN)
    return workspace(folder, DOCUMENTS, **TASKS)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Built, Counter[str]]]:
    """A workspace with its first build, and the calls that it took."""
    with pytest.MonkeyPatch.context() as patch:
        engine = plugged(patch, Scripted())
        folder = made(tmp_path_factory.mktemp("first") / "workspace")
        yield folder, built(folder), engine.calls


@pytest.fixture
def again(first: tuple[Path, Built, Counter[str]], tmp_path: Path) -> Path:
    """The workspace with its build, to be changed."""
    return Path(shutil.copytree(first[0], tmp_path / "again"))


def same_rows(a: dict[str, Record], b: dict[str, Record]) -> None:
    assert a.keys() == b.keys()
    assert a == b


def from_nothing(folder: Path) -> dict[str, Record]:
    return rows_of(built(folder, "others"))


def test_trap_5_an_edit_of_one_document_in_a_hundred_is_paid_for_once_and_changes_nothing_else(
    first: tuple[Path, Built, Counter[str]], again: Path, engine: Scripted
) -> None:
    _, before, calls = first
    workspace(again, {**DOCUMENTS, 42: 5}, **TASKS)
    after = built(again)
    changed_share = 1 / len(DOCUMENTS)  # each document is one chunk
    assert engine.calls.total() <= 1.1 * changed_share * calls.total()
    assert engine.calls.total() > 0
    assert all(document(42, 5)["body"][20:60] in prompt for prompt in engine.prompts)
    rows, old = rows_of(after), rows_of(before)
    touched = {identity for identity in old if rows.get(identity) != old[identity]}
    named = document(42)["name"].removeprefix("The ")
    own = {identity for identity in touched if named in str(old[identity].meta["question"]) + old[identity].title}
    # The others draw a wrong option from the document that changed.
    assert all(named in old[identity].text for identity in touched - own)
    same_rows(rows, from_nothing(again))


def test_trap_2_a_changed_prompt_runs_its_own_task_again_and_no_other(
    first: tuple[Path, Built, Counter[str]], again: Path, engine: Scripted
) -> None:
    _, before, calls = first
    (again / "prompts" / "rewrite-faq.j2").write_text(OWN.replace("of them", "of them, in full"))
    after = built(again)
    assert set(engine.calls) == {"rewrite-faq"} | ({"rewrite-check"} & set(engine.calls))
    assert engine.calls["rewrite-faq"] == calls["rewrite-faq"]

    def keys(done: Built, step: str) -> list[str]:
        return [shard["key"] for one in done.manifest["steps"] if one["name"] == step for shard in one["shards"]]

    assert keys(after, "qa") == keys(before, "qa")
    assert keys(after, "mcq") == keys(before, "mcq")
    assert keys(after, "rewrite") != keys(before, "rewrite")
    old, new = records_of(before, "rewrite"), records_of(after, "rewrite")
    assert {row.meta["template_hash"] for row in old.values()} != {row.meta["template_hash"] for row in new.values()}
    assert {row.meta["template_version"] for row in new.values()} == {3}


def test_what_was_answered_is_never_paid_for_twice(
    first: tuple[Path, Built, Counter[str]], again: Path, engine: Scripted
) -> None:
    shutil.rmtree(again / "builds" / "written" / "steps")
    after = built(again)
    assert engine.calls.total() == 0
    same_rows(rows_of(after), rows_of(first[1]))


def test_a_deleted_document_takes_all_its_descendants_with_it(
    first: tuple[Path, Built, Counter[str]], again: Path, engine: Scripted
) -> None:
    gone = next(r for r in records_of(first[1], "normalise").values() if r.title == document(17)["name"])
    assert any(gone.id in row.parents for row in rows_of(first[1]).values())
    workspace(again, {n: 0 for n in DOCUMENTS if n != 17}, **TASKS)
    rows = rows_of(built(again))
    assert engine.calls.total() == 0
    for row in rows.values():
        assert gone.id not in row.parents
        assert all(span["record"] != gone.id for span in row.meta["evidence"])
        assert document(17)["name"].removeprefix("The ") not in row.text + row.title


def test_trap_4_a_prompt_that_changes_while_a_build_runs_ends_it(engine: Scripted, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "rewrite-faq.j2").write_text(OWN)
    workspace(tmp_path, dict.fromkeys(range(5), 0), **TASKS)

    def meddle(kind: str, document: str, n: int) -> None:
        if kind == "qa":
            (prompts / "rewrite-faq.j2").write_text(OWN.replace("3", "5"))

    engine.reply = meddle
    with pytest.raises(StepFailed, match=r"prompts/rewrite-faq\.j2 changed while the build ran"):
        built(tmp_path)
    engine.reply = None
    assert {row.meta["template_version"] for row in records_of(built(tmp_path), "rewrite").values()} == {5}
