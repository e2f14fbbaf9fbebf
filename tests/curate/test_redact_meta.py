"""What a user loses if redaction reads the fields around a text wrongly: people in them, or what makes them useful."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from corpusforge.record import Message

from .redact_running import chat, record, redacted, run


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("phone", 4157362671, "PHONE"),
        ("mobile_no", 4157362671.0, "PHONE"),
        ("ssn", "219099998", "SSN"),
        ("dob", "1981-03-12", "DATE_OF_BIRTH"),
        ("accountId", "AC99134", "ACCOUNT_NUMBER"),
        ("customer-id", 88123, "CUSTOMER_ID"),
        ("createdBy", "Lavinia Frobisher", "PERSON"),
        ("assigned_to", "lavinia frobisher", "PERSON"),
        ("shipping_address", "9 Elm Grove", "ADDRESS"),
        ("api_key", "letmein", "SECRET"),
    ],
)
def test_a_field_holds_what_its_name_says(key, value, word):
    """A phone number in a numeric column has no form that any pattern knows."""
    made = redacted(record("A text.", meta={"row": {key: value}}))
    assert made.meta == {"row": {key: f"<{word}_1>"}}


def test_a_customer_named_in_a_field_is_known_in_the_text():
    """The column says who the customer is, and the text would still tell it."""
    made = redacted(record("lavinia frobisher called from 88123-4 again.", meta={
        "customer_name": "lavinia frobisher", "account_no": "88123-4",
    }))  # fmt: skip
    assert made.text == "<PERSON_1> called from <ACCOUNT_NUMBER_1> again."
    made = redacted(record("Ask the Debian lists.", meta={"owner": "Debian Project"}))
    assert made.text == "Ask the Debian lists."


def test_dates_and_byte_ranges_are_nobodys():
    """A log's date would count as an account number in each of its conversations, and the way back to its lines, in
    files of more than a megabyte, would be gone.
    """
    meta = {
        "date": "2004-12-25",
        "sent": "2024-01-05T10:20:30Z",
        "lines": [[1_234_567, 1_234_999], [4157362671, 4157362700]],
    }
    item, counts = run(chat(("user", "", "hello there"), meta=meta))
    assert item.meta == meta
    assert not [key for key in counts if key.startswith("found:")]
    item, _ = run(chat(("user", "", "hello there"), meta={"lines": [[4157362671, 12]]}))
    assert "4157362671" not in json.dumps(item.meta)


@pytest.mark.parametrize(
    "time",
    ["2024-01-01T10:00:00Z", "10:31", "Nov 21 09:14:55", "Wednesday, 3 March 2021 at 4:05 PM"[:23], "1609459200.123",
     "2024-01-01 10:00:00+02:00", "1/2/2024 4:05 PM", "Mon, 05 Feb 2024 10:00:00 CEST"],
)  # fmt: skip
def test_a_time_stays_and_what_is_none_goes(time):
    """A column that was mapped as time by mistake would carry its content past every detector."""
    one = chat(("user", "", "hello there"))
    assert redacted(_at(one, time)).messages[0].time == time
    assert redacted(_at(one, f"{time} from jane.roe@northwind.co.uk")).messages[0].time == ""
    assert redacted(_at(one, "Jane Roe")).messages[0].time == ""


def _at(one, time):
    return one.with_messages(replace(m, time=time) if isinstance(m, Message) else m for m in one.messages)


@pytest.mark.parametrize(
    "text",
    ["the booking reference XKJ9QT is mine", "pnr: 7QWERT", "send it to de89370400440532013000 now",
     "send it to fr14 2004 1010 0505 0001 3m02 606"],
)  # fmt: skip
def test_codes_with_one_digit_and_accounts_in_small_letters(text):
    """A booking code has six letters and digits, and people do not write account numbers in capitals."""
    assert "<" in redacted(record(text)).text


@pytest.mark.parametrize(
    "text",
    [
        "the booking reference manual",
        "see the confirmation PROMPT",
        "de89370400440532013001 is a hash",
        "ab12cdefghijklmnop",
    ],
)
def test_words_after_a_cue_and_hashes_stay(text):
    """Documentation would be full of holes."""
    assert redacted(record(text)).text == text
