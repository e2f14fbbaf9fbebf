"""Tells in one pass over a text which of many patterns can match in it, and finds matches at RE2's speed where it may."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from corpusforge.curate.redaction.superset import Unsupported, same_on_ascii, superset

# Bytes for the automaton of a set. It is built as texts need it; with too little it would be built again and again.
_MEMORY = 64 << 20
_SURROGATE = re.compile("[\ud800-\udfff]")
# RE2's `\s` lacks these.
_ODD_SPACE = re.compile(r"[\x0b\x1c-\x1f]")


@dataclass(frozen=True, slots=True)
class Form:
    """A pattern in the syntax of the `regex` module, with the flags that matter."""

    pattern: str
    multiline: bool = True
    dotall: bool = False
    ignorecase: bool = True

    def options(self) -> dict[str, bool]:
        """The flags by name."""
        return {"multiline": self.multiline, "dotall": self.dotall, "ignorecase": self.ignorecase}


class Gate:
    """Which of some forms can match in a text; never leaves out one that does, but may name one that does not."""

    def __init__(self, forms: Sequence[Form]) -> None:
        """Forms that cannot be rewritten for RE2 are always let through."""
        self._ascii = _Automaton(forms, ascii_text=True)
        self._unicode = _Automaton(forms, ascii_text=False)

    @property
    def always(self) -> frozenset[int]:
        """Places of the forms that are let through unseen."""
        return self._ascii.always | self._unicode.always

    def open(self, text: str) -> frozenset[int]:
        """Places of the forms that can match in a text."""
        if text.isascii():
            return self._ascii.open(text.encode())
        try:
            return self._unicode.open(text.encode())
        except UnicodeEncodeError:
            # A lone surrogate has no UTF-8; like the replacement character it is no letter, digit or punctuation.
            return self._unicode.open(_SURROGATE.sub("\ufffd", text).encode())


class _Automaton:
    def __init__(self, forms: Sequence[Form], *, ascii_text: bool) -> None:
        import re2

        options = re2.Options()
        options.max_mem = _MEMORY
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        # An expression that matches everywhere. An automaton that ran out of memory names nothing, not even this.
        self._set.Add("")
        always: list[int] = []
        self._places: list[int] = [-1]
        for place, form in enumerate(forms):
            try:
                self._set.Add(superset(form.pattern, ascii_text=ascii_text, **form.options()))
            except (Unsupported, re2.error):
                always.append(place)
            else:
                self._places.append(place)
        self.always = frozenset(always)
        self._all = frozenset(range(len(forms)))
        self._set.Compile()

    def open(self, text: bytes) -> frozenset[int]:
        named = self._set.Match(text)
        if not named:
            return self._all
        if len(named) == 1:
            return self.always
        return self.always.union([self._places[place] for place in named if place])


@dataclass(slots=True)
class Searcher:
    """One form's matches: with RE2 in plain ASCII text where both engines agree, else with the `regex` module."""

    form: Form
    timeout: float
    _slow: Any = field(init=False)
    _quick: Any = field(init=False)

    def __post_init__(self) -> None:
        """Compiles the form for both engines."""
        import re2
        import regex  # type: ignore[import-untyped]

        form = self.form
        flags = (
            (regex.MULTILINE if form.multiline else 0)
            | (regex.DOTALL if form.dotall else 0)
            | (regex.IGNORECASE if form.ignorecase else 0)
        )
        self._slow = regex.compile(form.pattern, flags)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY
        try:
            self._quick = re2.compile(same_on_ascii(form.pattern, **form.options()).encode(), options)
        except (Unsupported, re2.error):
            self._quick = None

    def spans(self, text: str, plain: bytes | None) -> list[tuple[int, int]]:
        """(start, end) of every match that is not empty, as `finditer` of the `regex` module gives them.

        `plain`: the text as bytes if `plain_bytes` gave any. Raises TimeoutError.
        """
        if plain is None or self._quick is None:
            return list(self._backtracked(text))
        found = []
        for match in self._quick.finditer(plain):
            span = match.span()
            if span[0] == span[1]:
                # The engines go on from an empty match in ways that need not be the same.
                return list(self._backtracked(text))
            found.append(span)
        return found

    def _backtracked(self, text: str) -> Iterator[tuple[int, int]]:
        for match in self._slow.finditer(text, timeout=self.timeout):
            span = match.span()
            if span[0] < span[1]:
                yield span


def plain_bytes(text: str) -> bytes | None:
    """A text as bytes if it is ASCII without the control characters that RE2 and `regex` read in different ways."""
    return text.encode() if text.isascii() and not _ODD_SPACE.search(text) else None
