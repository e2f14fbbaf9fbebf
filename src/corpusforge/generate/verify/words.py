"""Cuts text into words that can be compared: stems of words, codes as they stand, and names told from both."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from corpusforge.generate.verify.lexicon import Lexicon

_PIECE = re.compile(
    # Scripts without blanks between words: each character is one.
    r"<+[A-Z][A-Z_]*_\d+>+|[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
    r"|[^\s\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+"
)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\(([^)\s]*)\)")
_OPENING = "\"'“”‘’«»([{*`_,;:!?…|>•·–—#"
_CLOSING = "\"'“”‘’«»)]}*`_,;:!?….|<•·–—"
_CODE = re.compile(
    r"<+[A-Z][A-Z_]*_\d+>+|--?[A-Za-z].*|[~.]?/.+|.*[\w.]/[\w.]+/.*|.*[_\\=$@<>{}|].*|\w+\(\)|.*\w\.[A-Za-z]\w*"
    r"|[a-z]+[A-Z]\w*|.*://.*|.*\d.*",
    re.DOTALL,
)
_JOINED = re.compile(r"[-/–—]+")
_NUMBER = re.compile(r"[$€£¥]?[+-]?\d[\d.,:]*(?:st|nd|rd|th|%|x)?", re.IGNORECASE)
_MEASURED = re.compile(r"([$€£¥]?\d[\d.,]*)\s?([A-Za-z°µ%]{1,5})")
_COUNTED = re.compile(r"(\d+)-([A-Za-z]{3,})")
_APOSTROPHE = re.compile(r"['’]s$|['’]$")


@dataclass(frozen=True, slots=True)
class Word:
    """One word: as written, lower case, its stem, whether it is a code, and whether it opens a sentence or line.

    `breaks` tells that a clause ends behind it, `joined` that a hyphen ties it to others: the `only` of read-only.
    """

    text: str
    lower: str
    stem: str
    code: bool
    opens: bool
    breaks: bool
    joined: bool

    @property
    def capital(self) -> bool:
        """Whether it is written as a name is."""
        return self.text[:1].isupper()

    @property
    def numeric(self) -> bool:
        """Whether it is a number."""
        return bool(_NUMBER.fullmatch(self.text))


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A word's form without the endings that grammar adds; made for English, harmless elsewhere.

    Word pairs it must join: connects/connecting/connected/connection, copies/copy, running/run, uses/using/use.
    """
    word = _APOSTROPHE.sub("", word)
    if len(word) <= 3 or not word.isalpha():
        return word
    for ending, instead in (
        ("ations", ""), ("ation", ""), ("ions", ""), ("ion", ""), ("ments", ""), ("ment", ""), ("ings", ""),
        ("ing", ""), ("ies", "y"), ("ied", "y"), ("edly", ""), ("ed", ""), ("ers", ""), ("er", ""), ("ors", ""),
        ("or", ""), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("ally", ""), ("ly", ""),
        ("ably", ""), ("able", ""), ("ible", ""), ("ity", ""), ("ss", "ss"), ("us", "us"), ("es", "e"), ("s", ""),
    ):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: len(word) - len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word


def cut(text: str) -> list[Word]:
    """The words of a text in order; markup is left out, hyphens and slashes between plain words part them."""
    if "](" in text:
        text = _LINK.sub(r"\1 \2", text)
    words: list[Word] = []
    at_line = 0
    opens = True
    for match in _PIECE.finditer(text):
        if "\n" in text[at_line : match.start()]:
            opens = True
        at_line = match.end()
        piece = match[0]
        bare = piece if piece.startswith("<") and piece.endswith(">") else _bare(piece)
        ends = piece[-1] in ".!?:" or piece.endswith(("…", '."', ".)", '?"'))
        breaks = ends or piece[-1] in ",;—–" or piece in ("-", "--")
        if not bare:
            if words and breaks:
                words[-1] = _with_break(words[-1])
            opens = opens or piece in ("-", "*", "•") or ends
            continue
        quoted = "`" in piece
        if not quoted and bare.isalpha() and (bare.islower() or bare.istitle() or bare.isupper()) and bare < "\u0e00":
            # Nine words of ten; the tests below are for what looks like something else.
            lower = bare.lower()
            words.append(Word(bare, lower, stem(lower), False, opens, breaks, False))
            opens = ends
            continue
        measured = None if quoted else _MEASURED.fullmatch(bare)
        joined = None if quoted else _COUNTED.fullmatch(bare)
        if measured or joined:
            parts = list((measured or joined).groups())  # type: ignore[union-attr]
        elif quoted or _NUMBER.fullmatch(bare) or _CODE.fullmatch(bare):
            parts = [bare]
        else:
            parts = [part for part in map(_bare, _JOINED.split(bare)) if part]
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            code = quoted or (len(parts) == 1 and not _NUMBER.fullmatch(part) and bool(_CODE.fullmatch(part)))
            lower = part.lower().replace("’", "'")
            words.append(
                Word(part, lower, lower if code else stem(lower), code, opens, breaks and last, len(parts) > 1)
            )
            opens = False
        opens = ends
    return words


def content(word: Word, words: Lexicon) -> bool:
    """Whether a word has content of its own: neither grammar, negation, scope nor number."""
    if word.code:
        return True
    if word.lower in words.function or word.lower in words.negations or (word.lower,) in words.scope:
        return False
    return not word.numeric and word.lower not in words.numbers and (len(word.lower) > 1 or ord(word.lower) > 0x0E00)


def _with_break(word: Word) -> Word:
    return replace(word, breaks=True)


def _bare(piece: str) -> str:
    # An option keeps its dashes, a hidden file its dot, and a version or abbreviation the dots inside.
    return piece.lstrip(_OPENING).rstrip(_CLOSING)
