"""The words of a language that decide what a sentence claims: negations, scope, number words, words without content."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from corpusforge.generate.phrasings import resource


@dataclass(frozen=True)
class Lexicon:
    """One language's words, in lower case. `scope` maps a phrase, as a tuple of words, to its class."""

    language: str
    negations: frozenset[str]
    scope: dict[tuple[str, ...], str]
    longest_scope: int
    numbers: dict[str, str]
    soft_numbers: dict[str, str]
    function: frozenset[str]


@cache
def lexicon(language: str) -> Lexicon:
    """The words of a language (English where it is unknown); empty lists for a language that has none written down."""
    import yaml

    known = yaml.safe_load(resource("agreement").read_text(encoding="utf-8"))
    words = known.get(language.partition("-")[0] or "en", {})
    scope = {tuple(phrase.split()): name for name, phrases in words.get("scope", {}).items() for phrase in phrases}
    return Lexicon(
        language,
        frozenset(words.get("negations", ())),
        scope,
        max((len(phrase) for phrase in scope), default=0),
        {word: str(value) for word, value in words.get("numbers", {}).items()},
        {word: str(value) for word, value in words.get("soft_numbers", {}).items()},
        frozenset(words.get("function", ())),
    )
