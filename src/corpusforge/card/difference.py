"""What changed between two builds, from the short summary that every card carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corpusforge.card.facts import Facts
from corpusforge.card.figures import count, precise, share, size
from corpusforge.card.section import Section


class SourceSummary(Section):
    """What of a source is compared."""

    licence: str
    files: int
    bytes: int
    fingerprint: str


class GateSummary(Section):
    """What of a gate is compared."""

    observed: float | str | None
    passed: bool


class Snapshot(Section):
    """All of a build that a difference looks at. `mix` maps `blend/path` to (share got, amount got)."""

    build: str
    corpusforge: str
    seed: int
    tokenizer: str
    recipe: dict[str, Any]
    sources: dict[str, SourceSummary]
    steps: dict[str, dict[str, tuple[int, int]]]
    versions: dict[str, str]
    mix: dict[str, tuple[float, int]]
    gates: dict[str, GateSummary]


class Change(Section):
    """One thing that changed; an empty side means that it was not there."""

    where: str
    what: str
    before: str
    after: str


class Difference(Section):
    """Everything that changed from build `before` to build `after`, grouped by `where`."""

    before: str
    after: str
    changes: tuple[Change, ...]


def snapshot_of(facts: Facts) -> Snapshot:
    """The comparable part of a manifest."""
    return Snapshot(
        build=facts.build,
        corpusforge=facts.corpusforge,
        seed=facts.seed,
        tokenizer=facts.tokenizer.sha256 or facts.tokenizer.name,
        recipe=facts.recipe,
        sources={
            s.name: SourceSummary(licence=s.licence, files=s.files, bytes=s.bytes, fingerprint=s.fingerprint)
            for s in facts.sources
        },
        steps={step.name: {source: (c.read, c.out) for source, c in step.counts.items()} for step in facts.steps},
        versions={step.name: f"{step.stage} {step.version}" for step in facts.steps},
        mix={
            "/".join((name, *leaf.path)): (leaf.share_got, leaf.got)
            for name, blend in facts.blends()
            for leaf in blend.leaves
        },
        gates={gate.name: GateSummary(observed=gate.observed, passed=gate.passed) for gate in facts.gates},
    )


def compare(before: Snapshot, after: Snapshot) -> Difference:
    """The changes from one build to another, recipe first."""
    changes = [
        *_pairs("build", _head(before), _head(after)),
        *_pairs("recipe", flatten(before.recipe), flatten(after.recipe)),
        *_sources(before, after),
        *_pairs("stage", before.versions, after.versions),
        *_counts(before, after),
        *_mix(before, after),
        *_pairs("gate", _gates(before), _gates(after)),
    ]
    return Difference(before=before.build, after=after.build, changes=tuple(changes))


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested mapping as dotted keys and short words: {"a": {"b": 1}} gives {"a.b": "1"}."""
    flat: dict[str, str] = {}
    for key, inner in value.items():
        name = f"{prefix}{key}"
        if isinstance(inner, Mapping) and inner:
            flat.update(flatten(inner, f"{name}."))
        elif isinstance(inner, list | tuple):
            flat[name] = ", ".join(map(str, inner)) or "none"
        else:
            flat[name] = "none" if inner is None or inner == {} else str(inner)
    return flat


def _head(snapshot: Snapshot) -> dict[str, str]:
    return {
        "corpusforge": snapshot.corpusforge,
        "seed": str(snapshot.seed),
        "tokenizer": snapshot.tokenizer,
    }


def _pairs(where: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    return [
        Change(where=where, what=key, before=before.get(key, ""), after=after.get(key, ""))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _sources(before: Snapshot, after: Snapshot) -> list[Change]:
    def words(source: SourceSummary) -> str:
        return f"{count(source.files)} files, {size(source.bytes)}, {source.licence}, {source.fingerprint[:8]}"

    return _pairs(
        "source",
        {name: words(source) for name, source in before.sources.items()},
        {name: words(source) for name, source in after.sources.items()},
    )


def _counts(before: Snapshot, after: Snapshot) -> list[Change]:
    def words(snapshot: Snapshot) -> dict[str, str]:
        return {
            f"{step} · {source}": f"{count(read)} → {count(out)}"
            for step, counts in snapshot.steps.items()
            for source, (read, out) in counts.items()
        }

    return _pairs("records", words(before), words(after))


def _mix(before: Snapshot, after: Snapshot) -> list[Change]:
    changes = []
    for path in sorted(before.mix.keys() | after.mix.keys()):
        old, new = before.mix.get(path), after.mix.get(path)
        if old != new:
            sides = [f"{precise(side[0])} ({count(side[1])})" if side else "" for side in (old, new)]
            if old and new and old[1]:
                moved = (new[1] - old[1]) / old[1]
                sides[1] += f", {'+' if moved >= 0 else '−'}{share(abs(moved))}" if moved else ""
            changes.append(Change(where="mix", what=path, before=sides[0], after=sides[1]))
    return changes


def _gates(snapshot: Snapshot) -> dict[str, str]:
    return {
        name: f"{'holds' if gate.passed else 'fails'} at {_observed(gate.observed)}"
        for name, gate in snapshot.gates.items()
    }


def _observed(value: float | str | None) -> str:
    return "not measured" if value is None else f"{value:g}" if isinstance(value, float) else value
