"""What a user loses if a kind breaks: addresses, telephones, dates and towns of customers in the corpus."""

from __future__ import annotations

import pytest

from .redact_running import chat, record, redacted

WHOLE = [
    ("STREET_ADDRESS", "4711 Lindenstrasse 25 Apt. 12\nBraunfels\nGermany 35619"),
    ("STREET_ADDRESS", "16 Rue des Tanneurs, Suite 4, Rennes, France 35000"),
    ("STREET_ADDRESS", "Via Garibaldi 117"),
    ("STREET_ADDRESS", "PSC 3310, Box 4521\nAPO AE 09021"),
    ("STREET_ADDRESS", "88 Quarry Hollow, Unit 3, Dayton, OH 45402"),
    ("PHONE_NUMBER", "+46 (0)8 123 456 78"),
    ("PHONE_NUMBER", "01.44.27.61.18"),
    ("PHONE_NUMBER", "(64) 3591-3246"),
    ("PHONE_NUMBER", "five five five one two three four"),
    ("DATE_TIME", "4 March 1987"),
    ("DATE_TIME", "7/14/1995"),
]
CUED = [
    ("AGE", "My father retired at the age of ", "72"),
    ("AGE", "Patient is a ", "38"),
    ("NRP", "My neighbour is ", "Paraguayan"),
    ("TITLE", "She works at the mill as a ", "welder"),
    ("ORGANIZATION", "I work for ", "Brightwater Loom"),
    ("LOCATION", "We moved here from ", "Skjervøy"),
    ("STREET_ADDRESS", "my zip code is ", "6280"),
    ("PERSON", "Then my colleague ", "Wojtkowska"),
    ("URL", "My website is ", "https://www.tamsin-quill.se/"),
]
NOBODY = [
    "I study English and speak French at home.",
    "The 3 pine boards cost 20 dollars.",
    "See chapter 12 on page 1001-1008 of the manual.",
    "Ubuntu, Firefox and LibreOffice are installed by default.",
]


@pytest.mark.parametrize(("kind", "value"), WHOLE)
def test_whole_values_go_in_labelled_text(kind: str, value: str) -> None:
    made = redacted(record(f"It is {value}. ok", kind="labelled"), ner="none")
    assert [span.kind for span in made.spans] == [kind]
    assert made.text.startswith("It is <")
    assert made.text.endswith("ok")


@pytest.mark.parametrize(("kind", "cue", "value"), CUED)
def test_what_describes_a_person_goes_by_what_stands_around_it(kind: str, cue: str, value: str) -> None:
    made = redacted(
        record(f"{cue}{value}" + (" years old" if cue.endswith(" a ") and value.isdigit() else ""), kind="labelled"),
        ner="none",
    )
    assert value not in made.text
    assert kind in [span.kind for span in made.spans]


@pytest.mark.parametrize("text", NOBODY)
def test_text_about_nobody_stays(text: str) -> None:
    assert redacted(record(text, kind="labelled"), ner="none").text == text


@pytest.mark.parametrize("turn", ["and hy 67 yh", "its a 1 c 3 e 6", "sure it is 2569", "sad 589"])
def test_codes_as_people_type_them_in_chats(turn: str) -> None:
    """Booking codes are typed with spaces, and a turn often is nothing but the code."""
    made = redacted(chat(("user", "", turn)), ner="none")
    assert not any(character.isdigit() for character in made.text.partition("<")[0])
    assert made.spans


def test_docs_keep_towns_dates_and_products() -> None:
    text = "Released on 4 March 2019 in Helsinki by Roadify Transit for Paraguayan users."
    assert redacted(record(text, kind="doc"), ner="none").text == text
