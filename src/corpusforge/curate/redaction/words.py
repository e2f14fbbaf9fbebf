"""The word lists of `word_lists/`: given names, and words that a cue or a nick alone must not turn into a person."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files


def _words(name: str) -> frozenset[str]:
    return frozenset((files(__package__) / "word_lists" / f"{name}.txt").read_text(encoding="utf-8").split())


# Common English and computing words, case-folded.
COMMON = _words("common")
# Words in front of a turn that tell a role instead of a person.
ROLES = _words("roles")
# Frequent given names in several languages.
GIVEN = _words("given_names")
# Given names that are as often a word, a place, a month or a program: a surname must follow.
AMBIGUOUS = _words("ambiguous_names")


@lru_cache(maxsize=1 << 14)
def is_role(name: str) -> bool:
    """Whether a speaker's name only tells a role: `Agent`, `customer 2`, `USER`, `system-bot`."""
    parts = name.replace("_", " ").replace("-", " ").casefold().split()
    return bool(parts) and all(part.rstrip("0123456789") in ROLES or part.isdigit() or len(part) == 1 for part in parts)
