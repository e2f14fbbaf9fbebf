"""What a name model says of a window: its entities as findings, less those that it is often wrong about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from corpusforge.curate.redaction.addresses import street_word
from corpusforge.curate.redaction.findings import NER, Finding, RedactionFailed
from corpusforge.curate.redaction.ner import kind
from corpusforge.curate.redaction.presidio import guarded
from corpusforge.curate.redaction.proper_nouns import safe
from corpusforge.curate.redaction.words import AMBIGUOUS, COMMON, GIVEN, PRODUCTS, world_names

SCORE = 0.7
# Windows whose entities are remembered.
_MOST_REMEMBERED = 1 << 14
# Characters that the model reads at once. Windows are far shorter, but for words longer than that: encoded files.
_LONGEST = 8192
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+")
_CODE_BEFORE = frozenset("@#/\\$%_=+.<{[(`|&~^*-:\"'")
_CODE_AFTER = frozenset("@/\\$%_=+({[`|&~^*")
# Error numbers and addresses in memory; what is longer is a key or a wallet.
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,16}")
_MODEL_BEFORE = re.compile(r"(?<![A-Za-z])[A-Z]{1,4}-$")
_MODEL_AFTER = re.compile(r"-\d")
_NAMES = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP", "USERNAME"})


class Entity(NamedTuple):
    """What a name model reports: a label of its own for [start, end) of a window."""

    label: str
    start: int
    end: int


class Tagger:
    """A spaCy pipeline that reads many windows together and remembers the last of them."""

    def __init__(self, nlp: Any) -> None:
        from corpusforge.curate.redaction.ner.component import reader

        self._ask = reader(nlp)
        self._read: dict[str, tuple[Entity, ...]] = {}

    def knows(self, window: str) -> bool:
        """Whether the window was read."""
        return window in self._read

    def read(self, windows: Sequence[str]) -> None:
        """Reads windows in one go. Where that fails, none is read: `entities` then tells which one it was."""
        if len(self._read) + len(windows) > _MOST_REMEMBERED:
            self._read.clear()
        # Like lengths together: pipelines pad what they read at once.
        ordered = sorted(windows, key=len)
        try:
            with guarded(NER):
                for start in range(0, len(ordered), _MOST_REMEMBERED):
                    self._read.update(self._entities(ordered[start : start + _MOST_REMEMBERED]))
        except RedactionFailed:
            return

    def _entities(self, windows: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        pieces = [(window, at) for window in windows for at in range(0, len(window), _LONGEST)]
        found: dict[str, tuple[Entity, ...]] = dict.fromkeys(windows, ())
        read = self._ask([window[at : at + _LONGEST] for window, at in pieces])
        for (window, at), entities in zip(pieces, read, strict=True):
            found[window] += tuple(Entity(label, at + start, at + end) for label, start, end in entities)
        return found

    def entities(self, window: str) -> tuple[Entity, ...]:
        """The entities of a window. Raises RedactionFailed where the pipeline cannot read it."""
        if window not in self._read:
            with guarded(NER):
                self._read.update(self._entities([window]))
        return self._read[window]


def tagged(entities: Sequence[Entity], window: str, *, chat: bool) -> list[Finding]:
    """The findings among the entities of a window; `chat`: numbers and addresses too.

    Raises RedactionFailed where one cannot be judged.
    """
    found = []
    small = window == window.lower()
    with guarded(NER):
        for label, start, end in entities:
            name = kind(label)
            if name is None or not any(c.isalnum() for c in window[start:end]):
                continue
            if name == "USERNAME" and _plain(window[start:end]):
                continue
            if name in _NAMES:
                meant = _names(window, start, end, small=small, chat=chat)
            else:
                meant = _says(window[start:end], name, chat=chat) and not _of_model(window, start, end)
            if meant:
                found.append(Finding(name, start, end, NER, SCORE))
    return found


def _names(window: str, start: int, end: int, *, small: bool, chat: bool) -> bool:
    """Whether a value can be a name: no code, no product, no common words; with a capital where the text has some."""
    if window[start - 1 : start] and window[start - 1] in _CODE_BEFORE and window[start - 2 : start - 1].isalnum():
        return False
    if window[end : end + 1] in _CODE_AFTER or (window[end : end + 1] == "." and window[end + 1 : end + 2].isalnum()):
        return False
    if window[start:end].isupper() and end - start < 5 and _MODEL_AFTER.match(window, end):
        return False
    words = _WORD.findall(window[start:end])
    telling = [w for w in words if w.casefold() not in COMMON and w.casefold() not in PRODUCTS and w[0].isalpha()]
    if not telling:
        return False
    if small:
        return chat or any(not safe(w.casefold()) and w.casefold() in world_names() for w in telling)
    capital = [w for w in telling if w[0].isupper()]
    if any(not safe(w.casefold()) for w in capital):
        return True
    return len(capital) > 1 or (len(capital) == 1 and any(w in GIVEN or w in AMBIGUOUS for w in capital))


def _says(value: str, name: str, *, chat: bool) -> bool:
    """Whether a value can be a number or an address: outside chats the rules know better than the model."""
    digits = sum(character.isdigit() for character in value)
    if name == "STREET_ADDRESS":
        return chat or (digits > 0 and " " in value) or any(map(street_word, value.split()))
    if name == "DATE_TIME":
        return digits > 0
    if name in ("EMAIL_ADDRESS", "SECRET"):
        return chat and not _plain(value)
    return chat and digits > 2 and not _quantity(value) and not _HEXADECIMAL.fullmatch(value)


def _of_model(window: str, start: int, end: int) -> bool:
    """Whether a number is the rest of a product's model: `2140` in `HL-2140`."""
    return end - start < 6 and window[start:end].isdecimal() and bool(_MODEL_BEFORE.search(window[:start]))


def _plain(value: str) -> bool:
    """Whether a value is words of the vocabulary alone: `Enter`, `mail-password`."""
    words = _WORD.findall(value)
    return bool(words) and all(word.isalpha() and safe(word.casefold()) for word in words)


def _quantity(value: str) -> bool:
    """Whether a value reads as an amount or a date: `2010`, `1200`, `top 100`, `may 12`."""
    digits = "".join(character for character in value if character.isdigit())
    year = len(digits) == 4 and digits[:2] in ("19", "20")
    return year or digits.endswith("00") or any(w.casefold() in COMMON for w in _WORD.findall(value) if len(w) > 1)
