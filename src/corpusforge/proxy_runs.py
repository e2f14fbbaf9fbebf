"""Trains one proxy for each share and seed through the trainer, never twice, and reads its held-out losses."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge.errors import UsageError
from corpusforge.manifest import read_manifest
from corpusforge.shards import sha256_file, write_json
from corpusforge.tune.proxies import Proxy

if TYPE_CHECKING:
    from corpusforge_train.config import Config

# Measurements of a run: enough to see a power law bend, few enough to cost a tenth of the training.
MEASURED = 5
_LINES = 4
_KEPT = "proxy.json"
# How a run is fed, saved and told changes no loss; the batch does.
_FREE = ("checkpoint", "log", "device", "parallel")
SIDES = ("domain", "public")
_MODEL = (".safetensors", ".bin", ".json")


@dataclass(frozen=True, slots=True)
class Task:
    """A proxy to train: the build, the domain's share of its tokens, the seed, and the run's folder."""

    build: Path
    share: float
    seed: int
    folder: Path


def tasks(builds: Sequence[Path], config: Config, seeds: Sequence[int], out: Path) -> list[Task]:
    """The runs over some builds, one seed after the other; a run's folder is named by what makes its losses.

    Raises UsageError for a build without packed text or without one side of the hold-out, and for two builds of the
    same text, whose one run would count as two.
    """
    settings = {key: value for key, value in config.model_dump(mode="json").items() if key not in _FREE}
    base = _weights(config.model.path)
    made: list[Task] = []
    for seed in seeds:
        for build in builds:
            manifest = read_manifest(build)
            _check(build, manifest)
            identity = json.dumps([_data(manifest), {**settings, "seed": seed}, MEASURED, *base], sort_keys=True)
            name = hashlib.sha256(identity.encode()).hexdigest()[:12]
            if any(task.folder.name == name for task in made):
                what = f"two shares come to the same records: {domain_share(manifest):.4%} of the tokens."
                hint = "Name shares further apart, or mix more tokens."
                raise UsageError(what, where=str(build), hint=hint)
            made.append(Task(build, domain_share(manifest), seed, out / "proxies" / name))
    return made


def domain_share(manifest: Mapping[str, Any]) -> float:
    """The share of completion's tokens that the group `domain` got."""
    mix = manifest["mix"]["completion"]
    return float(sum(leaf["got"] for leaf in mix["leaves"] if leaf["path"][0] == "domain") / mix["got_tokens"])


def _data(manifest: Mapping[str, Any]) -> list[str]:
    """The checksums of all that a run reads: what it trains on and what it is measured on."""
    packed = manifest["packed"]
    return [file["sha256"] for one in (packed["outputs"]["completion"], packed["holdout"]) for file in one["files"]]


def _weights(path: str | None) -> list[str]:
    """The checksums of the model that runs begin with, where it is a folder: another one under the same name makes
    other losses."""
    if path is None or not Path(path).is_dir():
        return []
    return [f"{file.name} {sha256_file(file)}" for file in sorted(Path(path).iterdir()) if file.suffix in _MODEL]


def _check(build: Path, manifest: Mapping[str, Any]) -> None:
    packed = manifest.get("packed") or {}
    if "completion" not in packed.get("outputs", {}):
        hint = "Add `packed: {length: 1024}` to the recipe's mix."
        raise UsageError("the mix has no packed completion to train on.", where=str(build), hint=hint)
    held = packed["holdout"]["sources"]
    for side in SIDES:
        if not held.get(side, {}).get("tokens"):
            what = f"no {side} text is held out, so its loss cannot be measured."
            raise UsageError(what, where=str(build), hint="Write `holdout: {share: 5%, public: true}` under curate.")


def finished(task: Task) -> bool:
    """Whether a run was trained to its end and measured."""
    return (task.folder / _KEPT).is_file()


def run(task: Task, config_file: Path, changes: Sequence[str], config: Config, quiet: bool) -> Proxy:
    """Train and measure one proxy, or read what it measured when it was; what a crash left is gone on with.

    The weights are thrown away at the end: what stays is the log, the receipt with its ledger, and the losses. Raises
    the trainer's errors.
    """
    if finished(task):
        return _read(task)
    from corpusforge_train.cli import start

    every, line = _rhythm(read_manifest(task.build), config.batch.sequences)
    own = [f"seed={task.seed}", f"holdout.every={every}", "holdout.stop=null", f"log.every={line}"]
    train: Callable[[], Any] = lambda: start(  # noqa: E731
        task.build, config_file, task.folder, task.folder, [*changes, *own], True, False
    )
    if quiet:
        with redirect_stderr(StringIO()):
            train()
    else:
        train()
    proxy = _measured(task, config)
    shutil.copy2(task.folder / "final" / "receipt.json", task.folder / "receipt.json")
    write_json(task.folder / _KEPT, _as_json(proxy))
    for name in ("checkpoints", "final", "merged"):
        shutil.rmtree(task.folder / name, ignore_errors=True)
    return proxy


def _rhythm(manifest: Mapping[str, Any], batch: int) -> tuple[int, int]:
    """Steps between measurements, and between lines of the log (a measurement has one too).

    They come from the tokens wanted, in which siblings are equal, and not from their sequences, in which they are not.
    """
    steps = -(-int(manifest["mix"]["completion"]["wanted_tokens"]) // (batch * int(manifest["packed"]["length"])))
    line = max(1, steps // (MEASURED * _LINES))
    return -(-steps // (MEASURED * line)) * line, line


def _measured(task: Task, config: Config) -> Proxy:
    """What a run's log says: the losses after training began to count, each beside the tokens consumed by then.

    Under a rate that falls or still rises a run that is cut short is not a short run: then only its end counts.
    """
    from corpusforge_train.log import read_log

    lines = read_log(task.folder)
    tokens = {line["step"]: line["tokens"] for line in lines if "tokens" in line}
    held = {line["step"]: line["holdout"] for line in lines if "holdout" in line}
    last = max(held)
    usable = [last]
    if config.schedule.kind == "constant":
        # As many of each run: sequences that are filled less make a run longer by a step or two.
        begun = [step for step in sorted(held) if config.schedule.warmup * last < step < last]
        usable = [*begun[: MEASURED - 1], last]
    domain, public = ([held[step][side]["loss"] for step in usable] for side in SIDES)
    before = (held[0]["domain"]["loss"], held[0]["public"]["loss"])
    return Proxy(task.share, task.seed, [tokens[step] for step in usable], domain, public, before)


def _as_json(proxy: Proxy) -> dict[str, Any]:
    return {
        "share": proxy.share,
        "seed": proxy.seed,
        "tokens": list(proxy.tokens),
        "domain": list(proxy.domain),
        "public": list(proxy.public),
        "before": {"domain": proxy.before[0], "public": proxy.before[1]},
    }


def _read(task: Task) -> Proxy:
    value = json.loads((task.folder / _KEPT).read_text("utf-8"))
    before = (value["before"]["domain"], value["before"]["public"])
    return Proxy(value["share"], value["seed"], value["tokens"], value["domain"], value["public"], before)
