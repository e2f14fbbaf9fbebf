"""Counts of the lines and paragraphs of a batch over its bytes, and which lines C4 keeps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.c4_lines import C4Lines, count_sentences
from corpusforge.curate.chunks import Bytes, Chunks, Hashes, Ints, eights
from corpusforge.curate.compiled import Number, compiled, inlined
from corpusforge.curate.vocabulary import BEGINS, ENDS, GOES_ON, SEVERAL, SIGNS, Vocabulary

Bits = NDArray[np.bool_]
Words = tuple[Ints, Ints, Ints, NDArray[np.int32], Ints, Hashes]
"""Where chunks start and end, where each text's begin, their numbers, rows of the vocabulary's chunks and tokens."""

_MIX = np.uint64(0x94D049BB133111EB)
_HALF, _BYTE = np.uint64(32), np.uint64(7)
_TOPS, _ONES, _LAST = np.uint64(0x8080808080808080), np.uint64(0x0101010101010101), np.uint64(56)
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
_SHORT = 30
_SPACE, _NEWLINE, _DOT = 32, 10, 46
# What a byte is for C4: the end of a kept line, or a break for `str.splitlines` that is no newline.
_ENDS, _BREAKS = 1, 2
_MARKS = np.zeros(256, np.uint8)
_MARKS[list(b".?!\"'")] = _ENDS
_MARKS[list(b"\x0b\x0c\r\x1c\x1d\x1e")] = _BREAKS
_LEAST_WORDS = 3
_LONG_WORD = 1000
_ROW = 0xFFFFFFFF
_CITED, _MARKED = (1 << 32 + list(SIGNS).index(sign) for sign in ("citation", "c4"))
_COLUMNS = 13
(
    _NEWLINES, _SAID, _ENDED, _SHORTS, _COUNT, _REPEATED, _REPEATED_CHARACTERS, _SAID_REPEATED, _KEPT, _SENTENCES,
    _PARAGRAPHS, _REPEATED_PARAGRAPHS, _PARAGRAPH_CHARACTERS,
) = range(_COLUMNS)  # fmt: skip


@dataclass(frozen=True, slots=True)
class C4Counts:
    """For each text the lines that C4 keeps, and whether one says lorem ipsum or has a brace.

    `special` are those lines that needed a look at the string, with their texts.
    """

    kept: Ints
    lorem: Bits
    curly: Bits
    special: tuple[list[str], Ints]


class LineCounts:
    """One value for each text: `newlines` in it; `said` lines that are not blank, of them `ended` by a terminal mark
    and `short`; `count` all but the empty ones inside the text, as datatrove splits, of them `repeated` ones that
    occurred before, with their `repeated_characters` and with those in lines that are not blank; `paragraphs`,
    repeated ones, their characters.

    Lines and paragraphs are told apart by 64-bit hashes of their bytes.
    """

    newlines: Ints
    said: Ints
    ended: Ints
    short: Ints
    count: Ints
    repeated: Ints
    repeated_characters: Ints
    said_repeated_characters: Ints
    paragraphs: Ints
    repeated_paragraphs: Ints
    repeated_paragraph_characters: Ints

    def __init__(self, chunks: Chunks, vocabulary: Vocabulary, numbers: NDArray[np.int32]) -> None:
        """`numbers` are those of the chunks."""
        self._chunks = chunks
        found, self._special = _counted(
            (chunks.raw_bytes, chunks.bytes, eights(chunks.raw_bytes)),
            (chunks.at, chunks.breaks),
            (chunks.starts, chunks.ends, chunks.bounds, numbers, vocabulary.chunks, vocabulary.tokens),
            (_MARKS, _terminal_marks(), _MASKS),
        )
        self.newlines, self.said, self.ended, self.short = found[[_NEWLINES, _SAID, _ENDED, _SHORTS]]
        self.count, self.repeated, self.repeated_characters = found[[_COUNT, _REPEATED, _REPEATED_CHARACTERS]]
        self.said_repeated_characters = found[_SAID_REPEATED]
        self._kept, self._sentences = found[[_KEPT, _SENTENCES]]
        self.paragraphs, self.repeated_paragraphs = found[[_PARAGRAPHS, _REPEATED_PARAGRAPHS]]
        self.repeated_paragraph_characters = found[_PARAGRAPH_CHARACTERS]

    @cached_property
    def c4(self) -> C4Counts:
        """What C4 makes of the lines: by bytes, and by strings for the few lines where more than marks count."""
        starts, stops, owner = self._special.tolist() if self._special.size else ([], [], [])
        raw, texts = self._chunks.raw, len(self._kept)
        seen = [C4Lines(raw[a:b].decode("utf-8", "surrogatepass")) for a, b in zip(starts, stops, strict=True)]
        owners = np.repeat(self._special[2], np.fromiter((len(line.kept) for line in seen), np.int64, len(seen)))
        lorem, curly = np.zeros(texts, np.bool_), np.zeros(texts, np.bool_)
        for line, text in zip(seen, owner, strict=True):
            lorem[text] |= line.lorem
            curly[text] |= line.curly
        kept = self._kept + np.bincount(owners, minlength=texts)
        return C4Counts(kept, lorem, curly, ([line for each in seen for line in each.kept], owners))

    def sentences(self, vocabulary: Vocabulary, rows: Ints) -> Ints:
        """Sentences in the lines that C4 keeps of some texts, as spaCy's rules count them."""
        wanted = np.zeros(len(self._kept), np.bool_)
        wanted[rows] = True
        lines, owner = self.c4.special
        chosen = np.flatnonzero(wanted[owner])
        others = count_sentences([lines[number] for number in chosen.tolist()], vocabulary) if len(chosen) else []
        found: Ints = self._sentences + np.bincount(owner[chosen], others, len(self._kept)).astype(np.int64)
        return found[rows]


@compiled
def _twice(many: Number) -> Number:
    """The least power of 2, but 64, that leaves half of a table empty."""
    size = 64
    while size < 2 * many:
        size *= 2
    return size


@compiled
def _counted(
    texts: tuple[Bytes, Bytes, Hashes],
    lines: tuple[Ints, Ints],
    words: Words,
    tables: tuple[Bytes, Ints, Hashes],
) -> tuple[Ints, Ints]:
    raw, data, eight = texts
    at, breaks = lines
    starts, ends, bounds = words[:3]
    marks, terminal, masks = tables
    found = np.zeros((_COLUMNS, len(at) - 1), np.int64)
    special = np.empty((3, len(breaks)), np.int64)
    specials = 0
    line = chunk = np.int64(0)
    table = np.zeros(_twice(len(breaks)), np.uint64)
    for text in range(len(at) - 1):
        first, stop_chunk = line, bounds[text + 1]
        while breaks[line + 1] + 1 < at[text + 1]:
            line += 1
        line += 1
        reach = _twice(line - first)
        table[:reach] = 0
        found[_NEWLINES, text] = line - first - 1
        filled = np.int64(0)
        for number in range(first, line):
            start, stop = breaks[number] + 1, breaks[number + 1]
            if start == stop:
                continue
            filled += 1
            begin = chunk
            chunk, signs, sentences = _read(raw, data, (start, stop), words, chunk, stop_chunk, marks)
            mark, inner = _hashed(eight, start, stop, masks)
            characters = stop - start - inner
            if chunk > begin:
                found[_SAID, text] += 1
                found[_SHORTS, text] += characters <= _SHORT
                found[_ENDED, text] += _is_terminal(raw, start, stop, terminal)
            if _seen(table[:reach], mark):
                found[_REPEATED, text] += 1
                found[_REPEATED_CHARACTERS, text] += characters
                found[_SAID_REPEATED, text] += characters * (chunk > begin)
            if chunk - begin >= _LEAST_WORDS:
                well = _ends_well(data, ends[chunk - 1], marks)
                if signs & _CITED or (well and signs & _MARKED):
                    special[0, specials], special[1, specials], special[2, specials] = start, stop, text
                    specials += 1
                elif well:
                    found[_KEPT, text] += 1
                    found[_SENTENCES, text] += sentences
        start, stop = at[text], at[text + 1] - 1
        borders = 1 if start == stop else np.int64(data[start] == _NEWLINE) + np.int64(data[stop - 1] == _NEWLINE)
        found[_COUNT, text] = filled + borders
        found[_REPEATED, text] += borders == 2
        if filled < line - first and stop_chunk > bounds[text]:
            table[:reach] = 0
            span = starts[bounds[text]], ends[stop_chunk - 1]
            _count_paragraphs((eight, masks), breaks[first : line + 1], span, table[:reach], found[:, text])
    return found, special[:, :specials].copy()


@inlined
def _read(
    raw: Bytes,
    data: Bytes,
    line: tuple[Number, Number],
    words: Words,
    chunk: Number,
    stop_chunk: Number,
    marks: Bytes,
) -> tuple[Number, Number, Number]:
    """Reads a line from a chunk on: the next chunk, the signs in it, and its sentences.

    What Python takes for the end of a line counts as a citation: as with that, the line's end may be another one.
    """
    start, stop = line
    starts, ends, _, numbers, facts, tokens = words
    begin, before = chunk, start
    sentences = ended = signs = np.int64(0)
    while chunk < stop_chunk and starts[chunk] < stop:
        here = starts[chunk]
        if here != before + 1 or data[before] != _SPACE:
            if _has_break(raw, data, before, here, marks):
                signs |= _CITED
            # White space other than one space is a token of its own for spaCy, and begins a sentence as a word would.
            if chunk > begin:
                sentences += ended
                ended = np.int64(0)
        before = ends[chunk]
        row = numbers[chunk]
        bits = facts[row, 3]
        signs |= bits
        if before - here > _LONG_WORD:
            signs |= _MARKED
        sentences += ended & ((bits & BEGINS) != 0)
        if bits & SEVERAL:
            first = facts[row, 2] & _ROW
            sentences += _ends_inside(tokens, first, first + (facts[row, 2] >> 32))
        ended = (ended & ((bits & GOES_ON) == 0)) | ((bits & ENDS) != 0)
        chunk += 1
    if _has_break(raw, data, before, stop, marks):
        signs |= _CITED
    return chunk, signs, sentences + 1


@compiled
def _ends_inside(tokens: Hashes, first: Number, stop: Number) -> Number:
    """How many sentences end before another one begins among a chunk's tokens."""
    found, ended = 0, False
    for place in range(first, stop):
        kind = tokens[place, 1] >> _HALF
        if kind == 0:
            ended = True
        elif kind == 2:
            found += ended
            ended = False
    return found


@compiled
def _count_paragraphs(
    raw: tuple[Hashes, Hashes], breaks: Ints, span: tuple[Number, Number], table: Hashes, found: Ints
) -> None:
    """Counts the paragraphs between two places of a text: runs of lines that are not empty."""
    eight, masks = raw
    start, stop = span
    opened = closed = -1
    for number in range(len(breaks)):
        begin, end = (breaks[number] + 1, breaks[number + 1]) if number + 1 < len(breaks) else (stop, stop)
        if begin == end and opened >= 0:
            found[_PARAGRAPHS] += 1
            mark, inner = _hashed(eight, opened, closed, masks)
            if _seen(table, mark):
                found[_REPEATED_PARAGRAPHS] += 1
                found[_PARAGRAPH_CHARACTERS] += closed - opened - inner
            opened = -1
        elif begin < end and end > start and begin < stop:
            opened = max(begin, start) if opened < 0 else opened
            closed = min(end, stop)


@compiled
def _ends_well(data: Bytes, end: Number, marks: Bytes) -> bool:
    """Whether a line ends as those that C4 keeps; three dots do not count."""
    dots = data[end - 1] == _DOT and data[end - 2] == _DOT and data[end - 3] == _DOT
    return bool(marks[data[end - 1]] == _ENDS and not dots)


@compiled
def _has_break(raw: Bytes, data: Bytes, start: Number, stop: Number, marks: Bytes) -> bool:
    """Whether white space holds what Python takes for the end of a line and C4's blocks with it."""
    for place in range(start, stop):
        if marks[data[place]] == _BREAKS and data[place + 1] != _NEWLINE:
            return True
        if raw[place] == 0xC2 and raw[place + 1] == 0x85:
            return True
        if raw[place] == 0xE2 and raw[place + 1] == 0x80 and 0xA8 <= raw[place + 2] <= 0xA9:
            return True
    return False


@compiled
def _hashed(eight: Hashes, start: Number, stop: Number, masks: Hashes) -> tuple[Number, Number]:
    """A hash of the bytes between two places, and how many of them are not the first of a character."""
    mark, inner = np.uint64(stop - start) * _MIX, np.uint64(0)
    for place in range(start, stop, 8):
        found = eight[place] & masks[min(stop - place, 8)]
        mark = (mark ^ found) * _MIX
        mark ^= mark >> _HALF
        if found & _TOPS:
            # Such bytes begin with the bits 10.
            tops = found & ~(found << np.uint64(1)) & _TOPS
            inner += ((tops >> _BYTE) * _ONES) >> _LAST
    return max(mark * _MIX, np.uint64(1)), np.int64(inner)


@compiled
def _seen(table: Hashes, mark: Number) -> bool:
    """Whether a table of a power of 2 places holds a mark already; it does then."""
    last = len(table) - 1
    place: Number = np.int64(mark >> np.uint64(40)) & last
    while table[place] != 0:
        if table[place] == mark:
            return True
        place = (place + 1) & last
    table[place] = mark
    return False


@compiled
def _is_terminal(raw: Bytes, start: Number, stop: Number, terminal: Ints) -> bool:
    first = stop - 1
    if raw[first] < 0x80:
        # Few marks are ASCII, and they come first.
        for mark in terminal:
            if mark >= raw[first]:
                return bool(mark == raw[first])
    while first > start and raw[first] & 0xC0 == 0x80:
        first -= 1
    code = np.int64(0)
    for place in range(first, stop):
        code = (code << 8) + raw[place]
    found = np.searchsorted(terminal, code)
    return bool(found < len(terminal) and terminal[found] == code)


@lru_cache(maxsize=1)
def _terminal_marks() -> Ints:
    """The terminal marks in ascending order, each as the number that its UTF-8 bytes make."""
    from datatrove.utils.text import TERMINAL_PUNCTUATION

    return np.array(sorted(int.from_bytes(mark.encode(), "big") for mark in TERMINAL_PUNCTUATION), np.int64)
