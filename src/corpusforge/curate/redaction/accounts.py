"""Rules for numbers that stand for a person: orders, customers, accounts, tickets, cards, national ids."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpusforge.curate.redaction.cued import CUED
from corpusforge.curate.redaction.cues import REVERSED
from corpusforge.curate.redaction.findings import Finding
from corpusforge.curate.redaction.identities import IDENTITIES, luhn
from corpusforge.curate.redaction.rules import Rule
from corpusforge.curate.redaction.words import COMMON, vocabulary, word_list


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())


def _issued(digits: str) -> bool:
    """Whether a card network issues numbers with this prefix and length (ISO/IEC 7812 issuer ranges)."""
    two, four, size = int(digits[:2]), int(digits[:4]), len(digits)
    if digits[0] == "4":
        return size in (13, 16, 19)
    if 2200 <= four <= 2204:
        return 16 <= size <= 19
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return size == 16
    if two in (34, 37):
        return size == 15
    if two in (30, 36, 38, 39):
        return size in (14, 16, 19)
    if two == 35 or four in (2131, 1800):
        return size in (15, 16, 19)
    if four == 6011 or two in (62, 64, 65):
        return 16 <= size <= 19
    return two in (50, 56, 57, 58, 60, 63, 67) and 12 <= size <= 19


def _card(text: str, start: int, end: int) -> bool:
    digits = _digits(text[start:end])
    return 12 <= len(digits) <= 19 and _issued(digits) and luhn(digits) and len(set(digits)) > 2


def _card_length(text: str, start: int, end: int) -> bool:
    return 12 <= len(_digits(text[start:end])) <= 19


def _iban(text: str, start: int, end: int) -> bool:
    """Whether the check digits of an account number hold (ISO 13616: mod 97), in capitals or not."""
    value = "".join(text[start:end].replace("-", " ").split()).upper()
    return value.isascii() and int("".join(str(int(c, 36)) for c in value[4:] + value[:4])) % 97 == 1


def _identifier(text: str, start: int, end: int) -> bool:
    digits = _digits(text[start:end])
    return len(digits) >= 3 and end - start >= 4 and not _holds_word(text[start:end])


def _holds_word(value: str) -> bool:
    """Whether a part of a code is a common word: `for 300` and `may 12` are no codes, `xkr 300` is one."""
    return any(len(part) > 1 and part.casefold() in COMMON for part in value.replace("-", " ").split())


def _bare_code(text: str, start: int, end: int) -> bool:
    value = text[start:end]
    digits = len(_digits(value))
    return (digits >= 3 or (digits >= 2 and len(value.split()) >= 3)) and not _holds_word(value)


# What stands before a number without being part of a code.
_NO_CODE = word_list("no_codes")


def _short_code(text: str, start: int, end: int) -> bool:
    """Whether three letters and three digits or more, which are all that was said, are a code: `sad 589`."""
    letters = "".join(c for c in text[start:end] if c.isalpha()).casefold()
    return letters not in _NO_CODE and not _digits(text[start:end]).endswith("00")


def _said_number(text: str, start: int, end: int) -> bool:
    return _bare_number(text, start, end) and not text[:start].rstrip().endswith("$")


_GROUP = re.compile(r"[A-Za-z]+|\d+")
_UNITS = word_list("units")


def spaced_codes(turn: str) -> Iterator[Finding]:
    """Codes whose letters and digits were typed apart, as in `and hy 67 yh` or `a 1 c 3 e 6`."""
    run: list[re.Match[str]] = []
    for match in [*_GROUP.finditer(turn), None]:
        joined = match is not None and (not run or turn[run[-1].end() : match.start()] in (" ", "", "-"))
        if match is not None and joined and _code_part(match[0]):
            run.append(match)
            continue
        while run and run[0][0] in ("a", "i", "A", "I"):
            run.pop(0)
        digits = sum(len(part[0]) for part in run if part[0].isdigit())
        mixed = digits and any(part[0].isalpha() for part in run)
        if mixed and (digits > 2 or (len(run) > 2 and digits > 1)) and not run[-1][0].endswith("00"):
            yield Finding("ORDER_ID", run[0].start(), run[-1].end(), "spaced-code", 0.5)
        run = [match] if match is not None and _code_part(match[0]) else []


def _code_part(part: str) -> bool:
    if part.isdigit():
        return len(part) <= 10
    folded = part.casefold()
    if folded in _UNITS:
        return False
    return len(part) == 1 or (len(part) <= 4 and folded not in vocabulary() and folded not in COMMON)


def _bare_number(text: str, start: int, end: int) -> bool:
    digits = _digits(text[start:end])
    # `year 2016`
    plain_count = len(digits) == 4 and digits[:2] in ("19", "20") and text[start:end].strip()[-4:] == digits
    return len(digits) >= 3 and not plain_count and not digits.endswith("00")


# Lengths of account numbers by country (SWIFT's IBAN registry), grouped by length.
_IBAN_LENGTHS = {
    15: "no", 16: "be", 18: "dk fi fo gl nl sd", 19: "mk si", 20: "at ba ee kz lt lu xk", 21: "ch hr li lv",
    22: "bg bh cr de gb ge ie me rs va", 23: "ae gi il iq om tl", 24: "ad cz es md pk ro sa se sk tn vg",
    25: "ly pt st", 26: "is tr", 27: "by fr gr it mc mr sm", 28: "al az cy do gt hu lb ni pl sv", 29: "br eg ps qa ua",
    30: "jo kw mu", 31: "mt sc", 32: "lc", 33: "ru",
}  # fmt: skip
# The characters may stand apart, and a line may end among them: the check digits tell.
_IBANS = "|".join(
    rf"(?:{'|'.join('[ ]?'.join(country) for country in countries.split())})[ ]?\d[ ]?\d"
    rf"(?:[ -]?(?:\n[ ]?)?[a-z0-9]){{{length - 4}}}"
    for length, countries in _IBAN_LENGTHS.items()
)

_IS = (
    r"(?:[ ]*(?:number|no\b\.?|num\b|id\b|code|reference|ref\b|\#))*(?:[ ](?:is|was|ending"
    r"(?:[ ]in)?))*[ ]*[:=\#]*[ ]*\(?"
)
_VALUE = (
    r"(?P<v>(?:[A-Z]{2,4}[ ](?=\d{3}))?(?=[A-Z0-9_/-]*\d)[A-Z0-9](?:[A-Z0-9]|[-_/](?=[A-Z0-9])){2,30})(?![\w@])(?!\.\d)"
)


def _cue(kind: str, name: str, words: str, needs: tuple[str, ...], score: float = 0.7) -> Rule:
    # A cue needs a word such as `number` or `#` after it, or stands right before the value: `order A-1234`.
    return Rule(kind, name, r"\b(?:" + words + r")" + _IS + _VALUE, score, needs, digits=3, check=_identifier)


def _alone(form: str) -> str:
    """The gate of a form that is all that a text says."""
    return rf"\n\s*(?:{form})\s*[.!]?\s*\n"


_NO_YEAR = r"(?!19|20|\d\d00)\d{4}"
_BESIDE = r"[ ]?(?:and|amd|or|&|,)[ ]?"

ACCOUNTS: tuple[Rule, ...] = (
    Rule("CREDIT_CARD", "card-luhn", r"(?<![\w.-])\d(?:[ .-]?\d){11,18}(?!\w)(?![.-]\d)", 1.0, digits=12, check=_card),
    Rule("CREDIT_CARD", "card-cue",
         r"\b(?:card|visa|master ?card|amex|debit|credit|maestro|discover)\b[^\d\n<>]{0,30}?(?P<v>\d"
         r"(?:[ .-]?\d){11,18})(?!\w)", 0.7,
         ("card", "visa", "master", "amex", "debit", "credit", "maestro", "discover"), digits=12, check=_card_length),
    Rule("CREDIT_CARD", "card-over-lines",
         r"(?:card|karte|carte|carta|tarjeta|cartão|карт\p{L})[^\d\n<>]{0,20}:[ ]?\n?"
         r"(?P<v>\d(?:[ .-]?(?:\n[ ]?)?\d){11,18})(?!\w)",
         0.8, ("card", "kart", "cart", "tarjeta", "карт"), digits=12, check=_card),
    Rule("CREDIT_CARD", "card-last-digits",
         r"\bcard\b[^\d\n<>]{0,40}?(?:ending|ends|last (?:four|4)(?: digits)?)(?:[ ](?:in|with|is|are|of))*[ :]+"
         r"(?P<v>\d{4})\b", 0.7,
         ("card",), digits=4),
    Rule("US_SSN", "ssn-begun", r"\b(?:ssn|social security(?: number)?)[ ]?:[ ]*(?P<v>\d{3}(?:[ -]?\d\d)?)[ -]*\Z", 0.7,
         ("ssn", "social"), digits=3, chat_only=True),
    Rule("US_SSN", "ssn-cue", r"\b(?:ssn|ss\#|social(?: security)?(?: (?:number|no|num))?|sin)\b[^\d\n<>]{0,24}?"
         r"(?P<v>\d{3}[ -]?\d{2}[ -]?\d{4}|\d{4})(?![\w-])", 0.8,
         ("ssn", "ss#", "social", "sin"), digits=4),
    Rule("US_SSN", "ssn-asked", REVERSED.format(value=r"\d{3}[ -]?\d{2}[ -]?\d{4}", names="ssn|social security number"),
         0.8, ("ssn", "social"), digits=9),
    *IDENTITIES,
    *CUED,
    _cue("ORDER_ID", "order-cue", r"order|purchase|booking|reservation|confirmation|itinerary|pnr|tracking"
         r"|invoice|shipment|parcel|transaction",
         ("order", "purchase", "booking", "reservation", "confirmation", "itinerary", "pnr", "tracking", "invoice",
          "shipment", "parcel", "transaction")),
    Rule("ORDER_ID", "locator-cue",
         r"(?i:\b(?:booking|reservation|confirmation|itinerary|pnr|record[ ]locator)" + _IS
         + r")(?P<v>(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z0-9]{6})(?!\w)", 0.7,
         ("booking", "reservation", "confirmation", "itinerary", "pnr", "locator"), digits=1, cased=True),
    # Its checksum is in its capitals, which most writers drop (ERC-55).
    Rule("CRYPTO", "ethereum", r"(?<![A-Za-z0-9])0x[0-9a-f]{40}(?![A-Za-z0-9])", 0.9, ("0x",), digits=4),
    Rule("IBAN_CODE", "iban",
         r"(?<![A-Za-z0-9])(?=[A-Z][ ]?[A-Z][ ]?\d[ ]?\d)(?:" + _IBANS + r")(?![A-Za-z0-9])", 1.0,
         digits=8, check=_iban),
    _cue("CUSTOMER_ID", "customer-cue", r"(?:customer|client|member(?:ship)?|patient|employee|student|subscriber"
         r"|loyalty|frequent flyer|policy|claim)(?:[ ]?id)?",
         ("customer", "client", "member", "patient", "employee", "student", "subscriber", "loyalty", "flyer",
          "policy", "claim")),
    _cue("ACCOUNT_NUMBER", "account-cue", r"(?:account|acct|a/c|routing|sort[ ]code|iban|swift)",
         ("account", "acct", "a/c", "routing", "sort code", "iban", "swift")),
    _cue("TICKET_ID", "ticket-cue", r"ticket|case|incident|service[ ]request|complaint",
         ("ticket", "case", "incident", "request", "complaint")),
    Rule("ACCOUNT_NUMBER", "bare-number",
         r"\A\s*(?P<v>\#?[A-Z]{0,4}[ -]?\d(?:[ -]?\d){3,18}|(?=[A-Z]*\d)[A-Z0-9]{6,20})\s*[.!]?\s*\Z",
         0.5, digits=3, check=_bare_number, chat_only=True, longest=120,
         gate=_alone(r"\#?[A-Z]{0,4}[ -]?\d(?:[ -]?\d){3,18}|[A-Z0-9]{6,20}")),
    Rule("ORDER_ID", "bare-short-code", r"\A\s*(?P<v>[A-Z]{2,3}[ ]?\d{3,9}|\d{3,9}[ ][A-Z]{2,3})\s*[.!]?\s*\Z", 0.5,
         digits=3, check=_short_code, chat_only=True, longest=120,
         gate=_alone(r"[A-Z]{2,3}[ ]?\d{3,9}|\d{3,9}[ ][A-Z]{2,3}")),
    Rule("ACCOUNT_NUMBER", "said-number",
         r"\A(?:[A-Z']+[ ,]+){0,4}?(?:is|are|its|it's|ok|okay|sure|yes|and|here|thing|hmm+|number"
         r"|no|digits|last|with|ends?)"
         r"[ ,:]+(?P<v>\d{4,22})\s*[.!]?\s*\Z", 0.5, digits=4, check=_said_number, chat_only=True, longest=200),
    Rule("ACCOUNT_NUMBER", "account-said",
         r"\b(?:ac|acc|acct|a/c|account|credit|debit|ssn)(?:[ ](?:no|num|number|ending|in|is))*[ :#]+"
         r"(?P<v>\d{4})(?!\w)",
         0.5, ("ac", "a/c", "credit", "debit", "ssn"), digits=4, check=_said_number, chat_only=True),
    Rule("ACCOUNT_NUMBER", "corrected-number",
         r"\b(?:(?:actually|absolutely|correct(?:ly)?|that one is|transfer to|\d{4}[ ](?:and|amd|to))[ ]+)"
         r"(?P<v>\d{4})\s*[.!]?\s*\Z", 0.5, digits=4, check=_said_number, chat_only=True),
    # Said to be the end of a number, digits are one though they look like a year.
    Rule("ACCOUNT_NUMBER", "last-digits",
         r"\b(?:last|final|first)[ ](?:(?:four|4|few)[ ](?:digits?|numbers?)|digits?"
         r"|(?:four|4)(?=[ ]?[:=]|[ ](?:is|are|of[ ](?:my|the|your|it|this)[ ](?:card|ssn|social|account|number))))"
         r"(?:[ ](?!in\b|since\b|until\b)[a-z'/]+){0,9}[ ]?[:,=-]?[ ]*[\"'“]?"
         r"(?P<v>\d{4}(?:[ ]?(?:and|or|&|/|,)[ ]?\d{4})?)(?![\w-]|\.\d)", 0.5,
         ("digit", "number", "four", "last 4", "first 4"), digits=4, chat_only=True),
    Rule("ACCOUNT_NUMBER", "digits-that-are-last",
         r"(?<![\w.-])(?P<v>\d{4})[ ](?:is|are|were)[ ](?:the|my|its)[ ](?:last|final)[ ](?:four|4|digits)\b", 0.5,
         ("last", "final"), digits=4, chat_only=True),
    # Two in one turn are a number and its correction, or the ends of two; a pair of years or of round sums is neither.
    *(Rule("ACCOUNT_NUMBER", name, rf"\A\s*{pair}\s*[.!]?\s*\Z", 0.5, digits=8, chat_only=True, longest=120,
           gate=_alone(rf"\d{{4}}{_BESIDE}\d{{4}}"))
      for name, pair in (
          ("first-of-two", rf"(?P<v>{_NO_YEAR})(?={_BESIDE}\d{{4}}\s*[.!]?\s*\Z)[^\n]*"),
          ("second-of-two", rf"{_NO_YEAR}{_BESIDE}(?P<v>\d{{4}})"),
      )),
    Rule("ACCOUNT_NUMBER", "long-number", r"(?<![\w./-])\d{12,24}(?![\w/-]|\.\d)", 0.5, digits=12, chat_only=True),
    Rule("ACCOUNT_NUMBER", "bare-code",
         r"\A\s*(?P<v>(?:[A-Z]{1,3}|\d{1,4})(?:[ -](?:[A-Z]{1,3}|\d{1,9})){1,7})\s*[.!]?\s*\Z",
         0.5, digits=2, check=_bare_code, chat_only=True, longest=120,
         gate=_alone(r"(?:[A-Z]{1,3}|\d{1,4})(?:[ -](?:[A-Z]{1,3}|\d{1,9})){1,7}")),
)  # fmt: skip
