"""A rule of ours: a pattern that runs only on windows in which it can match and that hold one of its cue words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from corpusforge.curate.redaction.findings import Finding, RedactionFailed
from corpusforge.curate.redaction.gate import Form, Possible, utf8

# Processor seconds for one pattern on one window of 2 KB, which takes well under a millisecond: only a pattern that
# backtracks without end gets here, and then the record is quarantined.
TIMEOUT = 5.0
# Characters of a text whose parts are not scanned one by one.
_MOST_WHOLE = 1 << 15

Check = Callable[[str, int, int], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` (regex syntax; group `v` is the value, else the whole match) reports `kind` with `score`.

    `needs`: the case-folded window must hold one of these; `digits`: that many digits. `check(text, start, end)`
    refuses false alarms. `cased`: letter case matters. `chat_only`: only in conversations. `gate`: a simpler pattern
    that stands in every match, where the pattern itself would make too large an automaton. `longest`: characters of
    the longest window that can match, 0 for any.
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


class _Watch:
    """What is known of the text that is being searched, and of a text that holds it and those that come next."""

    def __init__(self) -> None:
        self._whole = self._text = ""
        self._whole_bytes = self._bytes = b""
        self._inside = True
        self._verdicts: dict[str, bool] = {}

    def enter(self, whole: str) -> None:
        """From now on many parts of this will be searched, each between white space or an end."""
        self._whole = whole if len(whole) <= _MOST_WHOLE else ""
        self._whole_bytes = utf8(self._whole)
        self._text, self._bytes, self._inside = "", b"", True
        self._verdicts = {}

    def in_whole(self, pattern: Compiled, text: str) -> bool:
        """Whether a pattern can match anywhere in the text that holds this one."""
        if text is not self._text:
            self._text, self._bytes, self._inside = text, utf8(text), text in self._whole
        if not self._inside:
            return True
        known = self._verdicts.get(pattern.key)
        if known is None:
            ascii_text = len(self._whole_bytes) == len(self._whole)
            known = self._verdicts[pattern.key] = pattern.possible.within(self._whole_bytes, ascii_text=ascii_text)
        return known

    def possible(self, pattern: Compiled, text: str) -> bool:
        """Whether a pattern can match in a text."""
        if not self.in_whole(pattern, text):
            return False
        return pattern.possible.within(self._bytes, ascii_text=len(self._bytes) == len(text))


_WATCH = _Watch()


def watch(whole: str) -> None:
    """Tell that the texts searched next are parts of this one, between white space or an end: it is scanned once."""
    _WATCH.enter(whole)


class Compiled:
    """A pattern of the `regex` module that looks for matches only in texts that can hold one."""

    __slots__ = ("everywhere", "fullmatch", "groupindex", "key", "match", "pattern", "possible", "search")

    def __init__(self, pattern: str, cased: bool) -> None:
        import regex  # type: ignore[import-untyped]

        made = regex.compile(pattern, regex.MULTILINE | (0 if cased else regex.IGNORECASE))
        self.pattern = pattern
        self.key = f"{cased}{pattern}"
        self.possible = Possible(Form(pattern, ignorecase=not cased))
        self.everywhere = made.finditer
        self.match, self.search, self.fullmatch = made.match, made.search, made.fullmatch
        self.groupindex = made.groupindex

    def finditer(self, text: str, *, timeout: float) -> Iterable[Any]:
        """As in `regex`. Raises TimeoutError."""
        return self.everywhere(text, timeout=timeout) if _WATCH.possible(self, text) else ()


@cache
def compiled(pattern: str, cased: bool = False) -> Compiled:
    """A compiled pattern, multi-line, case-insensitive unless `cased`."""
    return Compiled(pattern, cased)


def gate_of(rule: Rule) -> Compiled:
    """The form that must be in a window for the rule to find anything there."""
    return compiled(rule.gate) if rule.gate else compiled(rule.pattern, rule.cased)


def run(
    rules: Iterable[Rule], text: str, folded: str, *, chat: bool, digits: int, able: bool = False
) -> Iterator[Finding]:
    """What the rules find in a window; `folded` is the case-folded window, `digits` how many it holds, `able`: the
    rules' forms were looked for already.

    Raises RedactionFailed when a pattern runs out of time.
    """
    for rule in rules:
        if rule.digits > digits or (rule.chat_only and not chat):
            continue
        if not able and not _WATCH.in_whole(gate_of(rule), text):
            continue
        if not rule.needs or any(cue in folded for cue in rule.needs):
            yield from matches(rule, text, able=able)


def matches(rule: Rule, text: str, *, able: bool = False) -> Iterator[Finding]:
    """What one rule finds in a text; `able` as for `run`. Raises RedactionFailed when it runs out of time."""
    pattern = compiled(rule.pattern, rule.cased)
    if not able and not _WATCH.possible(gate_of(rule), text):
        return
    group = "v" if "v" in pattern.groupindex else 0
    try:
        for match in pattern.everywhere(text, timeout=TIMEOUT):
            start, end = match.span(group)
            if start < end and (rule.check is None or rule.check(text, start, end)):
                yield Finding(rule.kind, start, end, rule.name, rule.score)
    except TimeoutError:
        raise RedactionFailed(rule.name) from None
