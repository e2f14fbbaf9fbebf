"""Numbers the placeholders of one record: the same original, however it is written, has the same number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from corpusforge.curate.redaction.kinds import PLACEHOLDER, word

_NOT_ALNUM = re.compile(r"[\W_]+")
_AT = re.compile(r"\s*[\[({<]?\s*(?:\bat\b|@|&#0*64;|&commat;|%40|＠)\s*[\])}>]?\s*", re.IGNORECASE)
_DOT = re.compile(r"\s*[\[({<]\s*(?:dot|\.)\s*[\])}>]\s*|\s+dot\s+", re.IGNORECASE)


def normalised(kind: str, value: str) -> str:
    """What two spellings of one value have in common: case-folded; digits of numbers; `a (at) b dot c` as a@b.c."""
    if kind in ("PHONE_NUMBER", "CREDIT_CARD"):
        digits = "".join(character for character in value if character.isdecimal())
        if kind == "PHONE_NUMBER":
            digits = digits.removeprefix("00")
            digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
        return digits or value.casefold()
    if kind == "EMAIL_ADDRESS":
        return _DOT.sub(".", _AT.sub("@", value, count=1)).casefold()
    if kind in (
        "IBAN_CODE",
        "MAC_ADDRESS",
        "US_SSN",
        "NATIONAL_ID",
        "CUSTOMER_ID",
        "ACCOUNT_NUMBER",
        "ORDER_ID",
        "TICKET_ID",
    ):
        return _NOT_ALNUM.sub("", value).casefold()
    if kind == "USERNAME":
        return value.casefold().lstrip("@")
    if kind == "SECRET":
        return value
    return (
        " ".join(_NOT_ALNUM.sub(" ", value).casefold().split())
        if kind == "PERSON"
        else " ".join(value.casefold().split())
    )


@dataclass(slots=True)
class Ledger:
    """The values of one record, in memory while it is redacted. A short form of a person's name is the person."""

    _keys: dict[tuple[str, str], str] = field(default_factory=dict)
    _people: list[tuple[frozenset[str], str]] = field(default_factory=list)
    _taken: dict[str, int] = field(default_factory=dict)
    _numbers: dict[str, str] = field(default_factory=dict)
    # Raised when numbers that were given change.
    epoch: int = 0

    def reserve(self, texts: Iterable[str]) -> None:
        """Placeholders that the record already holds keep their numbers; new ones start after them."""
        for text in texts:
            for label, number in PLACEHOLDER.findall(text) if "<" in text else ():
                self._taken[label] = max(self._taken.get(label, 0), int(number))

    def key(self, kind: str, value: str) -> str:
        """The key of a value: equal for equal values of a kind, and holds nothing of the value."""
        canonical = normalised(kind, value)
        known = self._keys.get((kind, canonical))
        if known is None:
            known = self._person(canonical) if kind == "PERSON" else f"{kind}:{len(self._keys)}"
            self._keys[kind, canonical] = known
        return known

    def _person(self, canonical: str) -> str:
        tokens = frozenset(canonical.split())
        for place, (others, key) in enumerate(self._people):
            if tokens <= others or others <= tokens:
                self._people[place] = (tokens | others, key)
                return key
        key = f"PERSON:{len(self._keys)}"
        self._people.append((tokens, key))
        return key

    def placeholder(self, kind: str, key: str) -> str:
        """The placeholder of a key; numbers run in the order of first calls, per word."""
        found = self._numbers.get(key)
        if found is None:
            label = word(kind)
            self._taken[label] = self._taken.get(label, 0) + 1
            found = self._numbers[key] = f"<{label}_{self._taken[label]}>"
        return found

    def renumbered(self, texts: Iterable[str]) -> None:
        """Forget the numbers given so far, so that the next pass numbers in reading order; `texts` as in `reserve`."""
        self.epoch += 1
        self._numbers.clear()
        self._taken.clear()
        self.reserve(texts)

    def disguised(self, surrogate: Callable[[str, str], str]) -> None:
        """Give every value an invented one in place of its placeholder; `surrogate(kind, canonical value)` makes it.

        A person is the longest of the names that the record gives them.
        """
        self.epoch += 1
        fullest: dict[str, tuple[int, str, str]] = {}
        for (kind, canonical), key in self._keys.items():
            fullest[key] = max(fullest.get(key, (0, "", kind)), (len(canonical), canonical, kind))
        for key, (_, canonical, kind) in fullest.items():
            self._numbers[key] = surrogate(kind, canonical)
