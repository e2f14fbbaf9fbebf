"""Questions from tables: the row's key and the column's name ask, the cell answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from corpusforge.generate.page import Page
from corpusforge.generate.passages import Block, Section
from corpusforge.generate.qa_pair import Pair, ask
from corpusforge.generate.sentences import normalised, plain

MAX_KEY = 80
MAX_CELL = 300
MAX_ROWS = 200


def table_pairs(page: Page) -> Iterator[Pair]:
    """A pair for each cell beside the key column, where key and column each name one row and column."""
    for section in page.sections if "|" in page.text else ():
        for block in section.blocks:
            if block.kind == "table" and 3 <= len(block.rows) <= MAX_ROWS:
                yield from _pairs(page, section, block)


def _pairs(page: Page, section: Section, block: Block) -> Iterator[Pair]:
    text = page.text
    header = [plain(text[cell.start : cell.end]) for cell in block.rows[0]]
    title = page.subject(section)
    rows = [row for row in block.rows[1:] if len(row) == len(header)]
    if not title or len(header) < 2 or len(rows) < 2:
        return
    keys = [plain(text[row[0].start : row[0].end]) for row in rows]
    normal_keys = [normalised(key) for key in keys]
    named = Counter(normal_keys)
    for column in range(1, len(header)):
        name = header[column]
        if not name or len(name) > 60 or normalised(name) in ("notes", "note", "") or header.count(name) > 1:
            continue
        values = [plain(text[row[column].start : row[column].end]) for row in rows]
        whole, full = tuple(values), all(values)
        slot, noun = f"column:{normalised(name)}", _noun(name)
        for index, (row, key, value) in enumerate(zip(rows, keys, values, strict=True)):
            cell = row[column]
            if not key or len(key) > MAX_KEY or named[normal_keys[index]] > 1:
                continue
            if not normalised(value) or len(value) > MAX_CELL or page.redacted(row[0].start, cell.end):
                continue
            others = whole[:index] + whole[index + 1 :] if full else tuple(_filled(values, index))
            question = ask(page, "cell", cell.start, title=title, column=noun, key=key)
            answer = " ".join(text[cell.start : cell.end].split())
            yield Pair(
                "cell", "cell", question, answer, ((cell.start, cell.end),), section.index, slot, others
            )  # fmt: skip


def _filled(values: list[str], but: int) -> Iterator[str]:
    return (value for at, value in enumerate(values) if value and at != but)


def _noun(name: str) -> str:
    # Column names are set in capitals for looks; acronyms keep theirs.
    return name if name[:2].isupper() or not name[1:].islower() else name.lower()
