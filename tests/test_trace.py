"""`corpusforge trace` answers where a row comes from: without it no row can be defended, and none deleted for good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpusforge.errors import UsageError
from corpusforge.manifest import read_manifest
from corpusforge.story import lines, origins
from corpusforge.trace import Visit, roots, trace

from .cli_corpus import built, make_corpus


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(make_corpus(tmp_path_factory.mktemp("trace") / "corpus"))


def rows(build: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted((build / name).glob("*.parquet")):
        found += pq.read_table(path).to_pylist()
    return found


def follow(build: Path, identity: str) -> list[Visit]:
    return trace(build, read_manifest(build), identity)


@pytest.mark.parametrize("task", ["qa", "reading"])
def test_a_synthetic_row_leads_to_the_bytes_of_the_file_that_prove_it(build: Path, task: str) -> None:
    number, row = next((i, r) for i, r in enumerate(rows(build, "instruct")) if r["task"] == task)
    visits = follow(build, row["id"])
    (root,) = roots(visits)
    assert root.id in row["parents"]
    origin = root.detail["origin"]
    raw = (build.parents[2] / "help" / origin["file"]).read_bytes()[origin["start"] : origin["end"]]
    assert raw.decode().startswith("# Mend the ")
    made = next(visit for visit in visits if visit.step == task)
    assert made.fate == "made"
    assert {span["record"] for span in made.detail["evidence"]} == {root.id}
    assert any(visit.step == "instruct" and visit.detail["row"] == number for visit in visits)


def test_the_path_is_in_the_order_of_the_steps_and_ends_in_the_mix(build: Path) -> None:
    row = next(r for r in rows(build, "instruct") if r["task"] == "qa")
    steps = [visit.step for visit in follow(build, row["id"])]
    order = [*(step["name"] for step in read_manifest(build)["steps"]), "completion", "instruct", "eval"]
    assert steps == sorted(steps, key=order.index)
    assert steps[0] == "ingest"
    assert steps[-1] == "instruct"
    assert steps.count("tokens") == 1, "an ancestor's own fate after the row was made is another story"


def test_a_row_of_several_epochs_names_each_of_its_rows(build: Path) -> None:
    completion = rows(build, "completion")
    twice = next(r["id"] for r in completion if r["repeat"] == 1)
    expected = [i for i, r in enumerate(completion) if r["id"] == twice]
    assert [visit.detail["row"] for visit in follow(build, twice) if visit.step == "completion"] == expected


def test_messages_of_a_chat_lead_to_the_lines_of_its_table(build: Path) -> None:
    chat = next(r for r in rows(build, "completion") if r["source"] == "chats")
    origin = roots(follow(build, chat["id"]))[0].detail["origin"]
    raw = (build.parents[2] / "chats.csv").read_bytes()[origin["start"] : origin["end"]]
    assert raw.count(b"user,") == 1
    assert chat["text"].rstrip()[-20:].encode() in raw


def test_what_was_dropped_ends_at_the_reason(build: Path) -> None:
    dropped = rows(build, "dropped")[0]
    last = [v for v in follow(build, dropped["id"]) if not v.fate.startswith("gave no row")][-1]
    told = next(r for r in pq.read_table(build / "dropped" / "drop-footer.parquet").to_pylist())
    end = follow(build, told["id"])[-1]
    assert (end.step, end.fate) == ("drop-footer", "dropped: footer")
    assert last.id == dropped["id"]


def test_a_held_out_record_is_found_in_the_sealed_side(build: Path) -> None:
    held = pq.read_table(build / "eval" / "holdout_text.parquet")["id"].to_pylist()[0]
    visits = follow(build, held)
    assert visits[-1].step == "eval"
    assert "side holdout" in "\n".join(what for _, _, _, what in lines(visits))


def test_no_text_is_told(build: Path) -> None:
    """A trace may be pasted into a ticket: it must hold places and figures, never what a customer wrote."""
    for row in rows(build, "completion")[:5]:
        visits = follow(build, row["id"])
        said = "\n".join([*origins(visits), *(" ".join(line) for line in lines(visits)), *map(str, visits)])
        assert row["text"][:40] not in said


def test_the_words_name_the_file_and_what_changed(build: Path) -> None:
    chat = next(r for r in rows(build, "completion") if r["source"] == "chats")
    visits = follow(build, chat["id"])
    (sentence,) = origins(visits)
    assert sentence.startswith(f"{chat['id']} comes from chats.csv, bytes ")
    told = {step: what for step, _, _, what in lines(visits)}
    assert "1 redactions" in told["redact"]
    assert told["dedup"] == ""


def test_pieces_and_ranges_are_told() -> None:
    origin = {"file": "a.csv", "start": 0, "end": 90, "unit": "byte"}
    whole = Visit("ingest", "a:1", "a-0", "kept", {"origin": origin, "lines": [[0, 10], [50, 90]], "characters": 9000})
    piece = Visit("segment", "a:1#1", "a-0", "cut", {"piece": [4000, 9000], "characters": 5000})
    assert list(origins([whole, piece])) == ["a:1 comes from a.csv, bytes 0 to 10, 50 to 90"]
    assert lines([whole, piece])[1] == (
        "segment",
        "a:1#1",
        "cut",
        "characters 4,000 to 9,000 of the whole; 5,000 characters",
    )


@pytest.mark.parametrize("identity", ["help:0000000000000000", "nobody", "", "#1"])
def test_an_unknown_record_is_said_to_be_unknown(build: Path, identity: str) -> None:
    with pytest.raises(UsageError, match=r"no record .* Ids are in the id column"):
        follow(build, identity)


def test_a_build_whose_steps_are_gone_says_so(build: Path, tmp_path: Path) -> None:
    import shutil

    alone = tmp_path / "alone"
    shutil.copytree(build, alone)
    with pytest.raises(UsageError, match="the steps of this build are gone"):
        follow(alone, "help:0000000000000000")
