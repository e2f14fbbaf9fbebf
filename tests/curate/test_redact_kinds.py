"""What a user loses if a kind breaks: addresses, telephones, dates and towns of customers in the corpus."""

from __future__ import annotations

import re

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


@pytest.mark.parametrize(
    "turn",
    [
        "tomquillgmailcom",
        "tq 56 gmailcom",
        "send it to quill 004 hotmailcom",
        "tom.quill@gmailcom",
        "mine is tom_quillyahoo co uk",
    ],
)
def test_an_address_whose_signs_an_export_dropped_goes(turn: str) -> None:
    made = redacted(chat(("user", "", turn)), ner="none")
    assert [span.kind for span in made.spans] == ["EMAIL_ADDRESS"]
    assert "uill" not in made.text
    assert "56" not in made.text


@pytest.mark.parametrize(
    "turn",
    [
        "hotmail com does not open",
        "i use gmailcom or hotmailcom",
        "is email common here",
        "we sell 20 hotmail com accounts",
        "office 365 outlook com",
        "my webmail com is down",
        "i read it at dailymail co uk",
    ],
)
def test_a_mail_service_is_nobodys_address(turn: str) -> None:
    assert redacted(chat(("user", "", turn)), ner="none").messages == chat(("user", "", turn)).messages


@pytest.mark.parametrize(
    "text",
    [
        "415-749-6095 4849 1246 4517 5550",  # the last four of the one and twelve of the other pass for a card
        "646-405-6479 4920 0124 2846 1093",  # as all of the one and eight of the other do
        "4849 1246 4517 5550 415-749-6095",
        "648-69-3501 4832 2783 6919 1240",
        "415-749-6095 4849 1246 4517 5550 20241",
    ],
)
def test_two_numbers_side_by_side_leave_no_digit_behind(text: str) -> None:
    made = redacted(record(f"Call {text} now"), ner="none").text
    assert made.startswith("Call <")
    assert made.endswith("> now")
    assert not re.search(r"\d\d", re.sub("<[^>]*>", "", made))


@pytest.mark.parametrize(
    "behind", [". 3 items", " - 12 items", ", 30% off", " 10.0.0.1 is the gateway, 10.0.0.1", " 5 days"]
)
def test_what_follows_two_numbers_side_by_side_stays(behind: str) -> None:
    made = redacted(record(f"Call 415-749-6095 4849 1246 4517 5550{behind}"), ner="none").text
    assert made.endswith(f">{behind}")


@pytest.mark.parametrize(
    ("turns", "left"),
    [
        ((("user", "", "my name is Tom Quill"), ("user", "", "it is 1993")), "it is _"),
        ((("user", "", "Tom Quill"), ("user", "", "2014.")), "_."),
        ((("user", "", "Tom Quill"), ("user", "", "sorry 47")), "sorry _"),
        ((("user", "", "Tom Quill"), ("user", "", "8042"), ("user", "", "1918")), "_"),
        ((("agent", "", "What are the last four digits, please?"), ("user", "", "2058")), "_"),
        ((("agent", "", "And the last four of the card it was bought with"), ("user", "", "1987")), "_"),
        ((("user", "", "oh okay the last 4 digits are 2002"),), "oh okay the last 4 digits are _"),
        (
            (("user", "", "last 4 digits of my visa/debit card: 1987 and 2002"),),
            "last 4 digits of my visa/debit card: _",
        ),
        ((("user", "", "1987 are the last four"),), "_ are the last four"),
        ((("user", "", "8042 and 6000"),), "_ and _"),
    ],
)
def test_the_end_of_a_number_goes_though_it_could_be_a_year(turns: tuple[tuple[str, str, str], ...], left: str) -> None:
    made = redacted(chat(*turns))
    assert made.messages is not None
    assert re.sub("<[^>]*>", "_", made.messages[-1].content) == left


@pytest.mark.parametrize(
    "turns",
    [
        (("user", "", "toyota prius"), ("user", "", "2017")),
        (("user", "", "hello"), ("user", "", "2048")),
        (("user", "", "how many? I am Tom Quill"), ("user", "", "12")),
        (("user", "", "Tom Quill"), ("agent", "", "How many, please?"), ("user", "", "12")),
        (("user", "", "I am Tom Quill"), ("agent", "", "In which year was it built?"), ("user", "", "1993")),
        (("user", "", "tell me the year the first world war ended"), ("agent", "", "1918")),
        (("agent", "", "Hello Anna Quill, which Windows Server do you run?"), ("user", "", "2019")),
        (("agent", "", "How many do you need, please?"), ("user", "", "it is 1918")),
        (("user", "", "1000 to 2000"),),
        (("user", "", "the final number is 1500 people"),),
        (("user", "", "the last four weeks were hard"),),
    ],
)
def test_a_year_that_was_asked_for_or_is_of_today_stays(turns: tuple[tuple[str, str, str], ...]) -> None:
    made = redacted(chat(*turns))
    assert made.messages is not None
    assert made.messages[-1].content == turns[-1][2]


def test_docs_keep_towns_dates_and_products() -> None:
    text = "Released on 4 March 2019 in Helsinki by Roadify Transit for Paraguayan users."
    assert redacted(record(text, kind="doc"), ner="none").text == text


# Invented, with right check digits, except those that a cue tells.
IDENTITIES = [
    "53.09.17-848.12", "111.099.349-80", "756.8148.9383.17", "510107195503223859", "94826686D", "X4968032D",
    "1 80 06 38 386 503 89", "920412-2718096", "GAMP981023MJCJPS04", "S9455707J", "210781 33012", "682-376-258 31",
    "8905114457080", "61 029 743 504",
]  # fmt: skip
WRONG = [
    "53.09.17-848.13", "111.099.349-81", "756.8148.9383.18", "510107195503223850", "94826686E", "X4968032E",
    "1 80 06 38 386 503 88", "GAMP981023MJCJPS05", "S9455707A", "682-376-258 32",
]  # fmt: skip
NAMED = [
    ("SECRET", "Passwort: ", "Hu7TfGZ#ha7G"),
    ("SECRET", "| mot de passe | ", "Quilock1972!"),
    ("SECRET", "<tr><td>contraseña</td><td>", "6cBDsxQ!nF11"),
    ("SECRET", "Bestätigungscode ", "61356071"),
    ("USERNAME", '{"Benutzername":"', "melvock_58"),
    ("USERNAME", "nom d'utilisateur=", "haskebyQuilock"),
    ("ORDER_ID", "Anote por favor número de pedido ", "961-7515318-8184211"),
    ("ORDER_ID", "order number: #", "68359593"),
    ("CUSTOMER_ID", "Bei mir steht Kundennummer ", "B23-964363"),
    ("TICKET_ID", "Ticketnummer (", "INC66742657"),
    ("ACCOUNT_NUMBER", "número de cuenta: ", "17416717774"),
    ("NATIONAL_ID", "Personalausweisnummer = ", "PJZ792FV81"),
    ("NATIONAL_ID", "henkilötunnus ", "280758307K"),
    ("DATE_OF_BIRTH", "fecha de nacimiento ", "16 de marzo de 1971"),
    ("PHONE_NUMBER", "número_de_teléfono = ", "612 75 52 53"),
    ("PHONE_NUMBER", "電話番号は", "090-4753-3976"),
    ("IBAN_CODE", "iban ", "de89-3704-0044-0532-0130-00"),
    ("CRYPTO", "", "0x72c5f50ffb4084688116fd8283b38ab89dbf1449"),
    ("URL", "", "https://hooks.dolmard.com/services/WjnFaeWTkDFqHkUzr8LcVxSb6a0A"),
    ("EMAIL_ADDRESS", "メールアドレスは", "melvano69@vintira.museum"),
    ("EMAIL_ADDRESS", "", "anna&#46;quill&#64;vintira&#46;museum"),
    ("IP_ADDRESS", "IP-Adresse=", "93.94.177.139"),
]
NOT_PERSONAL = [
    "apt-get install foo=93.94.177.139",
    "Set the user name to your_name and the password to Password.",
    "See https://wiki.dolmard.com/InstallingTheServerOnUbuntu2004AndLater for the order in which packages load.",
    "Use case 12: the ticket is closed. The account is locked after 3 attempts; order by 2020.",
]


@pytest.mark.parametrize("value", IDENTITIES)
def test_national_numbers_go_by_their_check_digits(value: str) -> None:
    """Nothing around them tells what they are."""
    made = redacted(record(f"Then {value} was on the form", kind="doc"), ner="none")
    assert made.text == "Then <NATIONAL_ID_1> was on the form"


@pytest.mark.parametrize("value", WRONG)
def test_numbers_whose_check_digits_are_wrong_are_no_national_numbers(value: str) -> None:
    assert "NATIONAL_ID" not in redacted(record(f"Then {value} was on the form", kind="doc"), ner="none").text


@pytest.mark.parametrize(("kind", "cue", "value"), NAMED)
def test_values_go_by_their_names_in_many_languages(kind: str, cue: str, value: str) -> None:
    made = redacted(record(f"{cue}{value} ok", kind="article"), ner="none")
    assert value not in made.text
    assert kind in [span.kind for span in made.spans]


@pytest.mark.parametrize("text", NOT_PERSONAL)
def test_manuals_words_beside_such_names_stay(text: str) -> None:
    assert redacted(record(text, kind="doc"), ner="none").text == text


@pytest.mark.parametrize(
    "text",
    [
        "the order failed for user kestrel_99 again",
        "I can't log in as odile.ferrand",
        "licence plate: KX19 ZBF",
        "my license plate is 8ABC123",
    ],
)
def test_logins_and_number_plates_go_by_the_words_before_them(text: str) -> None:
    assert "<" in redacted(chat(("user", "", text)), ner="none").text


@pytest.mark.parametrize(
    "text",
    [
        "Error code: 0x8004010F",
        "Select File > Print and choose Brother HL-2140",
        "as RFC 2373 2.7 says, log in as root for user foo",
    ],
)
def test_error_numbers_models_of_products_and_standards_stay_in_chats(text: str) -> None:
    assert redacted(chat(("user", "", text))).parts == (text,)
