"""Finds the elements of a JSON document along a path, with their positions, and keeps those before a break."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

_SPACE = re.compile(r"[ \t\r\n]*")
_ANY = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its characters [start, end) in the document, and the keys and indices that lead to it."""

    start: int
    end: int
    path: tuple[str, ...]


class BrokenJson(ValueError):
    """The document is no JSON from character `at` on."""

    def __init__(self, at: int) -> None:
        super().__init__(f"no JSON from character {at} on")
        self.at = at


def scan(text: str, path: str) -> Iterator[Element]:
    """The elements at `path` (`data.*`, `*.*.docs.*`, or "" for the whole document), in document order.

    Raises BrokenJson where the document stops being JSON, after all elements before that point.
    """
    end = yield from _walk(text, _skip(text, 0), tuple(filter(None, path.split("."))), ())
    if _skip(text, end) != len(text):
        raise BrokenJson(end)


def _walk(text: str, at: int, steps: tuple[str, ...], path: tuple[str, ...]) -> Generator[Element, None, int]:
    """Yields the elements of the value at `at` and returns where the value ends."""
    if not steps or text[at : at + 1] not in ("{", "["):
        end = _value_end(text, at)
        if not steps:
            yield Element(at, end, path)
        return end
    keyed, close = (True, "}") if text[at] == "{" else (False, "]")
    at = _skip(text, at + 1)
    index = 0
    while text[at : at + 1] != close:
        if index:
            at = _skip(text, _expect(text, at, ","))
        key = str(index)
        if keyed:
            key, at = _key(text, at)
        if steps[0] in ("*", key):
            at = yield from _walk(text, at, steps[1:], (*path, key))
        else:
            at = _value_end(text, at)
        at = _skip(text, at)
        index += 1
    return at + 1


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _expect(text: str, at: int, character: str) -> int:
    if text[at : at + 1] != character:
        raise BrokenJson(at)
    return at + 1


def _key(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] != '"':
        raise BrokenJson(at)
    try:
        key, end = _ANY.raw_decode(text, at)
    except ValueError:
        raise BrokenJson(at) from None
    return key, _skip(text, _expect(text, _skip(text, end), ":"))


def _value_end(text: str, at: int) -> int:
    try:
        return _ANY.raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        raise BrokenJson(at) from None
