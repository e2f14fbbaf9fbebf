"""What a detector reports, and how overlapping reports become disjoint spans that cut no character in half."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from corpusforge.curate.redaction.kinds import PLACEHOLDER

NER = "ner"
_SOFT = frozenset({NER, "given-name"})
_PAIRS = dict(zip("([{)]}", ")]}([{", strict=True))
# Punctuation that ends the sentence rather than the value. A password may well end in one.
_LOOSE_ENDS = {"URL": ".,;:!?\"'", "HOSTMASK": ".,;:!?\"'", "PHONE_NUMBER": ".,;:-"}
# What joins the groups of a number, and how far a row of groups goes: a card's length.
_JOINTS = " .-"
_ROW = 24


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
    covered: every character that some detector reported is in exactly one result, unless it is protected. Where two
    numbers cross, nobody knows where the first ends and the second begins, as in a telephone number and a card side by
    side: what else stands in their row of digits goes too.
    """
    ranked = sorted(
        {snapped(text, finding) for finding in findings},
        key=lambda f: (f.detector in _SOFT, f.start - f.end, -f.score, f.start, f.kind, f.detector),
    )
    if not ranked:
        return []
    taken = sorted([*protected, *(match.span() for match in PLACEHOLDER.finditer(text))])
    kept: list[Finding] = []
    crossing: list[Finding] = []
    for finding in ranked:
        free = _outside(finding.start, finding.end, taken)
        crosses = free != [(finding.start, finding.end)] if free else _in_card(finding, kept)
        if crosses and _is_number(text[finding.start : finding.end]):
            crossing.append(_with_row(text, finding))
        for start, end in free:
            piece = _trimmed(text, start, end, _LOOSE_ENDS.get(finding.kind, ""))
            if piece:
                kept.append(replace(finding, start=piece[0], end=piece[1]))
                taken.append(piece)
        taken.sort()
    for finding in crossing:
        for start, end in _outside(finding.start, finding.end, taken):
            if piece := _trimmed(text, start, end, _JOINTS):
                kept.append(replace(finding, start=piece[0], end=piece[1]))
        taken = sorted([*taken, (finding.start, finding.end)])
    return sorted(kept, key=lambda f: f.start)


def _in_card(finding: Finding, kept: Sequence[Finding]) -> bool:
    """Whether another number lies in a card: the card's check digit holds by chance for one in ten rows of digits."""
    return finding.kind != "CREDIT_CARD" and any(
        one.kind == "CREDIT_CARD" and one.start <= finding.start and finding.end <= one.end for one in kept
    )


def _is_number(value: str) -> bool:
    return not any(character.isalpha() for character in value)


def _with_row(text: str, finding: Finding) -> Finding:
    """The finding with the groups of digits that a space, dot or hyphen joins to it, within a card's length."""
    low, high = max(0, finding.start - _ROW), min(len(text), finding.end + _ROW)
    start, end = finding.start, finding.end
    while start > low and (text[start - 1].isdecimal() or (text[start - 1] in _JOINTS and start - 1 > low)):
        start -= 1
    while end < high and (text[end].isdecimal() or (text[end] in _JOINTS and end + 1 < high)):
        end += 1
    return replace(finding, start=start, end=end)


def _outside(start: int, end: int, taken: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    free = []
    for low, high in taken:
        if high <= start or low >= end:
            continue
        if low > start:
            free.append((start, low))
        start = max(start, high)
        if start >= end:
            break
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
