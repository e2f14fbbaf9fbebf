"""Tells for many texts together which rules can find anything in each: each form is sought once in all of them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

from corpusforge.curate.batches import in_batches
from corpusforge.curate.redaction.gate import Possible, utf8
from corpusforge.curate.redaction.rules import Rule, gate_of

# Characters of texts that are searched as one. Larger ones save nothing more.
_SHEET = 1 << 16

Able = tuple[Rule, ...]
_DIGIT = re.compile(r"\d")


def able_rules(texts: Sequence[str], rules: Sequence[Rule]) -> dict[str, Able]:
    """For each text the rules, in their order, that can find anything in it."""
    found: dict[str, Able] = {}
    for (ascii_text, any_digit), same in _alike(texts).items():
        asked = rules if any_digit else [rule for rule in rules if not rule.digits]
        for sheet in in_batches(same, len, _SHEET):
            found.update(_on_sheet(_Sheet(sheet, ascii_text=ascii_text), asked))
    return found


def reached(texts: Sequence[str], form: Possible) -> frozenset[str]:
    """The texts in which a form can match."""
    found: set[str] = set()
    for (ascii_text, _), same in _alike(texts).items():
        for texts_of in in_batches(same, len, _SHEET):
            sheet = _Sheet(texts_of, ascii_text=ascii_text)
            found.update(texts_of[place] for place in sheet.places(form))
    return frozenset(found)


def _alike(texts: Sequence[str]) -> dict[tuple[bool, bool], list[str]]:
    """Texts by whether they are ASCII and whether they hold a digit."""
    made: dict[tuple[bool, bool], list[str]] = {}
    for text in texts:
        made.setdefault((text.isascii(), _DIGIT.search(text) is not None), []).append(text)
    return made


def _on_sheet(sheet: _Sheet, rules: Sequence[Rule]) -> Mapping[str, Able]:
    able: list[list[Rule]] = [[] for _ in sheet.texts]
    places: dict[str, Sequence[int]] = {}
    for rule in rules:
        gate = gate_of(rule)
        if gate.key not in places:
            places[gate.key] = sheet.places(gate.possible)
        for place in places[gate.key]:
            if not rule.longest or len(sheet.texts[place]) <= rule.longest:
                able[place].append(rule)
    return {text: tuple(own) for text, own in zip(sheet.texts, able, strict=True)}


class _Sheet:
    """Texts with line ends before, between and behind them, so that a form may ask for a text's begin or end."""

    def __init__(self, texts: Sequence[str], *, ascii_text: bool) -> None:
        self.texts = texts
        pieces = [utf8(text) for text in texts]
        self._bytes = b"".join([b"\n", *(piece + b"\n" for piece in pieces)])
        # Where each text begins, and where one behind the last would.
        self._starts = list(accumulate((len(piece) + 1 for piece in pieces), initial=1))
        self._ascii = ascii_text

    def places(self, form: Possible) -> Sequence[int]:
        """Places of the texts that a match of the form touches: one that reaches into the next may hide one there."""
        pattern = form.pattern(ascii_text=self._ascii)
        if pattern is None:
            return range(len(self.texts))
        search, starts, size = pattern.search, self._starts, len(self._bytes)
        found: list[int] = []
        at = done = 0
        while at < size and (match := search(self._bytes, at)) is not None:
            start, end = match.span()
            first = max(bisect_right(starts, start) - 1, done)
            last = min(bisect_right(starts, max(end - 1, start)) - 1, len(starts) - 2)
            found += range(first, last + 1)
            done = last + 1
            # The line end before the next text may belong to a match there.
            at = max(starts[done] - 1, at + 1)
        return found
