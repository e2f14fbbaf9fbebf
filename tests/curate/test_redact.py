"""What a user loses if redaction breaks: personal data in the corpus, or documentation full of holes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from corpusforge.curate.redact import Redact
from corpusforge.errors import UsageError
from corpusforge.record import Dropped, Quarantined, Record
from corpusforge.shards import to_row
from corpusforge.stage import find_stage

from .redact_running import chat, record, redacted, run

FORMS = [
    ("EMAIL_ADDRESS", "jane.roe@northwind.co.uk"),
    ("EMAIL_ADDRESS", "jane.roe (at) northwind dot com"),
    ("EMAIL_ADDRESS", "jane.roe[at]northwind.com"),
    ("EMAIL_ADDRESS", "jane.roe&#64;northwind.com"),
    ("PHONE_NUMBER", "+1 415-736-2671"),
    ("PHONE_NUMBER", "(415) 736-2671"),
    ("PHONE_NUMBER", "+44 20 7946 0958"),
    ("CREDIT_CARD", "4532 0151 1283 0366"),
    ("CREDIT_CARD", "2223003122003222"),
    ("IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
    ("IP_ADDRESS", "84.23.11.9"),
    ("IP_ADDRESS", "2a00:1450:4001:81b::200e"),
    ("MAC_ADDRESS", "00:1A:2B:3C:4D:5E"),
    ("US_SSN", "219-09-9998"),
    ("CRYPTO", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
    ("SECRET", "AKIAIOSFODNN7EXAMPLE"),
    ("SECRET", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("SECRET", "xoxb-263594206564-FGqddMF8t08v8N7Oq4i57vs1"),
    ("SECRET", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"),
    ("URL", "postgres://bob:hunter2@db.corp.internal:5432/x"),
    ("URL", "https://app.acme.io/reset?token=9f8a7b6c5d"),
    ("HOSTMASK", "zed!~zed@host-4.isp.internal"),
    ("STREET_ADDRESS", "742 Evergreen Terrace, Springfield, OR 97477"),
    ("STREET_ADDRESS", "12 High Street, London SW1A 1AA"),
]
CUED = [
    ("SECRET", "the password is ", "hunter2!x"),
    ("SECRET", "DB_PASSWORD=", "s3cr3tPass"),
    ("SECRET", "api_key: ", "9a8b7c6d5e4f3a2b1c"),
    ("ORDER_ID", "my order number is ", "AC-77812"),
    ("CUSTOMER_ID", "customer id: ", "CU8812931"),
    ("ACCOUNT_NUMBER", "account no. ", "00123488"),
    ("TICKET_ID", "ticket #", "448121"),
    ("ORDER_ID", "my booking reference is ", "xkr 2081"),
    ("DATE_OF_BIRTH", "date of birth: ", "12/03/1984"),
    ("DATE_OF_BIRTH", "I was born on ", "4 March 1987"),
    ("NATIONAL_ID", "passport number ", "X1234567"),
    ("CREDIT_CARD", "card ending in ", "4417"),
    ("US_SSN", "last four of my ssn are ", "4417"),
    ("PERSON", "my name is ", "tamsin quillfeather"),
    ("PERSON", "Regards to Mr. ", "Quillfeather"),
    ("PERSON", "You can ask for ", "Tamsin Quillfeather"),
    ("USERNAME", "my username is ", "tquill77"),
    ("USERNAME", "see /home/", "tquill/notes.txt"),
]
TECHNICAL = [
    "self.foo.bar(request.session_id) == np.array.shape",
    "linux-image-2.6.24.16-generic and libc6 (= 2.15.0.10-ubuntu3)",
    "version 1.2.3.4 of the driver, firmware 10.2.3.44",
    "std::vector<int>::iterator and a::b, at 10:30:05 on 2024-01-03 10:30:05.750356",
    "ping 127.0.0.1, 0.0.0.0 or 192.168.1.254 with netmask 255.255.255.0",
    "git clone git@github.com:example/tool.git && cd tool",
    "sudo apt-get install linux-headers-$(uname -r)",
    "write to you@example.com or see https://example.com/page?id=12",
    "epoch 1704067200, size 1048576, sha d41d8cd98f00b204e9800998ecf8427e",
    "The password is required. Your password is incorrect. password: $PASSWORD",
    "see chapter 12.4.2.1, pages 1001-1008, in the order 1 2 3 4 5 6 7 8",
    "@property def name(self): return self._name",
]


@pytest.mark.parametrize(("kind", "value"), FORMS)
@pytest.mark.parametrize("frame", ["{}", "{} is it", "it is {}", "so ({}), then", "first\n\n{}\n\nlast", 'say "{}".'])
def test_each_form_goes_wherever_it_stands(kind: str, value: str, frame: str) -> None:
    """A form that is only found in the middle of a sentence leaks at its edges."""
    made = redacted(record(frame.format(value), kind="labelled"))
    assert value not in made.text
    assert [span.kind for span in made.spans] == [kind]
    (span,) = made.spans
    assert made.text == frame.format(made.text[span.start : span.end])


@pytest.mark.parametrize(("kind", "cue", "value"), CUED)
def test_values_that_only_their_cue_gives_away(kind: str, cue: str, value: str) -> None:
    made = redacted(record(f"Hello. {cue}{value}, please help", kind="chat"))
    secret = value.split("/", maxsplit=1)[0]
    assert secret not in made.text
    assert kind in [span.kind for span in made.spans]


@pytest.mark.parametrize("text", TECHNICAL)
def test_technical_text_keeps_its_numbers_and_paths(text: str) -> None:
    """Redacted code and versions make documentation useless for training."""
    assert redacted(record(text, kind="doc")).text == text


def test_one_person_has_one_number_in_a_conversation() -> None:
    """Without it the model cannot tell who is meant across turns."""
    made = redacted(
        chat(
            ("user", "Tamsin Quillfeather", "Hi, mail me at t.q@northwind.org please"),
            ("assistant", "agent", "Thanks Tamsin, so T.Q@NORTHWIND.ORG? Ms. Quillfeather?"),
            ("user", "Tamsin Quillfeather", "yes, or zed@northwind.org, 415-736-2671 or (415) 736 2671"),
        )
    )
    assert made.text == (
        "<PERSON_1>: Hi, mail me at <EMAIL_1> please\n"
        "agent: Thanks <PERSON_1>, so <EMAIL_1>? <TITLE_1> <PERSON_1>?\n"
        "<PERSON_1>: yes, or <EMAIL_2>, <PHONE_1> or <PHONE_1>"
    )


def test_nicks_of_a_log_go_everywhere_but_common_words_only_as_address() -> None:
    made = redacted(
        chat(
            ("user", "zed_77", "help: zed_77 said linux helps, ZED_77|away"),
            ("user", "help", "zed_77: I need help with linux"),
            meta={"handles": ["zed_77", "help"], "channel": "desk"},
        )
    )
    assert made.text == (
        "<USERNAME_1>: <USERNAME_2>: <USERNAME_1> said linux helps, <USERNAME_1>|away\n"
        "<USERNAME_2>: <USERNAME_1>: I need help with linux"
    )
    assert made.meta == {"channel": "desk"}


def test_an_answer_is_read_by_its_question() -> None:
    made = redacted(
        chat(
            ("assistant", "", "May I have your full name please?"),
            ("user", "", "tamsin quill"),
            ("assistant", "", "And what is your account number?"),
            ("user", "", "123 45678"),
        )
    )
    assert [m.content for m in made.messages or ()][1::2] == ["<PERSON_1>", "<ACCOUNT_NUMBER_1>"]


def test_a_label_is_no_answer_to_the_words_that_it_labels() -> None:
    """The class of ten customers' sentences became <USERNAME_1>: a seventh class, in training and in the benchmark."""
    turns = ("Which intent is this?\n\nI cannot send mail. The server says the login failed.", "mail-password")
    said = [("user", "", turns[0]), ("assistant", "", turns[1])]
    labelled = redacted(replace(chat(*said), kind="labelled"))
    assert labelled.messages is not None
    assert labelled.messages[1].content == "mail-password"
    asked = redacted(chat(("assistant", "", "May I have your login?"), ("user", "", "mail-password")))
    assert asked.messages is not None
    assert asked.messages[1].content == "<USERNAME_1>"


def test_nothing_of_the_originals_is_left_in_any_field() -> None:
    """A card or an export may show any field."""
    originals = ["tamsin", "quillfeather", "t.q@northwind.org", "4532015112830366", "84.23.11.9", "tquill77"]
    made = redacted(
        chat(
            ("user", "tquill77", "I am Tamsin Quillfeather, card 4532015112830366"),
            ("user", "", "t.q@northwind.org from 84.23.11.9, tquill77's desk"),
            title="Call of Tamsin Quillfeather",
            meta={
                "qa": {"question": "Who is t.q@northwind.org?", "answer": "Tamsin Quillfeather"},
                "author": "Tamsin",
                "card": 4532015112830366,
                "seen": ["84.23.11.9", 7, None, 1.5],
                "t.q@northwind.org": True,
            },
        )
    )
    row = json.dumps(to_row(made)).lower()
    assert [original for original in originals if original in row] == []
    assert made.meta["seen"][1:] == [7, None, 1.5]


@pytest.mark.parametrize("reply", ["4417", "xkr 208", "k 9 m 4 p 7", "AC77812", "123 45 6789"])
def test_a_turn_that_is_only_a_code_goes(reply: str) -> None:
    """Customers answer `your booking code?` with nothing but the code, and the question may be lost."""
    assert redacted(chat(("user", "", reply))).messages[0].content.endswith("_1>")  # type: ignore[index]


@pytest.mark.parametrize("reply", ["2010", "top 100", "for 300", "1200", "3 pm"])
def test_a_turn_that_is_only_a_quantity_stays(reply: str) -> None:
    assert redacted(chat(("user", "", reply))).text == f"user: {reply}"


def test_private_key_goes_as_a_whole() -> None:
    body = "\n".join(["Q" * 64] * 40)
    text = f"before\n-----BEGIN RSA PRIVATE KEY-----\n{body}\n\n{body}\n-----END RSA PRIVATE KEY-----\nafter"
    assert redacted(record(text)).text == "before\n<SECRET_1>\nafter"


def test_source_without_personal_data_keeps_its_names_but_not_its_secrets() -> None:
    text = "Dear Mr. Darcy, write to fitz@pemberley.org or pay with 4532015112830366."
    item, counts = run(record(text, source="books", kind="public"))
    assert isinstance(item, Record)
    assert item.text == "Dear Mr. Darcy, write to <EMAIL_1> or pay with <CREDIT_CARD_1>."
    assert counts == {"found:EMAIL_ADDRESS": 1, "found:CREDIT_CARD": 1, "structured-only": 1}


def test_card_can_say_that_no_name_model_ran() -> None:
    assert run(record("Hello there"), ner="none")[1] == {"no-ner": 1, "no-ner:unknown": 1}


def test_settings_choose_kinds_own_patterns_and_what_stays() -> None:
    text = "AC-991 for help@acme.org and bob@acme.org at 84.23.11.9"
    made = redacted(
        record(text), entities=("EMAIL_ADDRESS",), patterns={"CASE_CODE": r"AC-\d{3}"}, allow=("Help@acme.org",)
    )
    assert made.text == "<CASE_CODE_1> for help@acme.org and <EMAIL_1> at 84.23.11.9"


@pytest.mark.parametrize("patterns", [{"bad": "x"}, {"OK": "("}, {"OK": "x*"}])
def test_wrong_patterns_are_refused_before_a_build(patterns: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="patterns"):
        Redact.Settings(patterns=patterns)


def test_example_values_stay_in_docs_and_go_in_chats() -> None:
    text = "mail bob@example.com or call 415-555-0123"
    assert redacted(record(text, kind="doc")).text == text
    assert redacted(record(text, kind="doc"), keep_reserved=False).text == "mail <EMAIL_1> or call <PHONE_1>"
    assert redacted(record(text, kind="chat")).text == "mail <EMAIL_1> or call <PHONE_1>"


def test_too_much_personal_data_drops_the_redacted_record() -> None:
    item, _ = run(record("a@acme.org b@acme.org c@acme.org"), drop_above=5)
    assert isinstance(item, Dropped)
    assert (item.reason, item.threshold) == ("too-much-personal-data", 5)
    assert "acme" not in item.record.text


def test_missing_name_model_is_told_at_once() -> None:
    with pytest.raises(UsageError, match="not installed"):
        run(record("x"), ner="en_core_web_none")


def test_named_pipeline_finds_names_that_no_rule_knows(tmp_path: object) -> None:
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Xanthe Vole"}])
    nlp.to_disk(f"{tmp_path}/model")
    item, counts = run(record("Then Xanthe Vole left.", kind="chat"), ner=f"{tmp_path}/model")
    assert isinstance(item, Record)
    assert item.text == "Then <PERSON_1> left."
    assert "no-ner" not in counts


def test_a_failing_recognizer_quarantines_without_quoting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that was not fully searched must never reach a model."""
    from presidio_analyzer.predefined_recognizers import MacAddressRecognizer

    def broken(self: object, value: str) -> None:
        raise ValueError(f"cannot read {value}")

    monkeypatch.setattr(MacAddressRecognizer, "invalidate_result", broken)
    item, counts = run(record("fail closed 4C:1A:2B:3C:4D:77"))
    assert isinstance(item, Quarantined)
    assert (item.reason, item.detail) == ("redaction-failed", "MacAddressRecognizer: ValueError")
    assert counts == {}


def test_a_regex_timeout_that_presidio_only_logs_quarantines(monkeypatch: pytest.MonkeyPatch) -> None:
    from presidio_analyzer import pattern_recognizer

    monkeypatch.setattr(pattern_recognizer, "REGEX_TIMEOUT_SECONDS", 1e-9)
    item, _ = run(record("timing out " + "00:1A:2B:3C:4D:5E " * 100))
    assert isinstance(item, Quarantined)
    assert item.detail.endswith("TimeoutError")


def test_a_users_endless_pattern_quarantines(monkeypatch: pytest.MonkeyPatch) -> None:
    from corpusforge.curate.redaction import rules

    monkeypatch.setattr(rules, "TIMEOUT", 0.05)
    item, _ = run(record("x" * 60 + "!"), patterns={"SLOW": r"(?:x|xx|xxx)+(?=[yz])"})
    assert isinstance(item, Quarantined)


def test_the_recipes_word_finds_the_stage() -> None:
    assert find_stage("redact") is Redact
