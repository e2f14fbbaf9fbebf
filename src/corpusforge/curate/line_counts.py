"""Counts of the lines of a batch over its bytes: what the rules on lines need, or a bound on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.c4_lines import C4Lines, count_sentences
from corpusforge.curate.chunks import Chunks, Hashes, Ints
from corpusforge.curate.vocabulary import Vocabulary

Bits = NDArray[np.bool_]

_MIX = np.uint64(0x94D049BB133111EB)
_SHORT = 30
_SPACE, _NEWLINE = 32, 10
_ENDS = np.zeros(256, np.bool_)
_ENDS[list(b".?!\"'")] = True
_BREAKS = (b"\x0b", b"\x0c", b"\r", b"\x1c", b"\x1d", b"\x1e")
_LEAST_WORDS = 3
_LONG_WORD = 1000


@dataclass(frozen=True, slots=True)
class C4Counts:
    """For each text the lines that C4 keeps, and whether one says lorem ipsum or has a brace.

    `plain` are the numbers of the kept lines that needed no look at the string, `special` the others as strings, with
    their texts.
    """

    kept: Ints
    lorem: Bits
    curly: Bits
    plain: Ints
    special: tuple[list[str], Ints]


class LineCounts:
    """One value for each text: `newlines` in it; `said` lines that are not blank, of them `ended` by a terminal mark
    and `short`; `count` all but the empty ones inside the text, as datatrove splits; `repeated` and `repeated_bytes`
    upper bounds on lines that occurred before and on their characters.
    """

    def __init__(self, chunks: Chunks, cited: Ints, marked: Ints) -> None:
        """`cited` are the numbers of chunks with a citation's bracket, `marked` of those with a sign C4 looks for."""
        self._chunks, self._cited, self._marked = chunks, cited, marked
        self._texts = texts = len(chunks.at) - 1
        raw = chunks.bytes
        breaks = np.flatnonzero(raw[: chunks.at[-1]] == _NEWLINE)
        self._starts, self._stops = starts, stops = breaks[:-1] + 1, breaks[1:]
        self._owner = owner = np.searchsorted(chunks.at, starts, side="right") - 1
        first = np.searchsorted(chunks.starts, breaks)
        self._first, self._next, self._words = first[:-1], first[1:], np.diff(first)
        self.newlines = np.maximum(np.bincount(owner, minlength=texts) - 1, 0)
        filled, said = stops > starts, self._words > 0
        self.said = self._per_text(said)
        whole = chunks.at[1:] - chunks.at[:-1] - 1
        border = (whole > 0).astype(np.int64)
        outer = border * (raw[chunks.at[:-1]] == 10) + border * (raw[chunks.at[1:] - 2] == 10) + (1 - border)
        self.count = self._per_text(filled) + outer
        self.ended = self._per_text(said & self._terminal(said))
        self.short = self._per_text(said & self._short())
        again = self._again(np.flatnonzero(filled))
        self.repeated = self._per_text(again) + (outer == 2)
        self.repeated_bytes = np.bincount(owner[again], (stops - starts)[again], texts)

    def _per_text(self, lines: Bits) -> Ints:
        return np.bincount(self._owner[lines], minlength=self._texts)

    def _terminal(self, said: Bits) -> Bits:
        marks, ascii_marks = _terminal_marks()
        last = self._chunks.bytes[self._stops - 1]
        found: Bits = ascii_marks[last]
        if not self._chunks.ascii:
            raw = self._chunks.raw
            for line in np.flatnonzero(said & (last >= 0x80)).tolist():
                start, stop = int(self._starts[line]), int(self._stops[line])
                found[line] = raw[max(start, stop - 4) : stop].decode("utf-8", "ignore")[-1:] in marks
        return found

    def _short(self) -> Bits:
        sizes = self._stops - self._starts
        if not self._chunks.ascii:
            # Of each character all bytes but the first begin with the bits 10.
            raw = np.frombuffer(self._chunks.raw, np.uint8)[: self._chunks.at[-1]]
            inner = np.flatnonzero((raw & 0xC0) == 0x80)
            sizes = sizes - np.bincount(self._line_of(inner), minlength=len(sizes))
        short: Bits = sizes <= _SHORT
        return short

    def _again(self, filled: Ints) -> Bits:
        """Which lines have the words of an earlier line of their text; blank lines are alike."""
        place = np.arange(len(self._chunks.marks)) - np.repeat(self._first, self._words)
        marks = self._chunks.marks * (place.astype(np.uint64) * np.uint64(2) + np.uint64(1))
        marks ^= marks >> np.uint64(31)
        sums = np.zeros(len(marks) + 1, np.uint64)
        np.cumsum(marks, out=sums[1:])
        lines: Hashes = (sums[self._next] - sums[self._first])[filled]
        lines = (lines + (self._owner[filled].astype(np.uint64) + np.uint64(1)) * _MIX) * _MIX
        order = np.argsort(lines, kind="stable")
        ordered = lines[order]
        again = np.zeros(len(self._owner), np.bool_)
        again[filled[order[1:][ordered[1:] == ordered[:-1]]]] = True
        return again

    def _line_of(self, places: Ints) -> Ints:
        return np.searchsorted(self._starts, places, side="right") - 1

    @cached_property
    def c4(self) -> C4Counts:
        """What C4 makes of the lines: by arrays, and by strings for the few lines where more than marks count."""
        well = self._ends_well()
        special = self._special(well)
        plain = well & ~special
        lines = np.flatnonzero(special)
        spans = zip(self._starts[lines].tolist(), self._stops[lines].tolist(), strict=True)
        raw = self._chunks.raw
        seen = [C4Lines(raw[start:stop].decode("utf-8", "surrogatepass")) for start, stop in spans]
        owner = self._owner[lines]
        owners = np.repeat(owner, np.fromiter((len(line.kept) for line in seen), np.int64, len(seen)))
        lorem = np.fromiter((line.lorem for line in seen), np.bool_, len(seen))
        curly = np.fromiter((line.curly for line in seen), np.bool_, len(seen))
        return C4Counts(
            kept=self._per_text(plain) + np.bincount(owners, minlength=self._texts),
            lorem=np.bincount(owner[lorem], minlength=self._texts) > 0,
            curly=np.bincount(owner[curly], minlength=self._texts) > 0,
            plain=np.flatnonzero(plain),
            special=([kept for line in seen for kept in line.kept], owners),
        )

    def _ends_well(self) -> Bits:
        chunks = self._chunks
        if not len(chunks.ends):
            return np.zeros(len(self._owner), np.bool_)
        raw, last = chunks.bytes, chunks.ends[np.maximum(self._next - 1, 0)]
        dots = (raw[last - 1] == 46) & (raw[np.maximum(last - 2, 0)] == 46) & (raw[np.maximum(last - 3, 0)] == 46)
        found: Bits = (self._words >= _LEAST_WORDS) & _ENDS[raw[last - 1]] & ~dots
        return found

    def _special(self, well: Bits) -> Bits:
        """Lines that C4 might keep or not for other reasons than their last mark and their number of words."""
        chunks = self._chunks
        # Without its citation, or cut at another break, a line may end in another way than it seems to.
        otherwise = [chunks.starts[self._cited], chunks.foreign_breaks]
        for sign in _BREAKS:
            if sign in chunks.data:
                at = np.flatnonzero(chunks.bytes[: chunks.at[-1]] == sign[0])
                otherwise.append(at[chunks.bytes[at + 1] != _NEWLINE])
        long = np.flatnonzero(chunks.ends - chunks.starts > _LONG_WORD)
        found = np.zeros(len(self._owner), np.bool_)
        found[self._line_of(chunks.starts[np.concatenate((self._marked, long))])] = True
        found &= well
        found[self._line_of(np.concatenate(otherwise))] = True
        return found

    def sentences(self, vocabulary: Vocabulary, kinds: NDArray[np.uint8], behind: Ints, rows: Ints) -> Ints:
        """Sentences in the lines that C4 keeps of some texts, as spaCy's rules count them.

        `kinds` are `Vocabulary.sentence` of the batch's tokens, `behind` the tokens before each chunk.
        """
        wanted = np.zeros(self._texts, np.bool_)
        wanted[rows] = True
        lines = self.c4.plain[wanted[self._owner[self.c4.plain]]]
        wide = self._wide(lines)
        counts = self._begun(lines, kinds, behind)
        raw = self._chunks.raw
        spans = zip(self._starts[lines[wide]].tolist(), self._stops[lines[wide]].tolist(), strict=True)
        texts = [raw[start:stop].decode("utf-8", "surrogatepass").strip() for start, stop in spans]
        counts[wide] = count_sentences(texts, vocabulary)
        found = np.bincount(self._owner[lines], counts, self._texts)
        special, owner = self.c4.special
        chosen = np.flatnonzero(wanted[owner])
        others = count_sentences([special[number] for number in chosen.tolist()], vocabulary)
        found = found + np.bincount(owner[chosen], others, self._texts)
        return found[rows].astype(np.int64)

    def _wide(self, lines: Ints) -> Bits:
        """Which lines have white space other than one space between words, a token for spaCy."""
        chunks = self._chunks
        if not len(lines):
            return np.zeros(0, np.bool_)
        odd = (chunks.starts[1:] - chunks.ends[:-1] != 1) | (chunks.bytes[chunks.ends[:-1]] != _SPACE)
        before = np.concatenate(([0], np.cumsum(odd)))
        found: Bits = before[self._next[lines] - 1] > before[self._first[lines]]
        return found

    def _begun(self, lines: Ints, kinds: NDArray[np.uint8], behind: Ints) -> Ints:
        """Sentences in each of the lines, if all words are one space apart."""
        places = np.arange(len(kinds))
        last = np.maximum.accumulate(np.where(kinds != 1, places, -1))
        before = np.concatenate(([-1], last))[:-1]
        # A token begins a sentence if the last one before it that was no mere punctuation ended one.
        begins = (kinds == 2) & (before >= 0) & (kinds[before] == 0)
        begun = np.concatenate(([0], np.cumsum(begins)))
        starts, stops = behind[self._first[lines]], behind[self._next[lines]]
        counts: Ints = begun[stops] - begun[starts] + 1
        words = np.flatnonzero(kinds == 2)
        if len(words):
            # The first word of a line has nothing before it; what ended the line before does not count.
            firsts = words[np.minimum(np.searchsorted(words, starts), len(words) - 1)]
            counts -= begins[firsts] & (firsts >= starts) & (firsts < stops) & (before[firsts] < starts)
        return counts


@lru_cache(maxsize=1)
def _terminal_marks() -> tuple[frozenset[str], Bits]:
    from datatrove.utils.text import TERMINAL_PUNCTUATION

    table = np.zeros(256, np.bool_)
    table[[ord(mark) for mark in TERMINAL_PUNCTUATION if mark.isascii()]] = True
    return frozenset(TERMINAL_PUNCTUATION), table
