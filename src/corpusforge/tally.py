"""Adds up what the shards of a step reported: counts by source, named counts, seconds."""

from __future__ import annotations

from collections.abc import Mapping

from corpusforge.manifest import Counts, add_counts
from corpusforge.plan import StepState


def step_counts(state: StepState) -> dict[str, Counts]:
    """The counts of one step, by source."""
    totals: dict[str, Counts] = {}
    for slot in state.slots:
        if slot.report is not None and slot.name in state.keys:
            totals.setdefault(slot.source, Counts()).add(Counts.from_json(slot.report["counts"]))
    return totals


def step_counted(state: StepState) -> dict[str, dict[str, int]]:
    """The named counts that a step's stage kept, by source."""
    totals: dict[str, dict[str, int]] = {}
    for slot in state.slots:
        if slot.report is not None and slot.name in state.keys:
            add_counts(totals.setdefault(slot.source, {}), slot.report["counted"])
    return {source: dict(sorted(counts.items())) for source, counts in sorted(totals.items())}


def step_seconds(states: Mapping[str, StepState]) -> dict[str, float]:
    """The processor seconds that each step's committed results took when they were made."""
    seconds: dict[str, float] = {}
    for name, state in states.items():
        reports = [slot.report for slot in state.slots if slot.report is not None and slot.name in state.keys]
        reports += [report for report in state.surveys.values() if report is not None]
        if state.decide_report is not None:
            reports.append(state.decide_report)
        seconds[name] = round(sum(report["seconds"] for report in reports), 3)
    return seconds
