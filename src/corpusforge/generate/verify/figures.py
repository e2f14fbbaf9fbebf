"""Numbers with their units, normalised so that `1,000 MB`, `1 000 megabytes` and `1 GB` can be compared."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from corpusforge.generate.verify.lexicon import Lexicon
from corpusforge.generate.verify.words import Word, content

_CURRENCY = {"$": "usd", "€": "eur", "£": "gbp", "¥": "jpy"}
_UNITS: dict[str, tuple[str, Fraction]] = {}
for _dimension, _table in {
    "time": {"ms millisecond milliseconds": "1/1000", "s sec secs second seconds segundo segundos seconde secondes "
             "sekunde sekunden": "1", "min mins minute minutes minuto minutos minuten": "60",
             "h hr hrs hour hours hora horas heure heures stunde stunden": "3600",
             "day days día días jour jours tag tage tagen": "86400", "week weeks semana semanas semaine semaines "
             "woche wochen": "604800", "month months mes meses mois monat monate monaten": "2629800",
             "year years año años an ans année années jahr jahre jahren": "31557600"},
    "bytes": {"b byte bytes": "1", "kb kib kilobyte kilobytes": "1000", "mb mib megabyte megabytes": "1000000",
              "gb gib gigabyte gigabytes": "1000000000", "tb tib terabyte terabytes": "1000000000000"},
    "bits": {"bit bits": "1", "kbit kbps": "1000", "mbit mbps": "1000000", "gbit gbps": "1000000000"},
    "hertz": {"hz hertz": "1", "khz kilohertz": "1000", "mhz megahertz": "1000000", "ghz gigahertz": "1000000000"},
    "metres": {"mm millimetre millimetres millimeter millimeters": "1/1000", "cm centimetre centimetres centimeter "
               "centimeters": "1/100", "m metre metres meter meters": "1", "km kilometre kilometres kilometer "
               "kilometers": "1000", "inch inches": "127/5000", "ft feet foot": "381/1250", "mile miles": "201168/125"},
    "grams": {"mg": "1/1000", "g gram grams": "1", "kg kilogram kilograms kilo kilos": "1000", "lb lbs pound pounds":
              "45359237/100000", "oz ounce ounces": "45359237/1600000"},
    "percent": {"% percent pct prozent porciento": "1"},
    "pixels": {"px pixel pixels": "1"},
    "degrees": {"° degree degrees °c °f": "1"},
    "usd": {"usd dollar dollars": "1"}, "eur": {"eur euro euros": "1"}, "gbp": {"gbp": "1"}, "jpy": {"yen jpy": "1"},
}.items():  # fmt: skip
    for _names, _factor in _table.items():
        for _name in _names.split():
            _UNITS[_name] = (_dimension, Fraction(_factor))
_VALUE = re.compile(r"([$€£¥]?)[+-]?(\d[\d.,:]*?)(st|nd|rd|th|%|x)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
_REACH = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in a text: its written value without thousands' commas, its unit's dimension, and what it counts.

    `size` is the value in the dimension's base unit, None where the value is no plain number (a version, a time of
    day). `counted` is the stem of the next word of content, `at` the number's place among the words. A `soft` one
    (one, first) may stand for a number but need not.
    """

    value: str
    dimension: str
    size: Fraction | None
    counted: str
    at: int
    soft: bool = False

    def agrees(self, other: Figure) -> bool:
        """Whether both say the same number; a unit that only one of them names is no difference."""
        if self.dimension and other.dimension:
            return self.dimension == other.dimension and (
                self.size == other.size if self.size is not None else self.value == other.value
            )
        return self.value == other.value


def figures(words: Sequence[Word], lexicon: Lexicon) -> list[Figure]:
    """The numbers among some words, in order; digits inside codes are part of the code."""
    found: list[Figure] = []
    for at, word in enumerate(words):
        soft = False
        if word.code:
            continue
        match = _VALUE.fullmatch(word.text)
        if match:
            written, dimension = match[2].rstrip(".,:"), _CURRENCY.get(match[1], "")
            suffix = (match[3] or "").lower()
            if suffix == "%":
                dimension = "percent"
            if _THOUSANDS.fullmatch(written):
                written = written.replace(",", "")
        elif word.lower in lexicon.numbers:
            written, dimension = lexicon.numbers[word.lower], ""
        elif word.lower in lexicon.soft_numbers:
            written, dimension, soft = lexicon.soft_numbers[word.lower], "", True
        else:
            continue
        after = words[at + 1 : at + 2 + _REACH] if not word.breaks or (match and not dimension) else []
        factor = Fraction(1)
        if after and not dimension and after[0].lower in _UNITS and not soft:
            dimension, factor = _UNITS[after[0].lower]
        counted = next((one.stem for one in after if content(one, lexicon)), "") if not word.breaks else ""
        size = Fraction(written) * factor if _PLAIN.fullmatch(written) else None
        found.append(Figure(written, dimension, size, counted, at, soft))
    return found
