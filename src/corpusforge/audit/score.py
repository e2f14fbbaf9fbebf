"""Counts what became of every canary, with intervals that say how much the number of canaries can prove."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpusforge.audit.canary import Canary
from corpusforge.audit.search import Find
from corpusforge.wilson import wilson

MASKED, LEAKED, IN_PART, NOT_TESTED = "masked", "leaked", "leaked in part", "not tested"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a canary: masked, leaked or leaked in part (with the places), not tested (with the reason)."""

    canary: Canary
    state: str
    reason: str = ""
    finds: tuple[Find, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """Canaries of one group: planted = masked + leaked + in part + not tested. Recall is of those that were tested.

    `leaked` stood whole somewhere; of those `in_part` only a telling piece did.
    """

    planted: int
    masked: int
    leaked: int
    in_part: int
    not_tested: int

    @property
    def tested(self) -> int:
        """Canaries whose record came whole through the pipeline, or that were found before it ended."""
        return self.masked + self.leaked + self.in_part

    def to_json(self) -> dict[str, Any]:
        """The counts, recall (share masked of those tested) and its 95% Wilson interval; null where none was tested."""
        low, high = wilson(self.masked, self.tested, 1.959964)
        return {
            "planted": self.planted, "masked": self.masked, "leaked": self.leaked, "in_part": self.in_part,
            "not_tested": self.not_tested,
            "recall": round(self.masked / self.tested, 6) if self.tested else None,
            "low": round(low, 6) if self.tested else None, "high": round(high, 6) if self.tested else None,
        }  # fmt: skip


def tally(fates: Iterable[Fate]) -> Tally:
    """The counts of some canaries."""
    states = [fate.state for fate in fates]
    return Tally(len(states), *(states.count(state) for state in (MASKED, LEAKED, IN_PART, NOT_TESTED)))


def by(fates: Sequence[Fate], key: Callable[[Canary], str]) -> dict[str, dict[str, Any]]:
    """The counts of each group, by name."""
    groups: dict[str, list[Fate]] = {}
    for fate in fates:
        groups.setdefault(key(fate.canary), []).append(fate)
    return {name: tally(groups[name]).to_json() for name in sorted(groups)}


def leaks(fates: Sequence[Fate], most: int) -> list[dict[str, Any]]:
    """The leaked canaries, gated ones first: form, value as quoted, and the first places; the rest is counted."""
    found = [fate for fate in fates if fate.state in (LEAKED, IN_PART)]
    found.sort(key=lambda fate: (not fate.canary.form.gated, fate.state, fate.canary.form.label, fate.canary.number))
    return [
        {
            "form": fate.canary.form.label,
            "gated": fate.canary.form.gated,
            "value": fate.canary.quoted,
            "whole": fate.state == LEAKED,
            "places": len(fate.finds),
            "first": [{"file": find.file, "field": find.field} for find in _first(fate.finds)],
        }
        for fate in found[:most]
    ]


def _first(finds: Sequence[Find]) -> list[Find]:
    """Up to three places, of different files."""
    files: dict[str, Find] = {}
    for find in finds:
        files.setdefault(find.file, find)
    return list(files.values())[:3]


def reasons(fates: Sequence[Fate]) -> Mapping[str, int]:
    """Why canaries were not tested, with counts."""
    counts: dict[str, int] = {}
    for fate in fates:
        if fate.state == NOT_TESTED:
            counts[fate.reason] = counts.get(fate.reason, 0) + 1
    return dict(sorted(counts.items()))
