"""A tiny build with packed sequences, made of the very writers of the mix, and configs of a tiny model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from corpusforge.mix.packed import PackSpec, write_packed
from corpusforge.mix.tokens import Tokens
from corpusforge.mix.tree import tree_from_mapping
from corpusforge.mix.write import MixSpec, write_mix
from corpusforge.mix_tree import OutputTree
from corpusforge.packed_settings import Packed
from corpusforge.record import Message, Origin, Record
from corpusforge.shards import write_records
from corpusforge.stage import StageContext
from corpusforge_train.build_files import Build, read_build
from corpusforge_train.config import Config

# Two threads that wait for each other on a shared machine are ten times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
LENGTH = 64
TREE = {"domain": {"share": "30%", "kb": "50%", "chats": "rest"}, "public": {"share": "70%", "web": "rest"}}
TASKS = {"qa": "40%", "intents": "rest"}
WORDS = (
    "a",
    "disk",
    "is",
    "full",
    "of",
    "logs",
    "that",
    "nobody",
    "reads",
    "so",
    "mount",
    "it",
    "again",
    "and",
    "clean",
)


def _text(source: str, number: int, kind: str, words: int, side: str = "train") -> Record:
    text = " ".join(WORDS[(number * 7 + k * k) % len(WORDS)] for k in range(words)) + f" {source}{number}"
    identity = f"{source}:{number:05d}:{side}"
    return Record(identity, source, kind, text, Origin("f", 0, 1), group=identity, side=side)  # type: ignore[arg-type]


def _talk(source: str, number: int, kind: str, answer: str) -> Record:
    record = replace(_text(source, number, kind, 4), id=f"{source}:{kind}:{number:05d}")
    return record.with_messages((Message("user", f"What is {source} {number}?"), Message("assistant", answer)))


def _records() -> list[Record]:
    rows = [_text("kb", k, "article", 2 + k % 25) for k in range(16)]
    rows += [_text("chats", k, "chat", 1 + k % 9) for k in range(30)]
    rows += [_text("web", k, "public", 3 + k % 40) for k in range(60)]
    rows += [_text("kb", k, "article", 8, "holdout") for k in range(900, 906)]
    rows += [_text("web", k, "public", 12, "holdout") for k in range(900, 910)]
    rows += [_talk("kb", k, "qa", f"It is {k % 3}.") for k in range(20)]
    rows += [_talk("intents", k, "labelled", f"intent-{k % 4}") for k in range(25)]
    context = StageContext(settings=Tokens.Settings(tokenizer="bytes"), seed=1, sources={})
    return list(Tokens().apply(rows, context))  # type: ignore[arg-type]


def write_build(
    folder: Path,
    seed: int = 7,
    length: int = LENGTH,
    stages: Any = None,
    tree: dict[str, Any] | None = None,
    total: int | None = None,
) -> Build:
    """A build of that seed with everything that the trainer reads of one; `total` tokens of completion, or all."""
    shards = [folder / f"in-{number}.parquet" for number in range(2)]
    records = _records()
    for number, path in enumerate(shards):
        write_records(path, records[number::2])
    completion = OutputTree("completion", total, "tokens", Fraction(3), tree_from_mapping(tree or TREE, "completion"))
    instruct = OutputTree("instruct", None, "tokens", Fraction(2), tree_from_mapping(TASKS, "instruct"))
    out = folder / "build"
    mix = {name: one.to_json() for name, one in write_mix(shards, MixSpec(completion, instruct, seed), out).items()}
    roles = {"kb": "domain", "chats": "domain", "web": "public", "intents": "labelled"}
    settings = Packed.model_validate({"length": length, "stages": stages or {}})
    packed = write_packed(shards, PackSpec(settings, "bytes", seed, roles), mix, out)
    manifest = {
        "format": 1,
        "name": "tiny",
        "build": "0123456789ab",
        "recipe": {"name": "tiny"},
        "tokenizer": {"name": "bytes", "sha256": ""},
        "sources": [{"name": name, "licence": "CC0-1.0"} for name in roles],
        "mix": mix,
        "packed": packed,
    }
    (out / "manifest.json").write_text(json.dumps(manifest))
    return read_build(out)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A tiny build: three sources with repeats, two tasks, held-out text of both sides."""
    return write_build(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="session")
def make_build() -> Callable[..., Build]:
    """Makes tiny builds: see `write_build`."""
    return write_build


@pytest.fixture(scope="session")
def another_build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The same records in another order."""
    return write_build(tmp_path_factory.mktemp("another"), seed=8)


@pytest.fixture(scope="session")
def configure() -> Callable[..., Config]:
    """Makes configs of a tiny Llama with random weights; keywords replace sections."""

    def make(**sections: Any) -> Config:
        sizes = {"vocab_size": 260, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256}
        model = {"random": {"model_type": "llama", **sizes, **heads}, **sections.pop("model", {})}
        settings: dict[str, Any] = {
            "batch": {"sequences": 8, "micro": 2},
            "schedule": {"peak": 1e-3, "warmup": 0.1},
            "checkpoint": {"every": 0},
            "holdout": {"every": 0, "stop": None},
            "device": "cpu",
            **sections,
        }
        return Config.model_validate({"model": model, **settings})

    return make
