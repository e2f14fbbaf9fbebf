"""Redacts one record: searches each of its texts until nothing personal is left, and writes the placeholders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from corpusforge.curate.redaction import presidio
from corpusforge.curate.redaction.accounts import ACCOUNTS, spaced_codes
from corpusforge.curate.redaction.addresses import addressed
from corpusforge.curate.redaction.asked import LONGEST_ANSWER, answered
from corpusforge.curate.redaction.contacts import CONTACTS
from corpusforge.curate.redaction.descriptions import AGES, DATES, DESCRIPTIONS
from corpusforge.curate.redaction.findings import Finding, RedactionFailed, disjoint
from corpusforge.curate.redaction.kinds import DESCRIBING, ENTITIES, PLACEHOLDER, STRUCTURED
from corpusforge.curate.redaction.layout import Layout
from corpusforge.curate.redaction.names import NAME_RULES, SIGN_OFF, named
from corpusforge.curate.redaction.ner import NO_NER, pipeline
from corpusforge.curate.redaction.people import Known, People
from corpusforge.curate.redaction.placeholders import Ledger
from corpusforge.curate.redaction.proper_nouns import known_name, proper_nouns, small_names
from corpusforge.curate.redaction.reserved import harmless
from corpusforge.curate.redaction.rules import Rule, matches, run, watch
from corpusforge.curate.redaction.secrets import PRIVATE_KEY, SECRETS
from corpusforge.curate.redaction.sheets import Able, able_rules
from corpusforge.curate.redaction.strict import unknown
from corpusforge.curate.redaction.surrogates import Surrogates
from corpusforge.curate.redaction.tagged import Tagger, tagged
from corpusforge.curate.redaction.telephones import telephones
from corpusforge.curate.redaction.units import Unit
from corpusforge.curate.redaction.windows import windows
from corpusforge.record import Record

# Windows whose findings are remembered from records before: chats repeat greetings, bot replies and signatures.
CACHED_WINDOWS = 1 << 15
_DIGIT = re.compile(r"\d")
# What makes a value part of a longer one: `support@acme.org` does not stand in `bob.support@acme.org`.
_ADJOINS_BEFORE = re.compile(r"[\w.@+-]")
_ADJOINS_AFTER = re.compile(r"\w|[.@+-]\w")
# The rules of ours that need no whole record; those of names are judged in their own way.
_RULES = (*SECRETS, *ACCOUNTS, *CONTACTS, *AGES, *DATES, *DESCRIPTIONS)
_ALL_RULES = (*_RULES, *NAME_RULES)
_OF_NAMES = frozenset(rule.name for rule in NAME_RULES)
# Whether rules for names count, and those for what only describes a person.
Scope = tuple[bool, bool]
# A window that will be searched, and whether the name model will be asked about it.
Ahead = tuple[tuple[Scope, str], bool]


@dataclass(frozen=True, slots=True)
class Policy:
    """How a record is read. `names`: beyond what its form tells. `chat`: as a conversation. `keep_reserved`: example
    values (`bob@example.com`) stay. `describing`: also what only describes a person, such as a town or an age. `prose`:
    not a title or a field of meta, which a name model cannot read. `ner`: in a language that the name model knows.
    `strict`: what may be personal goes too; `common` are then the words that enough records use (see `strict.unknown`).
    """

    names: bool
    chat: bool
    keep_reserved: bool
    describing: bool = True
    prose: bool = True
    ner: bool = True
    strict: bool = False
    common: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A redacted record, the number of findings of each kind in all its fields, and those of each of its parts with
    offsets in the part as it came in.
    """

    record: Record
    found: Mapping[str, int]
    parts: tuple[tuple[Finding, ...], ...] = ()


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
        self.engine = presidio.engine(phone_regions)
        self._min_scores = dict(min_scores or {})
        self._usual_score = min_score
        self._min_score = min([min_score, *self._min_scores.values()])
        self._surrogates = surrogates
        self._keep = frozenset(keep)
        self._custom = tuple(Rule(kind, "declared", form, 1.0) for kind, form in sorted((patterns or {}).items()))
        self._wanted = frozenset(entities).difference(keep) | {rule.kind for rule in self._custom}
        self._allow = tuple(sorted({value.casefold() for value in allow if value}))
        self._tagger = None if ner == NO_NER else Tagger(pipeline(ner))
        self._seen: dict[tuple[str, Policy], tuple[Finding, ...]] = {}
        self._able: dict[tuple[Scope, str], Able] = {}

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
        if len(self._seen) >= CACHED_WINDOWS:
            self._seen.clear()
        running = [(place, self._redacting(record, policy)) for place, (record, policy) in enumerate(records)]
        while running:
            unread: dict[tuple[Scope, str], bool] = {}
            still = []
            for place, steps in running:
                try:
                    for key, tagged_too in next(steps):
                        unread[key] = tagged_too or unread.get(key, False)
                    still.append((place, steps))
                except StopIteration as stop:
                    outcomes[place] = stop.value
                except Exception as error:
                    outcomes[place] = error
            self._able = {}
            for scope in dict.fromkeys(scope for scope, _ in unread):
                able = able_rules([window for own, window in unread if own == scope], _rules(scope))
                self._able.update(((scope, window), those) for window, those in able.items())
            if self._tagger is not None and (names := [window for (_, window), asked in unread.items() if asked]):
                self._tagger.read(list(dict.fromkeys(names)))
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
        of_fields = replace(policy, prose=False)
        open_units = layout.texts
        while open_units:
            yield list(self._unread(layout, open_units, ledger, policy, of_fields))
            watch("\n".join([unit.text(ledger) for unit in open_units]))
            changed: list[Unit] = []
            size, fresh = people.size, False
            for unit in open_units:
                text = unit.text(ledger)
                findings = self._findings(
                    text,
                    layout.question(unit, ledger) if len(text) <= LONGEST_ANSWER else None,
                    people,
                    known,
                    policy if layout.is_part(unit) else of_fields,
                    unit.held(ledger),
                )
                taken = unit.hide(findings, ledger)
                if taken:
                    changed.append(unit)
                    found.update(kind for kind, _ in taken)
                    fresh = known.add(taken) or fresh
                    for kind, value in taken:
                        if kind == "PERSON" and policy.names:
                            people.add_name(value)
            # A new name or value may stand in any text, also in one that was clean before it was known.
            open_units = layout.texts if fresh or people.size > size else layout.near(changed)
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

    def _unread(
        self, layout: Layout, units: Iterable[Unit], ledger: Ledger, policy: Policy, of_fields: Policy
    ) -> Iterator[Ahead]:
        scope = _scope(policy)
        asked = self._tagger is not None and policy.names and policy.ner and "PERSON" in self._wanted
        for unit in units:
            text = unit.text(ledger)
            whole = layout.is_part(unit)
            own = policy if whole else of_fields
            for start, end in windows(text):
                window = text[start:end]
                if (window, own) not in self._seen:
                    read = asked and whole and self._tagger is not None and not self._tagger.knows(window)
                    yield (scope, window), read

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
        self,
        text: str,
        question: str | None,
        people: People,
        known: Known,
        policy: Policy,
        held: Sequence[tuple[int, int]],
    ) -> list[Finding]:
        found: list[Finding] = []
        for start, end in windows(text):
            found += [f.shifted(start) for f in self._in_window(text[start:end], policy)]
        if "-----BEGIN" in text:
            found += matches(PRIVATE_KEY, text)
        if policy.names and "\n" in text:
            found += run((SIGN_OFF,), text, text.casefold(), chat=policy.chat, digits=0)
        found += known.mentions(text)
        if policy.names:
            found += addressed(text, chat=policy.chat, technical=not policy.describing)
            found += people.mentions(text)
            if question and (answer := answered(question, text)):
                found.append(answer)
        found = [f for f in found if f.score >= self._line(f.kind)]
        kept = [f for f in found if f.kind in self._keep]
        # A link that stays keeps no password or address in it.
        found = [f for f in found if f.kind in self._wanted and (f.kind in STRUCTURED or not _within(f, kept))]
        return disjoint(text, found, [*held, *self._allowed(text)]) if found else []

    def _in_window(self, window: str, policy: Policy) -> tuple[Finding, ...]:
        found = self._seen.get((window, policy))
        if found is None:
            found = self._window_findings(window, policy)
            self._seen[window, policy] = found
        return found

    def _window_findings(self, window: str, policy: Policy) -> tuple[Finding, ...]:
        folded = window.casefold()
        digits = len(_DIGIT.findall(window))
        scope = _scope(policy)
        able = self._able.get((scope, window))
        if able is None:
            able = able_rules([window], _rules(scope))[window]
        found = presidio.recognised(self.engine, window, self._min_score)
        ours = [rule for rule in able if rule.name not in _OF_NAMES]
        found += run(ours, window, folded, chat=policy.chat, digits=digits, able=True)
        if policy.names:
            found += telephones(window, folded, digits=digits, chat=policy.chat or policy.describing)
        if not policy.names:
            found = [f for f in found if f.kind in STRUCTURED]
        found = [f for f in found if not harmless(window, f, chat=policy.chat, keep_reserved=policy.keep_reserved)]
        for rule in self._custom:
            found += matches(rule, window)
        if policy.names and "PERSON" in self._wanted:
            found += named(window, folded, [rule for rule in able if rule.name in _OF_NAMES], chat=policy.chat)
            found += proper_nouns(window, technical=not policy.describing)
            if policy.describing and policy.prose:
                found += small_names(window, chat=policy.chat)
            if policy.chat and policy.prose:
                found += spaced_codes(window) if digits and window == folded else ()
            if self._tagger is not None and policy.prose and policy.ner:
                says = tagged(self._tagger.entities(window), window, chat=policy.chat)
                # In a manual the tagger takes commands and products for people: there it only confirms.
                found += [f for f in says if policy.describing or known_name(window[f.start : f.end])]
        if not (policy.names and policy.describing):
            found = [f for f in found if f.kind not in DESCRIBING]
        return tuple(found)

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


def _scope(policy: Policy) -> Scope:
    return policy.names, policy.names and policy.describing


@cache
def _rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules whose findings count."""
    names, describing = scope
    told = [rule for rule in _ALL_RULES if names or rule.kind in STRUCTURED]
    return tuple(rule for rule in told if describing or rule.kind not in DESCRIBING)


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
