"""Redacts one record: searches each of its texts until nothing personal is left, and writes the placeholders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from corpusforge.curate.redaction import presidio
from corpusforge.curate.redaction.asked import LONGEST_ANSWER, Before, answered, few_digits, few_digits_alone
from corpusforge.curate.redaction.findings import Finding, RedactionFailed, disjoint
from corpusforge.curate.redaction.kinds import ENTITIES, PLACEHOLDER, STRUCTURED
from corpusforge.curate.redaction.layout import Layout
from corpusforge.curate.redaction.ner import NO_NER, pipeline
from corpusforge.curate.redaction.people import Known, People
from corpusforge.curate.redaction.placeholders import Ledger
from corpusforge.curate.redaction.rules import Rule
from corpusforge.curate.redaction.searching import DECLARED, Ahead, Policy, Scope, Search
from corpusforge.curate.redaction.strict import unknown
from corpusforge.curate.redaction.surrogates import Surrogates
from corpusforge.curate.redaction.tagged import Tagger
from corpusforge.curate.redaction.units import Unit
from corpusforge.record import Record

# What makes a value part of a longer one: `support@acme.org` does not stand in `bob.support@acme.org`.
_ADJOINS_BEFORE = re.compile(r"[\w.@+-]")
_ADJOINS_AFTER = re.compile(r"\w|[.@+-]\w")
# A link that stays keeps no password or address in it, and a date or a place that stays is nobody's birth or home.
_NEVER_SHELTERED = STRUCTURED | {"DATE_OF_BIRTH", "STREET_ADDRESS"}


__all__ = ["Outcome", "Policy", "Redactor"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A redacted record, the number of findings of each kind in all its fields, and those of each of its parts with
    offsets in the part as it came in.
    """

    record: Record
    found: Mapping[str, int]
    parts: tuple[tuple[Finding, ...], ...] = ()


@dataclass(slots=True)
class _Searched:
    """A text of a record as it was searched last: what it holds by itself, the turn before it, and how many people and
    values the record was known to hold; of a turn of few digits the one before, whoever said it.
    """

    text: str
    found: Sequence[Finding]
    question: str | None = None
    people: int = 0
    known: int = 0
    before: Before | None = None


class Redactor:
    """Holds the detectors for one set of settings; build it once per process.

    Raises UsageError if the pipeline `ner` is not installed.
    """

    def __init__(
        self,
        *,
        entities: Iterable[str] = ENTITIES,
        ner: str | None = None,
        min_score: float = 0.4,
        patterns: Mapping[str, str] | None = None,
        allow: Iterable[str] = (),
        phone_regions: tuple[str, ...] = presidio.PHONE_REGIONS,
        min_scores: Mapping[str, float] | None = None,
        keep: Iterable[str] = (),
        surrogates: Surrogates | None = None,
    ) -> None:
        self._min_scores = dict(min_scores or {})
        self._usual_score = min_score
        self._surrogates = surrogates
        self._keep = frozenset(keep)
        custom = [Rule(kind, DECLARED, form, 1.0) for kind, form in sorted((patterns or {}).items())]
        self._wanted = frozenset(entities).difference(keep) | {rule.kind for rule in custom}
        self._allow = tuple(sorted({value.casefold() for value in allow if value}))
        self._search = Search(
            presidio.engine(phone_regions),
            None if ner == NO_NER else Tagger(pipeline(ner)),
            custom,
            min_score=min([min_score, *self._min_scores.values()]),
            people="PERSON" in self._wanted,
        )

    def redact(self, record: Record, policy: Policy) -> Outcome:
        """The record with placeholders in its text, messages, speakers, title and meta, and their spans.

        A second time changes nothing. Raises RedactionFailed when a detector raised or ran out of time.
        """
        (outcome,) = self.redact_all([(record, policy)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def redact_all(self, records: Sequence[tuple[Record, Policy]]) -> list[Outcome | Exception]:
        """Each record as `redact` gives it, or what that raises.

        The name model reads the texts of all together, and together they are searched for what rules can be about.
        """
        outcomes: list[Outcome | Exception] = [RedactionFailed("not finished")] * len(records)
        self._search.forget()
        running = [(place, self._redacting(record, policy)) for place, (record, policy) in enumerate(records)]
        while running:
            ahead: dict[Scope, dict[str, bool]] = {}
            still = []
            for place, steps in running:
                try:
                    for scope, text, asked in next(steps):
                        texts = ahead.setdefault(scope, {})
                        texts[text] = asked or texts.get(text, False)
                    still.append((place, steps))
                except StopIteration as stop:
                    outcomes[place] = stop.value
                except Exception as error:
                    outcomes[place] = error
            self._search.look_ahead(ahead)
            running = still
        return outcomes

    def _redacting(self, record: Record, policy: Policy) -> Generator[list[Ahead], None, Outcome]:
        """Redacts a record pass by pass; before each, yields the windows to be searched, and whether the name model
        will be asked about them.
        """
        common = policy.common
        policy = replace(policy, common=None)  # what is remembered of windows does not hang on it
        ledger = Ledger()
        layout = Layout(record, names=policy.names)
        ledger.reserve(unit.originals() for unit in layout.units)
        found: Counter[str] = Counter()
        people = self._people(record, layout, policy)
        known = Known()
        for unit in layout.speakers if policy.names else []:
            name = unit.text(ledger)
            kind = "PERSON" if len(name.split()) > 1 else "USERNAME"
            if kind in self._wanted and layout.is_person(name) and not unit.held(ledger):
                found.update(k for k, _ in unit.hide([Finding(kind, 0, len(name), "speaker", 1.0)], ledger))
        for unit, kind in layout.labelled_units if policy.names else []:
            value = unit.text(ledger)
            if kind in self._wanted and layout.is_value(value, kind):
                taken = unit.hide([Finding(kind, 0, len(value), "meta-key", 1.0)], ledger)
                found.update(k for k, _ in taken)
                known.add(taken)
                if kind == "PERSON" and len(value.split()) > 1:
                    # Only as it stands: `Debian Project` must not make a name of `Debian`.
                    people.add_phrase(value)
        yield from self._passes(layout, ledger, policy, people, known, found)
        for unit in layout.values if policy.strict and policy.names else []:
            text = unit.text(ledger)
            suspects = [f for f in unknown(text, common) if f.kind in self._wanted]
            taken = unit.hide(disjoint(text, suspects, [*unit.held(ledger), *self._allowed(text)]), ledger)
            found.update(kind for kind, _ in taken)
        ledger.renumbered(unit.originals() for unit in layout.units)
        if self._surrogates is not None:
            ledger.disguised(self._surrogates.value)
        made = layout.rebuilt(ledger)
        _checked(made, placeholders=self._surrogates is None)
        return Outcome(made, dict(found), tuple(tuple(part.findings()) for part in layout.parts))

    def _passes(
        self, layout: Layout, ledger: Ledger, policy: Policy, people: People, known: Known, found: Counter[str]
    ) -> Generator[list[Ahead], None, None]:
        """Searches the texts until nothing is left to be found; adds to `people`, `known` and `found`."""
        of_parts = self._search.view(policy)
        of_fields = self._search.view(replace(policy, prose=False))
        searched: dict[int, _Searched] = {}
        open_units = layout.texts
        while open_units:
            ahead: list[Ahead] = []
            for unit in open_units:
                text = unit.text(ledger)
                before = searched.get(id(unit))
                if text and (before is None or before.text != text):
                    ahead += (of_parts if layout.is_part(unit) else of_fields).ahead(text)
            yield ahead
            changed: list[Unit] = []
            size, fresh = people.size, False
            for unit in open_units:
                text = unit.text(ledger)
                if not text:
                    continue
                question = layout.question(unit, ledger) if policy.names and len(text) <= LONGEST_ANSWER else None
                preceding = layout.before(unit, ledger) if policy.names and few_digits_alone(text) else None
                before = searched.get(id(unit))
                if before is None or before.text != text:
                    view = of_parts if layout.is_part(unit) else of_fields
                    before = searched[id(unit)] = _Searched(text, view.found_in(text))
                elif (before.question, before.before) == (question, preceding) and not (
                    people.met_in(text, before.people) or known.met_in(text, before.known)
                ):
                    # Nothing was left to be found in it, and nothing that was learnt since stands in it.
                    continue
                before.question, before.people, before.known = question, people.met, known.met
                before.before = preceding
                findings = self._findings(before, people, known, policy, unit, ledger)
                if taken := unit.hide(findings, ledger):
                    changed.append(unit)
                    found.update(kind for kind, _ in taken)
                    fresh = known.add(taken) or fresh
                    for kind, value in taken:
                        if kind == "PERSON" and policy.names:
                            people.add_name(value)
            # A new name or value may stand in any text, also in one that was clean before it was known.
            open_units = layout.texts if fresh or people.size > size else layout.near(changed)

    def _people(self, record: Record, layout: Layout, policy: Policy) -> People:
        people = People()
        if policy.names and "USERNAME" in self._wanted:
            for message in record.messages or ():
                if layout.is_person(message.name):
                    people.add_speaker(message.name)
            for handle in record.meta.get("handles") or ():
                if isinstance(handle, str):
                    people.add_nick(handle)
        return people

    def _findings(
        self, searched: _Searched, people: People, known: Known, policy: Policy, unit: Unit, ledger: Ledger
    ) -> list[Finding]:
        text, question = searched.text, searched.question
        found = [*searched.found, *known.mentions(text)]
        if policy.names:
            found += people.mentions(text)
            if question and (answer := answered(question, text)):
                found.append(answer)
            if searched.before is not None and (number := few_digits(searched.before, text)):
                found.append(number)
        if not found:
            return found
        found = [f for f in found if f.score >= self._line(f.kind)]
        kept = [f for f in found if f.kind in self._keep]
        found = [f for f in found if f.kind in self._wanted and (f.kind in _NEVER_SHELTERED or not _within(f, kept))]
        return disjoint(text, found, [*unit.held(ledger), *self._allowed(text)]) if found else []

    def _line(self, kind: str) -> float:
        return self._min_scores.get(kind, self._usual_score)

    def _allowed(self, text: str) -> list[tuple[int, int]]:
        if not self._allow:
            return []
        folded = text.casefold()
        if len(folded) != len(text):
            folded = text.lower() if len(text.lower()) == len(text) else text
        spans = []
        for value in self._allow:
            at = folded.find(value)
            while at >= 0:
                end = at + len(value)
                if not (_ADJOINS_BEFORE.search(folded, max(0, at - 1), at) or _ADJOINS_AFTER.match(folded, end)):
                    spans.append((at, end))
                at = folded.find(value, end)
        return spans


def _within(finding: Finding, others: Sequence[Finding]) -> bool:
    """Whether a finding lies within one of some others: part of a value that stays."""
    return any(other.start <= finding.start and finding.end <= other.end for other in others)


def _checked(record: Record, *, placeholders: bool) -> None:
    """Every span is a placeholder of the text (or a surrogate in its place) and none overlap; else it must not pass."""
    end = 0
    for span in record.spans:
        whole = span.start < span.end <= len(record.text)
        if (
            span.start < end
            or not whole
            or (placeholders and not PLACEHOLDER.fullmatch(record.text, span.start, span.end))
        ):
            raise RedactionFailed("span arithmetic")
        end = span.end
