"""Reads what a training run left in its folder: plan against ledger, losses, hold-out, tasks before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from corpusforge.errors import UsageError

EVALUATION = "evaluation"
# Points of a curve: more are not told apart on a page, and single steps of small batches are noise.
BINS = 60


def read_receipt(run: Path) -> dict[str, Any]:
    """What the run's model, or the newest checkpoint of one that did not end, says of itself.

    Raises UsageError for a folder that holds neither.
    """
    states = sorted((run / "checkpoints").glob("step-*/state.json"))
    for path in (run / "final" / "receipt.json", *reversed(states)):
        if path.is_file():
            found: dict[str, Any] = orjson.loads(path.read_bytes())
            return found
    what, hint = "is no training run: it has neither final/ nor checkpoints/.", "Name the --out of corpusforge train."
    raise UsageError(what, where=str(run), hint=hint)


def read_run(run: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a run over the build of a manifest; losses in nats a token, tokens of the build's tokenizer.

    Raises UsageError where the folder holds no run.
    """
    receipt = read_receipt(run)
    if receipt["config"].get("dpo") is not None:
        hint = "Read log.jsonl and the README.md in final/."
        raise UsageError("is a run of preference tuning, which has no report.", where=str(run), hint=hint)
    lines = list(_lines(run / "log.jsonl"))
    config, packed = receipt["config"], manifest["packed"]
    outputs = config["data"]["outputs"]
    planned = _planned(manifest, outputs)
    total = sum(planned.values())
    steps = [line for line in lines if "loss" in line]
    shares = {name: n / total for name, n in planned.items()}
    # Each stage of a mix has shares of its own, which the build keeps to and the ledger is held against at the end.
    staged = any(len(packed["outputs"][name].get("stages", ())) > 1 for name in outputs)
    return {
        "format": 1,
        "run": run.resolve().name,
        "recipe": receipt["name"],
        "build": receipt["build"],
        "manifest_sha256": receipt["manifest_sha256"],
        "approved_by": receipt["approved_by"],
        "outputs": outputs,
        "trained": "all weights" if config["lora"] is None else f"adapters of rank {config['lora']['rank']}",
        "began_with": config["model"]["path"] or "random weights",
        "steps": receipt["step"],
        "finished": receipt["position"] == receipt["sequences"],
        "best": receipt["best"],
        "sources": list(_sources(manifest, outputs, planned, receipt["ledger"])),
        "holdout": {side: _held(lines, side) for side in ("domain", "public")},
        "alarm": {"warn": config["holdout"]["warn"], "stop": config["holdout"]["stop"]},
        "losses": _losses(steps),
        "rates": [{"step": line["step"], "rate": line["rate"]} for line in _thinned(steps)],
        "distances": [] if staged else _distances(steps, shares, int(packed["length"])),
        "evaluation": _evaluation(run / EVALUATION / "report.json"),
    }


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:
            return  # a crash cut the last line short


def _planned(manifest: Mapping[str, Any], outputs: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for output in outputs:
        for source, told in manifest["packed"]["outputs"][output]["sources"].items():
            if told["tokens"]:
                found[source] = found.get(source, 0) + int(told["tokens"])
    return found


def _sources(
    manifest: Mapping[str, Any], outputs: Sequence[str], planned: Mapping[str, int], ledger: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """A row for each source, in the recipe's order: its group, planned and consumed tokens, and its passes."""
    leaves = {leaf["path"][-1]: (output, leaf) for output in outputs for leaf in manifest["mix"][output]["leaves"]}
    whole = sum(row["tokens"] for row in ledger)
    for source in sorted(planned, key=lambda name: (list(leaves).index(name) if name in leaves else len(leaves), name)):
        rows = [row for row in ledger if row["source"] == source]
        tokens = sum(row["tokens"] for row in rows)
        output, leaf = leaves.get(source, (outputs[0], {}))
        path = leaf.get("path", [source])
        yield {
            "source": source,
            "group": path[0] if len(path) > 1 else output,
            "wanted_share": leaf.get("share_wanted") if len(outputs) == 1 else None,
            "planned_tokens": planned[source],
            "tokens": tokens,
            "share": tokens / whole if whole else 0.0,
            "epochs": 1 + max((row["epoch"] for row in rows), default=-1),
            "loss_weight": sum(row["loss_weight"] for row in rows),
        }


def _held(lines: Sequence[Mapping[str, Any]], side: str) -> list[dict[str, Any]]:
    return [{"step": line["step"], **line["holdout"][side]} for line in lines if side in line.get("holdout", {})]


def _losses(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The mean loss of each source over bins of steps."""
    width = max(1, -(-len(steps) // BINS))
    made: list[dict[str, Any]] = []
    for first in range(0, len(steps), width):
        part = steps[first : first + width]
        for source in sorted({source for line in part for source in line["losses"]}):
            own = [line["losses"][source] for line in part if source in line["losses"]]
            made.append({"step": part[-1]["step"], "source": source, "loss": sum(own) / len(own)})
    return made


def _distances(steps: Sequence[Mapping[str, Any]], shares: Mapping[str, float], length: int) -> list[dict[str, Any]]:
    """How far each source was from its share of the tokens so far, in sequences: the worst step of each bin."""
    width = max(1, -(-len(steps) // BINS))
    made: list[dict[str, Any]] = []
    for first in range(0, len(steps), width):
        part = steps[first : first + width]
        for source, share in sorted(shares.items()):
            gaps = [(line["tokens_by_source"].get(source, 0) - share * line["tokens"]) / length for line in part]
            made.append({"step": part[-1]["step"], "source": source, "sequences": max(gaps, key=abs)})
    return made


def _thinned(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [*steps[:: max(1, len(steps) // (4 * BINS))], *steps[-1:]]


def _evaluation(path: Path) -> dict[str, Any] | None:
    """The figures of the tasks before and after, of an evaluation of two models; A is the run's."""
    if not path.is_file():
        return None
    told = orjson.loads(path.read_bytes())
    rows = [
        {
            "task": task["task"],
            "kind": task["kind"],
            "metric": metric,
            "items": task["items"],
            "after": task["models"]["A"]["metrics"].get(metric),
            "before": task["models"]["B"]["metrics"].get(metric),
            "difference": difference,
            "guesser": task["baselines"].get("random", {}).get(metric),
        }
        for task in told["tasks"]
        for metric, difference in task.get("difference", {}).items()
    ]
    models = {key: told["models"][key] for key in ("A", "B") if key in told["models"]}
    return {"models": models, "seal": told["seal"], "rows": rows, "not_run": told["not_run"]} if rows else None
