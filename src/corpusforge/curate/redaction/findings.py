"""What a detector reports, and how overlapping reports become disjoint spans that cut no character in half."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from corpusforge.curate.redaction.kinds import PLACEHOLDER

NER = "ner"
_SOFT = frozenset({NER, "given-name"})


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
    covered: every character that some detector reported is in exactly one result, unless it is protected.
    """
    ranked = sorted(
        {snapped(text, finding) for finding in findings},
        key=lambda f: (f.detector in _SOFT, f.start - f.end, -f.score, f.start, f.kind, f.detector),
    )
    if not ranked:
        return []
    taken = sorted([*protected, *(match.span() for match in PLACEHOLDER.finditer(text))])
    kept: list[Finding] = []
    for finding in ranked:
        for start, end in _outside(finding.start, finding.end, taken):
            piece = _trimmed(text, start, end)
            if piece:
                kept.append(replace(finding, start=piece[0], end=piece[1]))
                taken.append(piece)
        taken.sort()
    return sorted(kept, key=lambda f: f.start)


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


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """[start, end) without white space at its ends, or None if no letter or digit is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if any(character.isalnum() for character in text[start:end]) else None


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
