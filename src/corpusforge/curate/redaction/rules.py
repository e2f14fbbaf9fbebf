"""A rule of ours: a pattern that runs only on windows in which it can match and that hold one of its cue words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from corpusforge.curate.redaction.findings import Finding, RedactionFailed
from corpusforge.curate.redaction.gate import Form, Possible

# Processor seconds for one pattern on one window of 2 KB, which takes well under a millisecond: only a pattern that
# backtracks without end gets here, and then the record is quarantined.
TIMEOUT = 5.0

Check = Callable[[str, int, int], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` (regex syntax; group `v` is the value, else the whole match) reports `kind` with `score`.

    `needs`: the case-folded window must hold one of these; `digits`: that many digits. `check(text, start, end)`
    refuses false alarms. `cased`: letter case matters. `chat_only`: only in conversations. `gate`: a simpler pattern
    that stands in every match, where the pattern itself would be too wide; a line end stands before and behind a text.
    `longest`: characters of the longest window that can match, 0 for any.
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
    gate: str = ""
    longest: int = 0


class Compiled:
    """A pattern of the `regex` module, and what tells quickly whether a text can hold a match."""

    __slots__ = ("finditer", "fullmatch", "groupindex", "key", "match", "pattern", "possible", "search")

    def __init__(self, pattern: str, cased: bool) -> None:
        import regex  # type: ignore[import-untyped]

        made = regex.compile(pattern, regex.MULTILINE | (0 if cased else regex.IGNORECASE))
        self.pattern = pattern
        self.key = f"{cased}{pattern}"
        self.possible = Possible(Form(pattern, ignorecase=not cased))
        # Raises TimeoutError where it is called with a `timeout`.
        self.finditer = made.finditer
        self.match, self.search, self.fullmatch = made.match, made.search, made.fullmatch
        self.groupindex = made.groupindex


@cache
def compiled(pattern: str, cased: bool = False) -> Compiled:
    """A compiled pattern, multi-line, case-insensitive unless `cased`."""
    return Compiled(pattern, cased)


def gate_of(rule: Rule) -> Compiled:
    """The form that must be in a window for the rule to find anything there."""
    return compiled(rule.gate) if rule.gate else compiled(rule.pattern, rule.cased)


def run(rules: Iterable[Rule], text: str, folded: str, *, digits: int) -> Iterator[Finding]:
    """What the rules find in a text that can hold their forms (see `sheets`); `folded` is the case-folded text,
    `digits` how many it holds.

    Raises RedactionFailed when a pattern runs out of time.
    """
    for rule in rules:
        if rule.digits <= digits and (not rule.needs or any(cue in folded for cue in rule.needs)):
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
