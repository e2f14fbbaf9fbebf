"""Finds postal addresses over several lines, in many countries' forms: a street first, then what follows it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from corpusforge.curate.redaction.findings import Finding, RedactionFailed
from corpusforge.curate.redaction.rules import TIMEOUT, Rule, compiled
from corpusforge.curate.redaction.words import COMMON, places, word_list

_STREETS = word_list("street_words")
# The rest of USPS Publication 28, appendix C1: words that mean a street only behind a number and a capitalised name.
_SUFFIXES = word_list("street_suffixes")
_ENDINGS = (
    "straße", "strasse", "straat", "gatan", "gata", "gasse", "gate", "gaten", "gade", "vägen", "vagen", "veien",
    "vegen", "vej", "väg", "weg", "wegen", "katu", "tie", "kuja", "polku", "gränd", "torget", "platz", "allee", "laan",
    "plein", "gracht", "dreef", "kade", "dijk", "singel", "stræti", "straeti", "vegur", "götu", "gata", "ranta",
    "puisto", "damm", "ufer", "bakken", "backen", "stien", "stigen", "lunden", "parken", "toften", "vænget",
)  # fmt: skip
_PARTS = word_list("street_parts")
_STOPS = word_list("street_stops")

_WORD = r"(?:[\p{L}][\p{L}\p{M}'’.-]*|\d{1,3}(?:st|nd|rd|th)\b|C/)"
_CAPITAL = r"(?:\p{Lu}[\p{L}\p{M}'’./-]*)"
_UNIT = (
    r"(?:(?:apt|apartment|suite|ste|unit|floor|flat|room|rm|building|bldg|lot|dept|box)\b\.?[ ]?\#?[ ]?\w{1,6}"
    r"|\#[ ]?\d\w{0,4}|p\.?[ ]?o\.?[ ]?box[ ]\d{1,7})"
)
_CODE = (
    r"(?:[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2}|[A-Z]\d[A-Z][ ]?\d[A-Z]\d|\d{4}[ ][A-Z]{2}|\d{5}-\d{4}|\d{2}-\d{3}"
    r"|\d{3}[ ]\d{2}|(?:[A-Z]{1,2}-)?\d{3,6})(?![\w-])(?![ ]?[.,:/]\d)"
)
_STATE = r"[A-Za-z]{2}(?![\w'’])"
_QUOTE = r"[ \t>?|*\\]{0,8}"
_GAP = r"(?:[ \t]*,?[ \t]*(?:\r?\n" + _QUOTE + r"){1,2},?[ \t]*|[ \t]*,[ \t]*|[ \t]+)"
_NUMBER = r"\d{1,6}[A-Za-z]?(?:[-/]\d{1,5}[A-Za-z]?)?"
_AROUND = 40
_CUE = re.compile(
    r"(?:\baddress(?:es)?\b|\blive[sd]?\b|\bliving\b|\breside|\blocated\b|\barrived\b|\bmove[sd]?\b|\bdeliver\w*"
    r"|\bship\w*"
    r"|\bsent?\b|\bsituated\b|\boffices?\b|\bstreet\b|\bhome\b|\bhouse\b|\bmeet\b|\brestaurant\b|\bto\b"
    r"|\bat\b)[^\n\d]{0,30}$",
    re.IGNORECASE,
)
_MILITARY = (
    r"\b(?:(?i:(?:PSC|CMR|UNIT)[ ]\d{1,5},?[ ]+Box[ ]\d{1,6})|US(?:NS|S|CGC)[ ]+" + _CAPITAL + r")"
    r"(?i:[\s,]+(?:APO|FPO|DPO),?[ ]+A[AEP],?[ ]+\d{5}(?:-\d{4})?)?|\b(?i:us(?:ns|s|cgc)[ ]+\p{L}+"
    r"[\s,]+(?:APO|FPO|DPO),?[ ]+A[AEP],?[ ]+\d{5}(?:-\d{4})?)"
)

# Street words that are common words too.
_WORDS_TOO = frozenset(
    ("way", "place", "close", "court", "st", "park", "hill", "rise", "path", "row", "ring", "tie", "tee", "put")
)
_CASED = ("street-first", "city", "code", "military", "corner", "cued-street")
# What an address may begin with; the other forms are what follows.
_OPENINGS = (
    "number-first", "street-first", "military", "lone-unit", "unit-inside", "po-box", "corner", "cued-street",
)  # fmt: skip
# The group that is the address, where it is not the whole match.
_VALUES = {"lone-unit": "v", "cued-street": "a"}


_PATTERNS = {
    "number-first": r"(?<![\w.,/:$€£+-])(?:(?i:no|nr|door|house)\.?[ ]+(?:no\.?[ ]+)?)?"
    r"(?:" + _UNIT + r",?[ ]+)?(?P<n>" + _NUMBER + r"(?:,?[ ]+" + _NUMBER + r")?),?[ ]+"
    r"(?P<w>" + _WORD + r"(?:[ ]+" + _WORD + r"){0,7})(?P<m>,?[ ]+\d{1,5}[A-Za-z]?\b(?![.:/%]\d))?",
    "street-first": r"(?<![\w@/.])(?P<w>(?:C/|" + _CAPITAL + r"|ul\.|al\.|rue|via|rua|calle)(?:[ ]+" + _WORD
    + r"){0,5})[ ]+(?P<n>\d{1,5}[A-Za-z]?(?:/\d{1,4})?)\b(?![.:/%,]\d)",
    "military": _MILITARY,
    "unit": _UNIT,
    "code": _CODE,
    "state": _STATE,
    "gap": _GAP,
    "city": _CAPITAL + r"(?:[ -]+(?:(?:de|la|le|les|du|des|del|di|do|da|dos|sur|am|an|der|u|nad|pod|of|upon|en|los"
    r"|las|el|il)[ ]+){0,2}" + _CAPITAL + r"){0,4}(?:[ ]?\([\p{L}. ]{2,30}\))?",
    "corner": r"\b(?:the[ ]+)?corner of[ ]+(?P<a>" + _WORD + r"(?:[ ]+" + _WORD + r"){0,4}(?:[ ]\d{1,5})?"
    r"[ ]+and[ ]+"
    + _CAPITAL + r"(?:[ ]+" + _CAPITAL + r"){0,3}(?:[ ]\d{1,5})?)",
    "cued-street": r"(?i:\b(?:live[sd]?|living|station is|located|office is|restaurant is|meet(?: me)?|stop"
    r"|drops? \w+ off"
    r"|sent|arrived|moved|address is|corner|street)[ ]+(?:on|at|in|to|of)[ ]+)"
    r"(?P<a>" + _CAPITAL + r"(?:[ ]+" + _WORD
    + r"){0,4}?[ ]+\d{1,5}[a-z]?)\b(?![.:/%,]\d)(?![ ](?:am|pm|o'clock|minutes|hours|days|years)\b)",
    "lone-unit": r"^" + _QUOTE + r"(?P<v>(?:apt|apartment|suite|ste|unit|flat)\b\.?[ ]?\#?\d{1,5}[a-z]?)[ \t,]*$",
    "unit-inside": r"\b(?:apt|apartment|suite|ste)\b\.?[ ]?\#?\d{1,5}[a-z]?\b",
    "po-box": r"\bP\.?[ ]?O\.?[ ]?Box[ ]\d{1,7}\b",
}  # fmt: skip


@cache
def _forms() -> dict[str, Any]:
    return {name: compiled(form, cased=name in _CASED) for name, form in _PATTERNS.items()}


@cache
def address_rules() -> tuple[Rule, ...]:
    """The forms that an address may begin with."""
    return tuple(
        Rule("STREET_ADDRESS", name, _PATTERNS[name], 0.6, digits=1, cased=name in _CASED) for name in _OPENINGS
    )


def street_word(word: str) -> bool:
    """Whether a word says street in some language: `Street`, `Avda.`, `Koskikatu`, `Erzsébet tér`."""
    folded = word.casefold().strip(",'’")
    return folded in _STREETS or folded.rstrip(".") in _STREETS or (len(folded) > 6 and folded.endswith(_ENDINGS))


def addressed(text: str, rules: Sequence[Rule], *, chat: bool, technical: bool = False) -> Iterator[Finding]:
    """Postal addresses in a whole text: street, unit, town, code, country, as far as they hang together.

    `rules`: those of `address_rules` whose forms the text can hold. `chat`: a turn in lower case counts too.
    `technical`: a word for street must be there. Raises RedactionFailed when a pattern runs out of time.
    """
    try:
        for rule in rules:
            matches = _forms()[rule.name].finditer(text, timeout=TIMEOUT)
            if rule.name == "number-first":
                yield from _numbered(text, matches, chat=chat, technical=technical)
            elif rule.name == "street-first":
                yield from _named_first(text, matches)
            else:
                group = _VALUES.get(rule.name, 0)
                for match in matches:
                    start, end = match.span(group)
                    yield Finding("STREET_ADDRESS", start, _tail(text, end), f"address-{rule.name}", rule.score)
    except TimeoutError:
        raise RedactionFailed("addresses") from None


def _numbered(text: str, matches: Iterator[Any], *, chat: bool, technical: bool) -> Iterator[Finding]:
    done = 0
    for match in matches:
        if match.start() < done:
            continue
        end = _street_end(text, match, chat=chat, technical=technical)
        if end:
            done = _tail(text, end)
            yield Finding("STREET_ADDRESS", match.start(), done, "street-lines", 0.7)


def _named_first(text: str, matches: Iterator[Any]) -> Iterator[Finding]:
    for match in matches:
        words = match["w"].split()
        start = match.start("w")
        while (
            len(words) > 1
            and not street_word(words[0])
            and (words[0].casefold() in _STOPS or words[0].casefold() in COMMON)
        ):
            start += len(words.pop(0))
            start = text.index(words[0], start)
        if (
            any(map(street_word, words))
            and any(w[0].isupper() for w in words)
            and len(words[0]) > 1
            and not _sentence(words)
        ):
            yield Finding("STREET_ADDRESS", start, _tail(text, match.end()), "street-first", 0.6)


def _idle(word: str) -> bool:
    return word in _STOPS or word in COMMON


def _sentence(words: list[str]) -> bool:
    """Whether words read as a sentence: more than one of them is small and no part of a street's name."""
    return sum(word.islower() and word not in _PARTS and not street_word(word) for word in words) > 1


def _street_end(text: str, match: Any, *, chat: bool, technical: bool) -> int:
    """Where the street of a candidate ends; 0 if it is none."""
    words: list[str] = match["w"].split()
    small = words[0][0].islower() and words[0].casefold() not in _PARTS and not street_word(words[0])
    place = next((n for n, word in enumerate(words) if street_word(word)), -1)
    if small and not _small_street(text, words, place, chat=chat):
        return 0
    # The street's name: up to its street word, or while the words are capitalised.
    size = 0
    for n, word in enumerate(words):
        folded = word.casefold().rstrip(".,")
        if n > place and not (word[0].isupper() or word[0].isdigit() or folded in _PARTS or len(folded) == 1):
            break
        if n > place and (folded in _STOPS or folded in ("apt", "suite", "unit", "box")):
            break
        size = n + 1
    while size and words[size - 1].casefold() in _PARTS and size - 1 > place:
        size -= 1
    if not size:
        return 0
    end: int = match.start("w")
    for word in words[:size]:
        end = text.index(word, end) + len(word)
    whole = size == len(words)
    number = whole and match["m"] is not None
    if number:
        end = match.end("m")
    if size > 1 and words[size - 1].casefold() in _SUFFIXES and words[0][0].isupper() and _solid(words[:size]):
        return end
    if place >= 0 and place < size:
        # `5 Way` and `2 Court` alone are no addresses; a name stands beside the street word.
        return end if size > 1 or number or len(words[place]) > 6 else 0
    if technical:
        return 0
    two = number or " " in match["n"].strip()
    after = text[end : end + _AROUND]
    unit = re.match(r"[ ,]*\n?" + _QUOTE + r"(?:apt|suite|unit|flat|ste)\b\.? ?\#?\d", after, re.IGNORECASE)
    if unit or (two and words[0][0].isupper() and (len(words[0]) > 3 or size > 1) and _solid(words[:size])):
        return end
    before = text[max(0, match.start() - _AROUND) : match.start()]
    cued = _CUE.search(before) is not None and len(match["n"]) >= 1 and words[0][0].isupper()
    if cued and size >= 1 and _solid(words[:size]) and (re.match(r"[ ,]*(?:[,\n]|\.?$)", after) or len(match["n"]) > 2):
        return end
    return 0


def _solid(words: list[str]) -> bool:
    return all(word.casefold().rstrip(".") not in _STOPS for word in words if word.casefold() not in _PARTS)


def _small_street(text: str, words: list[str], place: int, *, chat: bool) -> bool:
    """`1472 broadway new york ny 10036`: small letters count where a street word comes soon."""
    if place < 0 or place > 4 or words[place].casefold().rstrip(".") in _WORDS_TOO:
        return chat and 0 < place <= 3 and text == text.lower() and not any(w in COMMON for w in words[:place])
    return not any(word.casefold() in _STOPS for word in words[:place]) and (chat or place <= 3)


def _tail(text: str, at: int) -> int:
    """The end of what belongs to an address after its street: units, town, state, code and country."""
    forms = _forms()
    had_unit = False
    for _ in range(9):
        gap = forms["gap"].match(text, at, timeout=TIMEOUT)
        if gap is None:
            return at
        start = gap.end()
        broken = "\n" in gap[0] or "," in gap[0]
        unit = forms["unit"].match(text, start, timeout=TIMEOUT)
        if unit is not None and not text[unit.end() : unit.end() + 1].isalnum():
            at, had_unit = unit.end(), True
            continue
        code = forms["code"].match(text, start)
        if code is not None and (len(code[0]) > 3 or _ends(text, code.end(), "\n" in gap[0])):
            at, had_unit = code.end(), False
            continue
        city = forms["city"].match(text, start)
        if city is not None:
            end = _town(text, start, city.end(), free=had_unit or broken, line="\n" in gap[0])
            if end:
                at = end
                continue
        if text[at:start].strip(" \t") != "" or had_unit:
            state = forms["state"].match(text, start)
            if state is not None and re.match(r"[ ]*(?:[,.\n]|$|\d{4,5})", text[state.end() : state.end() + 8]):
                at = state.end()
                continue
        small = _small_tail(text, start)
        if not small:
            return at
        at = small
    return at


_ENDING = re.compile(r"[ \t]*(?:[.,;!?)\"'\\]|\r?\n|$)")


def _ends(text: str, at: int, line: bool) -> bool:
    return not line or _ENDING.match(text, at) is not None


def _town(text: str, start: int, end: int, *, free: bool, line: bool) -> int:
    """The end of a town's, state's or country's name that starts an address's next part; 0 if none does."""
    words = re.findall(r"\S+", text[start:end])
    known = 0
    for size in range(len(words), 0, -1):
        phrase = " ".join(words[:size]).rstrip(".,")
        if phrase.casefold() in places() or phrase in ("USA", "UK", "United States", "United Kingdom"):
            known = size
            break
    if not free:
        if known:
            return start + len(" ".join(words[:known]).rstrip("."))
        follows = re.match(r",?[ ]+(?:[A-Z]{2}[ ]+)?\d{4,5}\b", text[end : end + 12])
        return end if follows and len(words) <= 3 else 0
    kept = 0
    for word in words:
        if word.casefold().strip(".,") in _STOPS:
            break
        kept += 1
    if not kept:
        return 0
    if kept == len(words):
        stop = end
    else:
        stop = start + sum(map(len, words[:kept])) + kept - 1
        if stop > len(text) or text[start:stop].split() != words[:kept]:
            return 0
    after = text[stop : stop + 1]
    if line and not (
        after in ("", "\n", ",", "\r", "\\")
        or re.match(r"[ \t]*(?:[.,\n]|$|\d{3,6}\b|[A-Z]{2}\b)", text[stop : stop + 8])
    ):
        return 0
    if after == ":":
        return 0
    return stop if text[stop - 1] != "." else stop - 1


_SMALL_TAIL = re.compile(r"(?:[a-z]+ ){1,4}(?:\d{5}|[a-z]{2} \d{4,5})(?: (?:usa|us|uk|india|canada))?\b")


def _small_tail(text: str, start: int) -> int:
    """Lower-case town, state and code after a lower-case street: `new york ny 10036 usa`."""
    match = _SMALL_TAIL.match(text, start)
    return match.end() if match and text[start:].islower() else 0
