"""Rules for national identity numbers: by form and check digits where those are strong, else beside their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from corpusforge.curate.redaction.cues import LINK, REVERSED
from corpusforge.curate.redaction.rules import Rule

_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_CURP = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
# Signs that may stand between the characters of a number.
_SIGNS = str.maketrans("", "", " .-/\u2011\u00a0")


def _plain(text: str, start: int, end: int) -> str:
    return text[start:end].translate(_SIGNS).upper()


def _weighted(digits: str, weights: Iterable[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _day(day: str, month: str) -> bool:
    return 1 <= int(day) <= 31 and 1 <= int(month) <= 12


def luhn(digits: str) -> bool:
    """Whether a string of digits passes the Luhn check (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _es_dni(value: str) -> bool:
    """Spain: eight digits, or X, Y or Z and seven, and a letter modulo 23."""
    number = {"X": "0", "Y": "1", "Z": "2"}.get(value[0], value[0]) + value[1:-1]
    return len(set(number)) > 2 and _DNI[int(number) % 23] == value[-1]


def _fr_nir(value: str) -> bool:
    """France: thirteen characters, of which 2A and 2B are Corsica, and a key modulo 97."""
    body = value[:13].replace("2A", "19").replace("2B", "18")
    return body.isdecimal() and 97 - int(body) % 97 == int(value[13:])


def _kr_resident(value: str) -> bool:
    """Korea, numbers of before October 2020: weighted sum modulo 11."""
    check = (11 - _weighted(value, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return _day(value[4:6], value[2:4]) and check == int(value[12])


def _mx_curp(value: str) -> bool:
    """Mexico: eighteen characters, weighted sum modulo 10."""
    total = sum(_CURP.index(c) * (18 - place) for place, c in enumerate(value[:17]))
    return _day(value[8:10], value[6:8]) and -total % 10 == int(value[17])


def _cn_resident(value: str) -> bool:
    """China (GB 11643): ISO 7064 mod 11-2."""
    total = _weighted(value, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
    return _day(value[12:14], value[10:12]) and "10X98765432"[total % 11] == value[17]


def _sg_nric(value: str) -> bool:
    """Singapore: a letter for seven weighted digits modulo 11."""
    total = _weighted(value[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if value[0] in "TG" else 3 if value[0] == "M" else 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "KLJNPQRTUWX"}
    place = 10 - total % 11 if value[0] == "M" else total % 11
    return letters[value[0]][place] == value[8]


def _be_national(value: str) -> bool:
    """Belgium: key modulo 97, with a 2 in front for births from 2000."""
    return any(97 - int(century + value[:9]) % 97 == int(value[9:]) for century in ("", "2"))


def _br_cpf(value: str) -> bool:
    """Brazil: two check digits modulo 11."""
    checks = (_weighted(value[:size], range(size + 1, 1, -1)) * 10 % 11 % 10 == int(value[size]) for size in (9, 10))
    return len(set(value)) > 2 and all(checks)


def _ch_ahv(value: str) -> bool:
    """Switzerland: EAN-13."""
    return -_weighted(value[:12], (1, 3) * 6) % 10 == int(value[12])


def _no_birth(value: str) -> bool:
    """Norway: a day and two check digits modulo 11."""
    day = str(int(value[:2]) % 40)
    one = -_weighted(value[:9], (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    two = -_weighted(value[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return _day(day, value[2:4]) and (str(one), str(two)) == (value[9], value[10])


def _se_person(value: str) -> bool:
    """Sweden: a day, with 60 more for coordination numbers, and Luhn."""
    return _day(str(int(value[4:6]) % 60), value[2:4]) and luhn(value)


def _ru_snils(value: str) -> bool:
    """Russia: weighted sum modulo 101."""
    return _weighted(value[:9], range(9, 0, -1)) % 101 % 100 == int(value[9:])


def _za_id(value: str) -> bool:
    """South Africa: a day, citizenship, and Luhn."""
    return _day(value[4:6], value[2:4]) and luhn(value)


def _de_tax(value: str) -> bool:
    """Germany: one of the first ten digits twice or thrice, the others once, and ISO 7064 mod 11,10."""
    counts = sorted(value[:10].count(digit) for digit in set(value[:10]))
    product = 10
    for digit in value[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return counts[-1] in (2, 3) and counts[-2:-1] == [1] and (11 - product) % 10 == int(value[10])


def _fi_hetu(value: str) -> bool:
    """Finland: a day and a sign modulo 31; the sign of the century may be lost."""
    digits = "".join(c for c in value[:-1] if c.isdecimal())
    return len(digits) == 9 and _day(value[:2], value[2:4]) and _HETU[int(digits) % 31] == value[-1]


def _valid(check: Callable[[str], bool]) -> Callable[[str, int, int], bool]:
    return lambda text, start, end: check(_plain(text, start, end))


def _told(text: str, start: int, end: int) -> bool:
    """Whether what stands beside the name of a number reads as one: five digits, or fewer in a code of capitals."""
    value = _plain(text, start, end)
    digits = sum(c.isdecimal() for c in value)
    if value == text[start:end] and 8 <= len(value) <= 16 and digits >= 2:
        return True
    return len(value) <= 20 and (digits >= 5 or (digits >= 3 and len(value) >= 8))


def _form(name: str, pattern: str, check: Callable[[str], bool], digits: int, *, cased: bool = False) -> Rule:
    # Letters and digits of other numbers must not stand beside it; Chinese and Japanese words have no space.
    return Rule(
        "NATIONAL_ID", name, r"(?<![A-Za-z0-9_./-])(?:" + pattern + r")(?![A-Za-z0-9_]|[./-]\d)", 0.8,
        digits=digits, check=_valid(check), cased=cased,
    )  # fmt: skip


_NAMES = (
    # English, and names that are said as they are in English sentences
    r"passport|driv(?:er'?s?|ing)[ _]licen[cs]e|licen[cs]e[ _]plate|national[ _](?:id|identity|insurance)|nhs"
    r"|tax[ _](?:id|file)|taxpayer|itin|nino|aadhaar|pan(?:[ _]card)?|nric|voter[ _]id|residence[ _]permit|medicare"
    r"|insurance[ _]card|sa[ _]id|identity[ _](?:card|number)|id[ _]card|cpr|rrn|resident[ _]registration|bsn"
    # German, Dutch, Scandinavian, Finnish
    r"|(?:personal)?ausweis(?:es|-?nr\.?)?|reisepass|führerschein|fahrerlaubnis|steuer-?(?:id(?:entifikation)?s?|nr)"
    r"|sozialversicherungs?|rentenversicherungs?|krankenversicherungs?|ahv|idnr|(?:umsatz)?steuer"
    r"|burgerservice|rijksregister|paspoort|rijbewijs|identiteitskaart|personnummer|fødsels?|kørekort|körkort|førerkort"
    r"|henkilötunnus|hetu|passi"
    # French, Spanish, Portuguese, Italian
    r"|passeport|permis[ _]de[ _]conduire|carte[ _]d[’']identité|(?:numéro[ _]de[ _])?sécurité[ _]sociale|nir"
    r"|registre[ _]national"
    r"|pasaporte|dni|nie|nif|curp|rfc(?!\W{1,3}\d{3,4}\b)"
    r"|c[ée]dula|licencia[ _]de[ _]conduc\w+|carn[ée][ _]de[ _]conduc\w+"
    r"|documento[ _]de[ _]identidad"
    r"|seguridad[ _]social|passaporte|cpf|cnpj|cart[ãa]o[ _]de[ _]cidad[ãa]o|carta[ _]de[ _]condução|cnh"
    r"|codice[ _]fiscale|passaporto|patente|carta[ _]d[’']identità|tessera[ _]sanitaria"
    # Polish, Russian, Chinese, Japanese, Korean
    r"|pesel|dowód(?:[ _]osobisty)?|paszport|nip|снилс|инн|паспорт\w*|водительск\w+"
    r"|身份证|护照|マイナンバー|旅券|주민등록"
)
_VALUE = r"(?=(?:[ ./-]?[A-Z0-9]){0,14}\d)[A-Z0-9](?:[ ./-]{0,2}(?=[A-Z0-9]*\d)[A-Z0-9]+){0,7}"

IDENTITIES: tuple[Rule, ...] = (
    _form("es-dni", r"\d{8}-?[A-Z]|[XYZ]-?\d{7}-?[A-Z]", _es_dni, 7, cased=True),
    _form("fr-nir", r"[1-478][ ]?\d{2}[ ]?\d{2}[ ]?\d[\dAB][ ]?\d{3}[ ]?\d{3}[ ]?\d{2}", _fr_nir, 14),
    _form("kr-resident", r"\d{6}-[1-8]\d{6}", _kr_resident, 13),
    _form("mx-curp", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-ZÑ]{3}[A-Z\d]\d", _mx_curp, 7),
    _form("cn-resident", r"[1-8]\d{5}(?:19|20)\d{9}[\dX]", _cn_resident, 17),
    _form("sg-nric", r"[STFGM]\d{7}[A-Z]", _sg_nric, 7, cased=True),
    _form("be-national", r"\d{2}\.\d{2}\.\d{2}-\d{3}[.-]\d{2}", _be_national, 11),
    _form("br-cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}", _br_cpf, 11),
    _form("ch-ahv", r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}", _ch_ahv, 13),
    _form("no-birth", r"[0-7]\d[01]\d{3}[ ]?\d{5}", _no_birth, 11),
    _form("se-person", r"\d{2}[01]\d[0-9]\d[-+]\d{4}", _se_person, 10),
    _form("ru-snils", r"\d{3}-\d{3}-\d{3}[- ]\d{2}", _ru_snils, 11),
    _form("za-id", r"\d{2}[01]\d[0-3]\d{5}[0-2][89]\d", _za_id, 13),
    _form("de-tax", r"[1-9]\d[ ]?\d{3}[ ]?\d{3}[ ]?\d{3}", _de_tax, 11),
    _form("fi-hetu", r"[0-3]\d[01]\d{3}[-+A-F]?\d{3}[0-9A-FHJ-NPR-Y]", _fi_hetu, 9),
    Rule("NATIONAL_ID", "national-id-name", r"(?<![\p{L}\d])(?:" + _NAMES + r")" + LINK + r"(?P<v>" + _VALUE
         + r")(?![A-Za-z0-9_@]|[.-]\d)", 0.7, digits=2, check=_told,
         gate=r"(?:\b|_)(?:" + _NAMES + r")" + LINK + r"[a-z0-9 ./-]{0,28}\d"),
    Rule("NATIONAL_ID", "plate-name", r"(?i:\b(?:licen[cs]e|number|registration)[ ]?plate|\breg(?:istration)?[ ]mark)"
         r"(?i:" + LINK + r")(?P<v>(?=[A-Z -]{0,6}\d)[A-Z0-9]{1,4}(?:[ -]?[A-Z0-9]{1,4}){1,2})(?![\w@])", 0.7,
         ("plate", "mark"), digits=1, cased=True),
    Rule("NATIONAL_ID", "national-id-asked", REVERSED.format(value=_VALUE, names=_NAMES), 0.7, digits=2, check=_told),
)  # fmt: skip
