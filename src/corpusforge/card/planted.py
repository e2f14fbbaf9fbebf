"""The leak audit on the card: what became of invented values that were planted before redaction, kind by kind."""

from __future__ import annotations

from corpusforge.card.audit_facts import AuditFacts, LeakFacts, TallyFacts
from corpusforge.card.facts import Facts
from corpusforge.card.figures import bound_sentence, column, count, plural
from corpusforge.card.section import Section

LEAKS = 12
SNIPPETS = 12
_GROUPS = (
    ("gated", "structured, as usually written"),
    ("disguised", "structured, disguised"),
    ("other", "names and the rest"),
)


class PlantedRow(Section):
    """One group of planted values: planted = masked + leaked + in part + not tested; `recall` is of those tested, with
    its 95% Wilson interval, in words.
    """

    name: str
    planted: int
    masked: int
    leaked: int
    in_part: int = 0
    not_tested: int
    recall: str
    interval: str


class PlantedLeak(Section):
    """An invented value that was found again: its form, how it looks, and one of the places."""

    form: str
    value: str
    whole: bool = True
    place: str


class Suspect(Section):
    """What the second detector says of a kind, over a random sample of the finished records."""

    kind: str
    sentence: str


class Snippet(Section):
    """A few words of redacted text around a suspect, which is hidden behind its shape."""

    kind: str
    source: str
    text: str


class PlantedSection(Section):
    """The whole audit."""

    headline: str
    groups: tuple[PlantedRow, ...]
    kinds: tuple[PlantedRow, ...]
    leaks: tuple[PlantedLeak, ...]
    more_leaks: int
    notes: tuple[str, ...]
    suspects: tuple[Suspect, ...]
    suspect_snippets: tuple[Snippet, ...]


def make_planted(facts: Facts) -> PlantedSection | None:
    """The section; None for a build whose recipe leaves the audit out."""
    audit = facts.audit
    if audit is None:
        return None
    look = audit.second_look
    shown = audit.leaks[:LEAKS]
    return PlantedSection(
        headline=_headline(audit),
        groups=tuple(_row(label, getattr(audit, name)) for name, label in _GROUPS),
        kinds=tuple(_row(kind, one) for kind, one in sorted(audit.kinds.items())),
        leaks=tuple(_leak(leak) for leak in shown),
        more_leaks=audit.all.leaked + audit.all.in_part - len(shown),
        notes=tuple(_notes(audit)),
        suspects=tuple(
            Suspect(kind=kind, sentence=bound_sentence(one.found, look.records))
            for kind, one in sorted(look.suspects.items())
        ),
        suspect_snippets=tuple(_snippet(one) for one in look.suspect_snippets[:SNIPPETS]),
    )


def _headline(audit: AuditFacts) -> str:
    gated = audit.gated
    leaked = gated.leaked + gated.in_part
    return (
        f"{plural(audit.all.planted, 'invented value')} of {plural(audit.forms, 'form')} went through the pipeline in "
        f"copies of {plural(sum(audit.records.values()), 'record')}; {count(audit.all.leaked)} were found again and of "
        f"{count(audit.all.in_part)} a telling piece. Of {count(gated.planted)} planted as structured data is usually "
        f"written: {bound_sentence(leaked, gated.masked + leaked)}"
    )


def _row(name: str, one: TallyFacts) -> PlantedRow:
    recall = "not tested" if one.recall is None else column(one.recall)
    interval = "" if one.low is None or one.high is None else f"{column(one.low)} to {column(one.high)}"
    return PlantedRow(
        name=name, planted=one.planted, masked=one.masked, leaked=one.leaked, in_part=one.in_part,
        not_tested=one.not_tested, recall=recall, interval=interval,
    )  # fmt: skip


def _leak(one: LeakFacts) -> PlantedLeak:
    return PlantedLeak(form=one.form, value=one.value, whole=one.whole, place=_place(one.first))


def _place(first: tuple[dict[str, str], ...]) -> str:
    return f"{first[0]['file']}, {first[0]['field']}" if first else ""


def _notes(audit: AuditFacts) -> list[str]:
    """What was searched, and what was not tested and why."""
    searched = audit.searched
    said = [
        f"Searched: {count(searched.files)} files with {count(searched.strings)} strings and {count(searched.tokens)} "
        "token ids, file names, the log and temporary files."
    ]
    said += [f"Not tested: {count(n)}, {reason}." for reason, n in sorted(audit.not_tested.items())]
    said += [f"Not planted: {count(n)}, {reason}." for reason, n in sorted(audit.not_planted.items())]
    return said


def _snippet(one: dict[str, str]) -> Snippet:
    return Snippet(kind=one["kind"], source=one["source"], text=one["snippet"])
