"""Phone numbers as the phonenumbers library finds them, for several countries at once and without giving up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
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
        found: list[Span] = []
        scan = _Scan(text)
        if scan.candidate(0) is None:
            return found
        for region in self.regions:
            found += self._in_region(scan, region)
        return found

    def _in_region(self, scan: _Scan, region: str) -> Iterator[Span]:
        here = country(region) if self.leniency >= 1 else None
        at = 0
        while (candidate := scan.candidate(at)) is not None:
            match = None
            if not candidate.is_time and (here is None or candidate.allows(here)):
                match = self._extracted(candidate, scan.text, region, here)
            if match is None:
                at = candidate.start + len(candidate.text)
            else:
                yield match
                at = match[1]

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

    def __init__(self, text: str, start: int, form: str) -> None:
        self.start = start
        self.text = form
        library = _library()
        self.is_time = bool(library._SLASH_SEPARATED_DATES.search(form)) or bool(
            library._TIME_STAMPS.search(form) and library._TIME_STAMPS_SUFFIX.match(text, start + len(form))
        )
        self._digits = _NOT_DIGIT.sub("", form) if _PLAIN.fullmatch(form) else None

    def allows(self, here: Country) -> bool:
        """Whether a number of a country, or an international one, can be in this."""
        digits = self._digits
        if digits is None or len(digits) >= here.national:
            return True
        return len(digits) >= here.abroad and bool(here.prefix.search(digits))

    @cached_property
    def pieces(self) -> list[tuple[int, str, str | None]]:
        """The whole, then the parts that the library tries, in its order; digits of those that are plain."""
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
    """The candidates of one text, found once for all regions."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._known: dict[int, _Candidate | None] = {}

    def candidate(self, at: int) -> _Candidate | None:
        """The first candidate at or behind a place."""
        if at in self._known:
            return self._known[at]
        library = _library()
        match = library._PATTERN.search(self.text, at)
        made = None
        if match is not None:
            form = match.group()
            second = library._SECOND_NUMBER_START_PATTERN.search(form)
            made = _Candidate(self.text, match.start(), form[: second.start()] if second else form)
        self._known[at] = made
        return made
