"""Finds proper nouns without a model: capitalised words that no English vocabulary holds, known places, known names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from corpusforge.curate.redaction.findings import Finding
from corpusforge.curate.redaction.words import AMBIGUOUS, COMMON, GIVEN, PRODUCTS, places, vocabulary, world_names

_LETTERS = r"[^\W\d_]"
_BEFORE = r"(?<![\w@./#<&\\~$%*=+`|^-])"
_AFTER = rf"(?:['’-]{_LETTERS}+)*(?![\w@=(\[`|^]|[./\\:-]\w|://)"
_TOKEN = re.compile(rf"{_BEFORE}{_LETTERS}+{_AFTER}")
_CAPITAL_TOKEN = re.compile(rf"{_BEFORE}[^\W\d_a-z]{_LETTERS}*{_AFTER}")
_ELIDED = re.compile(rf"{_LETTERS}['’]")
_PLACE_CUE = re.compile(
    r"\b(?:in|from|at|to|near|of|visit(?:ing|ed)?|leav(?:e|ing)|left|via|around|across|outside|toward|towards|city"
    r"|town|village|born|Southern|Northern|Eastern|Western|Central|Upper|Lower|New|North|South|East|West)[ ]+$",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?:^|[.!?:\n>\"“(\[]\s*|[-*•]\s+)$")
_JOIN = re.compile(
    r"(?:[ ]+(?:(?:de|da|do|dos|das|di|del|della|van|von|der|den|la|le|el|al|bin|of|the|y|e|nad|u|v)[ ]+){0,2}|-"
    r"|[ ]*&[ ]*)"
    rf"(?={_LETTERS})"
)
_NAMED = rf"[A-ZÀ-ÖØ-Þ]{_LETTERS}+(?:['’-]{_LETTERS}+)*"
_FIRM = re.compile(rf"(?<![\w@.]){_NAMED}, {_NAMED},? (?:and|&) {_NAMED}(?![\w@(])")


@lru_cache(maxsize=1 << 16)
def safe(word: str) -> bool:
    """Whether a case-folded word is in the vocabulary, itself or its parts around a hyphen, without `'s`."""
    known = vocabulary()
    if word in known:
        return True
    bare = re.sub(r"['’](?:s|re|ve|ll|d|m|t)?$", "", word)
    if bare in known or (len(bare) > 4 and bare[-1] == "s" and bare[:-1] in known):
        return True
    parts = re.split(r"['’-]", bare)
    return len(parts) > 1 and all(len(part) < 2 or part in known for part in parts)


def _looks_coined(word: str) -> bool:
    """Whether capitals stand inside a word as they do in identifiers and products (`OpenVPN`), not as in McCray."""
    inner = sum(character.isupper() for character in word[1:])
    if not inner:
        return False
    if word.isupper():
        return False
    return (
        re.fullmatch(
            r"(?:Mc|Mac|O['’]|D['’]|De|Di|La|Le|Van|Fitz)[A-Z][^A-Z]+|[A-Z][^A-Z'’-]+(?:['’-][A-Z][^A-Z'’-]*)+", word
        )
        is None
    )


def proper_nouns(window: str, *, technical: bool) -> Iterator[Finding]:
    """Capitalised words that no vocabulary holds, with the names beside them; a place where `in`, `from` … leads to it.

    `technical`: only known places and names of people count, as manuals are full of products.
    """
    if window.isascii() and window.islower():
        return
    shouting: bool | None = None
    done = 0
    for match in _capitals(window):
        word = match[0]
        if match.start() < done or len(word) < 3 or not word[0].isupper():
            continue
        if word.isupper() and shouting is None:
            shouting = sum(map(str.isupper, window)) > sum(map(str.islower, window))
        if not (_unknown(word, shouting=bool(shouting)) or _led_to(window, match.start(), word)):
            continue
        start, end = _grown(window, *match.span())
        if technical and not known_name(window[start:end]):
            continue
        done = end
        before = window[max(0, start - 24) : start]
        place = window[start:end].casefold() in places() or (
            _PLACE_CUE.search(before) and word.casefold() not in world_names()
        )
        kind = "LOCATION" if place else "PERSON"
        yield Finding(kind, start, end, "proper-noun", 0.5)
    yield from _places(window)
    for match in _FIRM.finditer(window):
        if sum(not safe(name.casefold()) for name in re.findall(rf"{_LETTERS}+", match[0])) > 1:
            yield Finding("ORGANIZATION", match.start(), match.end(), "partners", 0.5)


def _capitals(window: str) -> Iterator[re.Match[str]] | list[re.Match[str]]:
    """The words of a window, all that begin with a capital among them."""
    found = list(_CAPITAL_TOKEN.finditer(window))
    # `d'Artagnan` is one word and begins small: behind an apostrophe only the search for all words tells.
    if any(_ELIDED.match(window, match.start() - 2) for match in found if match.start() > 1):
        return _TOKEN.finditer(window)
    return found


def _led_to(window: str, start: int, word: str) -> bool:
    """Whether a place that is a common word too (`Reading`) stands where a place stands: after `in`, `from`, `to`."""
    folded = word.casefold()
    loud = word.isupper() and len(word) > 3 and not safe(folded)
    if (folded not in places() and not loud) or folded in COMMON or folded in PRODUCTS:
        return False
    return _PLACE_CUE.search(window, max(0, start - 24), start) is not None


def _unknown(word: str, *, shouting: bool) -> bool:
    if _looks_coined(word):
        return False
    if word.isupper():
        # An acronym is no name; `HELSINKI` is one: known as a place or name, or long and in no vocabulary.
        folded = word.casefold()
        return not safe(folded) and (len(word) > 5 or folded in places() or folded in world_names()) and not shouting
    return not safe(word.casefold())


def known_name(phrase: str) -> bool:
    """Whether a phrase is two or more names of people, and no place."""
    folded = phrase.casefold()
    words = re.findall(rf"{_LETTERS}+", folded)
    return folded not in places() and len(words) > 1 and all(word in world_names() for word in words)


_INITIAL = re.compile(r"[ ][A-Z]\.(?=[ ][A-Z])")
_HEAD = re.compile(rf"({_LETTERS}+\.?)([ ]+|-)$")


def _grown(window: str, start: int, end: int) -> tuple[int, int]:
    """A word with the capitalised names, initials and linking words that belong to it."""
    for _ in range(4):
        gap = _JOIN.match(window, end)
        initial = _INITIAL.match(window, end)
        if initial:
            end = initial.end()
            continue
        follows = _TOKEN.match(window, gap.end()) if gap and gap.end() < end + 12 else None
        if follows is None or not (_named(follows[0]) or (gap and gap[0] == " " and _capitalised(follows[0]))):
            break
        end = follows.end()
    for _ in range(3):
        head = _HEAD.search(window[max(0, start - 30) : start])
        if head is None or (head[1].endswith(".") and len(head[1]) > 2):
            break
        inside = head[2] == " " and not _SENTENCE.search(window, 0, start - len(head[0]))
        if not (_named(head[1].rstrip(".")) or (inside and _capitalised(head[1]))):
            break
        if not head[1].endswith(".") and len(head[1]) == 1:
            break
        start -= len(head[0])
    return start, end


def _capitalised(word: str) -> bool:
    """Whether a word beside a name belongs to it though it is a common one: `Ivan King`, `Roadify Transit`."""
    folded = word.casefold()
    return (
        len(word) > 2 and word[0].isupper() and not word.isupper() and folded not in COMMON and folded not in PRODUCTS
    )


def _named(word: str) -> bool:
    if not word[0].isupper():
        return False
    folded = word.casefold()
    if len(word) == 1:
        return word not in ("I", "A")
    return word in GIVEN or word in AMBIGUOUS or (not safe(folded) and folded not in COMMON and folded not in PRODUCTS)


_PLACE_WORDS = re.compile(rf"(?<![\w@./#-])[A-Z]{_LETTERS}+(?:[ -][A-Z]{_LETTERS}+){{1,3}}(?![\w@=(/])")


def _places(window: str) -> Iterator[Finding]:
    """Places of several words, each of which may be a common one: `New York`, `Salt Lake City`."""
    for match in _PLACE_WORDS.finditer(window):
        words = re.split(r"([ -])", match[0])
        for first in range(0, len(words) - 2, 2):
            for last in range(len(words), first + 2, -2):
                phrase = "".join(words[first:last])
                if phrase.casefold() in places():
                    start = match.start() + len("".join(words[:first]))
                    yield Finding("LOCATION", start, start + len(phrase), "place", 0.6)
                    break


_INTRODUCED = re.compile(
    r"\b(?:name(?:'?s)?(?: is)?|this is|i am|im|i'm|it'?s|mr|mrs|ms|dr|hi|hello|hey|thanks|thank you|dear|named|called"
    r"|with)[ ,]+$"
)
_WORD_AFTER = re.compile(r" ([a-z]{3,})(?=$| (?:and|here|ssn|\d))")
_WORD_BEFORE = re.compile(r"(?:^|\b(?:is|am|im|name|its|this)[ ])([a-z]{3,}) $")
_SMALL = re.compile(r"[a-z]+(?:['’][a-z]+)?")


def small_names(text: str, *, chat: bool) -> Iterator[Finding]:
    """Names in a text that is written small throughout: of a turn (`chat`) that says little else or introduces them
    (`this is ravi`), of other text wherever they stand.
    """
    if text != text.lower():
        return
    words = list(_SMALL.finditer(text))
    if not words:
        return
    run: list[re.Match[str]] = []
    for match in [*words, None]:
        named = match is not None and _small_name(match[0])
        if named and match is not None and (not run or text[run[-1].end() : match.start()] == " "):
            run.append(match)
            continue
        if run and (not chat or len(run) > 1 or len(words) <= 4 or _introduced(text[: run[0].start()])):
            start, end = _neighbours(text, run[0].start(), run[-1].end())
            yield Finding("PERSON", start, end, "small-name", 0.5)
        run = [match] if named and match is not None else []


def _neighbours(turn: str, start: int, end: int) -> tuple[int, int]:
    """A small name with the word beside it, which may be a common one (`ravi king`), where the turn says no more."""
    after = _WORD_AFTER.match(turn, end)
    if after and after[1] not in COMMON:
        end = after.end()
    before = _WORD_BEFORE.search(turn[:start])
    if before and before[1] not in COMMON:
        start = before.start(1)
    return start, end


def _small_name(word: str) -> bool:
    return len(word) > 2 and word in world_names() and word not in COMMON and word not in vocabulary()


def _introduced(before: str) -> bool:
    return _INTRODUCED.search(before) is not None
