"""Finds telephone numbers by their shape and their surroundings, in any country's way of writing them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from corpusforge.curate.redaction.findings import Finding, RedactionFailed
from corpusforge.curate.redaction.rules import TIMEOUT, Rule, compiled

_SHAPE = (
    r"(?<![\w./:=#$€£@_+-])(?<!\d,)(?P<v>(?:00|\+)?(?:\(\+?\d{1,5}\)|\d{1,5})(?:[ ./-]{0,2}(?:\(0\)|\(\d{1,4}\)"
    r"|\d{1,8})){0,6}"
    r"(?:[ ]?(?:x|ext\.?|extension)[ ]?\d{1,6})?)(?![\w@%=:_/]|[.,-]\d|-[A-Za-z]{1,2}\d)"
)
_PLUS = (
    r"(?<![\w+])(?P<v>\+[ ]?\d{1,3}(?:[ ./-]{0,2}(?:\(\d{1,5}\)|\d{1,8})){1,7}(?:[ ]?(?:x"
    r"|ext\.?)[ ]?\d{1,6})?)(?![\w@])"
)
_BEFORE = re.compile(
    r"\b(?:phone|mobile|cell|tel(?:ephone)?|fax|whatsapp|landline|call(?:ing|ed)?|text|reach(?:ed)?|contact|dial|ring"
    r"|desk|office|home|work|number|answering at|hotline|pager|sms|viber|signal|ph|mob)\b[^\d\n]{0,30}\s*$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"[ \t]*[-–—,(\\/]{0,3}[ ]?(?:office|fax|mobile|cell|home|work|desk|phone|tel|direct)\b", re.IGNORECASE
)
_NO_PHONE = re.compile(
    r"(?:19|20)\d\d[-/. ]\d{1,2}[-/. ]\d{1,2}(?![-/.\d]).*|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d(?![-/.\d]).*"
    r"|\d{1,3}(?:\.\d{1,3}){3}|(?:19|20)\d\d[-–/ ](?:19|20)?\d\d|\d{3}-\d\d-\d{4}|\d{1,2}[ .]\d{1,2}|\d+[.,]\d+"
)
_GROUPED = re.compile(
    r"\(\d{1,5}\)[ ./-]?\d{3,}.*|\d{2,5}[ .-]\d{2,4}(?:[ .-]\d{2,4}){1,4}|\d{3}[ -]\d{4}|0\d{1,4}[ /-]\d{5,8}"
    r"|\d{4}[ ]\d{4}"
)
_FEWEST = 6
_SPOKEN_DIGIT = r"(?:(?:double|triple)[ ]+)?(?:zero|oh|o|one|two|three|four|five|six|seven|eight|nine|\d)"
_SPOKEN = r"\b(?P<v>" + _SPOKEN_DIGIT + r"(?:[ ,-]+" + _SPOKEN_DIGIT + r"){6,18})\b"
_SPOKEN_WORDS = ("zero", "three", "seven", "eight", "nine", "five", "two")
# Their forms; what a match is worth, `telephones` tells.
PHONE_RULES: tuple[Rule, ...] = (
    Rule("PHONE_NUMBER", "phone-plus", _PLUS, 0.7, ("+",), digits=7),
    Rule("PHONE_NUMBER", "phone-shape", _SHAPE, 0.7, digits=_FEWEST, gate=r"\d(?:[ ./()-]{0,4}\d){5}"),
    Rule("PHONE_NUMBER", "digits-spoken", _SPOKEN, 0.6, _SPOKEN_WORDS),
)


def telephones(text: str, folded: str, rules: Sequence[Rule], *, digits: int, chat: bool) -> Iterator[Finding]:
    """Telephone numbers of a window: with a +, with a word such as `mobile` beside them, or digits spelled as words.

    `rules`: those of PHONE_RULES whose forms the window can hold. `digits`: how many it holds. `chat`: a number grouped
    as telephone numbers are counts too. Raises RedactionFailed on a time-out.
    """
    try:
        for rule in rules:
            if rule.digits > digits or (rule.needs and not any(cue in folded for cue in rule.needs)):
                continue
            for match in compiled(rule.pattern).finditer(text, timeout=TIMEOUT):
                if detector := _JUDGES[rule.name](text, match, chat):
                    start, end = match.span("v")
                    yield Finding("PHONE_NUMBER", start, end, detector, _SCORES[detector])
    except TimeoutError:
        raise RedactionFailed("telephones") from None


def _with_plus(text: str, match: Any, chat: bool) -> str:
    return "phone-plus" if 7 <= _size(match["v"]) <= 15 + 6 * ("x" in match["v"]) else ""


def _shaped(text: str, match: Any, chat: bool) -> str:
    value = match["v"]
    size = _size(re.split(r"[ ]?(?:x|ext)", value)[0])
    if not _FEWEST <= size <= 15 or _NO_PHONE.fullmatch(value):
        return ""
    start, end = match.span("v")
    if _BEFORE.search(text, max(0, start - 48), start) or _AFTER.match(text, end):
        return "phone-word"
    return "phone-grouped" if chat and size >= 7 and len(value) > size and _GROUPED.fullmatch(value) else ""


def _spoken(text: str, match: Any, chat: bool) -> str:
    return "digits-spoken" if len(re.findall(r"[a-z]{3,}", match["v"].casefold())) >= 5 else ""


_JUDGES = {"phone-plus": _with_plus, "phone-shape": _shaped, "digits-spoken": _spoken}
_SCORES = {"phone-plus": 0.7, "phone-word": 0.7, "phone-grouped": 0.5, "digits-spoken": 0.6}


def _size(value: str) -> int:
    return sum(character.isdecimal() for character in value)
