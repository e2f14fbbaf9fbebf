"""Phone numbers as the phonenumbers library finds them, for several countries at once and without giving up."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
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


class PhoneSearch:
    """`PhoneNumberMatcher` for each of some regions, with candidates looked for once and verdicts remembered.

    The library's matcher stops, without a word, after 65,535 candidates that are no numbers; this one does not.
    """

    def __init__(self, regions: Sequence[str], leniency: int) -> None:
        """`regions`: by ISO 3166 letters; `leniency`: as phonenumbers has it, 0 to 3."""
        self.regions = tuple(regions)
        self.leniency = leniency
        self._everywhere = frozenset(regions)
        self._verdicts: dict[tuple[str, str], bool] = {}
        self._plausible: dict[str, frozenset[str]] = {}
        # Below leniency VALID a possible number has no limits that could be told so simply.
        self._countries = [(region, country(region)) for region in regions] if leniency >= 1 else []
        self._by_length: dict[int, list[tuple[str, Country]]] = {}
        self._fewest = min([min(here.national, here.abroad) for _, here in self._countries], default=1)

    def spans(self, text: str) -> list[Span]:
        """[start, end) of the numbers, region after region, each in the order of the text."""
        scan = _Scan(text, self._fewest)
        if not scan.candidates:
            return []
        pieces = [(candidate, self._pieces(candidate)) for candidate in scan.candidates]
        found: list[Span] = []
        for region in self.regions:
            mine = [candidate for candidate, parts in pieces if any(region in where for _, _, where in parts)]
            if mine:
                found += self._in_region(scan, mine, region)
        return found

    def _pieces(self, candidate: _Candidate) -> list[tuple[int, str, frozenset[str]]]:
        """The parts of a candidate that can be a number in some region, in the order in which they are tried."""
        if candidate.tried is None:
            parts = [(start, piece, self._where(piece)) for start, piece in candidate.parts(self._fewest)]
            candidate.tried = [part for part in parts if part[2]]
        return candidate.tried

    def _where(self, piece: str) -> frozenset[str]:
        if not self._countries or not _PLAIN.fullmatch(piece):
            return self._everywhere
        digits = _NOT_DIGIT.sub("", piece)
        known = self._plausible.get(digits)
        if known is None:
            if len(self._plausible) >= _MOST_REMEMBERED:
                self._plausible.clear()
            known = frozenset(region for region, here in self._long_enough(len(digits)) if here.may_be_valid(digits))
            self._plausible[digits] = known
        return known

    def _long_enough(self, digits: int) -> list[tuple[str, Country]]:
        """The countries where so many digits can be a number."""
        known = self._by_length.get(digits)
        if known is None:
            known = [(region, here) for region, here in self._countries if digits >= min(here.national, here.abroad)]
            self._by_length[digits] = known
        return known

    def _in_region(self, scan: _Scan, candidates: list[_Candidate], region: str) -> Iterator[Span]:
        place = 0
        while place < len(candidates):
            candidate = candidates[place]
            place += 1
            match = self._tried(candidate, scan.text, region)
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
                match = self._tried(candidate, scan.text, region)
                at = candidate.end
                if match is not None:
                    yield match
                    at = match[1]
            else:
                place = bisect_left(candidates, at, key=lambda other: other.start)

    def _tried(self, candidate: _Candidate, text: str, region: str) -> Span | None:
        for start, piece, where in self._pieces(candidate):
            if region in where and self._verified(text, start, piece, region):
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

    __slots__ = ("end", "start", "text", "tried")

    def __init__(self, start: int, form: str) -> None:
        self.start = start
        self.end = start + len(form)
        self.text = form
        self.tried: list[tuple[int, str, frozenset[str]]] | None = None

    def parts(self, fewest: int) -> list[tuple[int, str]]:
        """The whole, then the parts that the library tries, in its order, but for those with too few characters."""
        found = [(self.start, self.text)]
        for pattern in _library()._INNER_MATCHES:
            match = pattern.search(self.text)
            if match:
                found.append((self.start, _trimmed(self.text[: match.start()])))
            while match:
                if match.end(1) - match.start(1) >= fewest:
                    found.append((self.start + match.start(1), _trimmed(match.group(1))))
                match = pattern.search(self.text, match.start() + 1)
        return [part for part in found if len(part[1]) >= fewest]


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
