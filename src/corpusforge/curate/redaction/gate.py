"""Tells in one pass over a text which of many patterns can match in it, and finds matches at the speed of RE2."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from corpusforge.curate.redaction.superset import Unsupported, same_on_ascii, superset

# Bytes for the automaton of a set. It is built as texts need it; with too little it would be built again and again.
_MEMORY = 64 << 20
_NONE: frozenset[int] = frozenset()
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"[^ \t\r\n]+")
_BEYOND = re.compile(r"[^\x00-\x7f]")
_LINE = re.compile(r"[^\r\n]+")
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

    def __init__(self, forms: Sequence[Form], together: int = 64) -> None:
        """`together`: forms in one automaton. The more, the fewer passes; but its states are combinations of those of
        its forms, and with too many of them it is built anew again and again.
        """
        starts = range(0, len(forms), together)
        self._ascii = [_Automaton(forms[at : at + together], at, ascii_text=True) for at in starts]
        self._unicode = [_Automaton(forms[at : at + together], at, ascii_text=False) for at in starts]

    def open(self, text: str) -> frozenset[int]:
        """Places of the forms that can match in a text."""
        encoded = utf8(text)
        automata = self._ascii if len(encoded) == len(text) else self._unicode
        if len(automata) == 1:
            return automata[0].open(encoded)
        return _NONE.union(*[automaton.open(encoded) for automaton in automata])


class _Automaton:
    def __init__(self, forms: Sequence[Form], first: int, *, ascii_text: bool) -> None:
        import re2

        options = re2.Options()
        options.max_mem = _MEMORY
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        # An expression that matches everywhere. An automaton that ran out of memory names nothing, not even this.
        self._set.Add("")
        always: list[int] = []
        self._places: list[int] = [-1]
        for place, form in enumerate(forms, first):
            try:
                self._set.Add(superset(form.pattern, ascii_text=ascii_text, **form.options()))
            except (Unsupported, re2.error):
                always.append(place)
            else:
                self._places.append(place)
        self.always = frozenset(always)
        self._all = frozenset(range(first, first + len(forms)))
        self._set.Compile()

    def open(self, text: bytes) -> frozenset[int]:
        named = self._set.Match(text)
        if not named:
            return self._all
        if len(named) == 1:
            return self.always
        return self.always.union([self._places[place] for place in named if place])


class Possible:
    """Whether one form, or any of some, can match in a text."""

    def __init__(self, *forms: Form) -> None:
        """A form that cannot be rewritten for RE2 can always match. Wide forms together make too large an automaton."""
        self._ascii = _any_of(forms, ascii_text=True)
        self._unicode = _any_of(forms, ascii_text=False)

    def pattern(self, *, ascii_text: bool) -> Any:
        """RE2's form for texts that are ASCII, or any; None where there is none and every text can match."""
        return self._ascii if ascii_text else self._unicode

    def within(self, encoded: bytes, *, ascii_text: bool) -> bool:
        """Whether a text, given as UTF-8, can hold a match."""
        pattern = self.pattern(ascii_text=ascii_text)
        return pattern is None or pattern.search(encoded) is not None


def _any_of(forms: Sequence[Form], *, ascii_text: bool) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        made = "|".join(superset(form.pattern, ascii_text=ascii_text, **form.options()) for form in forms)
        return re2.compile(made.encode(), options)
    except (Unsupported, re2.error):
        return None


def utf8(text: str) -> bytes:
    """A text's UTF-8; a lone surrogate, which has none, as the replacement character: no letter or digit either."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()


class Views:
    """A text as RE2 may see it: in whole if it is plain ASCII, else with what is not blanked out."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = text.encode() if text.isascii() and not _ODD_SPACE.search(text) else None
        self._cut: dict[bool, _Parted | None] = {}

    def parted(self, *, by_lines: bool) -> _Parted | None:
        """The text parted between words (or lines) that are plain and those that are not; None if it is no use."""
        if by_lines not in self._cut:
            self._cut[by_lines] = self._part(_LINE, "\r\n") if by_lines else self._part(_WORD, " \t\r\n")
        return self._cut[by_lines]

    def _part(self, piece: re.Pattern[str], cuts: str) -> _Parted | None:
        if _ODD_SPACE.search(self.text):
            return None
        plain: list[str] = []
        odd: list[str] = []
        starts: list[int] = []
        shifts: list[int] = []
        done = size = 0
        for match in _BEYOND.finditer(self.text):
            at = match.start()
            if at < done:
                continue
            end = _end(piece, self.text, at)
            while at > done and self.text[at - 1] not in cuts:
                at -= 1
            plain += [self.text[done:at], " " * (end - at)]
            odd.append(self.text[at:end])
            starts.append(size)
            shifts.append(at - size)
            size += end - at + 1
            done = end
        plain.append(self.text[done:])
        return _Parted("".join(plain).encode(), "\n".join(odd), starts, shifts)


def _end(piece: re.Pattern[str], text: str, at: int) -> int:
    match = piece.match(text, at)
    return match.end() if match else at + 1


class _Parted(NamedTuple):
    plain: bytes
    odd: str
    starts: list[int]
    shifts: list[int]

    def back(self, start: int, end: int) -> tuple[int, int]:
        """A span of `odd` in the text that was parted."""
        shift = self.shifts[bisect_right(self.starts, start) - 1]
        return start + shift, end + shift


@dataclass(slots=True)
class Searcher:
    """One form's matches: with RE2 in plain ASCII where both engines agree, else with the `regex` module."""

    form: Form
    _slow: Any = field(init=False)
    _quick: Any = field(init=False)
    _possible: Possible = field(init=False)
    _by_lines: bool = field(init=False, default=False)
    _by_parts: bool = field(init=False, default=False)

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
        self._possible = Possible(form)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY
        try:
            same = same_on_ascii(form.pattern, **form.options())
            self._quick = re2.compile(same.pattern.encode(), options)
            self._by_lines = same.crosses_blanks
            self._by_parts = not same.crosses_lines
        except (Unsupported, re2.error):
            self._quick = None

    def spans(self, views: Views, timeout: float) -> list[tuple[int, int]]:
        """(start, end) of every match that is not empty, as `finditer` of the `regex` module gives them, in any order.

        Raises TimeoutError where the `regex` module takes more than `timeout` seconds; RE2 takes linear time.
        """
        if self._quick is None:
            return self._backtracked(views.text, timeout)
        if views.plain is not None:
            found = self._linear(views.plain)
        elif not self._by_parts or (parted := views.parted(by_lines=self._by_lines)) is None:
            found = None
        else:
            # No match spans a blank (or line end), and none sees farther: the parts can be searched one by one.
            found = self._linear(parted.plain)
            if found is not None and self._possible.within(utf8(parted.odd), ascii_text=False):
                found += [parted.back(start, end) for start, end in self._backtracked(parted.odd, timeout)]
        # The engines go on from an empty match in ways that need not be the same.
        return self._backtracked(views.text, timeout) if found is None else found

    def _linear(self, text: bytes) -> list[tuple[int, int]] | None:
        found = []
        for match in self._quick.finditer(text):
            span = match.span()
            if span[0] == span[1]:
                return None
            found.append(span)
        return found

    def _backtracked(self, text: str, timeout: float) -> list[tuple[int, int]]:
        spans = (match.span() for match in self._slow.finditer(text, timeout=timeout))
        return [span for span in spans if span[0] < span[1]]
