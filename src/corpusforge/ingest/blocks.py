"""Writes an element tree (HTML or any declared XML) as Markdown-like text with headings, lists, tables and code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_SPACE = re.compile(r"[ \t\r\n\f\v]+")
# An XML or HTML tree cannot hold NUL, so it can stand for a line break while white space is folded.
_BREAK = "\0"
_AROUND_BREAK = re.compile(r" *\0 *")
# Likewise a reference without text ("see figure ()"), which goes together with its parentheses.
_NOTHING = "\x01"
_AROUND_NOTHING = re.compile(r" ?\([\s\x01;,]*\x01[\s\x01;,]*\)|\x01")
_MARKERS = {"lower-alpha": "a", "a": "a", "upper-alpha": "A", "A": "A"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What the elements of a vocabulary are, by local name. Whatever is not named is inline, and its text is kept.

    `headings` gives a level from 1; level 0 means "one deeper for each enclosing element of `sections`", and a plain
    paragraph where the parent is neither a section nor the root (the title of a note).
    `numbered_by` is an attribute and its value that make a list of `bullets` a numbered one. `references` are links
    whose text may be empty: the value of the attribute stands in, or nothing if the attribute is "".
    `joined` elements put a string between their children (keys of a shortcut). A glossary's terms stand beside its
    definitions (`dt`, `dd`) or inside its items.
    """

    blocks: frozenset[str] = frozenset()
    headings: Mapping[str, int] = field(default_factory=dict)
    sections: frozenset[str] = frozenset()
    bullets: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()
    glossaries: frozenset[str] = frozenset()
    terms: frozenset[str] = frozenset()
    quotes: frozenset[str] = frozenset()
    code_blocks: frozenset[str] = frozenset()
    code: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    rows: frozenset[str] = frozenset()
    cells: frozenset[str] = frozenset()
    breaks: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()
    joined: Mapping[str, str] = field(default_factory=dict)
    numbered_by: tuple[str, str] = ("", "")
    references: Mapping[str, str] = field(default_factory=dict)

    @property
    def structural(self) -> frozenset[str]:
        """The names of all elements that start a block of their own."""
        lists = self.bullets | self.numbers | self.glossaries | self.items
        tables = self.tables | self.rows | self.cells
        return self.blocks | self.sections | lists | self.quotes | self.code_blocks | tables | frozenset(self.headings)


def local_name(element: Any) -> str:
    """An element's name without namespace; empty for comments, processing instructions and entities."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def to_text(element: Any, shape: Shape) -> str:
    """The element's content as text, blocks separated by blank lines."""
    return "\n\n".join(_Writer(shape, element).blocks(element, 1))


def plain(element: Any) -> str:
    """All text below an element on one line."""
    return _SPACE.sub(" ", "".join(element.itertext())).strip()


class _Writer:
    def __init__(self, shape: Shape, root: Any) -> None:
        self._shape = shape
        self._root = root
        self._structural = shape.structural

    def blocks(self, element: Any, depth: int, *, without: Sequence[Any] = ()) -> list[str]:
        """An element's content as blocks, children in `without` left out; `depth` counts enclosing sections."""
        done: list[str] = []
        inline: list[str] = [element.text or ""]

        def flush() -> None:
            text = _fold("".join(inline))
            inline.clear()
            if text:
                done.append(text)

        for child in element:
            name = local_name(child)
            if name and name not in self._shape.drop and child not in without:
                if name in self._structural or self._is_listing(child, name):
                    flush()
                    done.extend(self._block(child, name, depth))
                elif self._holds_blocks(child):
                    flush()
                    done.extend(self.blocks(child, depth))
                else:
                    inline.append(self._inline(child, name))
            inline.append(child.tail or "")
        flush()
        return done

    def _block(self, element: Any, name: str, depth: int) -> list[str]:
        s = self._shape
        if name in s.headings:
            text = _fold(self._children_inline(element)).replace("\n", " ")
            parent = element.getparent()
            if not s.headings[name] and parent is not self._root and local_name(parent) not in s.sections:
                return [text] if text else []
            return [f"{'#' * min(s.headings[name] or depth, 6)} {text}"] if text else []
        if name in s.code_blocks or name in s.code:
            code = "".join(self._verbatim(element)).strip("\r\n").rstrip()
            return [f"```\n{code}\n```"] if code.strip() else []
        if name in s.bullets or name in s.numbers:
            return self._list(element, depth, numbered=name in s.numbers or self._is_numbered(element))
        if name in s.glossaries:
            return self._glossary(element, depth)
        if name in s.tables:
            return self._table(element, depth)
        inner = self.blocks(element, depth + 1 if name in s.sections else depth)
        return ["\n>\n".join(_prefixed(b, "> ") for b in inner)] if name in s.quotes and inner else inner

    def _list(self, element: Any, depth: int, *, numbered: bool) -> list[str]:
        """One block for the items; what stands in a list outside its items (a title) comes before it."""
        before: list[str] = []
        items: list[str] = []
        for child in element:
            name = local_name(child)
            if not name or name in self._shape.drop:
                continue
            if name not in self._shape.items:
                before.extend(
                    self._block(child, name, depth) if name in self._structural else self.blocks(child, depth)
                )
                continue
            marker = f"{_number(element, len(items))}. " if numbered else "- "
            inner = self.blocks(child, depth)
            if inner:
                items.append(marker + _indented(inner, len(marker)))
        return [*before, "\n".join(items)] if items else before

    def _glossary(self, element: Any, depth: int) -> list[str]:
        lines: list[str] = []
        for child in _elements(element):
            name = local_name(child)
            if name in self._shape.drop:
                continue
            if name in self._shape.terms:
                lines.append(f"- {_fold(self._children_inline(child))}")
                continue
            heads = [t for t in _elements(child) if local_name(t) in self._shape.terms]
            lines.extend(f"- {_fold(self._children_inline(term))}" for term in heads)
            inner = self.blocks(child, depth, without=heads)
            if inner:
                lines.append("  " + _indented(inner, 2))
        return ["\n".join(lines)] if lines else []

    def _table(self, element: Any, depth: int) -> list[str]:
        s = self._shape
        rows = [row for row in element.iter() if local_name(row) in s.rows and self._owner(row, s.tables) is element]
        grid = [[c for c in _elements(row) if local_name(c) in s.cells] for row in rows]
        texts = [
            [" ".join(self.blocks(c, depth)).replace("\n", " ").replace("|", "\\|") for c in cells] for cells in grid
        ]
        wide = max((len(row) for row in texts), default=0)
        filled = max((sum(map(bool, row)) for row in texts), default=0)
        nested = any(local_name(e) in s.tables | s.code_blocks for cells in grid for c in cells for e in c.iter())
        before = [b for c in _elements(element) if self._is_caption(c) for b in self.blocks(c, depth)]
        if filled < 2 or nested:
            # A table without two filled cells side by side, or one that holds tables or code, is layout, not data.
            return before + [b for cells in grid for c in cells for b in self.blocks(c, depth)]
        lines = ["| " + " | ".join([*row, *[""] * (wide - len(row))]) + " |" for row in texts if any(row)]
        head = next(row for row, found in zip(rows, texts, strict=True) if any(found))
        if any(local_name(e) in ("th", "thead") for e in (head.getparent(), *head)):
            lines.insert(1, "|" + " --- |" * wide)
        return [*before, "\n".join(lines)]

    def _is_numbered(self, element: Any) -> bool:
        attribute, value = self._shape.numbered_by
        return bool(attribute) and element.get(attribute) == value

    def _is_listing(self, element: Any, name: str) -> bool:
        """Whether inline code stands alone and spans lines: then it is a code block."""
        if name not in self._shape.code or "\n" not in "".join(element.itertext()).strip():
            return False
        parent = element.getparent()
        return not any((text or "").strip() for text in (parent.text, *(child.tail for child in parent)))

    def _is_caption(self, element: Any) -> bool:
        """Whether a child of a table holds none of its rows, so that it would get lost."""
        name = local_name(element)
        if not name or name in self._shape.drop | self._shape.rows:
            return False
        return not any(local_name(e) in self._shape.rows for e in element.iter())

    def _owner(self, element: Any, names: frozenset[str]) -> Any:
        return next((a for a in element.iterancestors() if local_name(a) in names), None)

    def _holds_blocks(self, element: Any) -> bool:
        return any(local_name(e) in self._structural for e in element.iterdescendants())

    def _inline(self, element: Any, name: str) -> str:
        s = self._shape
        if name in s.breaks:
            return _BREAK
        if name in s.joined:
            return s.joined[name].join(
                filter(None, (_fold(self._inline(c, local_name(c))) for c in _elements(element)))
            )
        text = self._children_inline(element)
        if name in s.references and not text.strip():
            return (element.get(s.references[name]) or _NOTHING) if s.references[name] else _NOTHING
        if name in s.code and text.strip() and "`" not in text:
            return f"`{_fold(text)}`"
        return text

    def _children_inline(self, element: Any) -> str:
        parts = [element.text or ""]
        for child in element:
            name = local_name(child)
            if name and name not in self._shape.drop:
                parts.append(self._inline(child, name))
            parts.append(child.tail or "")
        return "".join(parts)

    def _verbatim(self, element: Any) -> Iterable[str]:
        yield element.text or ""
        for child in element:
            name = local_name(child)
            if name in self._shape.breaks:
                yield "\n"
            elif name and name not in self._shape.drop:
                yield from self._verbatim(child)
            yield child.tail or ""


def _elements(element: Any) -> list[Any]:
    return [child for child in element if local_name(child)]


def _number(element: Any, index: int) -> str:
    """The marker of a numbered list's item: letters where the list asks for them, as answers refer to them."""
    first = _MARKERS.get(element.get("number-style") or element.get("type") or "")
    return chr(ord(first) + index) if first and index < 26 else str(index + 1)


def _fold(text: str) -> str:
    text = _AROUND_NOTHING.sub("", text) if _NOTHING in text else text
    return _AROUND_BREAK.sub("\n", _SPACE.sub(" ", text)).strip()


def _indented(blocks: list[str], width: int) -> str:
    """Blocks of a list item: the first starts behind the marker, nested lists follow at once, other blocks after a
    blank line.
    """
    pad = " " * width
    text = blocks[0].replace("\n", f"\n{pad}")
    for block in blocks[1:]:
        gap = "\n" if re.match(r"(- |\d+\. )", block) else "\n\n"
        text += gap + _prefixed(block, pad)
    return text


def _prefixed(block: str, prefix: str) -> str:
    return "\n".join((prefix + line).rstrip() for line in block.split("\n"))
