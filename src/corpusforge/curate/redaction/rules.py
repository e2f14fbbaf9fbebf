"""A rule of ours: a pattern that runs only on windows that hold one of its cue words, under a time limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from corpusforge.curate.redaction.findings import Finding, RedactionFailed

# Processor seconds for one pattern on one window of 2 KB, which takes well under a millisecond: only a pattern that
# backtracks without end gets here, and then the record is quarantined.
TIMEOUT = 5.0

Check = Callable[[str, int, int], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` (regex syntax; group `v` is the value, else the whole match) reports `kind` with `score`.

    `needs`: the window, case-folded, must hold one of these. `digit`: it must hold a digit. `check(text, start, end)`
    refuses false alarms. `cased`: letter case matters. `chat_only`: only in conversations.
    """

    kind: str
    name: str
    pattern: str
    score: float
    needs: tuple[str, ...] = ()
    digit: bool = False
    check: Check | None = None
    cased: bool = False
    chat_only: bool = False


@cache
def compiled(pattern: str, cased: bool = False) -> Any:
    """A compiled pattern, multi-line, case-insensitive unless `cased`."""
    import regex  # type: ignore[import-untyped]

    return regex.compile(pattern, regex.MULTILINE | (0 if cased else regex.IGNORECASE))


def run(rules: Iterable[Rule], text: str, folded: str, *, chat: bool, digit: bool) -> Iterator[Finding]:
    """What the rules find in a window; `folded` is the case-folded window, `digit` whether it holds a digit.

    Raises RedactionFailed when a pattern runs out of time.
    """
    for rule in rules:
        if (rule.digit and not digit) or (rule.chat_only and not chat):
            continue
        if rule.needs and not any(cue in folded for cue in rule.needs):
            continue
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
