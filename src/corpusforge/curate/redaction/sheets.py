"""Tells for many windows together which rules can find anything in each: each form is sought once in all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

from corpusforge.curate.batches import in_batches
from corpusforge.curate.redaction.gate import utf8
from corpusforge.curate.redaction.rules import Rule, gate_of

# Characters of windows that are searched as one. Larger ones save nothing more.
_SHEET = 1 << 16

Able = tuple[Rule, ...]


def able_rules(windows: Sequence[str], rules: Sequence[Rule]) -> dict[str, Able]:
    """For each window the rules, in their order, that can find anything in it."""
    plain = [window for window in windows if window.isascii()]
    other = [window for window in windows if not window.isascii()]
    found: dict[str, Able] = {}
    for same, ascii_text in ((plain, True), (other, False)):
        for sheet in in_batches(same, len, _SHEET):
            found.update(_on_sheet(sheet, rules, ascii_text=ascii_text))
    return found


def _on_sheet(windows: Sequence[str], rules: Sequence[Rule], *, ascii_text: bool) -> Mapping[str, Able]:
    pieces = [utf8(window) for window in windows]
    sheet = b"\n".join(pieces)
    starts = list(accumulate((len(piece) + 1 for piece in pieces), initial=0))
    able: list[list[Rule]] = [[] for _ in windows]
    reached: dict[str, Sequence[int]] = {}
    for rule in rules:
        gate = gate_of(rule)
        if gate.key not in reached:
            pattern = gate.possible.pattern(ascii_text=ascii_text)
            reached[gate.key] = range(len(windows)) if pattern is None else _windows_of(pattern, sheet, starts)
        for place in reached[gate.key]:
            if not rule.longest or len(windows[place]) <= rule.longest:
                able[place].append(rule)
    return {window: tuple(own) for window, own in zip(windows, able, strict=True)}


def _windows_of(pattern: object, sheet: bytes, starts: Sequence[int]) -> list[int]:
    """Places of the windows that a match of the form touches: one that reaches into the next may hide one there."""
    search = pattern.search  # type: ignore[attr-defined]
    found: list[int] = []
    at = 0
    while (match := search(sheet, at)) is not None:
        start, end = match.span()
        first = bisect_right(starts, start) - 1
        last = min(bisect_right(starts, max(end - 1, start)) - 1, len(starts) - 2)
        found += range(first, last + 1)
        at = starts[last + 1]
        if at >= len(sheet):
            break
    return found
