"""Which commands of a page can stand beside another as wrong options, and in which order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from corpusforge.generate.mcq_cues import gives_everything, normal_of
from corpusforge.generate.mcq_slots import as_option
from corpusforge.generate.sentences import likeness
from corpusforge.record import stable_hash

if TYPE_CHECKING:
    from corpusforge.generate.mcq_items import Question

MIN_RATIO = 0.5
MAX_RATIO = 2.0
_SHORT = 8
# `{{path}}` stands for what the user puts in; `{{[-l|--list]}}` are two ways to write an option.
_ARGUMENT = re.compile(r"\{\{(?!\[)[^}]*\}\}")
# Which of several protocols is meant no question says.
_SCHEME = re.compile(r"\b[a-z]+://")
_CLUSTER = re.compile(r"-(?<![\w-]-)([A-Za-z]{1,4})(?![\w-])")
_PART = re.compile(r"[\w%.+/]+")


def commands_beside(question: Question) -> list[str]:
    """The commands beside the right one that can stand with it."""
    gold = as_command(question.gold)
    low, high = fitting_lengths(question.gold)
    found: list[str] = []
    for sibling in question.pair.siblings:
        value = as_option(sibling, "command")
        if low <= len(value) <= high and value and value not in found and not _as_right(gold, as_command(value)):
            found.append(value)
    return found


def by_likeness(question: Question, commands: Iterable[str]) -> list[str]:
    """Commands in an order of the question's own, those that share least with the right one first."""
    gold = as_command(question.gold).told
    found = {value: likeness(as_command(value).told, gold) for value in commands}
    if len(set(found.values())) == len(found):
        return sorted(found, key=found.__getitem__)
    often = Counter(found.values())

    def rank(value: str) -> tuple[float, str]:
        # Only among equals a hash decides.
        return found[value], stable_hash(question.row, value) if often[found[value]] > 1 else ""

    return sorted(found, key=rank)


def _as_right(gold: Command, value: Command) -> bool:
    """Whether a command may be as right as the right one, or would make it the one that says most."""
    return (
        gold.parts <= value.parts
        # What does the same and something more is right as well: cancel ID, cancel --verbose ID. What lacks something
        # is left out too, else the right one would be the one that says most.
        or gold.words <= value.words
        or value.words <= gold.words
        # What gives everything gives what is asked, too.
        or (value.everything and not gold.everything)
        or value.normal in gold.normal
        or gold.normal in value.normal
    )


class Command(NamedTuple):
    """What two commands are compared by: the parts of one, its words without arguments to be filled in (letters of
    options set together stand alone), all its words, its normal form between blanks, whether it gives everything."""

    parts: frozenset[str]
    words: frozenset[str]
    told: frozenset[str]
    normal: str
    everything: bool


@lru_cache(maxsize=1 << 14)
def as_command(command: str) -> Command:
    """A command as it is held against others."""
    parts = _PART.findall(command)
    bare = _SCHEME.sub(" ", command) if "://" in command else command
    bare = _ARGUMENT.sub(" ", bare) if "{{" in bare else bare
    words = _PART.findall(bare) if bare is not command else parts
    if "-" in command:
        options = {piece[1:] for piece in command.split() if piece[0] == "-"}
        words = [*(word for word in words if word not in options), *"".join(_CLUSTER.findall(command))]
    normal = f" {normal_of(command)} "
    return Command(frozenset(parts), frozenset(words), frozenset(normal.split()), normal, gives_everything(command))


def fitting_lengths(gold: str) -> tuple[float, float]:
    """The least and the greatest length of a wrong option."""
    right = max(len(gold), _SHORT)
    least = MIN_RATIO * right
    return (least if least > _SHORT else 0), MAX_RATIO * right
