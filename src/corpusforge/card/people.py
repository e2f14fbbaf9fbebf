"""Question 3, is anybody in it: personal data found by kind and source, and what the second look proves."""

from __future__ import annotations

from corpusforge.card.facts import Facts
from corpusforge.card.figures import bound_sentence, sentence
from corpusforge.card.redactor import KNOWN_COUNTS, Redactor, make_redactor
from corpusforge.card.section import Section

FOUND = "found:"
SAMPLES = 20


class Redacted(Section):
    """A redacted text; the original never enters a card."""

    id: str
    source: str
    text: str


class Hidden(Section):
    """A few words around something that was hidden; several kinds and sources, so that a reader can judge precision."""

    id: str
    kind: str
    source: str
    text: str


class People(Section):
    """Findings by kind and source (all were redacted), other counts of the step, and the recall check.

    `read` is the number of records that the step read, by source: the denominator of every finding.
    """

    redacted: bool
    step: str
    kinds: tuple[str, ...]
    sources: tuple[str, ...]
    found: dict[str, dict[str, int]]
    read: dict[str, int]
    total: int
    other: dict[str, dict[str, int]]
    expected_unfound: dict[str, tuple[str, ...]]
    proof: str
    detail: str
    samples: tuple[Redacted, ...]
    hidden: tuple[Hidden, ...] = ()
    redactor: Redactor | None = None


# What a source file calls a kind, and the redact stage's kinds that would be it; no detector looks for the last two.
_EXPECTED = {
    "person": ("PERSON",), "username": ("USERNAME", "HOSTMASK"), "email": ("EMAIL_ADDRESS",),
    "phone": ("PHONE_NUMBER",), "address": ("STREET_ADDRESS",), "ip": ("IP_ADDRESS",), "mac": ("MAC_ADDRESS",),
    "url": ("URL",), "card": ("CREDIT_CARD",), "iban": ("IBAN_CODE",), "national-id": ("US_SSN", "NATIONAL_ID"),
    "date-of-birth": ("DATE_OF_BIRTH",), "account": ("ACCOUNT_NUMBER", "CUSTOMER_ID"), "secret": ("SECRET", "CRYPTO"),
    "health": (), "organisation": (),
}  # fmt: skip


def make_people(facts: Facts) -> People:
    """What the redaction found. A build without a redact step says so."""
    steps = [step for step in facts.steps if step.stage == "redact"]
    found: dict[str, dict[str, int]] = {}
    other: dict[str, dict[str, int]] = {}
    read: dict[str, int] = {}
    for step in steps:
        for source, counts in step.counts.items():
            read[source] = max(read.get(source, 0), counts.read)
        for source, counted in step.counted.items():
            for key, n in counted.items():
                if key.startswith(KNOWN_COUNTS):
                    continue
                table, name = (found, key.removeprefix(FOUND)) if key.startswith(FOUND) else (other, key)
                row = table.setdefault(name, {})
                row[source] = row.get(source, 0) + n
    order = [source.name for source in facts.sources if source.name in read]
    kinds = sorted(found, key=lambda kind: (-sum(found[kind].values()), kind))
    gate = next((gate for gate in facts.gates if gate.name == "personal_data"), None)
    return People(
        redacted=bool(steps),
        step=" + ".join(step.name for step in steps),
        kinds=tuple(kinds),
        sources=tuple(order),
        found={kind: dict(sorted(found[kind].items())) for kind in kinds},
        read=dict(sorted(read.items())),
        total=sum(n for row in found.values() for n in row.values()),
        other={key: dict(sorted(row.items())) for key, row in sorted(other.items())},
        expected_unfound=_unfound(facts, found, read),
        proof=bound_sentence(gate.found or 0, gate.checked) if gate and gate.checked else "",
        detail=sentence(gate.detail) if gate else "",
        samples=tuple(Redacted(id=s.id, source=s.source, text=s.text) for s in facts.samples.redacted[:SAMPLES]),
        hidden=tuple(Hidden(id=s.id, kind=s.kind, source=s.source, text=s.text) for s in facts.samples.hidden),
        redactor=make_redactor(steps, tuple(order)),
    )


def _unfound(facts: Facts, found: dict[str, dict[str, int]], read: dict[str, int]) -> dict[str, tuple[str, ...]]:
    """Kinds that a source's owner expects and the detectors never found there: a hint at a blind detector."""
    missing: dict[str, tuple[str, ...]] = {}
    for source in facts.sources:
        if source.name not in read:
            continue
        seen = {kind for kind, row in found.items() if row.get(source.name)}
        names = [kind for kind in source.personal_data if not seen.intersection(_EXPECTED.get(kind, ()))]
        if names:
            missing[source.name] = tuple(names)
    return dict(sorted(missing.items()))
