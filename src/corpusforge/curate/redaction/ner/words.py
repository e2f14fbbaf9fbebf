"""Words of a text for the name tagger, and the hashed features of a word."""

from __future__ import annotations

import re

import xxhash

# A word with its inner apostrophes, one mark repeated, or white space beyond a single blank; then that blank.
_TOKEN = re.compile(r"(\w+(?:['’]\w+)*|([^\w\s])\2*|\s+)( ?)")
# The same but for marks: any that stand together. Half as long to read without the blanks.
_ROUGH = re.compile(r"(\w+(?:['’]\w+)*|[^\w\s]+|\s+) ?")
_MIXED_MARKS = re.compile(r"([^\w\s])(?!\1)[^\w\s]")
_MARKS = re.compile(r"([^\w\s])\1*")
_DIGIT = re.compile(r"\d")
_MAX_CHARACTERS = 24


def tokens(text: str) -> tuple[list[str], list[bool]]:
    """Words that with their trailing blanks (True) spell the text exactly."""
    found = _TOKEN.findall(text)
    # White space may open the text; everything else is matched from the first character to the last.
    return [match[0] for match in found], [bool(match[2]) for match in found]


def words_of(text: str) -> list[str]:
    """The words of `tokens` alone."""
    rough: list[str] = _ROUGH.findall(text)
    if _MIXED_MARKS.search(text) is None:
        return rough
    words: list[str] = []
    for word in rough:
        if len(word) > 1 and _MARKS.match(word):
            words += [match[0] for match in _MARKS.finditer(word)]
        else:
            words.append(word)
    return words


def offsets(words: list[str], blanks: list[bool]) -> list[int]:
    """Where each word starts, and the length of the text at the end."""
    at, starts = 0, []
    for word, blank in zip(words, blanks, strict=True):
        starts.append(at)
        at += len(word) + blank
    starts.append(at)
    return starts


def shape(word: str) -> str:
    """`Anna-2b` gives `Xxxx-dx`: letters by case, digits as d, runs cut at four."""
    made = ""
    for character in word[:_MAX_CHARACTERS]:
        if character.isalpha():
            kind = "X" if character.isupper() else "x"
        elif character.isdigit():
            kind = "d"
        else:
            kind = " " if character == " " else character
        if not made.endswith(kind * 4):
            made += kind
    return made


def features(word: str, rows: int) -> tuple[list[int], list[int]]:
    """Table rows of a word: those that count in full (the word itself first), and its character n-grams (a mean).

    Words count without case, digits as 0 and no longer than 24 characters: the shape alone tells the case.
    """
    folded = _DIGIT.sub("0", word[:_MAX_CHARACTERS].casefold())
    whole = ["w" + folded, "s" + shape(word), "p" + folded[:3], "e" + folded[-3:], "f" + folded[-2:]]
    framed = f"<{folded}>"
    grams = ["g" + framed[at : at + n] for n in (3, 4) for at in range(len(framed) - n + 1)]
    return _rows(whole, rows), _rows(grams, rows)


def _rows(names: list[str], rows: int) -> list[int]:
    digest = xxhash.xxh3_64_intdigest
    return [digest(name.encode("utf-8", "surrogatepass")) % rows for name in names]
