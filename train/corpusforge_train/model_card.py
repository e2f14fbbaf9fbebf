"""Writes the model card: what a stranger on the Hub must know of a trained model, from its receipt and the build.

No name of a person is in it; who approved the mix stands in the receipt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.ledger import RECEIPT

_ABOUT = (
    ("purpose", "Meant for"),
    ("suitable", "Suitable for"),
    ("unsuitable", "Not suitable for"),
    ("limits", "Known limits of the data"),
)
_FIELDS = ("language", "license", "license_name")
_METHODS = {
    "all": "All weights",
    "lora": "Adapters (LoRA)",
    "prompt": "Virtual tokens (prompt tuning)",
    "p-tuning": "Virtual tokens (p-tuning)",
}


def models_before(config: Config) -> list[dict[str, Any]]:
    """What the model that a run begins from was trained on here before, oldest first, as its own receipt says: with its
    weights, its data and their licences go on. Empty for a model that is not of this trainer."""
    path = Path(config.model.path or "") / RECEIPT
    try:
        told = json.loads(path.read_text("utf-8")) if config.model.path is not None else {}
        own = {key: told[key] for key in ("name", "build", "manifest_sha256", "licences")} if told else None
        before = list(told.get("before", []))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return before if own is None else [*before, own]


def beside_the_model(build: Build, receipt: Mapping[str, Any], merged: bool = False) -> dict[str, str]:
    """The files that go with a model or adapter: its card, and how the build writes a conversation. `merged` is a model
    that has its adapters in its weights."""
    files = {"README.md": model_card(build, receipt, merged)}
    if "instruct" in receipt["config"]["data"]["outputs"]:
        told = build.folder / "packed" / "chat_template.jinja"
        if told.is_file():
            files[told.name] = told.read_text("utf-8")
    return files


def model_card(build: Build, receipt: Mapping[str, Any], merged: bool = False) -> str:
    """The card in Markdown, with the front matter by which the Hub finds base model, licence and language."""
    config = receipt["config"]
    base = config["model"]["path"]
    method = _METHODS[_method(config)] + (", merged into the weights," if merged else "")
    begun = f"`{_name(base)}`" if base else "random weights"
    lines = [
        f"# {receipt['name']}",
        "",
        f"{method} trained on build `{receipt['build']}` of the corpus `{receipt['name']}`, from {begun}: "
        f"{sum(row['tokens'] for row in receipt['ledger']):,} tokens in {receipt['step']:,} steps.",
        "",
        "## Use",
        "",
        *_about(receipt["recipe"].get("about", {})),
        *_conversation(build, config),
        "",
        "## What it was trained on",
        "",
        "Counted by the trainer from what the model was given, step by step:",
        "",
        *_ledger(receipt),
        "",
        "## What it learned and forgot",
        "",
        *_losses(receipt.get("holdout")),
        "",
        "## How",
        "",
        *_settings(config, build),
        "",
        "## Verify",
        "",
        f"`receipt.json` names the build's manifest (sha256 `{receipt['manifest_sha256']}`), the order of the data "
        "and every token. With the build at hand, `corpusforge verify DIR --build BUILD` recounts it from the files.",
        "",
        "The mix was approved by a person before training."
        if receipt["approved_by"]
        else "Nobody approved the mix: this model was trained with `--unapproved`.",
    ]
    return _front(build, receipt, merged) + "\n".join(lines) + "\n"


def _method(config: Mapping[str, Any]) -> str:
    return "lora" if config["lora"] else config["prompt"]["kind"] if config.get("prompt") else "all"


def _front(build: Build, receipt: Mapping[str, Any], merged: bool) -> str:
    config = receipt["config"]
    base, method = config["model"]["path"], _method(config)
    beside = method != "all" and not merged
    found = _front_of(build.folder / "README.md")
    value: dict[str, Any] = {key: found[key] for key in _FIELDS if key in found}
    if base:
        # The data's licence says nothing of the weights that were there before.
        value |= {"license": "other", "license_name": "that-of-the-base-model-and-those-of-the-sources"}
    # A name on the Hub has one stroke; a folder of this machine says nothing to others.
    if base and base.count("/") == 1 and not Path(base).exists():
        value["base_model"] = base
        value["base_model_relation"] = "adapter" if beside else "finetune"
    value |= {
        "library_name": "peft" if beside else "transformers",
        "pipeline_tag": "text-generation",
        # No `datasets`: the corpus's name may be another's on the Hub.
        "tags": ["corpusforge", *([] if method == "all" else [method])],
    }
    return f"---\n{yaml.safe_dump(value, sort_keys=False, allow_unicode=True)}---\n\n"


def _front_of(path: Path) -> dict[str, Any]:
    """The front matter of the build's own card, if it has one."""
    try:
        parts = path.read_text("utf-8").split("---\n", 2)
        found = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    except (OSError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _about(about: Mapping[str, str]) -> list[str]:
    told = [f"- {words}: {' '.join(about[key].split())}" for key, words in _ABOUT if about.get(key)]
    return told or ["The recipe does not say what the corpus is for."]


def _conversation(build: Build, config: Mapping[str, Any]) -> list[str]:
    if "instruct" not in config["data"]["outputs"]:
        return ["", "It was trained on running text alone, not on conversations."]
    form = "its chat template" if build.packed.get("conversations") == "template" else "a `role: content` line a turn"
    return ["", f"Conversations were written as {form} (`chat_template.jinja`); ask it in the same way."]


def _ledger(receipt: Mapping[str, Any]) -> list[str]:
    sums: dict[str, list[float]] = {}
    for row in receipt["ledger"]:
        own = sums.setdefault(row["source"], [0, 0, 0, 0])
        own[0] += row["tokens"]
        own[1] += row["documents"]
        own[2] += row["loss_weight"]
        own[3] = max(own[3], row["epoch"] + 1)
    total = sum(own[0] for own in sums.values())
    rows = [
        (name, f"{own[0]:,}", f"{own[0] / total:.2%}", f"{own[1]:,}", f"{own[3]}", f"{own[2]:,.1f}")
        for name, own in sorted(sums.items())
    ]
    columns = ("source or task", "tokens", "share", "documents", "epochs", "loss weight")
    licences = [(name, licence) for name, licence in sorted(receipt["licences"].items())]
    return [
        *_table(columns, rows),
        "",
        "Licences of the sources; tasks are made from them, and the base model has its own:",
        "",
        *_table(("source", "licence"), licences),
        *_before(receipt.get("before") or ()),
    ]


def _before(models: Sequence[Mapping[str, Any]]) -> list[str]:
    told = []
    for one in models:
        licences = ", ".join(sorted(set(one["licences"].values())))
        of = f"build `{one['build']}` of the corpus `{one['name']}` (manifest `{one['manifest_sha256']}`)"
        told += ["", f"The model that it begins from was trained on {of}, whose sources are under: {licences}."]
    return told


def _losses(holdout: Mapping[str, Any] | None) -> list[str]:
    if not holdout:
        return ["No text was held out, so neither was measured."]
    rows = []
    for side, one in sorted(holdout.items()):
        between = "" if one["low"] is None else f" ({one['low']:+.4f} to {one['high']:+.4f})"
        before = one["loss"] - one["change"]
        change = f"{one['change']:+.4f}{between}"
        rows.append((side, f"{before:.4f}", f"{one['loss']:.4f}", change, f"{one['bits_per_byte']:.4f}"))
    columns = ("held-out text", "before", "after", "change in nats a token (95%)", "bits a byte")
    told = [*_table(columns, rows)]
    if "public" not in holdout:
        told += ["", "No public text was held out: what was forgotten is not known."]
    return told


def _settings(config: Mapping[str, Any], build: Build) -> list[str]:
    schedule, batch, precision = config["schedule"], config["batch"], config["precision"]
    told = [
        f"- {build.packed['length']:,} tokens a sequence, {batch['sequences']:,} sequences a step; documents do "
        "not see each other",
        f"- {schedule['kind']} schedule, peak rate {schedule['peak']:g}, warm-up {schedule['warmup']:.0%}",
        f"- weights {precision['weights']}, computed in {precision['compute']}, seed {config['seed']}",
    ]
    if config["lora"]:
        alpha = config["lora"]["alpha"] or 2 * config["lora"]["rank"]
        told.append(f"- adapters of rank {config['lora']['rank']}, alpha {alpha:g}")
    return told


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---", *("---:" for _ in columns[1:])]
    shown = [[cell.replace("|", "\\|") for cell in row] for row in (columns, marks, *rows)]
    return [f"| {' | '.join(row)} |" for row in shown]


def _name(path: str) -> str:
    """A name on the Hub, or a folder's last part: where it lies is nobody's business."""
    return path if path.count("/") == 1 and not Path(path).exists() else Path(path).name or path
