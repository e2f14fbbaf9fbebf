"""Reads the versioned phrasings and word lists in `prompts/` and picks a phrasing for a row by a seeded hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from corpusforge.record import stable_hash

FOLDER = Path(__file__).parent / "prompts"


@dataclass(frozen=True, slots=True)
class Template:
    """One template: its name, version, the hash of its wording (12 hex digits) and its phrasings with `{slots}`."""

    name: str
    version: int
    hash: str
    phrasings: tuple[str, ...]

    def phrase(self, choice: str, **slots: str) -> str:
        """One phrasing, chosen by the string `choice`, with its slots filled; slots are never read as templates."""
        chosen = self.phrasings[pick(len(self.phrasings), self.name, choice)]
        return chosen.format_map(slots)


def resource(name: str) -> Path:
    """The file that holds a generator's phrasings."""
    return FOLDER / f"{name}.yaml"


@cache
def templates(name: str) -> Mapping[str, Template]:
    """The templates of one generator by name."""
    import yaml

    loaded = yaml.safe_load(resource(name).read_text(encoding="utf-8"))
    return {
        key: Template(key, value["version"], stable_hash(*value["phrasings"], size=6), tuple(value["phrasings"]))
        for key, value in loaded.items()
    }


@cache
def word_list(use: str) -> frozenset[str]:
    """One of the word lists in `prompts/english.yaml`."""
    return frozenset(_english()[use])


@cache
def _english() -> Mapping[str, Sequence[str]]:
    import yaml

    lists: Mapping[str, Sequence[str]] = yaml.safe_load(resource("english").read_text(encoding="utf-8"))
    return lists


def pick(n: int, *key: str) -> int:
    """A number in [0, n) decided by `key`, evenly spread."""
    return int(stable_hash(*key), 16) % n
