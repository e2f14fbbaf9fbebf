"""Question 5, does it leak the tests: benchmark hits removed, hits left, and the wall around the hold-out."""

from __future__ import annotations

from corpusforge.card.facts import Facts
from corpusforge.card.figures import sentence
from corpusforge.card.section import Section

CONTAMINATED = "contaminated:"


class Benchmark(Section):
    """A benchmark and the records that shared text with it, by source, of `read` compared."""

    name: str
    hits: int
    read: int
    by_source: dict[str, int]


class Leakage(Section):
    """Contamination with benchmarks and with the build's own hold-out."""

    checked: bool
    removed: int
    read: int
    benchmarks: tuple[Benchmark, ...]
    left: str
    left_detail: str
    holdout_groups: int
    violations: int
    heldout: dict[str, int]
    searched: tuple[str, ...] = ()


def make_leakage(facts: Facts) -> Leakage:
    """What was compared, what was removed, what is left."""
    steps = [step for step in facts.steps if step.stage == "decontaminate"]
    hits: dict[str, dict[str, int]] = {}
    for step in steps:
        for source, counted in step.counted.items():
            for key, n in counted.items():
                if key.startswith(CONTAMINATED):
                    row = hits.setdefault(key.removeprefix(CONTAMINATED), {})
                    row[source] = row.get(source, 0) + n
    read = sum(c.read for step in steps for c in step.counts.values())
    gate = next((gate for gate in facts.gates if gate.name == "contamination"), None)
    observed = gate.observed if gate else None
    proven = facts.lineage
    searches = (
        ("a run of words", proven.searched_runs),
        ("near-duplicate text", proven.searched_copies),
        ("a question in almost the same words", proven.searched_questions),
    )
    texts = {f"texts of {name}": n for name, n in facts.eval.texts.items()}
    aside = {f"{kind} (neither trained on nor examined)": n for kind, n in facts.evidence.aside.items()}
    held = {"qa": facts.eval.qa, "mcq": facts.eval.mcq, **facts.eval.tasks, **texts, **aside}
    return Leakage(
        checked=bool(steps),
        removed=sum(sum(c.dropped.values()) for step in steps for c in step.counts.values()),
        read=read,
        benchmarks=tuple(
            Benchmark(name=name, hits=sum(row.values()), read=read, by_source=dict(sorted(row.items())))
            for name, row in sorted(hits.items(), key=lambda pair: (-sum(pair[1].values()), pair[0]))
        ),
        left="not measured" if observed is None else f"{observed:g}" if isinstance(observed, float) else observed,
        left_detail=sentence(gate.detail) if gate else "",
        holdout_groups=facts.lineage.holdout_groups,
        violations=facts.lineage.violations,
        heldout={name: n for name, n in sorted(held.items()) if n},
        searched=tuple(name for name, on in searches if on),
    )
