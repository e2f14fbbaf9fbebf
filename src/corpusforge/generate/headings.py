"""Reads a heading as a goal (change a password), an activity (changing passwords), a question or a thing."""

from __future__ import annotations

import re
from typing import Literal

from corpusforge.generate.phrasings import word_list

HeadingKind = Literal["question", "goal", "activity", "thing"]

_HOW = re.compile(r"how (?:to|do (?:i|you|we)|can (?:i|you|we)) (\S.*)", re.IGNORECASE)
_MINE = {"your": "my", "yourself": "myself", "yours": "mine"}
_CLAUSE = re.compile(
    r"^(?:i|i[’']\w+|you|we|my|forgot|lost|if|when|why|how|what|who|where)\b|n[’']t\b"
    r"|\b(?:is|are|was|were|has|have|can|cannot|will|does|do|did)\b",
    re.IGNORECASE,
)
_YOUR = re.compile(r"\b(?:your|yourself|yours)\b")


def read_heading(name: str, *, tells: bool = False) -> tuple[HeadingKind, str]:
    """What a heading is and the words to put into a question; goals and activities start in lower case.

    `tells` says that the text is known to tell what to do, so that a word that may be a noun is the verb.
    """
    if name.endswith(("?", "？")):
        return "question", name
    if match := _HOW.match(name):
        return "goal", match[1]
    first, _, rest = name.partition(" ")
    word = first.lower()
    if rest and first.isalpha():
        if (
            word in word_list("verbs")
            and (first == word or first == first.capitalize())
            and (tells or not _a_thing(word, rest))
        ):
            return "goal", f"{word} {rest}"
        if word.endswith("ing") and len(word) > 4 and word not in word_list("not_activities"):
            return "activity", f"{word} {rest}"
    return "thing", name


def asked_by_me(goal: str) -> str:
    """A goal as the asker says it: change your password becomes change my password."""
    return _YOUR.sub(lambda match: _MINE[match[0]], goal)


def is_question(text: str) -> bool:
    """Whether a text asks: it ends with a question mark and is not only one."""
    return text.rstrip().endswith(("?", "？")) and len(text) >= 8


def lowered(term: str, text: str) -> str:
    """A heading's first word in lower case where the text itself writes it so inside a sentence."""
    lower = term[:1].lower() + term[1:]
    return lower if lower != term and f" {lower}" in text else term


def sentence_like(name: str) -> bool:
    """Whether a heading is a clause or a long phrase (My card isn’t working), which no question can take in bare."""
    words = name.split()
    return len(words) > 5 or bool(_CLAUSE.search(name)) or words[0].lower() in word_list("verbs")


def _a_thing(word: str, rest: str) -> bool:
    # "Access points", "Display settings", "Check box": a verb form followed by a bare plural or a lone noun is a thing,
    # unless an article, a preposition or more words follow. "Kill (Terminate)" glosses a name. "Return value of ...":
    # a word that is as often a noun needs one of those behind it, or a plural.
    words = rest.lower().split()
    if not rest[0].isalnum() and rest[0] not in "“\"'`<[":
        return True
    if word in word_list("noun_or_verb") and words[0] not in word_list("after_a_verb") and not words[0].endswith("s"):
        return True
    return len(words) == 1 and words[0] in word_list("nouns_after")
