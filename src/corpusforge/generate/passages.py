"""Splits markdown-like text into sections and blocks whose character offsets into the text are exact."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

BlockKind = Literal["paragraph", "list", "table", "code", "quote"]
_ATX = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t#]*$")
_SETEXT = re.compile(r"(=+|-{3,})[ \t]*$")
_ITEM = re.compile(r"([ \t]*)([-*+•]|\d{1,3}[.)])[ \t]+(?=\S)")
_RULE = re.compile(r"([-*_=] ?){3,}\s*$")
_SEPARATOR = re.compile(r"[|\s:-]+$")
_CELL = re.compile(r"(?:\\.|[^|\\])*")
# The further lines of a paragraph: not blank, and no table, code block, heading or item.
_FURTHER = re.compile(
    r"(?:\n(?=[^\S\n]*[^\s|])(?![^\S\n]*(?:```|~~~|#{1,6}[ \t]+[^\S\n]*\S))"
    r"(?![ \t]*(?:[-*+•]|(?=[0-9])\d{1,3}[.)])[ \t]+\S)[^\n]*)+"
)
_ITEM_STARTS = frozenset("-*+•0123456789")


class Piece(NamedTuple):
    """A stretch [start, end) of the text, in characters; `number` is an ordered item's, 0 otherwise."""

    start: int
    end: int
    number: int = 0
    indent: int = 0


class Block(NamedTuple):
    """A paragraph, list, table, code block or quote at [start, end) of the text, without white space around it.

    Lists have `items`; tables have `rows` of cells, the header first (empty where the table has none).
    """

    kind: BlockKind
    start: int
    end: int
    items: tuple[Piece, ...] = ()
    rows: tuple[tuple[Piece, ...], ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether this is a list whose items are all numbered."""
        # An item that is numbered otherwise than the first begins another list.
        return bool(self.items) and self.items[0].number > 0


@dataclass(slots=True)
class Section:
    """A heading and the blocks up to the next heading; the text before the first heading has level 0 and no heading.

    `path` holds the plain headings above this one, outermost first; `start` and `end` include the heading.
    """

    index: int
    level: int
    heading: str
    path: tuple[str, ...]
    start: int
    end: int
    blocks: list[Block] = field(default_factory=list)


def split(text: str) -> list[Section]:
    """The sections of a text in order; at least one. Works on LF line ends (curated text has no others)."""
    lines = text.split("\n")
    starts: list[int] = []
    position = 0
    for line in lines:
        starts.append(position)
        position += len(line) + 1
    return _Splitter(text, lines, starts).run()


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """[start, end) without the white space at its ends."""
    if start < end and not text[start].isspace() and not text[end - 1].isspace():
        return start, end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


class _Splitter:
    def __init__(self, text: str, lines: list[str], starts: list[int]) -> None:
        self.text = text
        self.lines = lines
        self.starts = starts
        self.at = 0
        self.sections = [Section(0, 0, "", (), 0, len(text))]
        self.open: list[tuple[int, str]] = []

    def run(self) -> list[Section]:
        lines = self.lines
        while self.at < len(lines):
            line = lines[self.at]
            body = line.strip()
            if not body:
                self.at += 1
                continue
            first = body[0]
            if first.isalpha() and not line[0].isspace() and not self._underlined():
                self._paragraph()
            elif first == "#" and (match := _ATX.match(body)):
                self._heading(len(match[1]), match[2], 1)
            elif first in "`~" and body.startswith(("```", "~~~")):
                self._fence(body[:3])
            elif first == "|":
                self._table()
            elif first in _ITEM_STARTS and _ITEM.match(line) and not _RULE.match(body):
                self._list()
            elif line.startswith(("    ", "\t")):
                self._run_of("code", lambda text: text.startswith(("    ", "\t")))
            elif first == ">":
                self._run_of("quote", lambda text: text.lstrip().startswith(">"))
            elif first in "-*_=" and _RULE.match(body):
                self.at += 1
            elif self._underlined() and len(body) < 120:
                self._heading(1 if lines[self.at + 1][0] == "=" else 2, body, 2)
            else:
                self._paragraph()
        return self.sections

    def _underlined(self) -> bool:
        below = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else ""
        return below[:1] in ("=", "-") and _SETEXT.match(below) is not None

    def _end_of(self, line: int) -> int:
        return self.starts[line] + len(self.lines[line])

    def _add(
        self,
        kind: BlockKind,
        first: int,
        last: int,
        items: tuple[Piece, ...] = (),
        rows: tuple[tuple[Piece, ...], ...] = (),
    ) -> None:
        start, end = self.starts[first], self.starts[last] + len(self.lines[last])
        if self.text[start].isspace() or self.text[end - 1].isspace():
            start, end = trimmed(self.text, start, end)
        self.sections[-1].blocks.append(Block(kind, start, end, items, rows))

    def _heading(self, level: int, heading: str, lines: int) -> None:
        start = self.starts[self.at]
        self.sections[-1].end = start
        self.open = [(above, name) for above, name in self.open if above < level]
        path = tuple(name for _, name in self.open)
        name = heading.strip()
        self.open.append((level, name))
        self.sections.append(Section(len(self.sections), level, name, path, start, len(self.text)))
        self.at += lines

    def _fence(self, mark: str) -> None:
        first = self.at
        self.at += 1
        while self.at < len(self.lines) and not self.lines[self.at].lstrip().startswith(mark):
            self.at += 1
        last = min(self.at, len(self.lines) - 1)
        self._add("code", first, last)
        self.at = last + 1

    def _run_of(self, kind: BlockKind, belongs: Callable[[str], bool]) -> None:
        first = self.at
        while self.at < len(self.lines) and self.lines[self.at].strip() and belongs(self.lines[self.at]):
            self.at += 1
        self._add(kind, first, self.at - 1)

    def _paragraph(self) -> None:
        first = self.at
        self.at += 1
        end = self._end_of(first)
        if further := _FURTHER.match(self.text, end):
            self.at += self.text.count("\n", end, further.end())
        self._add("paragraph", first, self.at - 1)

    def _table(self) -> None:
        first = self.at
        while self.at < len(self.lines) and self.lines[self.at].lstrip().startswith("|"):
            self.at += 1
        last = self.at - 1
        headed = last > first and bool(_SEPARATOR.match(self.lines[first + 1]))
        body = [self._cells(line) for line in range(first + 2 if headed else first, last + 1)]
        self._add("table", first, last, rows=(self._cells(first) if headed else (), *body))

    def _cells(self, line: int) -> tuple[Piece, ...]:
        text, start = self.lines[line], self.starts[line]
        at = text.index("|") + 1
        cells: list[Piece] = []
        escaped = "\\" in text
        while at < len(text):
            if escaped:
                match = _CELL.match(text, at)
                assert match is not None
                end = match.end()
            else:
                end = text.find("|", at)
                end = len(text) if end < 0 else end
            if end == len(text) and not text[at:end].strip():
                break
            cells.append(Piece(*trimmed(self.text, start + at, start + end)))
            at = end + 1
        return tuple(cells)

    def _list(self) -> None:
        first = self.at
        items: list[Piece] = []
        opened: tuple[int, int, int] | None = None
        last = first
        base = _indent(self.lines[first])
        while self.at < len(self.lines):
            line = self.lines[self.at]
            body = line.strip()
            if not body:
                if not self._continues(base):
                    break
                self.at += 1
                continue
            match = _item(line, body[0])
            indent = len(match[1]) if match else _indent(line)
            if match and indent <= base + 1:
                if indent < base - 1:
                    break
                mark = match[2]
                numbered = mark[0].isdigit()
                if items or opened:
                    was_numbered = (opened[1] if opened else items[-1].number) > 0
                    if numbered != was_numbered:
                        break
                if opened:
                    items.append(self._item(opened, last))
                opened = (self.starts[self.at] + match.end(), int(mark[:-1] or 0) or 1 if numbered else 0, base)
            elif indent <= base and (body[0] == "#" or body[0] == "|" or body.startswith("```")):
                break
            last = self.at
            self.at += 1
        if opened:
            items.append(self._item(opened, last))
        self.at = last + 1
        self._add("list", first, last, items=tuple(items))

    def _item(self, opened: tuple[int, int, int], last: int) -> Piece:
        start, number, indent = opened
        return Piece(*trimmed(self.text, start, self._end_of(last)), number=number, indent=indent)

    def _continues(self, base: int) -> bool:
        # After a blank line a list goes on with another item of its own or with text set in below its last item.
        for line in range(self.at + 1, len(self.lines)):
            text = self.lines[line]
            if text.strip():
                indent = _indent(text)
                return indent >= base + 2 or (indent >= base and _item(text, text[indent]) is not None)
        return False


def _item(line: str, first: str) -> re.Match[str] | None:
    """The mark of an item whose first character is `first`; most lines are none, by that alone."""
    return _ITEM.match(line) if first in _ITEM_STARTS or first.isdigit() else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
