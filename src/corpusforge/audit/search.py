"""Looks for every canary in every string at once, and tells a leak from a chance."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from corpusforge.audit.canary import Canary, squeezed
from corpusforge.audit.contents import BYTES, Decode, Opened, Text, contents, readings

_BATCH_CHARS = 4_000_000
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Find:
    """A canary's string in a file: the needle as squeezed, and where it stood."""

    canary: int
    needle: str
    file: str
    field: str


class Search:
    """All needles of all canaries in one automaton (Aho-Corasick), over squeezed text."""

    def __init__(self, canaries: Mapping[int, Canary], carrier: Mapping[int, str]) -> None:
        """`carrier` is the id of the record that each canary was planted into."""
        self._carrier = dict(carrier)
        self._anywhere: dict[str, list[int]] = {}
        self._own: dict[str, list[int]] = {}
        for number, canary in sorted(canaries.items()):
            for needle in canary.anywhere:
                self._anywhere.setdefault(needle, []).append(number)
            for needle in canary.own:
                self._own.setdefault(needle, []).append(number)
        self._needles = sorted({*self._anywhere, *self._own})
        # Most strings stand in the results of many steps, so what was found in each is remembered.
        self._hits: dict[str, tuple[tuple[str, str], ...]] = {}

    def files(self, folder: Path, paths: Iterable[Path], decode: Decode, opened: Opened) -> Iterator[Find]:
        """What stands in some files; they are named relative to `folder`."""
        for path in paths:
            name = path.relative_to(folder).as_posix()
            yield from self.texts(contents(path, name, decode, opened), name)

    def texts(self, texts: Iterable[Text], name: str) -> Iterator[Find]:
        """What stands in some strings of one file; each canary, needle and field once."""
        seen: set[Find] = set()
        batch: list[Text] = []
        size = 0
        for text in texts:
            batch.append(text)
            size += len(text.text)
            if size > _BATCH_CHARS:
                seen.update(self._found(batch, name))
                batch, size = [], 0
        seen.update(self._found(batch, name))
        yield from sorted(seen, key=lambda find: (find.canary, find.file, find.field == BYTES, find.field, find.needle))

    def _found(self, batch: list[Text], name: str) -> Iterator[Find]:
        self._look(dict.fromkeys(text.text for text in batch if text.text not in self._hits))
        for text in batch:
            for needle, reading in self._hits[text.text]:
                for canary in self._anywhere.get(needle, ()):
                    yield Find(canary, needle, name, text.field)
                owners = [canary for canary in self._own.get(needle, ()) if self._carrier[canary] in text.records]
                if owners and _stands(needle, reading):
                    for canary in owners:
                        yield Find(canary, needle, name, text.field)

    def _look(self, texts: Iterable[str]) -> None:
        """Note for each text the needles in it, each with the reading that shows it."""
        import polars as pl

        pairs = [(text, reading) for text in texts for reading in readings(text)]
        column = pl.Series([squeezed(reading) for _, reading in pairs], dtype=pl.String)
        hits = column.str.extract_many(self._needles or ["\0"], overlapping=True)
        found: dict[str, list[tuple[str, str]]] = {text: [] for text, _ in pairs}
        for at in hits.list.len().gt(0).arg_true().to_list():
            text, reading = pairs[at]
            found[text] += [(needle, reading) for needle in dict.fromkeys(hits[at].to_list())]
        self._hits.update((text, tuple(rows)) for text, rows in found.items())


def _stands(needle: str, reading: str) -> bool:
    """Whether a short needle stands by itself, not within another word; writing without spaces has no such edges."""
    plain = unicodedata.normalize("NFKC", reading).casefold()
    inside = r"[\W_]*".join(map(re.escape, needle))
    if _CJK.search(needle):
        return re.search(inside, plain) is not None
    return re.search(rf"(?<![^\W_]){inside}(?![^\W_])", plain) is not None
