"""Question 2, what was thrown away: where each source's records went, step by step, why, and who was near the line."""

from __future__ import annotations

from corpusforge.card.evidence import Duplicates, QualityModel, make_duplicates, make_models
from corpusforge.card.facts import Facts
from corpusforge.card.section import Section
from corpusforge.card.step_facts import NearSample, StepCounts

EXAMPLES = 3


class Flow(Section):
    """One source in one step: read = kept + dropped + quarantined; out = kept + added (pieces of split records)."""

    step: str
    read: int
    kept: int
    dropped: int
    quarantined: int
    added: int
    out: int
    characters: int
    lost_share: float


class Stream(Section):
    """A source from its raw records to what the last step let out.

    `surviving` multiplies kept/read over the steps, so that splitting a record does not count as gain.
    """

    source: str
    role: str
    read: int
    out: int
    surviving: float
    flows: tuple[Flow, ...]


class Example(Section):
    """A redacted excerpt of a record close to a threshold; `other` is the id of what it was compared with."""

    source: str
    id: str
    other: str = ""
    score: float | None
    threshold: float | None
    excerpt: str


class Reason(Section):
    """Why records of a step were left out: `records` of `read`, with examples from both sides of the line."""

    step: str
    reason: str
    quarantined: bool
    records: int
    read: int
    by_source: dict[str, int]
    kept_near: tuple[Example, ...]
    dropped_near: tuple[Example, ...]


class Funnel(Section):
    """The steps in order, a stream per source, and the reasons from the most to the least frequent.

    `duplicates` and `models` say what dedup and a trained quality model rest on, where the build has them.
    """

    steps: tuple[str, ...]
    streams: tuple[Stream, ...]
    reasons: tuple[Reason, ...]
    duplicates: tuple[Duplicates, ...] = ()
    models: tuple[QualityModel, ...] = ()


def make_funnel(facts: Facts) -> Funnel:
    """The funnel of all steps that pass records on; steps that make records belong to question 4."""
    steps = [step for step in facts.steps if not step.is_maker]
    losing = tuple(step.name for step in steps if any(c.read - c.kept for c in step.counts.values()))
    return Funnel(
        steps=losing,
        streams=tuple(stream for source in facts.sources if (stream := _stream(source.name, source.role, facts))),
        reasons=tuple(_reasons(facts)),
        duplicates=make_duplicates(facts),
        models=make_models(facts),
    )


def _distance(sample: NearSample) -> tuple[float, str]:
    away = abs(sample.score - sample.threshold) if sample.score is not None and sample.threshold is not None else 0.0
    return away, sample.id


def _stream(source: str, role: str, facts: Facts) -> Stream | None:
    flows = [
        _flow(step.name, step.counts[source]) for step in facts.steps if not step.is_maker and source in step.counts
    ]
    if not flows:
        return None
    surviving = 1.0
    for flow in flows:
        surviving *= flow.kept / flow.read if flow.read else 1.0
    return Stream(
        source=source, role=role, read=flows[0].read, out=flows[-1].out, surviving=surviving, flows=tuple(flows)
    )


def _flow(step: str, counts: StepCounts) -> Flow:
    dropped, quarantined = sum(counts.dropped.values()), sum(counts.quarantined.values())
    return Flow(
        step=step,
        read=counts.read,
        kept=counts.kept,
        dropped=dropped,
        quarantined=quarantined,
        added=counts.added,
        out=counts.out,
        characters=counts.characters,
        lost_share=(dropped + quarantined) / counts.read if counts.read else 0.0,
    )


def _reasons(facts: Facts) -> list[Reason]:
    made = []
    for step in facts.steps:
        if step.is_maker:
            continue
        read = sum(counts.read for counts in step.counts.values())
        for quarantined in (False, True):
            tables = {s: c.quarantined if quarantined else c.dropped for s, c in sorted(step.counts.items())}
            for reason in sorted({reason for table in tables.values() for reason in table}):
                by_source = {source: table[reason] for source, table in tables.items() if table.get(reason)}
                near = [sample for sample in step.near if sample.reason == reason]
                sides = [
                    tuple(
                        Example(
                            source=s.source,
                            id=s.id,
                            other=s.other,
                            score=s.score,
                            threshold=s.threshold,
                            excerpt=s.excerpt,
                        )
                        for s in sorted(near, key=_distance)
                        if s.kept is kept and s.excerpt
                    )[:EXAMPLES]
                    for kept in (True, False)
                ]
                made.append(
                    Reason(
                        step=step.name,
                        reason=reason,
                        quarantined=quarantined,
                        records=sum(by_source.values()),
                        read=read,
                        by_source=by_source,
                        kept_near=sides[0],
                        dropped_near=sides[1],
                    )
                )
    return sorted(made, key=lambda r: (-r.records, r.step, r.reason))
