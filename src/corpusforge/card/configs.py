"""Which parquet files of a build are one data set for `datasets` and Croissant, and what columns they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from corpusforge.card.card_json import Card, File

if TYPE_CHECKING:
    import pyarrow as pa

# A shard's number at the end of a file's name: qa-00000, qa-00000-of-00004, 00000.
_SHARD = re.compile(r"(?:^|[-_.])\d{3,}(?:-of-\d{3,})?$")
_EXPORTS = frozenset({"lm_eval", "inspect"})


@dataclass(frozen=True, slots=True)
class Config:
    """A named set of parquet files; `pattern` is what the Hub reads: a glob, or the paths themselves."""

    name: str
    split: str
    pattern: str | tuple[str, ...]
    files: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its Croissant type (empty for a struct), whether it is a list, and the fields of a struct."""

    name: str
    type: str
    repeated: bool = False
    fields: tuple[Column, ...] = ()


def configs(card: Card) -> list[Config]:
    """The configs that this build has: completion, instruct, preference, then eval_qa, eval_mcq, eval_tasks_<name> …"""
    parquet = [file for file in card.files if file.path.endswith(".parquet")]
    made = []
    for folder in ("completion", "instruct", "preference"):
        files = tuple(file for file in parquet if PurePosixPath(file.path).parts[:-1] == (folder,))
        if files:
            made.append(Config(folder, "train", f"{folder}/*.parquet", files))
    held: dict[str, list[File]] = {}
    for file in parquet:
        name = _eval_name(file.path)
        if name:
            held.setdefault(name, []).append(file)
    made += [Config(name, "test", tuple(f.path for f in files), tuple(files)) for name, files in sorted(held.items())]
    return made


def _eval_name(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    if parts[0] != "eval" or len(parts) < 2 or parts[1] in _EXPORTS:
        return ""
    words = [*parts[:-1], _SHARD.sub("", parts[-1])]
    return "_".join(word for word in words if word)


def read_columns(build_dir: Path, found: Iterable[Config]) -> dict[str, tuple[Column, ...]]:
    """The columns of each config, from the footer of its first file."""
    import pyarrow.parquet as pq

    return {
        config.name: tuple(_column(field) for field in pq.read_schema(build_dir / config.files[0].path))
        for config in found
    }


def _column(field: pa.Field) -> Column:
    import pyarrow.types as kinds

    kind, repeated = field.type, False
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        kind, repeated = kind.value_type, True
    if kinds.is_struct(kind):
        return Column(field.name, "", repeated, tuple(_column(kind.field(i)) for i in range(kind.num_fields)))
    if kinds.is_boolean(kind):
        name = "sc:Boolean"
    elif kinds.is_integer(kind):
        name = "sc:Integer"
    elif kinds.is_floating(kind):
        name = "sc:Float"
    else:
        name = "sc:Text"
    return Column(field.name, name, repeated)
