"""A rule of ours: a pattern that runs only on windows that hold one of its cue words, under a time limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from corpusforge.curate.redaction.findings import Finding, RedactionFailed

# Processor seconds for one pattern on one window of 2 KB, which takes well under a millisecond: only a pattern that
# backtracks without end gets here, and then the record is quarantined.
TIMEOUT = 5.0
MOST_NARROWED = 1 << 14

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


@cache
def compiled(pattern: str, cased: bool = False) -> Any:
    """A compiled pattern, multi-line, case-insensitive unless `cased`."""
    import regex  # type: ignore[import-untyped]

    return regex.compile(pattern, regex.MULTILINE | (0 if cased else regex.IGNORECASE))


def cued(rules: Iterable[Rule], folded: str) -> tuple[Rule, ...]:
    """The rules that can find anything in a case-folded text, each with those of its cue words that are in it."""
    kept = []
    for rule in rules:
        if not rule.needs:
            kept.append(rule)
            continue
        present = tuple([cue for cue in rule.needs if cue in folded])
        if present:
            kept.append(rule if len(present) == len(rule.needs) else _narrowed(rule, present))
    return tuple(kept)


_NARROWED: dict[tuple[str, str, tuple[str, ...]], Rule] = {}


def _narrowed(rule: Rule, present: tuple[str, ...]) -> Rule:
    # The same few cues come up in record after record; making the rule anew costs more than looking for them.
    key = (rule.name, rule.pattern, present)
    found = _NARROWED.get(key)
    if found is None:
        if len(_NARROWED) >= MOST_NARROWED:
            _NARROWED.clear()
        found = _NARROWED[key] = replace(rule, needs=present)
    return found


def run(rules: Iterable[Rule], text: str, folded: str, *, chat: bool, digits: int) -> Iterator[Finding]:
    """What the rules find in a window; `folded` is the case-folded window, `digits` how many it holds.

    Raises RedactionFailed when a pattern runs out of time.
    """
    for rule in rules:
        if rule.digits > digits or (rule.chat_only and not chat):
            continue
        if rule.needs:
            for cue in rule.needs:
                if cue in folded:
                    break
            else:
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
