"""The closed set of kinds of personal data, their placeholder words, and which are told by form alone."""

from __future__ import annotations

import re
from typing import Literal, get_args

Entity = Literal[
    "PERSON", "USERNAME", "EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS", "MAC_ADDRESS",
    "US_SSN", "NATIONAL_ID", "CRYPTO", "SECRET", "URL", "HOSTMASK", "ORDER_ID", "CUSTOMER_ID", "ACCOUNT_NUMBER",
    "TICKET_ID", "STREET_ADDRESS", "DATE_OF_BIRTH", "LOCATION", "ORGANIZATION", "NRP", "TITLE", "AGE", "DATE_TIME",
    "WORD", "NUMBER",
]  # fmt: skip
ENTITIES: tuple[str, ...] = get_args(Entity)

# What is told by its form alone: looked for even where a source declares `personal_data: none`.
STRUCTURED = frozenset(
    {
        "EMAIL_ADDRESS",
        "PHONE_NUMBER",
        "CREDIT_CARD",
        "IBAN_CODE",
        "IP_ADDRESS",
        "MAC_ADDRESS",
        "US_SSN",
        "NATIONAL_ID",
        "CRYPTO",
        "SECRET",
        "URL",
    }
)

# What describes a person without reaching one: looked for where people write of themselves, not in manuals.
DESCRIBING = frozenset({"LOCATION", "ORGANIZATION", "NRP", "TITLE", "AGE", "DATE_TIME"})
# What the strict policy hides without knowing what it is.
UNKNOWN = frozenset({"WORD", "NUMBER"})

_WORDS = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "MAC_ADDRESS": "MAC",
    "US_SSN": "SSN",
    "STREET_ADDRESS": "ADDRESS",
    "DATE_TIME": "DATE",
    "NRP": "GROUP",
}

PLACEHOLDER = re.compile(r"<([A-Z][A-Z0-9_]{0,38})_(\d{1,6})>")
CUSTOM_KIND = re.compile(r"[A-Z][A-Z0-9_]{0,38}")


def word(kind: str) -> str:
    """The word of a kind in its placeholder: EMAIL_ADDRESS gives `EMAIL`, as in `<EMAIL_1>`."""
    return _WORDS.get(kind, kind)
