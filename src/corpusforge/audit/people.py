"""Invented people: names of several cultures, addresses, dates of birth."""

from __future__ import annotations

from collections.abc import Callable

from corpusforge.audit.draw import UPPER, Draw, Value

Make = Callable[[Draw], Value]

# First names by culture; surnames are put together, so that there are enough of them and none is anybody's by design.
FIRST: dict[str, tuple[str, ...]] = {
    "en": ("Oliver", "Harriet", "Marcus", "Rosalind", "Duncan", "Beatrice", "Leonard", "Imogen", "Gareth", "Philippa",
           "Jasmine", "Terrence", "Winifred", "Clifford", "Deborah", "Nathaniel", "Sheila", "Tobias", "Yvonne",
           "Malcolm", "Cordelia", "Rupert", "Lorraine", "Preston", "Tamsin", "Vernon", "Gwendolyn", "Desmond"),
    "de": ("Annegret", "Jürgen", "Heike", "Matthias", "Wolfgang", "Sabine", "Torsten", "Ulrike", "Dietmar", "Brigitte",
           "Holger", "Katrin", "Rüdiger", "Gudrun", "Steffen", "Ingeborg"),
    "fr": ("Geneviève", "Étienne", "Delphine", "Thierry", "Océane", "Baptiste", "Mireille", "Gaspard", "Solène",
           "Loïc", "Colette", "Armand", "Noémie", "Fabrice"),
    "es": ("Rodrigo", "Ximena", "Guillermo", "Rocío", "Esteban", "Marisol", "Joaquín", "Pilar", "Ignacio", "Lucía",
           "Alejandra", "Ramiro", "Consuelo", "Hernán"),
    "pt": ("Thiago", "Fernanda", "Gonçalo", "Inês", "Vinícius", "Larissa", "Joaquim", "Beatriz", "Caetano", "Luana"),
    "it": ("Alessandro", "Giulia", "Massimo", "Chiara", "Lorenzo", "Federica", "Salvatore", "Ilaria", "Gianluca"),
    "nl": ("Willemijn", "Sjoerd", "Marloes", "Joost", "Femke", "Thijs", "Annelies", "Ruben", "Maaike"),
    "pl": ("Zbigniew", "Agnieszka", "Wojciech", "Katarzyna", "Grzegorz", "Małgorzata", "Bartosz", "Jadwiga"),
    "ru": ("Дмитрий", "Светлана", "Алексей", "Наталья", "Сергей", "Татьяна", "Никита", "Людмила"),
    "in": ("Rajesh", "Priyanka", "Suresh", "Lakshmi", "Vikram", "Ananya", "Harish", "Deepika", "Karthik", "Meenakshi"),
    "ar": ("Khalid", "Fatima", "Youssef", "Layla", "Ibrahim", "Noura", "Tariq", "Samira"),
}  # fmt: skip
_SURNAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (("Ash", "Brad", "Hart", "Wood", "Thorn", "Lang", "Kirk", "Stan", "Whit", "Raven", "Hol", "Black", "Win",
            "Ald", "Marsh", "Fair", "Oak", "Red", "Elm", "Cal"),
           ("worth", "bury", "well", "ham", "croft", "field", "stead", "combe", "thorpe", "brook", "wick", "mere")),
    "de": (("Stein", "Linden", "Rosen", "Acker", "Berg", "Eichen", "Hoff", "Kessel", "Lauter", "Wald"),
           ("bach", "mann", "bauer", "heim", "hauser", "stetter", "müller", "brecht", "hofer", "wald")),
    "fr": (("Beau", "Mont", "Char", "Du", "La", "Ver", "Fon", "Ro", "Ma", "Cha"),
           ("bois", "fort", "rochelle", "mercier", "valier", "champs", "taine", "garde", "bertin", "puis")),
    "es": (("Garci", "Monte", "Villa", "Al", "Santa", "Bena", "Car", "Sala", "Quinta", "Zamo"),
           ("verde", "negro", "nova", "varez", "rreal", "mayor", "vides", "manca", "nilla", "rano")),
    "pt": (("Car", "Al", "Fer", "Mo", "Pin", "Sil", "Ta", "Oli", "Ro", "Ma"),
           ("valho", "meida", "reira", "reirinha", "heiro", "veira", "vares", "drigues", "chado", "galhães")),
    "it": (("Mon", "Bel", "Ros", "Fer", "Cas", "Man", "Pel", "Ric", "San", "Tor"),
           ("telli", "lucci", "sini", "raro", "tagna", "cini", "legrini", "ciardi", "tini", "resani")),
    "nl": (("van Hoog", "de Graaf", "van Dijk", "Water", "Zuid", "Bakker", "Meijer", "van Loen", "Kuiper", "Vis"),
           ("straten", "stra", "huizen", "horst", "berg", "veld", "man", "ink", "donk", "mond")),
    "pl": (("Kowal", "Wisz", "Zie", "Dąb", "Malin", "Kras", "Jan", "Szy", "Wró", "Lewan"),
           ("czewski", "niewski", "liński", "rowski", "ecki", "kowski", "mański", "blewski", "dowski", "icki")),
    "ru": (("Кузн", "Соколо", "Лебед", "Морозо", "Волко", "Захар", "Степан", "Виноград", "Белоу", "Тихо"),
           ("ецов", "вский", "ев", "нин", "шин", "ычев", "енко", "ов", "сов", "миров")),
    "in": (("Subra", "Krishna", "Venkata", "Rama", "Chandra", "Bhatta", "Mukho", "Agar", "Sri", "Natara"),
           ("manian", "murthy", "raman", "swamy", "sekhar", "charya", "padhyay", "wal", "nivasan", "jan")),
    "ar": (("Al-Ha", "Al-Ma", "Ben Sa", "Abu Kha", "El-Ta", "Al-Sha", "Bou", "Al-Ka", "Ibn Ra", "Al-Na"),
           ("ddad", "nsour", "lem", "lil", "wil", "rif", "chami", "bbani", "shid", "jjar")),
}  # fmt: skip
_SYLLABLES = ("佐藤", "高橋", "渡辺", "小林", "吉田", "松本", "清水", "岡田", "藤原", "西村")
_GIVEN = ("美咲", "健太", "由美子", "大輔", "直樹", "恵子", "翔太", "麻衣")
_FAMILY = ("欧阳", "司马", "诸葛", "上官", "慕容", "夏侯")
_CHOSEN = ("晓明", "丽娟", "建国", "雪梅", "志强", "婉婷", "浩然", "淑芬")


def surname(culture: str, draw: Draw) -> str:
    """A surname that sounds like one of the culture."""
    heads, tails = _SURNAMES[culture]
    return draw.pick(heads) + draw.pick(tails)


def name(culture: str, form: str = "{first} {last}") -> Make:
    """A maker of names: `first` name, `last` name and `initial`."""

    def make(draw: Draw) -> Value:
        first, last = draw.pick(FIRST[culture]), surname(culture, draw)
        text = form.format(first=first, last=last, initial=draw.pick(UPPER))
        return Value(text, tuple(part for part in (last, first) if part in text))

    return make


def ja_name(draw: Draw) -> Value:
    """A Japanese name."""
    family, given = draw.pick(_SYLLABLES), draw.pick(_GIVEN)
    return Value(f"{family} {given}", (family + given, given))


def zh_name(draw: Draw) -> Value:
    """A Chinese name."""
    family, given = draw.pick(_FAMILY), draw.pick(_CHOSEN)
    return Value(f"{family}{given}", (family + given, given))


_PLACES = ("Linwood", "Harrow Glen", "Pinecrest", "Eastvale", "Marlow Heath", "Kingsbrook")
_STREET = ("Juniper", "Orchard", "Larkspur", "Chestnut", "Willowbank", "Foxglove", "Hawthorn", "Bramble", "Sycamore")


def _street(draw: Draw) -> str:
    return f"{draw.pick(_STREET)}{draw.pick(('field', 'dale', 'wood', 'view', 'gate', 'mead'))}"


def address(form: str) -> Make:
    """A maker of addresses: `road`, `code` of five digits, `house` number, `place`, `outward` for a British postcode.

    Whoever knows the road or the postcode has found the house; the town alone is not a leak.
    """

    def make(draw: Draw) -> Value:
        road, code, house = _street(draw), str(draw.between(10117, 98899)), draw.between(13, 989)
        district = f"{draw.pick(('LS', 'BN', 'CF', 'EX'))}{draw.between(2, 19)}"
        outward = f"{district} {draw.between(1, 9)}{draw.chars(2, 'ABDEFGHJ')}"
        text = form.format(road=road, code=code, house=house, place=draw.pick(_PLACES), outward=outward)
        return Value(text, tuple(part for part in (road, code, outward) if part in text))

    return make


# Form, and the language it is written in.
ADDRESSES: dict[str, tuple[Make, str]] = {
    "us": (address("{house} {road} Avenue, {place}, TX {code}"), "en"),
    "us-apartment": (address("{house} {road} St, Apt 4B, {place}, CA {code}"), "en"),
    "us-lines": (address("{house} {road} Drive\n{place}, OH {code}"), "en"),
    "uk": (address("{house} {road} Road, {place} {outward}"), "en"),
    "uk-lines": (address("{house} {road} Lane\n{place}\n{outward}"), "en"),
    "street-only": (address("{house} {road} Street"), "en"),
    "de": (address("{road}straße {house}, {code} Karlsruhe"), "de"),
    "de-lines": (address("{road}weg {house}\n{code} Kassel"), "de"),
    "fr": (address("{house} rue du {road}, {code} Toulouse"), "fr"),
    "es": (address("Calle {road} {house}, {code} Valencia"), "es"),
    "it": (address("Via {road} {house}, {code} Torino"), "it"),
    "nl": (address("{road}laan {house}, 2587 XK Utrecht"), "nl"),
    "pt": (address("Rua {road}, {house}, Lisboa"), "pt"),
    "box": (address("PO Box {code}, {place}"), "en"),
}

_MONTHS = {
    "en": ("January", "March", "April", "June", "August", "October", "November", "December"),
    "de": ("Januar", "März", "April", "Juni", "August", "Oktober", "November", "Dezember"),
    "fr": ("janvier", "mars", "avril", "juin", "août", "octobre", "novembre", "décembre"),
    "es": ("enero", "marzo", "abril", "junio", "agosto", "octubre", "noviembre", "diciembre"),
}
_NUMBERS = (1, 3, 4, 6, 8, 10, 11, 12)


def birth(form: str, language: str = "en") -> Make:
    """A maker of dates of birth: Y year, y its last two digits, M month as two digits, B its name, D day."""

    def make(draw: Draw) -> Value:
        year, month, day = draw.between(1943, 2003), draw.below(8), draw.between(13, 28)
        marks = {"Y": str(year), "y": f"{year % 100:02d}", "M": f"{_NUMBERS[month]:02d}", "D": str(day)}
        marks["B"] = _MONTHS[language][month]
        text = "".join(marks.get(c, c) for c in form)
        return Value(text, (text,))

    return make


BIRTHS: dict[str, tuple[Make, str]] = {
    "iso": (birth("Y-M-D"), "en"),
    "us": (birth("M/D/Y"), "en"),
    "uk": (birth("D/M/Y"), "en"),
    "short": (birth("D/M/y"), "en"),
    "words": (birth("D B Y"), "en"),
    "us-words": (birth("B D, Y"), "en"),
    "de": (birth("D.M.Y"), "de"),
    "de-words": (birth("D. B Y", "de"), "de"),
    "fr": (birth("D/M/Y", "fr"), "fr"),
    "fr-words": (birth("D B Y", "fr"), "fr"),
    "es-words": (birth("D de B de Y", "es"), "es"),
}
