"""What kind of thing an answer is, so that wrong options can look like it, and how it can be made slightly wrong."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from corpusforge.generate.phrasings import pick, resource
from corpusforge.generate.qa_pair import Pair
from corpusforge.generate.sentences import normalised, plain
from corpusforge.record import Record

MAX_FAQ = 200
# Not in dates, ranges, versions or addresses; of a time of day only the hour; no day has 25 hours.
_NUMBER = re.compile(
    r"(?<![\w.,:/-])(?!24[ -]hours?\b)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(?![\w]*[-/.]\d|\d)", re.IGNORECASE
)
_FIGURES = re.compile(r"[\d.,:% /-]+")
_LIST_LIKE = re.compile(r"^\s*(?:[-*]|\d+[.)])\s")
_FAMILIES = frozenset({"cell", "term", "entry", "definition", "command", "next-step", "gold", "faq"})


def option(pair: Pair) -> str:
    """A pair's answer as an option: one line, no marks, no full stop at its end; empty if it cannot be one."""
    if pair.family not in _FAMILIES or len(pair.spans) > 1:
        return ""
    if pair.family == "faq" and (len(pair.answer) > MAX_FAQ or not _NUMBER.search(pair.answer)):
        return ""
    if "\n" in pair.answer or _LIST_LIKE.match(pair.answer):
        return ""
    value = as_option(pair.answer, pair.family)
    return value if value[:1] not in ",;:" else ""


@lru_cache(maxsize=1 << 15)
def as_option(value: str, family: str) -> str:
    """A value in the look of an option of that family."""
    return " ".join(value.split()) if family == "command" else plain(value).rstrip(".").strip()


def form(record: Record, pair: Pair, value: str) -> str:
    """The language and surface form of an answer, the same for all options of an item: looks do not tell them apart."""
    if pair.family == "command":
        return f"{record.language}:command"
    return f"{record.language}:{pair.slot.split(':')[0]}:{shape(value)}"


@lru_cache(maxsize=1 << 15)
def shape(value: str) -> str:
    """What kind of figure or how much text a value is."""
    if _NUMBER.fullmatch(value):
        return "number"
    if _FIGURES.fullmatch(value):
        return "figures"
    words = len(value.split())
    if words <= 2 and any(map(str.isdigit, value)):
        return "code"
    if words <= 5:
        return "words"
    return "sentence" if value[:1].isupper() else "clause"


def giveaway(pair: Pair, value: str) -> bool:
    """Whether a definition repeats its own term, so that the question alone would tell it."""
    if pair.slot != "definition":
        return False
    asked = set(stems(pair.question))
    return any(stem in asked for stem in stems(value))


def can_be_near(pair: Pair, gold: str) -> bool:
    """Whether a slightly wrong option than `gold`, the pair's option, may be found: beside the answer, by a change, or
    in the same slot elsewhere."""
    if ":" in pair.slot:
        return True
    if pair.family == "command":
        return bool(pair.siblings)
    alike = shape(gold)
    if any(shape(as_option(value, pair.family)) == alike for value in pair.siblings):
        return True
    return pair.family != "term" and any(_changeable(gold))


def altered(value: str, family: str, seed: str) -> list[str]:
    """The value with a number changed, and with a word changed for its opposite: at most two, in seeded order."""
    made: list[str] = []
    if family in ("command", "term"):
        return made
    numbers, words = _changeable(value)
    if numbers:
        match = numbers[pick(len(numbers), seed, "which")]
        made.append(value[: match.start()] + _other_number(match, seed) + value[match.end() :])
    if words:
        match = words[pick(len(words), seed, "word")]
        other = _opposites()[match[0].lower()]
        other = other[:1].upper() + other[1:] if match[0][0].isupper() else other
        made.append(value[: match.start()] + other + value[match.end() :])
    return made if len(made) < 2 or pick(2, seed, "first") else made[::-1]


@lru_cache(maxsize=1 << 14)
def _changeable(value: str) -> tuple[tuple[re.Match[str], ...], tuple[re.Match[str], ...]]:
    """The numbers of a value, and its words that have an opposite."""
    return tuple(_NUMBER.finditer(value)), tuple(_opposite_words().finditer(value))


def _other_number(match: re.Match[str], seed: str) -> str:
    # The change keeps the number of digits and how round it is: 3 to 4, 30 to 50, 1500 to 1700, 3.5 to 4.5.
    digits = match[1].replace(",", "")
    zeros = len(digits) - len(digits.rstrip("0")) if int(digits) else 0
    head = digits[: len(digits) - zeros] or "0"
    last = int(head[-1])
    choices = [digit for digit in (last - 2, last - 1, last + 1, last + 2) if 1 <= digit <= 9]
    changed = head[:-1] + str(choices[pick(len(choices), seed, "digit")]) + "0" * zeros
    if "," in match[1]:
        changed = f"{int(changed):,}"
    return changed + (f".{match[2]}" if match[2] else "")


@cache
def _opposites() -> dict[str, str]:
    import yaml

    pairs = yaml.safe_load(resource("alterations").read_text(encoding="utf-8"))["pairs"]
    both: dict[str, str] = dict(pairs)
    both.update({second: first for first, second in pairs})
    return both


@cache
def _opposite_words() -> re.Pattern[str]:
    words = sorted(_opposites(), key=lambda word: (-len(word), word))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])", re.IGNORECASE)


@lru_cache(maxsize=1 << 15)
def stems(text: str) -> tuple[str, ...]:
    """The beginnings (5 characters) of the longer words of a text."""
    return tuple(word[:5] for word in normalised(text).split() if len(word) >= 4)
