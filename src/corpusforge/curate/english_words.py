"""Splits what stands between two spaces into words and marks exactly as spaCy's English tokenizer does, only faster."""

from __future__ import annotations

import gc
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

LONGEST = 1000
"""Characters of a chunk up to which spaCy's rules are followed; its affix rules take quadratic time."""

# Every suffix rule but a run of dots looks at fewer characters than this, those before the suffix included.
_TAIL = 12
_LONGER_PREFIXES = frozenset(".…+USCA")
_LONGER_SUFFIXES = frozenset(".…$+")
_DEPENDS, _LETTER, _UNKNOWN = -1, -2, -3
# Of letters beyond it the rules ask only for their class.
_ASCII = "\x7f"
_DIGITS = frozenset("0123456789")
_APOSTROPHES = frozenset("'’")
# spaCy's infix rules as they apply among ASCII characters, each beginning with the character that is to be found.
_INFIX_MARK = re.compile(r"[-.+*^,~:<>=/]")
_ASCII_INFIXES = re.compile(
    r"\.\.+|[+\-*^](?<=[0-9].)(?=[0-9-])|\.(?<=[a-z'\"`,].)(?=[A-Z'\"`,])|,(?<=[A-Za-z].)(?=[A-Za-z])"
    r"|(?:-(?<=[A-Za-z0-9].)|--(?<=[A-Za-z0-9]..)|---(?<=[A-Za-z0-9]...)|~(?<=[A-Za-z0-9].))(?=[A-Za-z])"
    r"|[:<>=/](?<=[A-Za-z0-9].)(?=[A-Za-z])"
).finditer
_HYPHEN = re.compile("(-)")
# Most of what a text newly brings: words, numbers and compounds with a few marks around them.
_USUAL = re.compile(r"""([(\["“‘']?)([A-Za-z]{2,}(?:-[A-Za-z]{2,})*|[0-9]{2,})(['’]s|['’])?([,;:!?)\]"”.]{0,2})""")
_PLAIN = frozenset(',.;:!?)"]')
_WORD = re.compile("[A-Za-z]{2,}")


@dataclass(frozen=True, slots=True)
class Inside:
    """Whether a character is a letter by spaCy's classes, a lower-case one or a quote, an upper-case one or a quote;
    `single` where it is an infix whatever stands beside it; `stopped` where a full stop behind it is a suffix, None
    where what stands before it has a say.
    """

    letter: bool
    lower: bool
    upper: bool
    single: bool
    stopped: bool | None


class EnglishWords:
    """spaCy 3's tokenizer of `spacy.blank("en")` for one chunk at a time.

    A chunk is a run of characters that are no white space; spaCy's rules look no further, so that the tokens of a text
    are those of its chunks. Its patterns and special cases are taken from spaCy itself; only the loop around them is
    written anew, without objects for tokens and with looks that spare most patterns.
    """

    def __init__(self) -> None:
        import spacy
        from spacy.lang import char_classes

        tokenizer: Any = spacy.blank("en").tokenizer
        self.specials: dict[str, tuple[str, ...]] = {
            text: tuple(spec[_orth()] for spec in specs) for text, specs in tokenizer.rules.items()
        }
        self._prefix = tokenizer.prefix_search
        self._suffix = tokenizer.suffix_search
        self._infixes = tokenizer.infix_finditer
        self._url = tokenizer.url_match
        classes = {
            name: getattr(char_classes, name) for name in ("ALPHA", "ALPHA_LOWER", "ALPHA_UPPER", "CONCAT_QUOTES")
        }
        quotes = classes["CONCAT_QUOTES"]
        self._letter = re.compile(f"[{char_classes.ALPHA}]")
        self._lower = re.compile(f"[{char_classes.ALPHA_LOWER}{quotes}]")
        self._upper = re.compile(f"[{char_classes.ALPHA_UPPER}{quotes}]")
        self.units = frozenset(char_classes.UNITS.split("|"))
        # By the first or last character alone: the length of the affix, or `_DEPENDS` where more must be looked at.
        self._opening: dict[str, int] = {}
        self._closing: dict[str, int] = {}
        self._infix: dict[str, bool] = {}
        self.in_specials = {word for text in self.specials for word in _WORD.findall(text)}
        self.foreign_specials = {mark for text in self.specials for mark in text if not mark.isascii()}
        # After the affixes are off, spaCy looks for special cases among neighbouring tokens too.
        self.joined: dict[tuple[str, str], list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
        for text, made in self.specials.items():
            if text.strip() and (self._prefix(text) or self._suffix(text) or next(self._infixes(text), None)):
                pieces = self._affixes(text, special=False)
                if len(pieces) > 1:
                    self.joined.setdefault((pieces[0], pieces[1]), []).append((pieces, made))

    def split(self, chunk: str) -> tuple[str, ...]:
        """The tokens of a chunk, together again the chunk.

        A chunk longer than `LONGEST` is cut there first: no spaces in it mean no words either.
        """
        special = self.specials
        if chunk in special:
            return special[chunk]
        if chunk.isascii():
            if chunk.isalpha() or chunk.isdigit():
                return (chunk,)
            core, last = chunk[:-1], chunk[-1]
            if core.isalpha() and last in _PLAIN and len(core) > 1 and core not in self.in_specials:
                return (core, last) if last != "." or _ends_sentence(core) else self._affixes(chunk, special=True)
        usual = self._usual(chunk)
        if usual is not None:
            return usual
        if len(chunk) > LONGEST:
            cut = [chunk[start : start + LONGEST] for start in range(0, len(chunk), LONGEST)]
            return tuple(token for piece in cut for token in self.split(piece))
        return self._rejoined(self._affixes(chunk, special=True))

    def _usual(self, chunk: str) -> tuple[str, ...] | None:
        """The tokens where it is plain that no special case and no order of rules has a say; None for all else."""
        match = _USUAL.fullmatch(chunk)
        if match is None:
            return None
        before, core, possessive, marks = match.groups()
        pieces = _HYPHEN.split(core) if "-" in core else [core]
        if not self.in_specials.isdisjoint(pieces):
            return None
        if "." in marks and (marks == ".." or not (possessive or marks[0] != "." or _ends_sentence(core))):
            return None
        if before:
            pieces.insert(0, before)
        if possessive:
            pieces.append(possessive)
        pieces.extend(marks)
        # Special cases of several tokens have a word of their own, or marks alone.
        return None if (len(marks) > 1 or possessive or core.isdigit()) and self._may_join(pieces) else tuple(pieces)

    def _may_join(self, tokens: Sequence[str]) -> bool:
        return any(map(self.joined.__contains__, pairwise(tokens)))

    def _affixes(self, text: str, *, special: bool) -> tuple[str, ...]:
        specials = self.specials if special else {}
        before: list[str] = []
        behind: list[str] = []
        last = -1
        while text and len(text) != last:
            if text in specials:
                break
            last = len(text)
            start = self._prefix_length(text)
            if start and text[start:] and text[start:] in specials:
                before.append(text[:start])
                text = text[start:]
                break
            end = self._suffix_length(text[start:])
            if end and text[:-end] and text[:-end] in specials:
                behind.append(text[-end:])
                text = text[:-end]
                break
            if start and end and start + end <= len(text):
                before.append(text[:start])
                behind.append(text[-end:])
                text = text[start:-end]
            elif start:
                before.append(text[:start])
                text = text[start:]
            elif end:
                behind.append(text[-end:])
                text = text[:-end]
        if text:
            before.extend(specials[text] if text in specials else self._inside(text))
        return (*before, *reversed(behind))

    def _prefix_length(self, text: str) -> int:
        length = self._opening.get(text[0], _UNKNOWN)
        if length == _UNKNOWN:
            length = self._opening[text[0]] = self._prefix_of(text[0])
        if length == _DEPENDS:
            match = self._prefix(text)
            return match.end() - match.start() if match else 0
        return length

    def _prefix_of(self, first: str) -> int:
        if first in _LONGER_PREFIXES:
            return _DEPENDS
        return 1 if self._prefix(first + "x") else 0

    def _suffix_length(self, text: str) -> int:
        if not text:
            return 0
        last = text[-1]
        length = self._closing.get(last, _UNKNOWN)
        if length == _UNKNOWN:
            length = self._closing[last] = self._suffix_of(last)
        if length >= 0:
            return length
        tail = text[-_TAIL:]
        if length == _LETTER:
            if last in "sS" and text[-2:-1] in _APOSTROPHES:
                return 2
            if not any(map(_DIGITS.__contains__, tail)):
                return 0
        elif last == ".":
            before, earlier = text[-2:-1], text[-3:-2]
            if "a" <= before <= "z" and earlier != "°":
                return 1
            if "A" <= before <= "Z" and earlier.isascii():
                return 1 if "A" <= earlier <= "Z" else 0
        match = self._suffix(text if tail[0] == "." else tail)
        return match.end() - match.start() if match else 0

    def _suffix_of(self, last: str) -> int:
        if last in _DIGITS:
            return 0
        after_letter, after_digit = bool(self._suffix("a" + last)), bool(self._suffix("1" + last))
        if last.isalpha() and not after_letter:
            return _LETTER
        if last.isalnum() or last in _LONGER_SUFFIXES or after_letter != after_digit:
            return _DEPENDS
        return 1 if after_letter else 0

    def _inside(self, text: str) -> list[str]:
        if text.isalnum() and text.isascii():
            return [text]
        if "." in text and self._url(text):
            return [text]
        if not _INFIX_MARK.search(text) and (text.isascii() or not any(map(self.begins_infix, text))):
            return [text]
        infixes = _ASCII_INFIXES if text.isascii() else self._infixes
        pieces: list[str] = []
        start = 0
        for match in infixes(text):
            # spaCy leaves an infix at the very beginning where it is.
            if match.start() == 0:
                continue
            if match.start() != start:
                pieces.append(text[start : match.start()])
            if match.end() != match.start():
                pieces.append(match[0])
            start = match.end()
        if text[start:]:
            pieces.append(text[start:])
        return pieces

    def affixes(self, character: str) -> tuple[int | None, int | None, bool]:
        """Lengths of the prefix and the suffix that a character alone makes, None where more must be looked at.

        Whether it is a letter comes last: as a suffix it then is none, unless digits or an apostrophe stand before it.
        """
        if character > _ASCII and character.isalpha():
            return 0, 0, True
        opening, closing = self._prefix_of(character), self._suffix_of(character)
        letter = closing == _LETTER
        return (None if opening < 0 else opening), (0 if letter else None if closing < 0 else closing), letter

    def inside(self, character: str) -> Inside:
        """What a character is to the rules on infixes, and to a full stop behind it."""
        letter, lower, upper = (
            found.match(character) is not None for found in (self._letter, self._lower, self._upper)
        )
        if character > _ASCII and character.isalpha():
            return Inside(letter, lower, upper, single=False, stopped=None if upper and not lower else lower)
        stops = [self._suffix(f"{before}{character}.") for before in "aA"]
        stopped = {match is not None and match.end() - match.start() == 1 for match in stops}
        single = next(self._infixes(f" {character} "), None) is not None
        return Inside(letter, lower, upper, single, None if len(stopped) > 1 else stopped.pop())

    def begins_infix(self, character: str) -> bool:
        """Whether an infix may begin with the character."""
        found = self._infix.get(character)
        if found is None:
            found = self._infix[character] = next(self._infixes(f"a{character}a"), None) is not None
        return found

    def _rejoined(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        if not self._may_join(tokens):
            return tokens
        found = [
            (len(pieces), -at, made)
            for at, pair in enumerate(pairwise(tokens))
            for pieces, made in self.joined.get(pair, ())
            if tokens[at : at + len(pieces)] == pieces
        ]
        taken = [False] * len(tokens)
        chosen: dict[int, tuple[int, tuple[str, ...]]] = {}
        for length, minus_at, made in sorted(found, key=lambda match: match[:2], reverse=True):
            at = -minus_at
            if not taken[at] and not taken[at + length - 1]:
                chosen[at] = (length, made)
            taken[at : at + length] = [True] * length
        result: list[str] = []
        at = 0
        while at < len(tokens):
            length, made = chosen.get(at, (1, (tokens[at],)))
            result.extend(made)
            at += length
        return tuple(result)


def _ends_sentence(word: str) -> bool:
    """Whether a full stop after the word is taken off it."""
    return not word[-1].isupper() or word[-2:].isupper()


def _orth() -> int:
    from spacy.symbols import ORTH

    return int(ORTH)


@lru_cache(maxsize=1)
def english_words() -> EnglishWords:
    """The one splitter of this process; loading spaCy takes about a second.

    What is loaded by then stays as long as the process: no later search for cyclic garbage goes through it, which would
    take a tenth of the rules' time.
    """
    words = EnglishWords()
    gc.collect()
    gc.freeze()
    return words
