"""What a user loses if policies break: personal data under strict, another source's rules, a pseudonym that links."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.curate.redact import Redact
from corpusforge.curate.redaction.kinds import PLACEHOLDER
from corpusforge.curate.redaction.surrogates import Surrogates
from corpusforge.errors import UsageError
from corpusforge.record import Record
from corpusforge.shards import to_row
from corpusforge.stage import StageContext, Survey

from .redact_running import SOURCES, chat, record, redacted, run

KEY = "0123456789abcdef-of-a-test"
KINDS = ("PERSON", "EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "US_SSN", "IBAN_CODE", "IP_ADDRESS", "USERNAME")
TOKENS = st.lists(
    st.sampled_from(
        [
            "route",
            "a1",
            "٣٤",
            "Quillfeather",
            "4th",
            "<EMAIL_2>",
            "x86_64",
            "12.5%",
            "naïve",
            "T-1000",
            "the",
            "3",
            "é9",
        ]
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(TOKENS, st.sampled_from([" ", "", "\n", ", "]))
def test_strict_never_leaves_a_digit(tokens: list[str], gap: str) -> None:
    """Whoever chose strict was promised that no number survives."""
    made = redacted(record(gap.join(tokens), kind="labelled"), policy="strict", ner="none")
    assert not re.search(r"\d", PLACEHOLDER.sub("", made.text))
    assert redacted(made, policy="strict", ner="none") == made
    end = 0
    for span in made.spans:
        assert span.start >= end
        assert PLACEHOLDER.fullmatch(made.text[span.start : span.end])
        end = span.end


def test_strict_tells_how_much_it_hid() -> None:
    """Over-masking that nobody can see cannot be weighed against the risk."""
    _, counts = run(record("please see page 12 of the flurbish book", kind="labelled"), policy="strict", ner="none")
    assert counts["found:NUMBER"] == 1
    assert counts["found:WORD"] == 1
    assert counts["strict:words"] == 8


def surveyed(tmp_path: Path, records: list[Record], **chosen: Any) -> Any:
    stage, ctx = Redact(), StageContext(settings=Redact.Settings(policy="strict", **chosen), seed=1, sources=SOURCES)
    surveys = []
    for n, part in enumerate((records[::2], records[1::2])):
        path = tmp_path / f"{n}.parquet"
        pq.write_table(stage.survey(part, ctx), path)
        surveys.append(Survey(f"desk-{n:05d}", "desk", path, path))
    decided = [stage.decide(order, ctx).shared for order in (surveys, surveys[::-1])]
    assert decided[0].equals(decided[1])
    ctx.shared = decided[0]
    return list(stage.apply(records, ctx)), decided[0]


def test_a_word_outside_the_vocabulary_stays_when_enough_records_use_it(tmp_path: Path) -> None:
    """A company's own product would be hidden in its own chats; a customer's odd word would not."""
    said = ["slow", "late", "cold", "zorbly", "old", "new"]
    made, table = surveyed(
        tmp_path, [record(f"the frobnitz is {word}", kind="labelled") for word in said], common_in=5, ner="none"
    )
    assert [item.text for item in made] == [
        f"the frobnitz is {'<WORD_1>' if word == 'zorbly' else word}" for word in said
    ]
    assert "frobnitz" not in str(table.to_pydict())


def test_copies_of_a_text_make_no_word_common(tmp_path: Path) -> None:
    """A page that was crawled ten times would let the one surname in it through."""
    records = [record("we spoke with xanthopoulidis about it", kind="labelled") for _ in range(12)]
    made, _ = surveyed(tmp_path, records, common_in=5, ner="none")
    assert {item.text for item in made} == {"we spoke with <WORD_1> about it"}


def test_only_strict_waits_for_all_shards() -> None:
    assert not Redact.has_survey(Redact.Settings())
    assert Redact.has_survey(Redact.Settings(by_source={"desk": {"policy": "strict"}}))


def test_sources_have_their_own_rules() -> None:
    """A public forum and a bank's chats in one corpus need not be cut alike."""
    rules = {"by_source": {"desk": {"entities": ["EMAIL_ADDRESS"], "ner": "none"}}}
    text = "mail bob.roe@acme.org or 415-736-2671"
    assert redacted(record(text), **rules).text == "mail <EMAIL_1> or 415-736-2671"
    assert redacted(record(text, source="books", kind="public"), **rules).text == "mail <EMAIL_1> or <PHONE_1>"


def test_kinds_can_be_kept_and_have_their_own_line() -> None:
    text = "mail bob.roe@acme.org or 415-736-2671"
    assert redacted(record(text), keep=["EMAIL_ADDRESS"]).text == "mail bob.roe@acme.org or <PHONE_1>"
    assert redacted(record(text), min_scores={"PHONE_NUMBER": 1}).text == "mail <EMAIL_1> or 415-736-2671"


def test_a_link_that_stays_keeps_no_password_or_address_in_it() -> None:
    text = "see https://bob:s3cretPw@git.acme.org/repo or https://x.org/?mail=bob.roe@acme.org"
    made = redacted(record(text), keep=["URL"]).text
    assert "s3cretPw" not in made
    assert "bob.roe" not in made


def test_dates_and_places_that_stay_keep_no_birth_or_home() -> None:
    """`keep: [DATE_TIME]` is for the day of a fault."""
    text = "It failed on March 3, 2024. My date of birth: 12.03.1980. I live at 12 Mill Lane, Dayton."
    made = redacted(record(text), keep=["DATE_TIME", "LOCATION"]).text
    assert "March 3, 2024" in made
    assert "1980" not in made
    assert "Mill Lane" not in made


def test_an_address_that_stays_leaves_no_tail_of_a_longer_one() -> None:
    """`bob.` before the allowed address tells whose mailbox it is."""
    chosen = {"allow": ["support@acme.org"]}
    text = "mail bob.support@acme.org or support@acme.org."
    assert redacted(record(text), **chosen).text == "mail <EMAIL_1> or support@acme.org."


def surrogate(one: Record, **chosen: Any) -> Record:
    return redacted(one, style="surrogate", key="env:CORPUSFORGE_TEST_KEY", ner="none", **chosen)


def test_surrogates_are_the_same_in_every_record_and_no_real_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUSFORGE_TEST_KEY", KEY)
    first = surrogate(chat(("user", "Tamsin Quillfeather", "I am at t.q@northwind.org, card 4532015112830366")))
    second = surrogate(record("ask T.Q@Northwind.org"))
    found = {span.kind: first.text[span.start : span.end] for span in first.spans}
    assert found["EMAIL_ADDRESS"].endswith("@example.com")
    assert found["EMAIL_ADDRESS"] in second.text
    row = json.dumps(to_row(first)).lower()
    assert not [word for word in ("tamsin", "quillfeather", "northwind", "4532015112830366", KEY) if word in row]
    assert surrogate(first).text == first.text


def test_another_key_gives_other_surrogates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two customers' corpora must not be joined by their pseudonyms."""
    texts = []
    for key in (KEY, KEY[::-1]):
        monkeypatch.setenv("CORPUSFORGE_TEST_KEY", key)
        texts.append(surrogate(record("ask t.q@northwind.org")).text)
    assert texts[0] != texts[1]


def test_the_key_is_asked_for_and_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a key"):
        Redact.Settings(style="surrogate")
    monkeypatch.setenv("CORPUSFORGE_TEST_KEY", "short")
    chosen = Redact.Settings(style="surrogate", key="env:CORPUSFORGE_TEST_KEY", ner="none")
    with pytest.raises(UsageError, match="shorter"):
        Redact.also_identity(chosen)
    monkeypatch.setenv("CORPUSFORGE_TEST_KEY", KEY)
    (tmp_path / "key").write_text(KEY + "\n")
    same = Redact.Settings(style="surrogate", key=f"file:{tmp_path}/key", ner="none")
    assert Redact.also_identity(chosen) == Redact.also_identity(same)
    assert KEY not in str(Redact.also_identity(chosen))


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(KINDS), st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_different_values_have_different_surrogates(kind: str, one: str, other: str) -> None:
    """Two customers with one pseudonym would become one customer."""
    made = Surrogates(KEY.encode())
    assert (made.value(kind, one) == made.value(kind, other)) == (one == other)


@settings(max_examples=150, deadline=None)
@given(st.from_regex(r"[0-9a-z./-]{0,6}[0-9][0-9a-z./-]{0,30}", fullmatch=True))
def test_a_number_keeps_its_length_and_form(token: str) -> None:
    """`step 3` must not become `step 48150942667301`."""
    made = Surrogates(KEY.encode()).value("NUMBER", token)
    assert len(made) == len(token)
    for old, new in zip(token, made, strict=True):
        assert new.isdigit() if old.isdigit() else new.isalpha() if old.isalpha() else new == old
    assert made == Surrogates(KEY.encode()).value("NUMBER", token)


def test_numbers_of_a_form_change_places_and_none_of_one_digit_stays() -> None:
    made = Surrogates(KEY.encode())
    for numbers in ([str(n) for n in range(10)], [f"{n:03}" for n in range(1000)], [f"a{n}" for n in range(10)]):
        found = [made.value("NUMBER", number) for number in numbers]
        assert len(set(found)) == len(numbers)
        assert found != [Surrogates(KEY[::-1].encode()).value("NUMBER", number) for number in numbers]
    assert all(made.value("NUMBER", str(n)) != str(n) for n in range(10))


def test_strict_with_surrogates_leaves_a_page_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUSFORGE_TEST_KEY", KEY)
    made = surrogate(record("please open page 7 of the book", kind="labelled"), policy="strict").text
    assert re.fullmatch("please open page [0-689] of the book", made)


def test_many_values_do_not_coincide() -> None:
    made = Surrogates(KEY.encode())
    for kind in KINDS:
        assert len({made.value(kind, str(n)) for n in range(4000)}) == 4000
