"""Made-up values for the slots of the training sentences: Faker's lists in many countries, and forms of our own."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from importlib.resources import files
from typing import Any

# Countries whose names are written in Latin letters, and how often each is drawn; English ones more often.
_NAME_LOCALES = {
    "en_US": 12, "en_GB": 6, "en_IN": 4, "en_NZ": 1, "en_IE": 2, "en_NG": 1, "en_KE": 1, "en_PK": 2, "de_DE": 3,
    "de_AT": 1, "de_CH": 1, "fr_FR": 3, "fr_CA": 1, "nl_NL": 3, "nl_BE": 1, "es_ES": 3, "es_MX": 2, "es_CO": 1,
    "it_IT": 3, "pt_BR": 2, "pt_PT": 2, "sv_SE": 2, "no_NO": 2, "da_DK": 2, "fi_FI": 2, "pl_PL": 3, "cs_CZ": 2,
    "sk_SK": 1, "hu_HU": 2, "ro_RO": 1, "hr_HR": 2, "sl_SI": 2, "et_EE": 1, "lt_LT": 1, "lv_LV": 1, "tr_TR": 2,
    "id_ID": 1, "vi_VN": 2, "yo_NG": 1, "zu_ZA": 1, "is_IS": 1, "az_AZ": 1, "en_TH": 1, "ga_IE": 1,
}  # fmt: skip
_PLACE_LOCALES = {
    "en_US": 16, "en_GB": 8, "en_AU": 6, "en_CA": 6, "en_NZ": 3, "en_IN": 3, "en_IE": 2, "de_DE": 4, "de_AT": 2,
    "de_CH": 1, "fr_FR": 4, "fr_CH": 1, "nl_NL": 3, "nl_BE": 1, "es_ES": 3, "es_MX": 2, "it_IT": 4, "pt_BR": 3,
    "pt_PT": 2, "sv_SE": 3, "no_NO": 3, "da_DK": 3, "fi_FI": 2, "pl_PL": 3, "cs_CZ": 2, "hu_HU": 3, "ro_RO": 1,
    "hr_HR": 2, "sl_SI": 2,
}  # fmt: skip


def _lists() -> dict[str, list[str]]:
    """The lists of values.txt."""
    made: dict[str, list[str]] = {}
    name = ""
    for line in (files(__package__) / "values.txt").read_text(encoding="utf-8").splitlines():
        if line.endswith(":"):
            name = line[:-1]
        elif line.startswith(" "):
            made.setdefault(name, []).extend(value for part in line.split(";") if (value := part.strip()))
    return made


_LISTS = _lists()
CITIES = _LISTS["cities"]
# Names of peoples that Faker has in other letters only: given and family names by language.
_ROMAN = tuple(
    (_LISTS[name], _LISTS["family_" + name.removeprefix("given_")]) for name in _LISTS if name.startswith("given_")
)
_LOCALES = sorted({*_NAME_LOCALES, *_PLACE_LOCALES})
# Labels of what a slot's value is; slots that are missing here are nothing personal.
SLOT_LABELS = {
    "PERSON": "PERSON", "FIRST": "PERSON", "LAST": "PERSON", "TITLED": "PERSON", "ADDRESS": "STREET_ADDRESS",
    "STREET": "STREET_ADDRESS", "ZIP": "STREET_ADDRESS", "CITY": "LOCATION", "STATE": "LOCATION", "COUNTRY": "LOCATION",
    "ORG": "ORGANIZATION", "EMAIL": "EMAIL_ADDRESS", "PHONE": "PHONE_NUMBER", "USER": "USERNAME", "PASSWORD": "SECRET",
    "ORDER": "ORDER_ID", "CUSTOMER": "CUSTOMER_ID", "TICKET": "TICKET_ID", "ACCOUNT": "ACCOUNT_NUMBER",
    "CARD": "CREDIT_CARD", "SSN": "US_SSN", "LAST4": "US_SSN",
}  # fmt: skip


class Values:
    """Draws values; the same seed draws the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._seed = seed
        self._fakers: dict[str, Any] = {}

    def _faker(self, locale: str) -> Any:
        if locale not in self._fakers:
            from faker import Faker

            made = Faker(locale)
            made.seed_instance(self._seed * 1000 + _LOCALES.index(locale))
            if locale == "it_IT":
                # Faker takes these towns from a set, whose order is another in every process.
                for provider in made.get_providers():
                    if hasattr(provider, "cities"):
                        provider.cities = sorted(provider.cities)
            self._fakers[locale] = made
        return self._fakers[locale]

    def _drawn(self, locales: dict[str, int]) -> Any:
        return self._faker(self.random.choices(tuple(locales), tuple(locales.values()))[0])

    def of(self, slot: str) -> str:
        """A value for a slot such as PERSON; the slot's name must be one of the templates'."""
        draw: Callable[[], str] = getattr(self, f"_{slot.lower()}")
        return draw()

    def _given_and_family(self) -> tuple[str, str]:
        if self.random.random() < 0.2:
            given, family = self._pick(_ROMAN)
            return self._pick(given), self._pick(family)
        faker = self._drawn(_NAME_LOCALES)
        return faker.first_name(), faker.last_name()

    def _pick(self, values: Any) -> Any:
        return self.random.choice(values)

    def _digits(self, n: int) -> str:
        return "".join(self.random.choices(string.digits, k=n))

    def _person(self) -> str:
        given, family = self._given_and_family()
        form = self.random.random()
        if form < 0.72:
            return f"{given} {family}"
        if form < 0.8:
            return f"{given} {self._pick(string.ascii_uppercase)}. {family}"
        if form < 0.84:
            return f"{given[0]}. {family}"
        if form < 0.89:
            return f"{given} {self._given_and_family()[0]} {family}"
        if form < 0.93:
            return f"{given} {family}-{self._given_and_family()[1]}"
        return given if form < 0.97 else f"{given} {self._pick(('de', 'van', 'von', 'de la', 'di', 'al'))} {family}"

    def _first(self) -> str:
        return self._given_and_family()[0]

    def _last(self) -> str:
        return self._given_and_family()[1]

    def _titled(self) -> str:
        given, family = self._given_and_family()
        return (
            f"{self._pick(_LISTS['titles'])} {given} {family}"
            if self.random.random() < 0.4
            else f"{self._pick(_LISTS['titles'])} {family}"
        )

    def _street(self) -> str:
        if self.random.random() < 0.5:
            street = str(self._drawn(_PLACE_LOCALES).street_address()).replace("\n", ", ")
        else:
            stem = self._pick(_LISTS["streets"]) if self.random.random() < 0.6 else self._last()
            highest = 9999 if self.random.random() < 0.3 else 300
            street = f"{self.random.randint(1, highest)} {stem} {self._pick(_LISTS['street_endings'])}"
            if self.random.random() < 0.15:
                part = self._pick(("Flat", "Apt", "Apt.", "Unit", "Suite", "#"))
                street = f"{part} {self.random.randint(1, 99)}, {street}"
            elif self.random.random() < 0.15:
                street += f"{self._pick((' Apt. ', ' Suite ', ' #', ', Flat ', ', Apt '))}{self.random.randint(1, 999)}"
        return street

    def _address(self) -> str:
        form = self.random.random()
        if form < 0.35:
            glue = str(self._pick(("\n", ", ", " ", ", ")))
            return str(self._drawn(_PLACE_LOCALES).address()).replace("\n", glue)
        end = self._pick(
            (", {c}", " {c}", "\n{c}", ", {c}, {s} {z}", " {c} {s} {z}", "\n{c}, {s} {z}", ", {z} {c}", "\n{z} {c}")
        )
        made: str = self._street() + end.format(c=self._city(), s=self._state(), z=self._zip())
        if self.random.random() < 0.25:
            made += self._pick((", ", "\n", " ")) + self._country()
        return made

    def _city(self) -> str:
        return self._pick(CITIES) if self.random.random() < 0.5 else str(self._drawn(_PLACE_LOCALES).city())

    def _state(self) -> str:
        faker = self._faker("en_US")
        return str(faker.state_abbr() if self.random.random() < 0.6 else faker.state())

    def _zip(self) -> str:
        return str(self._drawn(_PLACE_LOCALES).postcode())

    def _country(self) -> str:
        short = (
            "USA",
            "UK",
            "U.S.",
            "England",
            "Scotland",
            "Russia",
            "Iran",
            "Vietnam",
            "South Korea",
            "Taiwan",
            "UAE",
        )
        return self._pick(short) if self.random.random() < 0.2 else str(self._faker("en_US").country())

    def _org(self) -> str:
        form = self.random.random()
        if form < 0.25:
            return str(
                self._drawn({k: v for k, v in _NAME_LOCALES.items() if k in _LISTS["company_locales"]}).company()
            )
        if form < 0.45:
            return str(self._pick(_LISTS["firms"]))
        head = (
            self._pick(_LISTS["firm_stems"]) + self._pick(_LISTS["firm_tails"])
            if form < 0.7
            else self._pick((*_LISTS["firm_stems"], self._last(), self._city()))
        )
        if form < 0.55:
            return f"{head} {self._pick(_LISTS['firm_forms'])}"
        if form < 0.6:
            return f"{self._last()} & {self._last()}"
        return head if form < 0.65 else f"{head} {self._pick(_LISTS['firm_endings'])}"

    def _user(self) -> str:
        first, last = (part.casefold().replace(" ", "") for part in self._given_and_family())
        number = self._digits(self.random.randint(1, 4))
        forms = (
            f"{first}{number}",
            f"{first}_{last}",
            f"{first}.{last}",
            f"{first[0]}{last}",
            f"{last}{first[0]}",
            f"x{first}x",
            f"{first}-{number}",
            f"{last}{number}",
            f"the{first}",
        )
        return str(self._pick(forms))

    def _email(self) -> str:
        return f"{self._user()}@{self._pick(_LISTS['mail_hosts'])}"

    def _password(self) -> str:
        if self.random.random() < 0.5:
            mark = self._pick(("", "!", "@", "_", "#"))
            return f"{self._pick(_LISTS['streets'])}{mark}{self._digits(self.random.randint(1, 4))}"
        return "".join(
            self.random.choices(string.ascii_letters + string.digits + "!@#$%&*", k=self.random.randint(6, 12))
        )

    def _phone(self) -> str:
        if self.random.random() < 0.5:
            return str(self._drawn(_NAME_LOCALES).phone_number())
        return self._digits(self._pick((7, 10, 10, 11)))

    def _order(self) -> str:
        letters = "".join(self.random.choices(string.ascii_uppercase, k=self.random.randint(1, 3)))
        mixed = "".join(self.random.choices(string.ascii_uppercase + string.digits, k=6))
        number = self._digits(self.random.randint(5, 9))
        return str(self._pick((f"{letters}{self._digits(6)}", f"{letters}-{self._digits(5)}", number, mixed)))

    _customer = _ticket = _order

    def _account(self) -> str:
        return self._digits(self.random.randint(5, 12))

    def _card(self) -> str:
        parts = [self._digits(4) for _ in range(4)]
        return str(self._pick(("", " ", "-"))).join(parts)

    def _ssn(self) -> str:
        return str(self._pick(("-", "", " "))).join((self._digits(3), self._digits(2), self._digits(4)))

    def _last4(self) -> str:
        return self._digits(4)

    def _number(self) -> str:
        return str(self.random.randint(1, 99))

    def _age(self) -> str:
        return str(self.random.randint(5, 95))

    def _money(self) -> str:
        return f"{self._pick('$€£')}{self.random.randint(5, 9000)}"

    def _date(self) -> str:
        day, month, year = self.random.randint(1, 28), self.random.randint(1, 12), self.random.randint(1940, 2026)
        name = _LISTS["months"][month - 1]
        forms = (
            f"{day} {name} {year}",
            f"{name} {day}",
            f"{month:02}/{day:02}/{year}",
            f"{year}-{month:02}-{day:02}",
            f"{day}.{month}.{year}",
        )
        return str(self._pick(forms))

    def _job(self) -> str:
        return str(self._faker("en_US").job()).split(",")[0]
