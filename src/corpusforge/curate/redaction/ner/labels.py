"""The tagger's labels, and how labels of any spaCy pipeline map to our kinds of personal data."""

from __future__ import annotations

# What the embedded tagger can answer for a word; the first means nothing personal. Their order is part of a model.
OUTSIDE = "O"
LABELS: tuple[str, ...] = (
    OUTSIDE, "PERSON", "LOCATION", "ORGANIZATION", "STREET_ADDRESS", "USERNAME", "EMAIL_ADDRESS", "PHONE_NUMBER",
    "CREDIT_CARD", "US_SSN", "ACCOUNT_NUMBER", "ORDER_ID", "TICKET_ID", "CUSTOMER_ID", "SECRET",
)  # fmt: skip

# The names that other trained pipelines give to the same things (OntoNotes, WikiNER, CoNLL-2003).
_ALIASES = {
    "PER": "PERSON",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LOCATION",
    "ORG": "ORGANIZATION",
    "ADDRESS": "STREET_ADDRESS",
    "NORP": "NRP",
    "DATE": "DATE_TIME",
    "TIME": "DATE_TIME",
}
_KINDS = frozenset({*LABELS[1:], "NRP", "DATE_TIME"})


def kind(label: str) -> str | None:
    """Our kind for a pipeline's label; None where it is nothing personal (MONEY, LANGUAGE, ...)."""
    found = _ALIASES.get(label, label)
    return found if found in _KINDS else None
