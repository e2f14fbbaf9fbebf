"""The strict policy's layers without a model: tokens with digits, unknown names, words that too few records use."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from corpusforge.curate.redaction.findings import Finding
from corpusforge.curate.redaction.kinds import PLACEHOLDER
from corpusforge.curate.redaction.proper_nouns import safe
from corpusforge.curate.redaction.words import COMMON, places, world_names
from corpusforge.record import Record

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_WITH_DIGIT = re.compile(r"[^\s<>\"'()\[\]{},;]*\d[^\s<>\"'()\[\]{},;]*")
_SENTENCE = re.compile(r"(?:^|[.!?:\n\"“(>*•-])\s*$")
SCORE = 0.4


@lru_cache(maxsize=1 << 16)
def word_key(word: str) -> int:
    """A word's number in a step's tables; words that differ in case only share it. Who has a list of words can find
    those in it again: the tables lie beside the raw records, among the steps of the recipe, and go nowhere else.
    """
    return text_key(word.casefold())


def text_key(text: str) -> int:
    """A text's number in the same tables."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def words_of(record: Record) -> set[int]:
    """Keys of the distinct words of a record's parts."""
    return {word_key(word) for part in record.parts for word in _WORD.findall(part)}


def unknown(text: str, common: frozenset[int] | None) -> Iterator[Finding]:
    """Every token with a digit, and every word that may be a name.

    `common` holds the keys of words that enough records use. A word stays when it is a frequent English word; when the
    vocabulary holds it, unless it is capitalised inside a sentence and not common; or when it is common and no known
    name or place. Without `common` (no corpus was surveyed) no other word stays.
    """
    held = [match.span() for match in PLACEHOLDER.finditer(text)]
    for match in _WITH_DIGIT.finditer(text):
        yield from _outside(match.start(), match.end(), held, "NUMBER", text)
    for match in _WORD.finditer(text):
        word = match[0]
        if len(word) > 1 and not _stays(text, match.start(), word, common):
            yield from _outside(match.start(), match.end(), held, "WORD", text)


def _outside(start: int, end: int, held: Iterable[tuple[int, int]], kind: str, text: str) -> Iterator[Finding]:
    for low, high in held:
        if low < end and start < high:
            if start < low:
                yield from _telling(start, low, kind, text)
            start = high
    if start < end:
        yield from _telling(start, end, kind, text)


def _telling(start: int, end: int, kind: str, text: str) -> Iterator[Finding]:
    if kind == "WORD" or any(character.isdigit() for character in text[start:end]):
        yield Finding(kind, start, end, "strict", SCORE)


def _stays(text: str, start: int, word: str, common: frozenset[int] | None) -> bool:
    folded = word.casefold()
    if folded in COMMON or len(word) < 3:
        return True
    frequent = common is not None and word_key(word) in common
    if safe(folded):
        if common is None or frequent or not word[0].isupper():
            return True
        return _SENTENCE.search(text, max(0, start - 8), start) is not None
    return frequent and folded not in world_names() and folded not in places()
