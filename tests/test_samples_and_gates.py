"""What the card shows and what the gates see: chosen by hash, complete, and the same for everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusforge.record import Message, Origin, Record, Span, record_id
from corpusforge.residue import residue
from corpusforge.samples import EACH, choose_samples
from corpusforge.shards import Shard, sha256_file, write_records


def record(key: str, text: str = "Lamps blink twice.", **more: object) -> Record:
    made = {"id": record_id("notes", key), "source": "notes", "kind": "doc", "text": text, "origin": Origin("n", 0, 1)}
    return Record(**{**made, **more})  # type: ignore[arg-type]


def question(parent: Record, key: str, answer: str = "blink twice", source: str = "notes") -> Record:
    messages = (Message("user", "What do lamps do?"), Message("assistant", answer))
    evidence = [{"record": parent.id, "start": 6, "end": 17}]
    meta = {"question": "What do lamps do?", "answer": answer, "evidence": evidence, "engine": "extractive"}
    made = record(key, kind="qa", parents=(parent.id,), meta=meta, source=source)
    return made.with_messages(messages)


def shard(folder: Path, name: str, records: list[Record]) -> Shard:
    path = folder / f"{name}.parquet"
    write_records(path, records)
    return Shard(name, "notes", path, sha256_file(path), len(records), path.stat().st_size)


def test_samples_do_not_depend_on_how_records_are_dealt_into_shards(tmp_path: Path) -> None:
    texts = [record(f"t{i}", spans=(Span("email", 0, 5, "x", 1.0),)) for i in range(60)]
    rows = [question(parent, f"q{i}") for i, parent in enumerate(texts)]
    whole = [shard(tmp_path, "notes-00000", texts), shard(tmp_path, "qa.notes-00000", rows)]
    half = [
        shard(tmp_path, "a-00000", texts[:30]),
        shard(tmp_path, "qa.a-00000", rows[:30]),
        shard(tmp_path, "a-00001", texts[30:]),
        shard(tmp_path, "qa.a-00001", rows[30:]),
    ]
    one, two = choose_samples(whole, 17), choose_samples(half[::-1], 17)
    assert one == two
    assert len(one["samples"]["qa"]) == len(one["samples"]["redacted"]) == EACH
    assert one["evidence"] == {"rows": 60, "proven": 60, "by_model": {}}
    assert one["samples"] != choose_samples(whole, 18)["samples"]


def test_what_was_hidden_is_shown_evenly_over_kinds_and_sources(tmp_path: Path) -> None:
    """A hundred thousand names must not crowd out the one kind that is always wrong; nor one source the others."""

    def hidden(key: str, kind: str, lead: str, source: str = "notes") -> Record:
        text = f"{lead} <{kind}_3> and more of it"
        start = len(lead) + 1
        return record(key, text, spans=(Span(kind, start, start + len(kind) + 4, "x", 1.0),), source=source)

    many = [hidden(f"p{i}", "PERSON", f"Of the people who wrote number {i} is") for i in range(200)]
    same = [hidden(f"e{i}", "EMAIL", "Write to us at this address:") for i in range(50)]
    rare = [hidden("i", "IP", "version"), hidden("o", "PERSON", "In the other source", source="other")]
    shards = [shard(tmp_path, "a", many), shard(tmp_path, "b", [*same, *rare])]
    found = choose_samples(shards, 17)["samples"]["hidden"]
    kinds = [one["kind"] for one in found]
    assert kinds == ["EMAIL", "IP"] + ["PERSON"] * 5
    assert {one["source"] for one in found} == {"notes", "other"}
    assert "version <IP_3> and more of it" in [one["text"] for one in found]
    assert choose_samples(shards[::-1], 17)["samples"]["hidden"] == found


def test_a_surrogate_is_shown_as_its_kind(tmp_path: Path) -> None:
    """Or the reviewer could not tell what was hidden from what was said."""
    spans = (Span("PERSON", 4, 13, "x", 1.0), Span("CITY", 17, 23, "x", 1.0))
    made = record("s", "Ask Anna Berg of Berlin for it.", spans=spans)
    found = choose_samples([shard(tmp_path, "a", [made])], 17)["samples"]["hidden"]
    assert [one["text"] for one in found] == ["Ask <PERSON_1> of <CITY_1> for it."] * 2


def test_evidence_in_another_shard_counts_and_false_evidence_does_not(tmp_path: Path) -> None:
    parent = record("t")
    rows = [question(parent, "good"), question(parent, "bad", answer="sing a song"), question(record("gone"), "none")]
    shards = [shard(tmp_path, "notes-00000", [parent]), shard(tmp_path, "qa.notes-00001", rows)]
    assert choose_samples(shards, 17)["evidence"] == {"rows": 3, "proven": 1, "by_model": {}}


@pytest.mark.parametrize(
    "leak",
    [
        {"text": "Write to ann.lee@mail-host.net now."},
        {"title": "Mail of ann.lee@mail-host.net"},
        {"meta": {"options": ["no", {"answer": "ann.lee@mail-host.net"}]}},
    ],
)
def test_the_second_detector_looks_wherever_a_record_says_something(tmp_path: Path, leak: dict[str, object]) -> None:
    shards = [shard(tmp_path, "notes-00000", [record("a"), record("b", **leak)])]
    assert residue(shards, {"notes"}, 17)[:2] == (2, 1)
    assert residue(shards, {"other"}, 17)[:2] == (0, 0)
