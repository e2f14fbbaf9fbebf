"""What a detector reports, and how overlapping reports become disjoint spans that cut no character in half."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from corpusforge.curate.redaction.kinds import PLACEHOLDER

NER = "ner"
_SOFT = frozenset({NER, "given-name"})
_PAIRS = dict(zip("([{)]}", ")]}([{", strict=True))
# Punctuation that ends the sentence rather than the value. A password may well end in one.
_LOOSE_ENDS = {"URL": ".,;:!?\"'", "HOSTMASK": ".,;:!?\"'", "PHONE_NUMBER": ".,;:-"}
_CARD = "CREDIT_CARD"
# A group of a card or a telephone number beside a row of digits. Other lengths, and what has signs or letters, are not.
_GROUP_AFTER = re.compile(r"[ -]\d{3,6}(?![\w%/]|[.,:-]\d)")
_GROUP_BEFORE = re.compile(r"(?<![\w.,:/])\d{3,6}[ -]\Z")
_GROUPS = 6


class RedactionFailed(Exception):
    """A detector raised or ran out of time, so the text must not pass; names the detector, never the text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Personal data at [start, end) of a text, in characters; `score` in 0..1, `detector` a rule's name."""

    kind: str
    start: int
    end: int
    detector: str
    score: float

    def shifted(self, by: int) -> Finding:
        """The same finding in a text that starts `by` characters earlier."""
        return replace(self, start=self.start + by, end=self.end + by)


def disjoint(text: str, findings: Iterable[Finding], protected: Sequence[tuple[int, int]] = ()) -> list[Finding]:
    """Findings in order, none overlapping, none touching a placeholder or a protected range.

    The longest wins, then the higher score; patterns win over name models. What a loser covers beyond the winner stays
    covered: every character that some detector reported is in exactly one result, unless it is protected. A card that
    crosses another number is wider than it was told (see `_with_groups`).
    """
    ranked = sorted(
        {snapped(text, finding) for finding in findings},
        key=lambda f: (f.detector in _SOFT, f.start - f.end, -f.score, f.start, f.kind, f.detector),
    )
    if not ranked:
        return []
    taken = _apart([*protected, *(match.span() for match in PLACEHOLDER.finditer(text))])
    kept: list[Finding] = []
    cards: list[tuple[int, int]] = []
    crossed: set[tuple[int, int]] = set()
    for finding in ranked:
        free = _outside(finding.start, finding.end, taken)
        if cards and finding.kind != _CARD and free != [(finding.start, finding.end)]:
            crossed.update(cards[slice(*_met(finding.start, finding.end, cards))])
        for start, end in free:
            piece = _trimmed(text, start, end, _LOOSE_ENDS.get(finding.kind, ""))
            if piece:
                kept.append(replace(finding, start=piece[0], end=piece[1]))
                insort(taken, piece)
                if finding.kind == _CARD:
                    insort(cards, piece)
    kept.sort(key=lambda f: f.start)
    for place, finding in enumerate(kept) if crossed else ():
        if (finding.start, finding.end) in crossed:
            wider = kept[place] = _with_groups(text, finding, taken)
            for start, end in _outside(wider.start, wider.end, taken):
                insort(taken, (start, end))
    return kept


def _with_groups(text: str, card: Finding, taken: Sequence[tuple[int, int]]) -> Finding:
    """A card with the groups of digits beside it, outside of what is taken.

    The check digit holds for one row of digits in ten: where a telephone number and a card stand side by side, the end
    of the one and most of the other may pass for a card, and the last group of the true one would stay.
    """
    start, end = card.start, card.end
    for _ in range(_GROUPS):
        after = _GROUP_AFTER.match(text, end)
        if after is None or _is_taken(end, after.end(), taken):
            break
        end = after.end()
    for _ in range(_GROUPS):
        before = _GROUP_BEFORE.search(text[max(0, start - 8) : start])
        if before is None or _is_taken(start - len(before[0]), start, taken):
            break
        start -= len(before[0])
    return replace(card, start=start, end=end)


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same characters as spans in order that do not overlap."""
    made: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if made and start < made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((start, end))
    return made


def _met(start: int, end: int, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """First and last but one of the spans, in order and apart, that share a character with [start, end)."""
    return bisect_right(spans, start, key=itemgetter(1)), bisect_left(spans, end, key=itemgetter(0))


def _is_taken(start: int, end: int, taken: Sequence[tuple[int, int]]) -> bool:
    first, stop = _met(start, end, taken)
    return first < stop


def _outside(start: int, end: int, taken: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    free = []
    for low, high in taken[slice(*_met(start, end, taken))]:
        if low > start:
            free.append((start, low))
        start = max(start, high)
    if start < end:
        free.append((start, end))
    return free


def _trimmed(text: str, start: int, end: int, loose: str) -> tuple[int, int] | None:
    """[start, end) without white space at its ends, brackets that it does not close and `loose` punctuation at its end;
    None if no letter or digit is left.
    """
    # A neighbour beyond ASCII may be an accent on the last character: then that one stays.
    while start < end and _opens(text, start, end) and text[start + 1 : start + 2].isascii():
        start += 1
    while end > start and _closes(text, start, end, loose) and text[end : end + 1].isascii():
        end -= 1
    return (start, end) if any(character.isalnum() for character in text[start:end]) else None


def _opens(text: str, start: int, end: int) -> bool:
    first = text[start]
    return first.isspace() or (first in "([{" and text.find(_PAIRS[first], start, end) < 0)


def _closes(text: str, start: int, end: int, loose: str) -> bool:
    last = text[end - 1]
    if last in ")]}":
        return bool(loose) and text.find(_PAIRS[last], start, end) < 0
    return last.isspace() or last in loose


def snapped(text: str, finding: Finding) -> Finding:
    """The finding widened to whole grapheme clusters (UAX #29), so that no accent or emoji part is left behind."""
    start = _boundary(text, finding.start, forward=False)
    end = _boundary(text, finding.end, forward=True)
    if (start, end) == (finding.start, finding.end):
        return finding
    return replace(finding, start=start, end=end)


def _boundary(text: str, at: int, *, forward: bool) -> int:
    if at <= 0 or at >= len(text) or (text[at].isascii() and text[at - 1].isascii() and text[at] != "\n"):
        return at
    import regex  # type: ignore[import-untyped]

    # A printable ASCII character that follows another one always starts a cluster: count clusters from there.
    anchor = at - 1
    while anchor > 0 and not (text[anchor].isascii() and text[anchor - 1].isascii() and text[anchor].isprintable()):
        anchor -= 1
    for cluster in regex.finditer(r"\X", text, pos=anchor):
        if cluster.end() >= at:
            return int(cluster.end() if forward or cluster.end() == at else cluster.start())
    return at
