"""Reads answers in a conversation: after `may I have your name?` the reply `john smith` is a name."""

from __future__ import annotations

import re
from typing import NamedTuple

from corpusforge.curate.redaction.contacts import DATE
from corpusforge.curate.redaction.findings import Finding
from corpusforge.curate.redaction.words import COMMON


class Before(NamedTuple):
    """The turn before a turn, as far as it is masked, and whether the same speaker said it."""

    text: str
    same_speaker: bool


# Characters; what is longer is no plain answer to a question for one's name or number.
LONGEST_ANSWER = 160
_YOUR = r"\b(?:your|the|provide|full|first|last|share|confirm|have|verify|need|with)\b[^.!\n]{0,60}?"
_QUESTIONS: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...] = (
    ("STREET_ADDRESS", re.compile(_YOUR + r"\b(?:street |home |billing |shipping |mailing |delivery )?address\b", re.I),
     re.compile(r"\#?\d{1,6}[^\n]{4,120}|[^\n]{3,80}\b\d{5}(?:-\d{4})?")),
    ("DATE_OF_BIRTH", re.compile(_YOUR + r"\b(?:date of birth|birth ?(?:day|date)|dob)\b", re.I),
     re.compile(DATE, re.I)),
    ("SECRET", re.compile(_YOUR + r"\b(?:password|passcode|pin|security (?:code|answer|question)|cvv)\b", re.I),
     re.compile(r"\S{3,60}")),
    ("USERNAME", re.compile(_YOUR + r"\b(?:user ?name|login|user ?id|e-?mail)\b", re.I), re.compile(r"[\w.@+-]{4,60}")),
    ("PHONE_NUMBER", re.compile(_YOUR + r"\b(?:phone|mobile|cell|contact|telephone)\b", re.I),
     re.compile(r"\+?[\d ().-]{6,20}\d")),
    ("ACCOUNT_NUMBER",
     re.compile(_YOUR + r"\b(?:number|id|ssn|social security|zip|account|order|confirmation|reference|policy"
     r"|claim|code|digits)\b", re.I),
     re.compile(r"(?:it'?s |it is |sure,? |yes,? |ok,? )?(?P<v>\#?"
     r"(?=[A-Z0-9 -]*\d)[A-Z0-9][A-Z0-9 -]{2,30}[A-Z0-9])", re.I)),
    ("PERSON", re.compile(_YOUR + r"\b(?:names?)\b|\bwho am i (?:speaking|chatting|talking)|\bwhom? (?:do i have"
    r"|am i)", re.I),
     re.compile(r"(?:(?:it'?s|it is|sure,?|yes,?|i'?m|i am)[ ]+)?(?P<v>[^\W\d_][^\W\d_'’.-]*"
     r"(?:[ ]+[^\W\d_][\w'’.-]*){0,3})", re.I)),
)  # fmt: skip

_FEW_ALONE = re.compile(
    r"(?:(?:it'?s|it is|that'?s|sure|yes|no|ok(?:ay)?|oh|sorry)[ ,]+){0,3}(?P<v>(?:19|20)\d\d|\d{2,3})", re.IGNORECASE
)
_ASKS_FOR_DIGITS = re.compile(
    r"\b(?:(?:last|first|final)[ ](?:four|4)|digits?|pin|ssn|social security)\b", re.IGNORECASE
)
_ASKS_FOR_A_YEAR = re.compile(
    r"\b(?:years?|when|dates?|born|old|age|model|version|release|since|time|how (?:many|much|long|often)|price|costs?"
    r"|amount|size|made|built|bought|which|jahr|wann|année|an|quand|año|cuándo|anno|quando|ano|jaar|wanneer|rok|год"
    r"|когда)\b",
    re.IGNORECASE,
)
# What tells that a turn says who somebody is.
_WHO, _OF_WHOM = "<PERSON_", re.compile(r"<(?:PERSON|ACCOUNT_NUMBER|CUSTOMER_ID|ORDER_ID|SSN|CREDIT_CARD)_")
# Years of things that people speak of today.
_RECENT = range(1950, 2030)


def _said(turn: str) -> str:
    return turn.strip().rstrip(".!")


def few_digits_alone(turn: str) -> bool:
    """Whether a turn says nothing but four digits that could be a year, or fewer."""
    return len(turn) <= LONGEST_ANSWER and _FEW_ALONE.fullmatch(_said(turn)) is not None


def few_digits(before: Before, turn: str) -> Finding | None:
    """The few digits that are all a turn says, where they are a part of a number though they look like a year or an
    amount.

    That is where digits were asked for, or where who says who they are goes on with them: any behind their own name
    (which may be an age), and what is no year of today behind a number of theirs.
    """
    said = _said(turn)
    match = _FEW_ALONE.fullmatch(said)
    if match is None:
        return None
    if before.same_speaker:
        year = len(match["v"]) == 4 and int(match["v"]) not in _RECENT
        told = _WHO in before.text or (year and _OF_WHOM.search(before.text) is not None)
        meant = told and "?" not in before.text and not _ASKS_FOR_A_YEAR.search(before.text)
    else:
        meant = _ASKS_FOR_DIGITS.search(before.text) is not None
    if not meant:
        return None
    start, end = match.span("v")
    offset = turn.index(said)
    return Finding("ACCOUNT_NUMBER", offset + start, offset + end, "few-digits", 0.5)


def answered(question: str, answer: str) -> Finding | None:
    """What the whole of a short answer is, if the turn before asked for personal data."""
    reply = _said(answer)
    if (
        not reply
        or len(reply) > LONGEST_ANSWER
        or "?" in reply
        or ("?" not in question and "please" not in question.casefold())
    ):
        return None
    for kind, asks, form in _QUESTIONS:
        if not asks.search(question):
            continue
        match = form.fullmatch(reply)
        if match is None:
            continue
        start, end = match.span("v" if "v" in form.groupindex else 0)
        words = [word.strip(".,'’-").casefold() for word in reply[start:end].split()]
        if kind in ("PERSON", "SECRET", "USERNAME") and all(word in COMMON for word in words):
            continue
        if kind == "PERSON" and sum(word in COMMON for word in words) > len(words) // 2:
            continue
        offset = answer.index(reply)
        return Finding(kind, offset + start, offset + end, "asked", 0.6)
    return None
