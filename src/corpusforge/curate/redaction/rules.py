"""A rule of ours: a pattern that runs only on windows in which it can match and that hold one of its cue words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from corpusforge.curate.redaction.findings import Finding, RedactionFailed
from corpusforge.curate.redaction.gate import Form, Gate

# Processor seconds for one pattern on one window of 2 KB, which takes well under a millisecond: only a pattern that
# backtracks without end gets here, and then the record is quarantined.
TIMEOUT = 5.0

Check = Callable[[str, int, int], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` (regex syntax; group `v` is the value, else the whole match) reports `kind` with `score`.

    `needs`: the case-folded window must hold one of these; `digits`: that many digits. `check(text, start, end)`
    refuses false alarms. `cased`: letter case matters. `chat_only`: only in conversations.
    """

    kind: str
    name: str
    pattern: str
    score: float
    needs: tuple[str, ...] = ()
    digits: int = 0
    check: Check | None = None
    cased: bool = False
    chat_only: bool = False


class _Watch:
    """Knows which of all compiled patterns can match in the text that is being searched, from one pass over it."""

    def __init__(self) -> None:
        self._forms: list[Form] = []
        self._gate: Gate | None = None
        self._text: str | None = None
        self._open: frozenset[int] = frozenset()

    def add(self, form: Form) -> int:
        """The place of a pattern."""
        self._forms.append(form)
        self._gate = None
        return len(self._forms) - 1

    def open(self, text: str) -> frozenset[int]:
        """Places of the patterns that can match."""
        if self._gate is None:
            self._gate = Gate(self._forms)
            self._text = None
        if text is not self._text:
            self._open = self._gate.open(text)
            self._text = text
        return self._open


_WATCH = _Watch()


class Compiled:
    """A pattern of the `regex` module that looks for matches only in texts that can hold one."""

    __slots__ = ("_finditer", "fullmatch", "groupindex", "match", "pattern", "place", "search")

    def __init__(self, pattern: str, cased: bool) -> None:
        import regex  # type: ignore[import-untyped]

        made = regex.compile(pattern, regex.MULTILINE | (0 if cased else regex.IGNORECASE))
        self.pattern = pattern
        self.place = _WATCH.add(Form(pattern, ignorecase=not cased))
        self._finditer = made.finditer
        self.match, self.search, self.fullmatch = made.match, made.search, made.fullmatch
        self.groupindex = made.groupindex

    def finditer(self, text: str, *, timeout: float) -> Iterable[Any]:
        """As in `regex`. Raises TimeoutError."""
        return self._finditer(text, timeout=timeout) if self.place in _WATCH.open(text) else ()


@cache
def compiled(pattern: str, cased: bool = False) -> Compiled:
    """A compiled pattern, multi-line, case-insensitive unless `cased`."""
    return Compiled(pattern, cased)


class RuleSet:
    """Rules that are looked for together."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """The order of the rules is the order of their findings."""
        self._rules = {compiled(rule.pattern, rule.cased).place: [] for rule in rules}  # type: dict[int, list[int]]
        for n, rule in enumerate(rules):
            self._rules[compiled(rule.pattern, rule.cased).place].append(n)
        self._places = frozenset(self._rules)
        self._all = tuple(rules)

    def opened(self, text: str) -> list[Rule]:
        """The rules whose patterns can match in a text."""
        places = self._places & _WATCH.open(text)
        if not places:
            return []
        return [self._all[n] for n in sorted(n for place in places for n in self._rules[place])]


def run(rules: RuleSet, text: str, folded: str, *, chat: bool, digits: int) -> Iterator[Finding]:
    """What the rules find in a window; `folded` is the case-folded window, `digits` how many it holds.

    Raises RedactionFailed when a pattern runs out of time.
    """
    for rule in rules.opened(text):
        if rule.digits > digits or (rule.chat_only and not chat):
            continue
        if not rule.needs or any(cue in folded for cue in rule.needs):
            yield from matches(rule, text)


def matches(rule: Rule, text: str) -> Iterator[Finding]:
    """What one rule finds in a text. Raises RedactionFailed when it runs out of time."""
    pattern = compiled(rule.pattern, rule.cased)
    group = "v" if "v" in pattern.groupindex else 0
    try:
        for match in pattern.finditer(text, timeout=TIMEOUT):
            start, end = match.span(group)
            if start < end and (rule.check is None or rule.check(text, start, end)):
                yield Finding(rule.kind, start, end, rule.name, rule.score)
    except TimeoutError:
        raise RedactionFailed(rule.name) from None
