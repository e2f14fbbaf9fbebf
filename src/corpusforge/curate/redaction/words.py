"""The word lists of `word_lists/`: names of people and places, and the words that point at nobody."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files


def word_list(name: str) -> frozenset[str]:
    """The words of one of the lists, separated by white space."""
    return frozenset((files(__package__) / "word_lists" / f"{name}.txt").read_text(encoding="utf-8").split())


# Common English and computing words, case-folded.
COMMON = word_list("common")
# Words in front of a turn that tell a role instead of a person.
ROLES = word_list("roles")
# Frequent given names in several languages.
GIVEN = word_list("given_names")
# Given names that are as often a word, a place, a month or a program: a surname must follow.
AMBIGUOUS = word_list("ambiguous_names")
# Names of products, formats, months and abbreviations that capitalised prose is full of.
PRODUCTS = word_list("products")
NATIONALITIES = word_list("nationalities")
# The nouns that job titles end in.
OCCUPATIONS = word_list("occupations")


@cache
def vocabulary() -> frozenset[str]:
    """English words that name nobody, case-folded."""
    return word_list("vocabulary") | COMMON | PRODUCTS | OCCUPATIONS


@cache
def world_names() -> frozenset[str]:
    """Given names and surnames of many languages, case-folded; none is a common English word."""
    return frozenset(word.casefold() for word in word_list("names_world")) | {word.casefold() for word in GIVEN}


@cache
def places() -> frozenset[str]:
    """Countries, states and cities, case-folded; none is a common English word, some are several words."""
    text = (files(__package__) / "word_lists" / "places.txt").read_text(encoding="utf-8")
    return frozenset(line.casefold() for line in text.splitlines())


@lru_cache(maxsize=1 << 14)
def is_role(name: str) -> bool:
    """Whether a speaker's name only tells a role: `Agent`, `customer 2`, `USER`, `system-bot`."""
    parts = name.replace("_", " ").replace("-", " ").casefold().split()
    return bool(parts) and all(part.rstrip("0123456789") in ROLES or part.isdigit() or len(part) == 1 for part in parts)
