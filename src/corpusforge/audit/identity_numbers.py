"""Invented identity numbers with right check digits, by country."""

from __future__ import annotations

from collections.abc import Callable

from corpusforge.audit.draw import DIGITS, UPPER, Draw, Value
from corpusforge.audit.payment import luhn_digit

Make = Callable[[Draw], Value]


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def _day(draw: Draw) -> tuple[int, int, int]:
    """Year, month and day of a birth."""
    return draw.between(1951, 1999), draw.between(1, 12), draw.between(1, 28)


def us_ssn(draw: Draw) -> Value:
    """US social security number: no 000, 666 or 9xx area."""
    return Value(f"{draw.between(101, 665)}-{draw.between(11, 99)}-{draw.between(1001, 9998)}")


def us_itin(draw: Draw) -> Value:
    """US taxpayer number: 9xx, group 70 to 88."""
    return Value(f"9{draw.chars(2)}-{draw.between(70, 88)}-{draw.between(1001, 9998)}")


def uk_nino(draw: Draw) -> Value:
    """British national insurance number."""
    first, second = draw.pick("ABCEGHJKLMNPRSTWXYZ"), draw.pick("ACEHJKLMPRSWXYZ")
    return Value(f"{first}{second} {draw.chars(2)} {draw.chars(2)} {draw.chars(2)} {draw.pick('ABCD')}")


def uk_nhs(draw: Draw) -> Value:
    """British health service number, modulus 11."""
    while True:
        body = draw.pick("4567") + draw.chars(8)
        check = 11 - _weighted(body, tuple(range(10, 1, -1))) % 11
        if check != 10:
            number = f"{body}{check % 11}"
            return Value(f"{number[:3]} {number[3:6]} {number[6:]}")


def de_tax(draw: Draw) -> Value:
    """German tax id (ISO 7064 mod 11,10): one digit twice among the first ten."""
    order = list(DIGITS)
    for i in range(9, 0, -1):
        j = draw.below(i + 1)
        order[i], order[j] = order[j], order[i]
    if order[0] == "0":
        order[0], order[1] = order[1], order[0]
    order[9] = order[2]
    product = 10
    for d in order:
        total = (int(d) + product) % 10 or 10
        product = total * 2 % 11
    number = "".join(order) + str((11 - product) % 10)
    return Value(f"{number[:2]} {number[2:5]} {number[5:8]} {number[8:]}")


def de_card(draw: Draw) -> Value:
    """German identity card: nine characters with a 7-3-1 check digit."""
    body = draw.pick("LMNPRTVWXYZ") + draw.mixed(8, "CFGHJKLMNPRTVWXYZ0123456789")
    check = sum(int(c, 36) * w for c, w in zip(body, (7, 3, 1) * 3, strict=True)) % 10
    return Value(f"{body}{check}")


def es_dni(draw: Draw) -> Value:
    """Spanish identity number: eight digits and their letter modulo 23."""
    number = draw.between(10_000_000, 99_999_998)
    return Value(f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}")


def es_nie(draw: Draw) -> Value:
    """Spanish foreigner's number."""
    first, body = draw.below(3), draw.chars(7)
    return Value(f"{'XYZ'[first]}{body}{'TRWAGMYFPDXBNJZSQVHLCKE'[int(f'{first}{body}') % 23]}")


_ODD = dict(zip(DIGITS, (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True)) | dict(
    zip(UPPER, (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True)
)  # fmt: skip


def it_fiscale(draw: Draw) -> Value:
    """Italian codice fiscale with its check letter."""
    year, month, day = _day(draw)
    town = draw.pick("ABCDEFGHL") + f"{draw.between(101, 899)}"
    head = draw.chars(6, "BCDFGLMNPRSTVZ")
    body = f"{head}{year % 100:02d}{'ABCDEHLMPRST'[month - 1]}{day + 40 * draw.below(2):02d}{town}"
    total = sum(_ODD[c] if i % 2 == 0 else int(c) if c.isdigit() else ord(c) - 65 for i, c in enumerate(body))
    return Value(f"{body}{UPPER[total % 26]}")


def fr_nir(draw: Draw) -> Value:
    """French social security number, key modulo 97."""
    year, month, _ = _day(draw)
    body = f"{draw.between(1, 2)}{year % 100:02d}{month:02d}{draw.between(10, 89)}{draw.chars(3)}{draw.chars(3)}"
    text = f"{body[0]} {body[1:3]} {body[3:5]} {body[5:7]} {body[7:10]} {body[10:]}"
    return Value(f"{text} {97 - int(body) % 97:02d}")


def br_cpf(draw: Draw) -> Value:
    """Brazilian taxpayer number, two check digits modulo 11."""
    body = draw.chars(9)
    for size in (10, 11):
        body += str(_weighted(body, tuple(range(size, 1, -1))) * 10 % 11 % 10)
    return Value(f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}")


_D = ("0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
      "5987604321", "6598710432", "7659821043", "8765932104", "9876543210")  # fmt: skip
_P = ("0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258")


def in_aadhaar(draw: Draw) -> Value:
    """Indian Aadhaar number with the Verhoeff check digit."""
    body = draw.pick("23456789") + draw.chars(10)
    check = 0
    for i, d in enumerate(reversed(body)):
        check = int(_D[check][int(_P[(i + 1) % 8][int(d)])])
    number = body + str("0432156789".index(str(check)))
    return Value(f"{number[:4]} {number[4:8]} {number[8:]}")


def in_pan(draw: Draw) -> Value:
    """Indian permanent account number of a person."""
    return Value(f"{draw.chars(3, UPPER)}P{draw.pick(UPPER)}{draw.chars(4)}{draw.pick(UPPER)}")


def pl_pesel(draw: Draw) -> Value:
    """Polish PESEL."""
    year, month, day = _day(draw)
    body = f"{year % 100:02d}{month:02d}{day:02d}{draw.chars(4)}"
    return Value(f"{body}{-_weighted(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10}")


def nl_bsn(draw: Draw) -> Value:
    """Dutch citizen service number: the eleven test."""
    while True:
        body = draw.pick("123456789") + draw.chars(7)
        check = _weighted(body, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
        if check < 10:
            return Value(f"{body}{check}")


def se_person(draw: Draw) -> Value:
    """Swedish personal number."""
    year, month, day = _day(draw)
    body = f"{year % 100:02d}{month:02d}{day:02d}{draw.chars(3)}"
    return Value(f"{body[:6]}-{body[6:]}{luhn_digit(body)}")


def fi_hetu(draw: Draw) -> Value:
    """Finnish personal identity code."""
    year, month, day = _day(draw)
    birth, own = f"{day:02d}{month:02d}{year % 100:02d}", f"{draw.between(102, 899)}"
    return Value(f"{birth}-{own}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(birth + own) % 31]}")


def no_birth(draw: Draw) -> Value:
    """Norwegian birth number, two check digits modulo 11."""
    while True:
        year, month, day = _day(draw)
        body = f"{day:02d}{month:02d}{year % 100:02d}{draw.between(100, 499)}"
        one = -_weighted(body, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
        two = -_weighted(f"{body}{one % 10}", (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
        if one < 10 and two < 10:
            return Value(f"{body[:6]} {body[6:]}{one}{two}")


def dk_cpr(draw: Draw) -> Value:
    """Danish CPR number."""
    year, month, day = _day(draw)
    return Value(f"{day:02d}{month:02d}{year % 100:02d}-{draw.between(1000, 3999)}")


def pt_nif(draw: Draw) -> Value:
    """Portuguese taxpayer number."""
    body = draw.pick("12") + draw.chars(7)
    check = 11 - _weighted(body, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return Value(f"{body[:3]} {body[3:6]} {body[6:]}{check if check < 10 else 0}")


def be_national(draw: Draw) -> Value:
    """Belgian national number, key modulo 97."""
    year, month, day = _day(draw)
    body = f"{year % 100:02d}{month:02d}{day:02d}{draw.between(100, 997)}"
    return Value(f"{body[:2]}.{body[2:4]}.{body[4:6]}-{body[6:]}.{97 - int(body) % 97:02d}")


def ch_ahv(draw: Draw) -> Value:
    """Swiss insurance number, EAN-13 check digit."""
    body = "756" + draw.chars(9)
    check = -_weighted(body, (1, 3) * 6) % 10
    return Value(f"{body[:3]}.{body[3:7]}.{body[7:11]}.{body[11:]}{check}")


def ca_sin(draw: Draw) -> Value:
    """Canadian social insurance number."""
    body = draw.pick("1234567") + draw.chars(7)
    number = body + luhn_digit(body)
    return Value(f"{number[:3]} {number[3:6]} {number[6:]}")


def au_tfn(draw: Draw) -> Value:
    """Australian tax file number: weighted sum divisible by eleven."""
    while True:
        number = draw.pick("12345678") + draw.chars(8)
        if _weighted(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0:
            return Value(f"{number[:3]} {number[3:6]} {number[6:]}")


def cn_resident(draw: Draw) -> Value:
    """Chinese resident identity number (ISO 7064 mod 11-2)."""
    year, month, day = _day(draw)
    body = f"{draw.pick(('110105', '310104', '440305', '510107'))}{year}{month:02d}{day:02d}{draw.between(101, 989)}"
    total = _weighted(body, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
    return Value(f"{body}{'10X98765432'[total % 11]}")


def kr_resident(draw: Draw) -> Value:
    """Korean resident registration number."""
    year, month, day = _day(draw)
    body = f"{year % 100:02d}{month:02d}{day:02d}{draw.between(1, 2)}{draw.chars(5)}"
    check = (11 - _weighted(body, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return Value(f"{body[:6]}-{body[6:]}{check}")


def za_id(draw: Draw) -> Value:
    """South African identity number."""
    year, month, day = _day(draw)
    body = f"{year % 100:02d}{month:02d}{day:02d}{draw.chars(4)}08"
    return Value(body + luhn_digit(body))


def sg_nric(draw: Draw) -> Value:
    """Singaporean NRIC."""
    body = draw.chars(7)
    return Value(f"S{body}{'JZIHGFEDCBA'[_weighted(body, (2, 7, 6, 5, 4, 3, 2)) % 11]}")


def ru_snils(draw: Draw) -> Value:
    """Russian pension insurance number."""
    while True:
        body = draw.pick("123456789") + draw.chars(8)
        check = _weighted(body, (9, 8, 7, 6, 5, 4, 3, 2, 1)) % 101
        if check < 100:
            return Value(f"{body[:3]}-{body[3:6]}-{body[6:]} {check:02d}")


def mx_curp(draw: Draw) -> Value:
    """Mexican CURP with its check digit."""
    year, month, day = _day(draw)
    letters = draw.pick("BCDFGHJLMNPRSTVZ") + draw.pick("AEIO") + draw.chars(2, "BCDFGHJLMNPRSTVZ")
    state, tail = draw.pick(("DF", "JC", "NL", "PL")), draw.chars(3, "BCDFGHJLMNPRSTVZ")
    body = f"{letters}{year % 100:02d}{month:02d}{day:02d}{draw.pick('HM')}{state}{tail}0"
    table = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    check = -sum(table.index(c) * (18 - i) for i, c in enumerate(body)) % 10
    return Value(f"{body}{check}")


def passport(form: str) -> Make:
    """A maker of passport numbers; in `form` A stands for a letter and 9 for a digit."""
    return lambda draw: Value("".join(draw.pick(UPPER) if c == "A" else draw.pick("123456789") for c in form))


# Country: how it is asked for in its language, the language, the maker, and whether its form alone gives it away.
NATIONAL: dict[str, tuple[str, str, Make, bool]] = {
    "us-itin": ("ITIN", "en", us_itin, True),
    "uk-nino": ("national insurance number", "en", uk_nino, True),
    "uk-nhs": ("NHS number", "en", uk_nhs, False),
    "de-tax": ("Steuer-ID", "de", de_tax, False),
    "de-card": ("Personalausweisnummer", "de", de_card, False),
    "es-dni": ("DNI", "es", es_dni, True),
    "es-nie": ("NIE", "es", es_nie, True),
    "it-fiscale": ("codice fiscale", "it", it_fiscale, True),
    "fr-nir": ("numéro de sécurité sociale", "fr", fr_nir, True),
    "br-cpf": ("CPF", "pt", br_cpf, True),
    "in-aadhaar": ("Aadhaar number", "en", in_aadhaar, False),
    "in-pan": ("PAN", "en", in_pan, False),
    "pl-pesel": ("PESEL", "pl", pl_pesel, False),
    "nl-bsn": ("BSN", "nl", nl_bsn, False),
    "se-person": ("personnummer", "en", se_person, False),
    "fi-hetu": ("henkilötunnus", "en", fi_hetu, True),
    "no-birth": ("fødselsnummer", "en", no_birth, False),
    "dk-cpr": ("CPR number", "en", dk_cpr, False),
    "pt-nif": ("NIF", "pt", pt_nif, False),
    "be-national": ("rijksregisternummer", "nl", be_national, True),
    "ch-ahv": ("AHV-Nummer", "de", ch_ahv, True),
    "ca-sin": ("SIN", "en", ca_sin, False),
    "au-tfn": ("tax file number", "en", au_tfn, False),
    "cn-resident": ("身份证号", "zh", cn_resident, True),
    "kr-resident": ("resident registration number", "en", kr_resident, True),
    "za-id": ("SA ID number", "en", za_id, False),
    "sg-nric": ("NRIC", "en", sg_nric, True),
    "ru-snils": ("СНИЛС", "ru", ru_snils, False),
    "mx-curp": ("CURP", "es", mx_curp, True),
}
