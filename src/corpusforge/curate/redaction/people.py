"""Finds every mention of people a record already knows: speakers, the nicks of a log, names met elsewhere in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from corpusforge.curate.redaction.findings import Finding
from corpusforge.curate.redaction.kinds import PLACEHOLDER
from corpusforge.curate.redaction.words import AMBIGUOUS, COMMON, is_role, places, vocabulary, world_names

# RFC 2812 nick characters, and letters beyond ASCII for networks that allow them.
_TOKEN = re.compile(r"[\w\[\]\\`^{}|-]+")
_SEGMENT = re.compile(r"[^|^`\[\]{}\\]+")
_WORD = re.compile(r"[^\W_]+")
_ADDRESSED_AFTER = (":", ",", ";", ">")


class People:
    """Known persons of one record. Nicks match whole tokens in any case; a nick that is a common word only where it
    stands as an address (`help: try this`, `@help`). Names match whole words as they were written or capitalised.
    """

    def __init__(self) -> None:
        self._nicks: dict[str, str] = {}
        self._words: set[str] = set()
        self._phrases: dict[str, str] = {}
        # The words in the order in which they were met.
        self._met: list[str] = []
        self.size = 0

    def add_speaker(self, name: str) -> None:
        """A speaker's name: one token is a nick, several are a person's name."""
        if len(name.split()) > 1:
            self.add_name(name)
        else:
            self.add_nick(name)

    def add_nick(self, nick: str) -> None:
        """A nick; role words and placeholders are none."""
        nick = nick.strip()
        if nick and not is_role(nick) and not PLACEHOLDER.fullmatch(nick) and not nick.isdecimal():
            if _TOKEN.fullmatch(nick):
                self._nicks[nick.casefold()] = "USERNAME"
            else:
                self._phrases[nick] = "USERNAME"
            self.size = len(self._nicks) + len(self._words) + len(self._phrases)

    def add_phrase(self, name: str) -> None:
        """A name that counts as a whole only."""
        self._phrases[name] = "PERSON"
        self.size = len(self._nicks) + len(self._words) + len(self._phrases)

    def add_name(self, name: str) -> None:
        """A person's name: each of its parts that is no common word stands for the person."""
        parts = [part for part in _WORD.findall(name) if len(part) > 2 and part.casefold() not in COMMON]
        lonely = len(parts) == 1
        if not lonely:
            # A title, a town or a word that got into a name stands for nobody by itself.
            parts = [part for part in parts if not _no_name(part.casefold())]
        for part in parts:
            if (part in AMBIGUOUS and not lonely) or (part.islower() and len(part) < 4):
                continue
            for word in (part,) if part.islower() else (part, part.upper()):
                if word not in self._words:
                    self._words.add(word)
                    self._met.append(word)
        self.size = len(self._nicks) + len(self._words) + len(self._phrases)

    @property
    def met(self) -> int:
        """How many words stand for people: more of them as names are met."""
        return len(self._met)

    def met_in(self, text: str, since: int) -> bool:
        """Whether a text may hold a word that stands for a person only since `met` had a value."""
        return any(word in text for word in self._met[since:])

    def mentions(self, text: str) -> Iterator[Finding]:
        """Every mention in a text."""
        if self._nicks:
            # Case folding goes letter by letter, so a nick that a token holds stands in the whole folded text too.
            folded = text.casefold()
            for nick in self._nicks:
                if nick in folded:
                    yield from self._nick_mentions(text)
                    break
        if any(word in text for word in self._met):
            for match in _WORD.finditer(text):
                if match[0] in self._words:
                    yield Finding("PERSON", match.start(), match.end(), "known-name", 0.8)
        for phrase, kind in self._phrases.items():
            at = text.find(phrase)
            while at >= 0:
                yield Finding(kind, at, at + len(phrase), "known-name", 1.0)
                at = text.find(phrase, at + len(phrase))

    def _nick_mentions(self, text: str) -> Iterator[Finding]:
        nicks = self._nicks
        for match in _TOKEN.finditer(text):
            token = match[0].casefold()
            start, end = match.span()
            if token not in nicks:
                bare = token.strip("-|^`_[]{}\\")
                if bare not in nicks:
                    if not token.isalnum():
                        yield from self._inner(match)
                    continue
                start += token.index(bare) if len(token) == len(match[0]) else 0
                end = start + len(bare)
                token = bare
            if token in COMMON or len(token) < 2:
                starts = not text[text.rfind("\n", 0, start) + 1 : start].strip()
                addressed = starts and text[end : end + 1] in _ADDRESSED_AFTER and text[end : end + 1]
                if not addressed and text[start - 1 : start] != "@":
                    continue
            yield Finding("USERNAME", start, end, "known-nick", 1.0)

    def _inner(self, match: re.Match[str]) -> Iterator[Finding]:
        # `bob|away` and `bob_` are bob: the parts of a token between separators, unless they are words.
        for parts in (_SEGMENT, _WORD):
            for part in parts.finditer(match[0]):
                word = part[0].casefold()
                if len(word) > 3 and word in self._nicks and word not in COMMON:
                    yield Finding(
                        "USERNAME", match.start() + part.start(), match.start() + part.end(), "known-nick", 0.9
                    )


def _no_name(word: str) -> bool:
    return word in places() or (word in vocabulary() and word not in world_names())


class Known:
    """Values already found in the record: no other copy of them may stay behind."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._met: list[str] = []

    @property
    def met(self) -> int:
        """How many values are known."""
        return len(self._met)

    def met_in(self, text: str, since: int) -> bool:
        """Whether a text holds a value that is known only since `met` had a value."""
        return any(value in text for value in self._met[since:])

    def add(self, found: Iterable[tuple[str, str]]) -> bool:
        """Remember (kind, original) pairs; whether any is new. Short values would match by chance."""
        before = len(self._met)
        for kind, value in found:
            if kind not in ("PERSON", "USERNAME") and len(value) >= 5 and value not in self._values:
                self._values[value] = kind
                self._met.append(value)
        return len(self._met) > before

    def mentions(self, text: str) -> Iterator[Finding]:
        """Every copy in a text; a short one only as a whole word."""
        for value, kind in self._values.items():
            at = text.find(value)
            while at >= 0:
                end = at + len(value)
                glued = text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()
                if len(value) >= 8 or not glued:
                    yield Finding(kind, at, end, "known-value", 0.9)
                at = text.find(value, end)
