"""The verdict: every gate, what it allows and what was observed, and what stands in the way of an approval."""

from __future__ import annotations

from typing import Literal

from corpusforge.card.facts import Facts, GateFacts
from corpusforge.card.figures import bound_sentence, count, plural, precise, sentence
from corpusforge.card.section import Section

# Gates whose numbers are shares of 1; all others are counts.
_SHARES = {
    **dict.fromkeys(("personal_data", "mix_error", "canary_leak"), "at most"),
    **dict.fromkeys(("grounded", "written"), "at least"),
}


class Gate(Section):
    """A gate of the recipe: `allowed` and `observed` in words, and what the sample behind it proves."""

    name: str
    allowed: str
    observed: str
    passed: bool
    detail: str
    proof: str


class Blocker(Section):
    """What must be waived in writing before an approval; `key` is the word that the waiver uses."""

    key: str
    text: str


class Verdict(Section):
    """All gates and one sentence that sums them up.

    `state`: `holds`; `waive`, where every gate holds but something needs a written word; `fails`.
    """

    headline: str
    passed: bool
    state: Literal["holds", "waive", "fails"]
    gates: tuple[Gate, ...]
    blockers: tuple[Blocker, ...]


def make_verdict(facts: Facts, rights_blockers: list[Blocker]) -> Verdict:
    """The verdict over a manifest; `rights_blockers` are what the licences add."""
    gates = tuple(_gate(gate) for gate in facts.gates)
    failed = [gate for gate in gates if not gate.passed]
    blockers = [
        Blocker(key=g.name, text=f"Gate {g.name} fails: observed {g.observed}, allowed {g.allowed}.") for g in failed
    ]
    if facts.lineage.violations:
        rows = plural(facts.lineage.violations, "training row")
        text = f"{rows} descend from held-out groups, so the evaluation cannot be trusted."
        blockers.append(Blocker(key="lineage", text=text))
    if facts.audit_failed:
        blockers.append(Blocker(key="audit", text=f"The leak audit failed, so nothing is known: {facts.audit_failed}"))
    blockers += rights_blockers
    headline = _headline(gates, failed, blockers)
    fails = bool(failed) or facts.lineage.violations > 0
    state: Literal["holds", "waive", "fails"] = "fails" if fails else "waive" if blockers else "holds"
    return Verdict(headline=headline, passed=not blockers, state=state, gates=gates, blockers=tuple(blockers))


def _gate(gate: GateFacts) -> Gate:
    return Gate(
        name=gate.name,
        allowed=_limit(gate),
        observed=_amount(gate.name, gate.observed),
        passed=gate.passed,
        detail=sentence(gate.detail),
        proof=_proof(gate),
    )


def _proof(gate: GateFacts) -> str:
    # Where `found` counts the good ones, or the detail states the bound already, a second sentence would mislead.
    if not gate.checked or _SHARES.get(gate.name) == "at least" or "at most" in gate.detail:
        return ""
    return bound_sentence(gate.found or 0, gate.checked)


def _limit(gate: GateFacts) -> str:
    value = _amount(gate.name, gate.allowed)
    word = _SHARES.get(gate.name, "at most" if isinstance(gate.allowed, float) else "")
    return f"{word} {value}".strip()


def _amount(name: str, value: float | str | None) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, str):
        return value
    if name in _SHARES:
        return precise(value)
    return count(int(value) if value == int(value) else value)


def _headline(gates: tuple[Gate, ...], failed: list[Gate], blockers: list[Blocker]) -> str:
    if not gates:
        return "No gate was checked."
    if failed:
        names = ", ".join(gate.name.replace("_", " ") for gate in failed)
        return f"{len(failed)} of {plural(len(gates), 'gate')} {'fails' if len(failed) == 1 else 'fail'}: {names}."
    if blockers:
        matters = plural(len(blockers), "matter needs", "matters need")
        return f"All {len(gates)} gates hold, but {matters} a written waiver."
    return f"All {len(gates)} gates hold."
