"""Records for the tests of the mix: sources of many kinds with tokens counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from corpusforge.mix.tokens import Tokens
from corpusforge.mix.tree import tree_from_mapping
from corpusforge.mix_tree import OutputTree
from corpusforge.record import Message, Origin, Record
from corpusforge.shards import write_records
from corpusforge.stage import StageContext


def text_record(source: str, number: int, kind: str = "article", words: int = 20, **more: Any) -> Record:
    text = " ".join(f"{source}{number}word{k}" for k in range(words))
    return Record(f"{source}:{number:06d}", source, kind, text, Origin("f", 0, 1), group=f"{source}:{number}", **more)  # type: ignore[arg-type]


def talk_record(source: str, number: int, kind: str = "qa", answer: str = "Yes, it is.", **more: Any) -> Record:
    record = text_record(source, number, kind, **more)
    turns = (Message("user", f"Is {source} number {number} right?"), Message("assistant", answer))
    return replace(record, id=f"{record.id}:{kind}", parents=(record.id,)).with_messages(turns)


def counted(records: Iterable[Record], tokenizer: str = "bytes") -> list[Record]:
    context = StageContext(settings=Tokens.Settings(tokenizer=tokenizer), seed=1, sources={})
    return list(Tokens().apply(records, context))  # type: ignore[arg-type]


def output(
    name: str, mapping: dict[str, Any], total: int | None = None, unit: str = "tokens", epochs: int = 4
) -> OutputTree:
    return OutputTree(name, total, unit, Fraction(epochs), tree_from_mapping(mapping, name))  # type: ignore[arg-type]


def sharded(folder: Path, records: Sequence[Record], shards: int = 3) -> list[Path]:
    paths = []
    for number in range(shards):
        path = folder / f"part-{number:05d}.parquet"
        write_records(path, records[number::shards])
        paths.append(path)
    return paths


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Makers of records, outputs and shards."""
    return SimpleNamespace(text=text_record, talk=talk_record, counted=counted, output=output, sharded=sharded)
