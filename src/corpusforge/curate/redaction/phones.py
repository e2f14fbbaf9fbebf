"""Phone numbers as the phonenumbers library finds them, for several countries at once and without giving up."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from corpusforge.curate.redaction.dialling import Country, country

# Candidates whose verdict is remembered: versions, times and amounts recur.
_MOST_REMEMBERED = 1 << 16

Span = tuple[int, int]


@cache
def _library() -> Any:
    # Its matcher is the only description of what it matches; the names that it hides are its steps.
    from phonenumbers import phonenumbermatcher

    return phonenumbermatcher


# Pieces of which only the digits and the form count: nothing that could begin an extension or stand for a digit.
_PLAIN = re.compile(r"[0-9 \t\n().\-/]*")
_NOT_DIGIT = re.compile(r"[^0-9]+")


@dataclass(slots=True)
class PhoneSearch:
    """`PhoneNumberMatcher` for each of `regions`, with candidates looked for once and verdicts remembered.

    The library's matcher stops, without a word, after 65,535 candidates that are no numbers; this one does not.
    """

    regions: Sequence[str]
    leniency: int
    _verdicts: dict[tuple[str, str], bool] = field(default_factory=dict)

    def spans(self, text: str) -> list[Span]:
        """[start, end) of the numbers, region after region, each in the order of the text."""
        countries = [country(region) if self.leniency >= 1 else None for region in self.regions]
        fewest = min([min(here.national, here.abroad) if here else 1 for here in countries], default=0)
        scan = _Scan(text, fewest)
        if not scan.candidates:
            return []
        return [
            span
            for region, here in zip(self.regions, countries, strict=True)
            for span in self._in_region(scan, region, here)
        ]

    def _in_region(self, scan: _Scan, region: str, here: Country | None) -> Iterator[Span]:
        candidates = scan.candidates
        place = 0
        while place < len(candidates):
            candidate = candidates[place]
            place += 1
            match = self._tried(candidate, scan.text, region, here)
            if match is None:
                continue
            yield match
            # The search goes on right behind a number, which may be in the middle of its candidate.
            at = match[1]
            while at != candidate.end:
                behind = scan.candidate(at)
                if behind is None:
                    return
                if scan.ends.get(behind.start) == behind.end:
                    place = bisect_left(candidates, behind.start, key=lambda other: other.start)
                    break
                candidate = behind
                match = self._tried(candidate, scan.text, region, here)
                at = candidate.end
                if match is not None:
                    yield match
                    at = match[1]
            else:
                place = bisect_left(candidates, at, key=lambda other: other.start)

    def _tried(self, candidate: _Candidate, text: str, region: str, here: Country | None) -> Span | None:
        if here is not None and not candidate.allows(here):
            return None
        return self._extracted(candidate, text, region, here)

    def _extracted(self, candidate: _Candidate, text: str, region: str, here: Country | None) -> Span | None:
        for start, piece, digits in candidate.pieces:
            # Below leniency VALID a possible number has no lower limit that could be told so simply.
            if here is not None and digits is not None and not here.may_be_valid(digits):
                continue
            if self._verified(text, start, piece, region):
                return start, start + len(piece)
        return None

    def _verified(self, text: str, start: int, piece: str, region: str) -> bool:
        known = self._verdicts.get((piece, region))
        if known is None:
            known = self._judged(piece, region)
            if len(self._verdicts) >= _MOST_REMEMBERED:
                self._verdicts.clear()
            self._verdicts[piece, region] = known
        return known and (self.leniency < 1 or not _glued(text, start, piece))

    def _judged(self, piece: str, region: str) -> bool:
        """Whether the library takes a text that holds nothing but this for a number."""
        library = _library()
        if not library.fullmatch(library._MATCHING_BRACKETS, piece) or library._PUB_PAGES.search(piece):
            return False
        matcher = library.PhoneNumberMatcher(piece, region, leniency=self.leniency)
        return matcher._parse_and_verify(piece, 0) is not None


def _glued(text: str, start: int, piece: str) -> bool:
    """Whether a Latin letter, a per cent or a currency sign stands at the number."""
    library = _library()
    matcher = library.PhoneNumberMatcher
    neighbours = []
    if start > 0 and not library._LEAD_PATTERN.match(piece):
        neighbours.append(text[start - 1])
    if start + len(piece) < len(text):
        neighbours.append(text[start + len(piece)])
    return any(matcher._is_invalid_punctuation_symbol(c) or matcher._is_latin_letter(c) for c in neighbours)


class _Candidate:
    """A stretch of text that may be a number, or hold one, whatever the region."""

    __slots__ = ("_digits", "_pieces", "end", "start", "text")

    def __init__(self, start: int, form: str) -> None:
        self.start = start
        self.end = start + len(form)
        self.text = form
        self._digits = _NOT_DIGIT.sub("", form) if _PLAIN.fullmatch(form) else None
        self._pieces: list[tuple[int, str, str | None]] | None = None

    def allows(self, here: Country) -> bool:
        """Whether a number of a country, or an international one, can be in this."""
        digits = self._digits
        if digits is None or len(digits) >= here.national:
            return True
        return len(digits) >= here.abroad and bool(here.prefix.search(digits))

    @property
    def pieces(self) -> list[tuple[int, str, str | None]]:
        """The whole, then the parts that the library tries, in its order; digits of those that are plain."""
        if self._pieces is None:
            self._pieces = self._cut()
        return self._pieces

    def _cut(self) -> list[tuple[int, str, str | None]]:
        library = _library()
        found = [(self.start, self.text)]
        for pattern in library._INNER_MATCHES:
            match = pattern.search(self.text)
            first = True
            while match:
                if first:
                    found.append((self.start, _trimmed(self.text[: match.start()])))
                    first = False
                found.append((self.start + match.start(1), _trimmed(match.group(1))))
                match = pattern.search(self.text, match.start() + 1)
        return [
            (start, piece, _NOT_DIGIT.sub("", piece) if _PLAIN.fullmatch(piece) else None) for start, piece in found
        ]


def _trimmed(group: str) -> str:
    match = _library()._UNWANTED_END_CHAR_PATTERN.search(group)
    return group[: match.start()] if match else group


class _Scan:
    """The candidates of one text, found once for all regions, without those that have too few digits for any."""

    def __init__(self, text: str, fewest: int) -> None:
        self.text = text
        self._fewest = fewest
        self._known: dict[int, _Candidate | None] = {}
        self.ends: dict[int, int] = {}
        self.candidates: list[_Candidate] = []
        library = _library()
        at = 0
        while at <= len(text):
            for match in library._PATTERN.finditer(text, at):
                start, end = match.span()
                form = _first_only(match.group())
                self.ends[start] = start + len(form)
                if len(form) >= fewest and not self._is_time(start, form):
                    self.candidates.append(_Candidate(start, form))
                if start + len(form) < end:
                    at = start + len(form)
                    break
            else:
                break

    def _is_time(self, start: int, form: str) -> bool:
        library = _library()
        return bool(library._SLASH_SEPARATED_DATES.search(form)) or bool(
            library._TIME_STAMPS.search(form) and library._TIME_STAMPS_SUFFIX.match(self.text, start + len(form))
        )

    def candidate(self, at: int) -> _Candidate | None:
        """The first candidate at or behind a place that may be a number, or that the list knows."""
        if at not in self._known:
            self._known[at] = self._sought(at)
        return self._known[at]

    def _sought(self, at: int) -> _Candidate | None:
        while match := _library()._PATTERN.search(self.text, at):
            start, form = match.start(), _first_only(match.group())
            known = self.ends.get(start) == start + len(form)
            if known or (len(form) >= self._fewest and not self._is_time(start, form)):
                return _Candidate(start, form)
            at = start + len(form)
        return None


def _first_only(form: str) -> str:
    """A candidate up to a second number behind a slash and an `x`."""
    second = _library()._SECOND_NUMBER_START_PATTERN.search(form)
    return form[: second.start()] if second else form
