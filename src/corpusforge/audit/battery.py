"""The forms of invented personal data: kind x variant x surface x position x language, each with its maker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from corpusforge.audit import contacts, identity_numbers, payment, people, references, secret_values
from corpusforge.audit.carriers import NAMING
from corpusforge.audit.draw import Draw, Value
from corpusforge.audit.surfaces import BLOCKS, DISGUISED, SURFACES
from corpusforge.record import stable_hash

VERSION = 1
Make = Callable[[Draw], Value]

# Told by their form alone: their leak rate has a gate. The others need words around them, or knowledge of names.
STRUCTURED = (
    "email", "phone", "card", "iban", "ssn", "national-id", "ip", "mac", "crypto", "url", "secret",
)  # fmt: skip
PLACES = ("start", "middle", "end", "turn")
# Kinds that stand in a title or in a speaker's name often enough to be tried there.
IN_TITLES = ("email", "phone", "iban", "url", "ip", "secret", "name", "order-id", "username", "address")
IN_SPEAKERS = ("name", "username", "email", "phone")
IN_META = ("email", "phone", "card", "iban", "ssn", "ip", "url", "secret", "name", "username", "address", "order-id")


@dataclass(frozen=True, slots=True)
class Form:
    """One way in which personal data may stand in a record.

    `context` is how it is introduced: `cue`, `bare` (in a sentence of the record's own) or how a name is used.
    `word` is the cue's key. `gated`: a structured kind in a form that keeps its characters together.
    """

    kind: str
    variant: str
    surface: str
    position: str
    language: str
    context: str
    word: str
    make: Make

    @property
    def structured(self) -> bool:
        """Whether the kind is told by its form alone."""
        return self.kind in STRUCTURED

    @property
    def disguised(self) -> bool:
        """Whether the surface hides the form."""
        return self.surface in DISGUISED

    @property
    def gated(self) -> bool:
        """Whether a leak counts against the gate."""
        return self.structured and not self.disguised

    @property
    def label(self) -> str:
        """The form in words that are the same in every report."""
        return f"{self.kind}.{self.variant} {self.context} {self.surface} {self.position} {self.language}"


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant of a kind: its maker, the languages it is tried in, and whether it is tried without a cue."""

    kind: str
    name: str
    make: Make
    languages: tuple[str, ...]
    bare: bool = False
    word: str = ""


def variants() -> Iterator[Variant]:
    """Every variant of every kind but names in running text."""
    tongues = ("en", "de", "fr", "es", "pt", "it", "nl", "pl", "ru", "ja", "zh")
    for i, (name, make) in enumerate(contacts.EMAILS.items()):
        yield Variant("email", name, make, ("en", tongues[1 + i % 10]), True)
    for name, (abroad, home, language) in contacts.PHONES.items():
        yield Variant("phone", f"{name}-abroad", contacts.phone(abroad), (language,), True)
        yield Variant("phone", f"{name}-home", contacts.phone(home), (language,))
    for i, brand in enumerate(payment.CARDS):
        yield Variant("card", brand, payment.card(brand), ("en", tongues[1 + i % 6]), True)
    for country in payment.IBANS:
        yield Variant("iban", country.lower(), payment.iban(country), ("en",), True)
    yield Variant("ssn", "us", identity_numbers.us_ssn, ("en", "es"), True)
    for name, (word, language, make, bare) in identity_numbers.NATIONAL.items():
        yield Variant("national-id", name, make, (language,), bare, word)
    for name, make in (
        ("v4", contacts.ipv4), ("v4-port", contacts.ipv4_port), ("v6", contacts.ipv6),
        ("v6-short", contacts.ipv6_short),
    ):  # fmt: skip
        yield Variant("ip", name, make, ("en", "de"), True)
    for name, make in (("colon", contacts.mac(":")), ("dash", contacts.mac("-")), ("cisco", contacts.mac(".", 4))):
        yield Variant("mac", name, make, ("en", "fr"), True)
    for name, make in (
        ("p2pkh", payment.bitcoin(0)), ("p2sh", payment.bitcoin(5)), ("segwit", payment.segwit),
        ("ethereum", payment.ethereum),
    ):  # fmt: skip
        yield Variant("crypto", name, make, ("en", "de"), True)
    for name, make in contacts.URLS.items():
        yield Variant("url", name, make, ("en",), True)
    for name, make in secret_values.SECRETS.items():
        yield Variant("secret", name, make, ("en",), name != "aws-secret")
    yield Variant("password", "random", secret_values.password, tongues[:9])
    yield Variant("password", "chosen", secret_values.passphrase, ("en", "de", "fr", "es"))
    yield Variant("code", "digits", secret_values.pin, ("en", "de"))
    for name, make in contacts.HANDLES.items():
        yield Variant("username", name, make, ("en", "de", "fr"))
    for name, make in contacts.HOSTMASKS.items():
        yield Variant("hostmask", name, make, ("en",), True)
    yield from _documents()


def _documents() -> Iterator[Variant]:
    for name, make in references.ORDERS.items():
        yield Variant("order-id", name, make, ("en", "de", "es"))
    for name, make in references.CUSTOMERS.items():
        yield Variant("customer-id", name, make, ("en", "de", "fr"))
    for name, make in references.TICKETS.items():
        yield Variant("ticket-id", name, make, ("en", "de"))
    for name, make in references.ACCOUNTS.items():
        yield Variant("account", name, make, ("en", "es"))
    for name, make in references.LICENCES.items():
        yield Variant("licence", name, make, ("en",))
    for name, (make, language) in people.ADDRESSES.items():
        yield Variant("address", name, make, (language,), language == "en")
    for name, (make, language) in people.BIRTHS.items():
        yield Variant("date-of-birth", name, make, (language,))
    for name, form, language in (
        ("us", "A99999999", "en"), ("gb", "999999999", "en"), ("de", "C99A99A99", "de"), ("fr", "99AA99999", "fr"),
        ("es", "AAA999999", "es"),
    ):  # fmt: skip
        yield Variant("passport", name, identity_numbers.passport(form), (language,))
    for culture in ("en", "de", "fr", "es", "in"):
        language = "en" if culture == "in" else culture
        yield Variant("name", f"{culture}-full", people.name(culture), (language,))
    yield Variant("name", "en-reversed", people.name("en", "{last}, {first}"), ("en",))


# Language of the sentence and culture of the name; titles as each language writes them.
_CULTURES = {"en": ("en", "in", "ar", "es"), "ja": ("ja",), "zh": ("zh",)}
_TITLES = {
    "en": ("Mr. {last}", "Dr. {first} {last}", "Mrs {last}"), "de": ("Herr {last}", "Frau Dr. {last}"),
    "fr": ("Mme {last}",), "es": ("Sra. {last}", "don {first} {last}"), "it": ("Sig. {last}",),
    "nl": ("mevrouw {last}",), "pt": ("Sr. {last}",),
}  # fmt: skip


def _names() -> Iterator[Form]:
    """Names in running text: how they are used x language x culture, and their shapes."""
    k = 0
    for use, languages in NAMING.items():
        for language in languages:
            for culture in _CULTURES.get(language, (language,)):
                shapes: list[tuple[str, Make, str]] = []
                if culture in ("ja", "zh"):
                    shapes.append(("full", people.ja_name if culture == "ja" else people.zh_name, "plain"))
                else:
                    shapes.append((f"{culture}-full", people.name(culture), "plain"))
                    if use in ("introduce", "greeting", "sign-off", "role"):
                        shapes.append((f"{culture}-first", people.name(culture, "{first}"), "plain"))
                    if culture == "en" or (use == "introduce" and culture != "ru"):
                        shapes.append((f"{culture}-full", people.name(culture), "lower"))
                    if use == "mention" and culture == "en":
                        shapes.append(("en-first", people.name("en", "{first}"), "plain"))
                        shapes.append(("en-initial", people.name("en", "{initial}. {last}"), "plain"))
                for variant, make, surface in shapes:
                    yield Form("name", variant, surface, PLACES[k % 4], language, use, "name", make)
                    k += 1
    for language, titles in _TITLES.items():
        for i, title in enumerate(titles):
            for use in ("greeting", "mention"):
                if language in NAMING[use]:
                    make = people.name(language, title)
                    yield Form("name", f"{language}-titled-{i}", "plain", PLACES[k % 4], language, use, "name", make)
                    k += 1


@lru_cache(maxsize=1)
def battery() -> tuple[Form, ...]:
    """Every form, each once, in a fixed order."""
    forms: list[Form] = []
    turn: dict[str, int] = {}
    for k, variant in enumerate(variants()):
        word = variant.word or variant.kind
        base = Form(variant.kind, variant.name, "plain", "middle", variant.languages[0], "cue", word, variant.make)
        for i, language in enumerate(variant.languages):
            forms.append(replace(base, position=PLACES[(k + i) % 4], language=language))
        if variant.bare:
            forms.append(replace(base, position=PLACES[(k + 2) % 3], context="bare"))
        surfaces = SURFACES[variant.kind]
        several = -(-2 * len(surfaces) // max(1, _count(variant.kind)))
        for i in range(max(2, several)):
            at = turn.get(variant.kind, 0)
            turn[variant.kind] = at + 1
            surface = surfaces[at % len(surfaces)]
            if not _fits(surface, variant):
                continue
            language = variant.languages[i % len(variant.languages)]
            position = "turns" if surface == "two-turns" else PLACES[(k + i + 3) % 4]
            forms.append(replace(base, surface=surface, position=position, language=language))
        forms += _elsewhere(base, turn)
    forms += _names()
    return tuple({form.label: form for form in forms}.values())


def _elsewhere(base: Form, turn: dict[str, int]) -> Iterator[Form]:
    """The first two variants of a kind are tried in titles, speakers' names and meta as well."""
    at = turn.get(f"{base.kind} elsewhere", 0)
    turn[f"{base.kind} elsewhere"] = at + 1
    if at < 2:
        for position, kinds in (("title", IN_TITLES), ("speaker", IN_SPEAKERS), ("meta", IN_META)):
            if base.kind in kinds and "\n" not in base.make(Draw("fits")).text:
                yield replace(base, position=position)


@lru_cache(maxsize=64)
def _count(kind: str) -> int:
    return sum(variant.kind == kind for variant in variants())


def _fits(surface: str, variant: Variant) -> bool:
    """Whether a surface changes anything of such a value, and leaves it what it is."""
    text = variant.make(Draw("fits")).text
    if surface == "percent":
        return "@" in text or ":" in text
    if surface == "spoken":
        return not any(c.isalpha() for c in text)
    if surface in BLOCKS or surface == "lower":
        return "\n" not in text or surface in ("lower", "json", "code")
    if surface in ("solid", "dashed", "dotted"):
        return " " in text or (surface == "solid" and any(not c.isalnum() for c in text))
    return "\n" not in text or surface not in ("two-lines", "quotes")


def chosen(n: int, seed: int, gated: int = 0) -> list[Form]:
    """The forms of `n` canaries: all as often as possible, else a part in which every kind has its share.

    Kinds take turns, each with its forms in the order of a keyed hash; gated kinds come first. Where fewer than `gated`
    of them count against the gate, more that do follow, each form once at most.
    """
    groups: dict[str, list[Form]] = {}
    for form in sorted(battery(), key=lambda form: stable_hash(str(seed), "audit", form.label)):
        groups.setdefault(form.kind, []).append(form)
    order = sorted(groups, key=lambda kind: (kind not in STRUCTURED, kind))
    once: list[Form] = []
    for i in range(max(map(len, groups.values()))):
        once += [groups[kind][i] for kind in order if i < len(groups[kind])]
    forms = [once[i % len(once)] for i in range(n)]
    missing = gated - sum(form.gated for form in forms)
    return forms + [form for form in once[n:] if form.gated][: max(0, missing)]
