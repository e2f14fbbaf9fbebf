"""Preference tuning: adapters learn to set a build's right answers above the wrong ones, by TRL's DPO."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from corpusforge_train.build_files import Build, check_file
from corpusforge_train.config import Config, Dpo
from corpusforge_train.errors import TrainError, WrongUse

Pair = Mapping[str, Any]
_COLUMNS = ("prompt", "chosen", "rejected", "source")


def read_pairs(build: Build) -> list[Pair]:
    """The preference pairs of a build in its order, each with `prompt`, `chosen`, `rejected` (turns) and `source`.

    Raises WrongUse for a build without any, and TrainError for a damaged file.
    """
    import pyarrow.parquet as pq

    told = build.manifest.get("preference")
    if told is None or not told["pairs"]:
        hint = "Add `preference: {}` to the recipe's mix, which needs multiple choice, and build again."
        raise WrongUse("the build has no preference pairs.", where=str(build.folder), hint=hint)
    rows: list[Pair] = []
    for file in told["files"]:
        check_file(build.folder / file["path"], file["sha256"])
        rows += pq.read_table(build.folder / file["path"], columns=list(_COLUMNS)).to_pylist()
    return rows


def read_tokenizer(build: Build, model: str | None) -> Any:
    """The tokenizer of a model's folder or name, or of bytes, which writes conversations as the build packed them."""
    from transformers import AutoTokenizer

    from corpusforge_train.byte_tokenizer import write_byte_tokenizer

    if build.manifest["tokenizer"]["name"] == "bytes":
        with tempfile.TemporaryDirectory() as folder:
            write_byte_tokenizer(Path(folder))
            found = AutoTokenizer.from_pretrained(folder)
    elif model is None:
        raise WrongUse("a model of random weights has no tokenizer.", where="model.random", hint="Set model.path.")
    else:
        try:
            found = AutoTokenizer.from_pretrained(model)
        except (OSError, ValueError):
            raise WrongUse("has no tokenizer that can be read.", where=model) from None
    found.chat_template = (build.folder / "packed" / "chat_template.jinja").read_text("utf-8")
    return found


def tokens_of(tokenizer: Any, pair: Pair) -> tuple[int, int]:
    """Tokens of the two conversations of a pair: with its right and with its wrong answer."""
    both = (
        tokenizer.apply_chat_template(pair["prompt"] + pair[side], return_dict=True) for side in ("chosen", "rejected")
    )
    right, wrong = (len(one["input_ids"]) for one in both)
    return right, wrong


def planned(pairs: Sequence[Pair], settings: Dpo, tokenizer: Any) -> tuple[list[dict[str, Any]], int]:
    """The ledger that a run over pairs comes to, a row for each source and epoch; and the longest conversation."""
    count: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    longest = 0
    for pair in pairs:
        sizes = tokens_of(tokenizer, pair)
        count[pair["source"]] += 1
        tokens[pair["source"]] += sum(sizes)
        longest = max(longest, *sizes)
    rows = [
        {"source": source, "epoch": epoch, "pairs": count[source], "tokens": tokens[source]}
        for source in sorted(count)
        for epoch in range(settings.epochs)
    ]
    return rows, longest


def dry_run(build: Build, config: Config) -> dict[str, Any]:
    """What a run would do: steps, and pairs and tokens by source and epoch. Raises WrongUse for what would stop it."""
    settings = _settings(config)
    rows, longest = planned(read_pairs(build), settings, read_tokenizer(build, config.model.path))
    _check_fits(config, longest)
    pairs = sum(row["pairs"] for row in rows) // settings.epochs
    return {
        "method": "dpo",
        "pairs": pairs,
        "epochs": settings.epochs,
        "steps": settings.epochs * math.ceil(pairs / config.batch.sequences),
        "tokens": sum(row["tokens"] for row in rows),
        "longest": longest,
        "sources": rows,
    }


def tune(build: Build, config: Config, out: Path, approved_by: str | None) -> dict[str, Any]:
    """Tune the config's adapters on the build's pairs and write `out/final`; the receipt.

    The model without its adapters is the reference. A run that was ended begins anew. Raises WrongUse where TRL is not
    installed or `out` is taken, and TrainError where what was consumed is not what the build holds.
    """
    settings = _settings(config)
    if find_spec("trl") is None:
        hint = "Run pip install 'corpusforge[train,align]'."
        raise WrongUse("preference tuning needs TRL, which is not installed.", hint=hint)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise WrongUse("preference tuning runs in one process.", where="torchrun", hint="Start it without torchrun.")
    if (out / "final").exists() or (out / "checkpoints").exists():
        raise WrongUse(
            "holds a run already.", where=str(out), hint="Preference tuning begins anew: name another --out."
        )
    from corpusforge_train.dpo import run_dpo

    pairs, tokenizer = read_pairs(build), read_tokenizer(build, config.model.path)
    wanted, longest = planned(pairs, settings, tokenizer)
    _check_fits(config, longest)
    return run_dpo(build, config, settings, out, pairs, tokenizer, wanted, _receipt(build, config, approved_by))


def recount(folder: Path, build: Build, config: Config, receipt: Mapping[str, Any]) -> list[str]:
    """What does not hold of a tuned model's receipt; its ledger is made again from the build's pairs."""
    wrong = []
    if receipt["plan_hash"] != plan_hash(build):
        wrong.append("the preference pairs are others, or in another order.")
    elif planned(read_pairs(build), _settings(config), read_tokenizer(build, str(folder)))[0] != receipt["ledger"]:
        wrong.append("the ledger differs: it says one thing and the build's files another.")
    return wrong


def plan_hash(build: Build) -> str:
    """Stands for the build's pairs in their order."""
    told = build.manifest.get("preference", {"files": []})
    return hashlib.sha256(json.dumps([file["sha256"] for file in told["files"]]).encode()).hexdigest()


def card(build: Build, receipt: Mapping[str, Any]) -> str:
    """What a stranger must know of the adapters, in Markdown."""
    rows = [
        f"| {row['source']} | {row['epoch'] + 1} | {row['pairs']:,} | {row['tokens']:,} |" for row in receipt["ledger"]
    ]
    signed = "was approved by a person before" if receipt["approved_by"] else "was approved by nobody"
    licences = ", ".join(f"{name}: {licence}" for name, licence in sorted(receipt["licences"].items()))
    lines = [
        "---",
        "library_name: peft",
        "tags: [corpusforge, dpo, lora]",
        "---",
        "",
        f"# {receipt['name']}, tuned on preferences",
        "",
        f"Adapters that learned by DPO to prefer right answers to wrong ones, on build `{receipt['build']}` (manifest "
        f"sha256 `{receipt['manifest_sha256']}`), {receipt['step']:,} steps. The mix {signed}.",
        "",
        "| source | epoch | pairs | tokens |",
        "|---|---:|---:|---:|",
        *rows,
        "",
        f"Margin between right and wrong answers in the last steps: {receipt['margin']:.4f}, the right one above in "
        f"{receipt['accuracy']:.1%} (on the pairs themselves, none held out). What was forgotten is not measured.",
        "",
        f"Licences of the sources: {licences}. The base model has its own.",
    ]
    return "\n".join(lines) + "\n"


def _settings(config: Config) -> Dpo:
    if config.dpo is None:
        raise WrongUse("the config has no section dpo.", hint="See train/configs/dpo.yaml.")
    return config.dpo


def _check_fits(config: Config, longest: int) -> None:
    from corpusforge_train.model import architecture

    room = getattr(architecture(config), "max_position_embeddings", None)
    if room is not None and longest > room:
        what = f"a conversation has {longest} tokens, but the model has room for {room}."
        raise WrongUse(what, where="model", hint="Take a model with a longer context; no pair is cut.")


def _receipt(build: Build, config: Config, approved_by: str | None) -> dict[str, Any]:
    return {
        "format": 1,
        "method": "dpo",
        "plan_hash": plan_hash(build),
        **build.named(),
        "approved_by": approved_by,
        "config": config.model_dump(mode="json"),
    }


def count_pairs(ledger: Mapping[tuple[str, int], Sequence[int]]) -> list[dict[str, Any]]:
    """The rows of a ledger kept as (pairs, tokens) by source and epoch."""
    return [
        {"source": source, "epoch": epoch, "pairs": pairs, "tokens": tokens}
        for (source, epoch), (pairs, tokens) in sorted(ledger.items())
    ]


def check_ledger(ledger: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Raises TrainError where what the trainer was given is not what the build holds."""
    if list(ledger) != list(wanted):
        what = "the pairs that TRL trained on are not those of the build."
        raise TrainError(what, where=str(out), hint="Report this with the version of TRL.")
