"""Searches texts for what they hold by themselves, whatever the record around them says; many texts go together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from corpusforge.curate.redaction import presidio
from corpusforge.curate.redaction.accounts import ACCOUNTS, spaced_codes
from corpusforge.curate.redaction.addresses import address_rules, addressed
from corpusforge.curate.redaction.contacts import CONTACTS
from corpusforge.curate.redaction.descriptions import AGES, DATES, DESCRIPTIONS
from corpusforge.curate.redaction.findings import Finding
from corpusforge.curate.redaction.kinds import DESCRIBING, STRUCTURED
from corpusforge.curate.redaction.names import NAME_RULES, SIGN_OFF, named
from corpusforge.curate.redaction.proper_nouns import known_name, proper_nouns, small_names
from corpusforge.curate.redaction.reserved import harmless
from corpusforge.curate.redaction.rules import Rule, matches, run
from corpusforge.curate.redaction.secrets import PRIVATE_KEY, SECRETS
from corpusforge.curate.redaction.sheets import Able, able_rules
from corpusforge.curate.redaction.tagged import Tagger, tagged
from corpusforge.curate.redaction.telephones import PHONE_RULES, telephones
from corpusforge.curate.redaction.windows import WINDOW, windows

# Windows whose findings are remembered from records before: chats repeat greetings, bot replies and signatures.
CACHED_WINDOWS = 1 << 15
# What a rule is called that the recipe declares.
DECLARED = "declared"
_DIGIT = re.compile(r"\d")
# The rules of ours that need no whole record; those of names are judged in their own way.
_RULES = (*SECRETS, *ACCOUNTS, *CONTACTS, *AGES, *DATES, *DESCRIPTIONS)
# Those of them that need the whole of a text.
_OF_TEXTS = (PRIVATE_KEY, SIGN_OFF)
_OF_NAMES = frozenset(rule.name for rule in NAME_RULES)
_OF_PHONES = frozenset(rule.name for rule in PHONE_RULES)


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


class Scope(NamedTuple):
    """Which rules count: those for names, those for what only describes a person, those for chats; and whether for a
    whole text or a window of one.
    """

    names: bool
    describing: bool
    chat: bool
    whole: bool


class Ahead(NamedTuple):
    """A text or a window that will be searched, and whether the name model will be asked about it."""

    scope: Scope
    text: str
    asked: bool


class Search:
    """The detectors that need no more than a text, and what they found in the last texts."""

    def __init__(
        self,
        engine: presidio.Engine,
        tagger: Tagger | None,
        declared: Sequence[Rule],
        *,
        min_score: float,
        people: bool,
    ) -> None:
        """`declared`: the recipe's own rules. `min_score`: the line for Presidio's findings. `people`: whether anybody
        wants names.
        """
        self.engine = engine
        self.tagger = tagger
        self.min_score = min_score
        self.people = people
        self._declared = tuple(declared)
        self._views: dict[Policy, View] = {}
        self._rules: dict[Scope, tuple[Rule, ...]] = {}
        self._able: dict[Scope, dict[str, Able]] = {}
        self.closed: frozenset[str] = frozenset()

    def forget(self) -> None:
        """Keeps memory bounded: to be called where nobody holds a view."""
        if sum(view.size for view in self._views.values()) >= CACHED_WINDOWS:
            self._views.clear()

    def view(self, policy: Policy) -> View:
        """What reads texts under a policy."""
        if policy not in self._views:
            self._views[policy] = View(self, policy)
        return self._views[policy]

    def look_ahead(self, ahead: Mapping[Scope, Mapping[str, bool]]) -> None:
        """Learns of all texts and windows together what can be found in each; True for those that the name model will
        be asked about.
        """
        self._able = {scope: able_rules(list(texts), self._of(scope)) for scope, texts in ahead.items()}
        new = dict.fromkeys(text for scope, texts in ahead.items() if not scope.whole for text in texts)
        self.closed = self.engine.analyzer.closed(list(new))
        if self.tagger is not None:
            asked = dict.fromkeys(text for texts in ahead.values() for text, named in texts.items() if named)
            self.tagger.read(list(asked))

    def able(self, scope: Scope, text: str) -> Able:
        """The rules that can find anything in a text."""
        able = self._able.get(scope, {}).get(text)
        return able_rules([text], self._of(scope))[text] if able is None else able

    def _of(self, scope: Scope) -> tuple[Rule, ...]:
        """The rules whose findings count."""
        if scope not in self._rules:
            if scope.whole:
                told: tuple[Rule, ...] = (*_OF_TEXTS, *(address_rules() if scope.names else ()))
            else:
                told = (*_RULES, *NAME_RULES, *PHONE_RULES, *self._declared)
            self._rules[scope] = tuple(rule for rule in told if rule.name == DECLARED or _counts(rule, scope))
        return self._rules[scope]


def _counts(rule: Rule, scope: Scope) -> bool:
    if rule.kind in DESCRIBING and not scope.describing:
        return False
    return (scope.names or rule.kind in STRUCTURED) and (scope.chat or not rule.chat_only)


class View:
    """Reads texts under one policy."""

    def __init__(self, search: Search, policy: Policy) -> None:
        self._search = search
        self._policy = policy
        describing = policy.names and policy.describing
        self._of_windows = Scope(policy.names, describing, policy.chat, whole=False)
        self._of_texts = self._of_windows._replace(whole=True)
        self._asks = search.tagger is not None and policy.names and policy.prose and policy.ner and search.people
        # What was found in short texts, and in windows of longer ones.
        self._texts: dict[str, list[Finding]] = {}
        self._windows: dict[str, list[Finding]] = {}

    @property
    def size(self) -> int:
        """How many texts and windows are remembered."""
        return len(self._texts) + len(self._windows)

    def ahead(self, text: str) -> Iterator[Ahead]:
        """What of a text will be searched when `found_in` is called."""
        short = len(text) <= WINDOW
        if short and text in self._texts:
            return
        yield Ahead(self._of_texts, text, False)
        tagger = self._search.tagger
        for start, end in windows(text):
            window = text[start:end]
            if short or window not in self._windows:
                yield Ahead(self._of_windows, window, self._asks and tagger is not None and not tagger.knows(window))

    def found_in(self, text: str) -> Sequence[Finding]:
        """What a text holds. Raises RedactionFailed when a detector raised or ran out of time."""
        if len(text) > WINDOW:
            found: list[Finding] = []
            for start, end in windows(text):
                window = text[start:end]
                inside = self._windows.get(window)
                if inside is None:
                    inside = self._windows[window] = self._in_window(window)
                found += [finding.shifted(start) for finding in inside] if start else inside
            return found + self._in_whole(text)
        known = self._texts.get(text)
        if known is None:
            known = self._texts[text] = self._in_window(text) + self._in_whole(text)
        return known

    def _in_whole(self, text: str) -> list[Finding]:
        able = self._search.able(self._of_texts, text)
        if not able:
            return []
        chat, technical = self._policy.chat, not self._policy.describing
        ours = [rule for rule in able if rule in _OF_TEXTS]
        found = list(run(ours, text, text.casefold(), digits=len(_DIGIT.findall(text)))) if ours else []
        streets = able[len(ours) :]
        return [*found, *addressed(text, streets, chat=chat, technical=technical)]

    def _in_window(self, window: str) -> list[Finding]:
        search, policy = self._search, self._policy
        folded = window.casefold()
        digits = len(_DIGIT.findall(window))
        ours: list[Rule] = []
        of_names: list[Rule] = []
        of_phones: list[Rule] = []
        declared: list[Rule] = []
        for rule in search.able(self._of_windows, window):
            name = rule.name
            if name in _OF_NAMES:
                of_names.append(rule)
            elif name in _OF_PHONES:
                of_phones.append(rule)
            elif name == DECLARED:
                declared.append(rule)
            else:
                ours.append(rule)
        found: list[Finding] = []
        closed = window in search.closed
        if digits or not closed:
            # Without a digit there is no telephone number either.
            found += presidio.recognised(search.engine, window, search.min_score, closed=closed)
        found += run(ours, window, folded, digits=digits)
        if policy.names:
            chat = policy.chat or policy.describing
            found += telephones(window, folded, of_phones, digits=digits, chat=chat)
        else:
            found = [f for f in found if f.kind in STRUCTURED]
        found = [f for f in found if not harmless(window, f, chat=policy.chat, keep_reserved=policy.keep_reserved)]
        for rule in declared:
            found += matches(rule, window)
        if policy.names and search.people:
            found += named(window, folded, of_names, chat=policy.chat)
            found += proper_nouns(window, technical=not policy.describing)
            if policy.describing and policy.prose:
                found += small_names(window, chat=policy.chat)
            if policy.chat and policy.prose:
                found += spaced_codes(window) if digits and window == folded else ()
            if search.tagger is not None and self._asks:
                says = tagged(search.tagger.entities(window), window, chat=policy.chat)
                # In a manual the tagger takes commands and products for people: there it only confirms.
                found += [f for f in says if policy.describing or known_name(window[f.start : f.end])]
        if not (policy.names and policy.describing):
            found = [f for f in found if f.kind not in DESCRIBING]
        return found
