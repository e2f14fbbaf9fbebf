"""A build's counts as tables: what came in at each step, what is left and why, what tasks made of it, and the mix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = tuple[Any, ...]
STEPS = ("step", "source", "read", "kept", "added", "dropped", "quarantined", "why")
TASKS = ("task", "source", "read", "rows", "from", "gave none", "why")
MIX = ("output", "part", "wanted", "got", "tokens", "rows", "epochs")
NEAR = ("step", "source", "reason", "what became of it", "score", "threshold", "record")
GATES = ("gate", "holds", "allowed", "seen", "detail")
_REASONS = 4


def steps(manifest: Mapping[str, Any], only: str | None = None) -> list[Row]:
    """One row for each step and source that lost or gained records; the others are one row a step, unless `only`."""
    rows: list[Row] = []
    for step in manifest["steps"]:
        if step["makes"] or only not in (None, step["name"]):
            continue
        counts = sorted(step["counts"].items())
        told = [(source, c) for source, c in counts if only or _lost(c) or c["added"]]
        rest = [c for _, c in counts if (_, c) not in told]
        own = [(source, *_figures([c]), _why(c)) for source, c in told]
        if rest:
            own.append((_others(len(rest), len(counts), "unchanged"), *_figures(rest), ""))
        rows += _headed(step["name"], own)
    return rows


def tasks(manifest: Mapping[str, Any], only: str | None = None) -> list[Row]:
    """One row for each task and source that gave rows: rows made, from how many records, how many gave none and why."""
    rows: list[Row] = []
    for step in manifest["steps"]:
        if not step["makes"] or only not in (None, step["name"]):
            continue
        counts = sorted(step["counts"].items())
        told = [(source, c) for source, c in counts if only or c["kept"]]
        rest = [c for _, c in counts if (_, c) not in told]
        own = [
            (source, c["read"], c["kept"] + c["added"], c["kept"], sum(c["dropped"].values()), _why(c))
            for source, c in told
        ]
        own += [(f"{source}: missing rows", 0, 0, 0, n, why) for source, n, why in _missing(step)]
        if rest:
            read = sum(c["read"] for c in rest)
            own.append((_others(len(rest), len(counts), "gave none"), read, 0, 0, read, ""))
        rows += _headed(step["name"], own)
    return rows


def _missing(step: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """The rows that a model was asked for and that are not there, by source and with their reasons."""
    found = []
    for source, counted in sorted(step["counted"].items()):
        reasons = {key.removeprefix("missing."): n for key, n in counted.items() if key.startswith("missing.")}
        if reasons:
            found.append((source, sum(reasons.values()), _told(reasons)))
    return found


def mix(manifest: Mapping[str, Any]) -> list[Row]:
    """One row for each part of each output: the share wanted and got, tokens, rows and epochs."""
    rows: list[Row] = []
    for name, output in manifest["mix"].items():
        own = [
            (
                " > ".join(leaf["path"]),
                f"{leaf['share_wanted']:.2%}",
                f"{leaf['share_got']:.2%}",
                leaf["got"],
                leaf["records"],
                f"{leaf['epochs']:.2f}",
            )
            for leaf in output["leaves"]
        ]
        rows += _headed(name, own)
    return rows


def gates(manifest: Mapping[str, Any]) -> list[Row]:
    """One row for each gate: whether it holds, what it allows, what was seen, out of how much."""
    return [
        (g["name"], g["passed"], _short(g["allowed"]), _short(g["observed"]), g["detail"]) for g in manifest["gates"]
    ]


def near(samples: Iterable[Mapping[str, Any]]) -> list[Row]:
    """One row for each sample that a rule measured, in the order given."""
    return [
        (
            s["step"],
            s["source"],
            s["reason"],
            "kept" if s["kept"] else "dropped",
            _short(s["score"]),
            _short(s["threshold"]),
            s["id"],
        )
        for s in samples
        if s["score"] is not None
    ]


def _headed(head: str, rows: Sequence[Row]) -> list[Row]:
    """The name in front of the first row alone."""
    return [("" if i else head, *row) for i, row in enumerate(rows)]


def _figures(counts: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    plain = [sum(c[key] for c in counts) for key in ("read", "kept", "added")]
    return (*plain, *(sum(sum(c[key].values()) for c in counts) for key in ("dropped", "quarantined")))


def _lost(counts: Mapping[str, Any]) -> int:
    lost: int = sum(counts["dropped"].values()) + sum(counts["quarantined"].values())
    return lost


def _others(n: int, of: int, what: str) -> str:
    return f"{'all' if n == of else 'other'} {n} {what}"


def _why(counts: Mapping[str, Any]) -> str:
    return _told({**counts["dropped"], **counts["quarantined"]})


def _told(reasons: Mapping[str, int]) -> str:
    told = [f"{n:,} {reason}" for reason, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))]
    more = f" and {len(told) - _REASONS} more reasons" if len(told) > _REASONS else ""
    return ", ".join(told[:_REASONS]) + more


def _short(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
