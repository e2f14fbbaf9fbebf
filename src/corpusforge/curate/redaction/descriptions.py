"""Rules for what describes a person without naming one: age, dates, nationality, job, employer, postal code."""

from __future__ import annotations

import re

from corpusforge.curate.redaction.rules import Rule
from corpusforge.curate.redaction.words import NATIONALITIES, OCCUPATIONS, word_list

_CAPS = r"\p{Lu}[\p{L}\p{M}&'’-]*"
_NAME = r"(?:" + _CAPS + r"(?:[ ]+(?:(?:of|and|&|de|the)[ ]+)?" + _CAPS + r"){0,4})"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_TIME = r"(?:[ T,]{1,2}(?:at[ ])?\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?:[ ]?[ap]\.?m\b\.?)?)?"
_YEAR = r"(?:1[89]|20)\d\d"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
# Nationalities that are common words or languages where they stand in lower case.
_AMBIGUOUS_SMALL = word_list("nationalities_ambiguous")
_PEOPLE = "|".join(sorted(NATIONALITIES, key=lambda word: (-len(word), word)))
_JOBS = "|".join(sorted(OCCUPATIONS, key=lambda word: (-len(word), word)))
_LANGUAGE_BEFORE = re.compile(
    r"\b(?:stud(?:y|ying|ied)|speak(?:s|ing)?|spoke|spoken|learn(?:ing)?|in|into|language|teach(?:es|ing)?|write"
    r"|read|fluent in"
    r"|understand|translated?|my|your|native|plain|written)[ ]+$",
    re.IGNORECASE,
)
_LANGUAGE_AFTER = re.compile(
    r"[ ]+(?:language|translation|version|keyboard|layout|locale|speak|speaking|lessons?|grammar|words?|channel|letters"
    r"|characters|alphabet|text|only|please|here)\b", re.IGNORECASE,
)  # fmt: skip
_JOB_WORDS = r"(?:[\p{L}'’-]+(?:,[ ]+and|,|[ ]+and|[ ]+or|[ ]+of)?[ ]+){0,4}?"


def _nationality(text: str, start: int, end: int) -> bool:
    value = text[start:end]
    if _LANGUAGE_BEFORE.search(text, max(0, start - 24), start) or _LANGUAGE_AFTER.match(text, end):
        return False
    return value[0].isupper() or value.casefold().rstrip("s") not in _AMBIGUOUS_SMALL


def _not_only_year(text: str, start: int, end: int) -> bool:
    """Whether slashes and dots make a date: months up to 12, days up to 31."""
    parts = [int(part) for part in re.split(r"\D+", text[start:end])[:3] if part]
    if len(parts) < 3:
        return True
    small = [part for part in parts if part <= 31]
    return len(small) >= 2 and min(parts) <= 12


def _age(text: str, start: int, end: int) -> bool:
    return 0 < int(text[start:end]) < 120


AGES: tuple[Rule, ...] = (
    Rule("AGE", "age-years",
         r"(?<![\w.])(?P<v>\d{1,3}(?:[ -]?(?:month|week|day)s?)?)[ -]?(?:years?|yrs?|yo|months?|weeks?)\b[ -]?"
         r"(?:old\b|of age\b)", 0.8, ("old", "of age"), digits=1),
    Rule("AGE", "age-yo", r"(?<![\w.])(?P<v>\d{1,3})[ ]?(?:y/?o|yo|y\.o\.?|yrs?\.? old)\b", 0.8,
         ("y/o", "yo", "y.o", "yr"), digits=1),
    Rule("AGE", "age-cue",
         r"\b(?:aged?|age of|age is|age was|turn(?:s|ed|ing)?|i am only|i'm only|when (?:he|she|i|they) (?:was"
         r"|were|is|am))"
         r"[ :=]*(?P<v>\d{1,3})(?![\w%]|[.:/,]\d|[ ](?:percent|degrees|minutes|hours|miles|km|dollars|pages|times|times"
         r"|days|off|on|to|of)\b)",
         0.6, ("age", "turn", "only", "when "), digits=1, check=_age),
    Rule("AGE", "age-i-am", r"\b(?:i am|i'm|im|he is|he's|she is|she's)[ ]+(?P<v>\d{2})(?=[ ]*(?:[.,;!?)]|and\b"
    r"|$))", 0.5,
         ("i am", "i'm", "im ", "he is", "he's", "she"), digits=2, check=_age),
)  # fmt: skip

DATES: tuple[Rule, ...] = (
    Rule("DATE_TIME", "date-iso", r"(?<![\w./-])" + _YEAR + r"[-/.](?:0?[1-9]|1[0-2])[-/.]" + _DAY
         + r"(?!\d)(?:T\d\d:\d\d[\d:.Z+-]*|" + _TIME + r")(?![\w/-])", 0.6, digits=6),
    Rule("DATE_TIME", "date-numeric", r"(?<![\w./:-])\d{1,2}(?P<s>[-/.])\d{1,2}(?P=s)(?:\d{4}|\d{2})\b" + _TIME
         + r"(?![\w/-]|\.\d)", 0.6, digits=4, check=_not_only_year,
         gate=r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}"),
    Rule("DATE_TIME", "date-day-month", r"(?<![\w.])(?:" + _WEEKDAY + r",?[ ]+)?(?:the[ ]+)?" + _DAY
         + r"(?:[ ]?(?:st|nd|rd|th))?(?:[ ]+of)?[ -]+" + _MONTH + r"(?:,?[ -]+(?:" + _YEAR + r"|'?\d\d(?!:)))?\b"
         + _TIME,
         0.6, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), digits=1),
    Rule("DATE_TIME", "date-month-day", r"\b(?:" + _WEEKDAY + r",?[ ]+)?" + _MONTH + r"[ -]+(?:the[ ]+)?" + _DAY
         + r"(?:[ ]?(?:st|nd|rd|th))?(?!\d|\.\d)(?:,?[ -]+" + _YEAR + r")?\b" + _TIME,
         0.6, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), digits=1),
    Rule("DATE_TIME", "date-month-year", r"\b" + _MONTH + r",?[ ]+(?:of[ ]+)?" + _YEAR + r"\b", 0.5,
         ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), digits=4),
    Rule("DATE_TIME", "date-year",
         r"\b(?:in|since|from|until|till|during|of|by|before|after|around|about|circa|early|late|founded|born|class of"
         r"|a|the)[ ]+(?P<v>" + _YEAR + r"(?:'?s)?)\b(?![-/:.,]\d|[ ](?:[a-z]*x\d|mb|kb|gb|mhz|dollars|usd|euros"
         r"|bytes|points"
         r"|people|users|miles|times|items)\b)", 0.5,
         ("in ", "since", "from", "til", "during", "of ", "by ", "before", "after", "round", "about", "circa", "early",
          "late", "founded", "born", "a ", "the "), digits=4),
    Rule("DATE_TIME", "weekday",
         r"\b(?:on|this|next|last|every|until|by|since|before|after|for|meet|see you|from|to|coming"
         r"|and)[ ]+(?P<v>" + _WEEKDAY
         + r"s?)\b", 0.5, ("day",)),
)  # fmt: skip

DESCRIPTIONS: tuple[Rule, ...] = (
    Rule("NRP", "nationality", r"(?<![\w@/.-])(?:" + _PEOPLE + r")(?:'?s|men|women|es)?(?![\w@/-]|\.\w)", 0.6,
         check=_nationality),
    Rule("TITLE", "honorific",
         r"\b(?P<v>(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Sir|Madam|Mme|Herr|Frau|Señora?|Sra?|Hon|Rev|Fr|Sgt|Capt|Lt|Col"
         r"|Gen)\b\.?)"
         r"(?=[ ]+(?:<PERSON|\p{Lu}[\p{L}\p{M}'’.-]+))", 0.6,
         ("mr", "ms", "miss", "mx", "dr", "prof", "sir", "madam", "mme", "herr", "frau", "señor", "sr", "hon", "rev",
          "fr",
          "sgt", "capt", "lt", "col", "gen"), cased=True),
    Rule("TITLE", "job-of", r"\b(?i:work(?:s|ed|ing)?|hired|employed|job|career|position|promoted"
    r"|serve[sd]?)\b[^.\n]{0,40}?"
         r"\b(?i:as|of|to)[ ]+(?i:an?[ ]+|the[ ]+)?(?P<v>" + _JOB_WORDS + r"(?i:" + _JOBS + r")s?)\b", 0.6,
         ("work", "hired", "employed", "job", "career", "position", "promoted", "serve"), cased=True, gate=_JOBS),
    Rule("TITLE", "job-apposition", r"(?<=\p{L},[ ])(?:(?i:an?|the|our|my|his|her"
    r"|their)[ ]+)?(?P<v>\p{Lu}?" + _JOB_WORDS
         + r"(?i:" + _JOBS + r"))(?=[ ]*(?:,|at\b|of\b|for\b|said\b))", 0.6, (",",), cased=True, gate=_JOBS),
    Rule("TITLE", "job-line", r"^[ \t>?|*]*(?P<v>" + _JOB_WORDS + r"(?:" + _JOBS + r")s?)[ \t]*$", 0.6, gate=_JOBS),
    Rule("TITLE", "job-mine", r"\b(?:i am|i'm|he is|he's|she is|she's|was)[ ]+an?[ ]+(?P<v>"
         r"(?:[\p{L}'’-]+[ ]+){0,2}?(?:" + _JOBS + r"))(?=[ ]*(?:[.,;!?]|at\b|in\b|for\b|and\b|$))", 0.5,
         ("i am a", "i'm a", "he is a", "he's a", "she is a", "she's a", "was a"), gate=_JOBS),
    Rule("ORGANIZATION", "company-form",
         r"\b(?P<v>" + _CAPS + r"(?:,?[ ]+(?:(?:and|&|of)[ ]+)?" + _CAPS + r"){0,4},?[ ]+(?i:inc|ltd|llc|llp|plc|corp"
         r"|corporation|incorporated|limited|gmbh|ag|s\.?a\.?|bv|nv|oy|ab|company|co|group|holdings|bank|foundation"
         r"|institute|associates|partners|orchestra|university|college|hospital|clinic|insurance|airlines|technologies"
         r"|laboratories|consulting|ventures|enterprises|industries|solutions|services|systems|capital|media|agency"
         r"|logistics|pharmaceuticals|university of \p{Lu}\p{L}+)\b\.?)", 0.6, cased=True,
         needs=("inc", "ltd", "llc", "llp", "plc", "corp", "limited", "gmbh", "ag", "s", "bv", "nv", "oy", "ab", "co",
                "group", "holding", "bank", "foundation", "institute", "associates", "partners", "orchestra", "univers",
                "hospital", "clinic", "insurance", "airlines")),
    Rule("ORGANIZATION", "employer",
         r"\b(?i:work(?:s|ed|ing)?[ ]+(?:for|at|with)|employed[ ]+(?:by|at|with)|employee[ ]+of|job[ ]+(?:at|with)"
         r"|hired[ ]+by"
         r"|ceo[ ]+of|founder[ ]+of|president[ ]+of|chairman[ ]+of|director[ ]+of|head[ ]+of|a[ ]+year[ ]+at"
         r"|intern(?:ed|ship)?"
         r"[ ]+(?:at|with)|joined|invest(?:ed|s)?(?:[ ]+\w+)?[ ]+in|shares[ ]+(?:of|in)|offices[ ]+of|website[ ]+of"
         r"|address[ ]+of)[ ]+(?:the[ ]+)?(?P<v>" + _NAME + r")", 0.5,
         ("work", "employ", "job", "hired", "ceo", "founder", "president", "chairman", "director", "head", "year at",
          "intern", "joined", "invest", "shares", "offices", "website", "address"), cased=True),
    Rule("ORGANIZATION", "company-is",
         r"(?:^|[.!?][ ]+)(?P<v>" + _NAME + r")[ ]+(?=(?:is|was)[ ]+an?[ ]+(?:[\w-]+[ ]+){0,4}(?:company|firm"
         r"|agency|bank"
         r"|startup|organi[sz]ation|business|provider|corporation|manufacturer|501|ngo|charity|team|band"
         r"|orchestra)\b)", 0.6,
         ("is a", "was a"), cased=True, gate=r"[ ](?:is|was)[ ]+an?[ ]"),
    Rule("STREET_ADDRESS", "zip-cue",
         r"\b(?:zip(?:[ -]?code)?|post(?:al)?[ -]?code|pin[ -]?code|plz)(?:[ ](?:is"
         r"|was))?[ :=#]*(?P<v>\d{3,6}(?:-\d{3,4})?"
         r"(?:[ ][A-Z]{2}\b)?|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}\b|[A-Z]\d[A-Z][ ]?\d[A-Z]\d)", 0.7,
         ("zip", "post", "pin", "plz"), digits=2),
    Rule("URL", "url-personal",
         r"\b(?:web ?site|blog|home ?page|web ?page|portfolio|profile|my site|linkedin|facebook|twitter|instagram"
         r"|photos?"
         r"|files|videos?)\b[^\n.!?]{0,40}?[:\s]\s*(?P<v>(?:https?://|www\.)[^\s<>\"']{4,})", 0.6,
         ("http", "www.")),
)  # fmt: skip
