"""Finds the passages of other records nearest to a multiple-choice item: there, too, no wrong option may be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from corpusforge.generate.question_marks import hashed
from corpusforge.generate.sentences import normalised
from corpusforge.generate.verify.claims import split
from corpusforge.generate.verify.lexicon import lexicon
from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.words import content, cut
from corpusforge.record import Record
from corpusforge.stage import Decision, Survey

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MOST_STEMS = 120
ASKED_STEMS = 12
# A stem in more passages than this tells nothing apart, and its list would be walked for many items.
COMMON = 2_000
LEAST_MET = 0.6
_WORD = re.compile(r"\w{3,}")


def passages_table(rows: Iterable[Record]) -> pa.Table:
    """The survey: each distinct passage of the shard's questions with hashes of its words, and each item's words.

    Columns `row` (an item's id, else empty), `record`, `text` (a passage's, else empty) and `words`.
    """
    import pyarrow as pa

    lines: list[tuple[str, str, str, list[int]]] = []
    seen: set[tuple[str, int, int]] = set()
    for row in rows:
        context = row.meta.get("context")
        if row.kind not in ("qa", "mcq") or not isinstance(context, dict) or not isinstance(context.get("text"), str):
            continue
        parent = row.parents[0] if row.parents else ""
        place = (parent, int(context.get("start", 0)), len(context["text"]))
        if place not in seen:
            seen.add(place)
            lines.append(("", parent, context["text"], _hashes(f"{row.title} {context['text']}")[:MOST_STEMS]))
        if isinstance(row.meta.get("options"), list):
            lines.append((row.id, parent, "", _hashes(str(row.meta.get("question") or ""))))
    names = ("row", "record", "text", "words")
    types = (pa.string(), pa.string(), pa.large_string(), pa.list_(pa.uint32()))
    return pa.table({name: pa.array([line[k] for line in lines], types[k]) for k, name in enumerate(names)})


def decide_nearest(surveys: Sequence[Survey], most: int) -> Decision:
    """Per shard, `row` and `text` of the `most` passages of other records that share the rarest words with an item.

    Memory: about 500 bytes for each passage, and the passages that are chosen.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    ordered = sorted(surveys, key=lambda survey: survey.shard)
    records: list[str] = []
    words: list[NDArray[np.uint32]] = []
    places: list[tuple[int, int]] = []
    items: list[tuple[int, str, str, NDArray[np.uint32]]] = []
    for number, survey in enumerate(ordered):
        table = pq.read_table(survey.path, columns=["row", "record", "words"])
        for at, line in enumerate(table.to_pylist()):
            own = np.array(line["words"], np.uint32)
            if line["row"]:
                items.append((number, line["row"], line["record"], own))
            else:
                records.append(line["record"])
                words.append(own)
                places.append((number, at))
    chosen: list[tuple[int, str, list[int]]] = []
    if items and words:
        index = _Index(words)
        owner = np.array(records, object)
        chosen = [(shard, row, index.nearest(asked, owner, record, most)) for shard, row, record, asked in items]
    wanted = sorted({place for _, _, found in chosen for place in found})
    texts: dict[int, str] = {}
    for number, survey in enumerate(ordered):
        mine = [place for place in wanted if places[place][0] == number]
        if mine:
            column = pq.read_table(survey.path, columns=["text"])["text"]
            texts.update({place: column[places[place][1]].as_py() for place in mine})
    tables: dict[str, pa.Table] = {}
    for number, survey in enumerate(ordered):
        pairs = sorted((row, texts[place]) for shard, row, found in chosen if shard == number for place in found)
        if pairs:
            rows, beside = [row for row, _ in pairs], [text for _, text in pairs]
            tables[survey.shard] = pa.table({"row": pa.array(rows), "text": pa.array(beside, pa.large_string())})
    return Decision(per_shard=tables, notes={"items": len(items), "passages": len(words)})


def read_nearest(table: pa.Table | None) -> dict[str, list[str]]:
    """The passages beside each item of a shard."""
    found: dict[str, list[str]] = {}
    if table is not None:
        for row, text in zip(table["row"].to_pylist(), table["text"].to_pylist(), strict=True):
            found.setdefault(row, []).append(text)
    return found


def true_elsewhere(row: Record, passages: Sequence[str]) -> Iterator[Problem]:
    """A wrong option that a passage gives to what is asked: its sentence and the one before have most words of it."""
    options, gold = row.meta["options"], row.meta["gold"]
    words = lexicon(row.language)
    asked = {word.stem for word in cut(str(row.meta["question"])) if content(word, words)}
    for index, option in enumerate(options):
        normal = normalised(option)
        left = asked - {word.stem for word in cut(option)}
        if index == gold or not normal or len(left) < 2:
            continue
        for passage in passages:
            if f" {normal} " not in f" {normalised(passage)} ":
                continue
            before: frozenset[str] = frozenset()
            for sentence in split(passage, words):
                said = " ".join(word.lower for word in sentence.words)
                met = left & (sentence.all_stems | before)
                if f" {normal} " in f" {normalised(said)} " and len(met) >= LEAST_MET * len(left):
                    yield Problem("distractor-true-elsewhere", round(len(met) / len(left), 4), LEAST_MET)
                    return
                before = sentence.all_stems


def _hashes(text: str) -> list[int]:
    return list(dict.fromkeys(hashed(word[:6]) for word in _WORD.findall(text.lower())))


class _Index:
    """Which passages hold each word."""

    def __init__(self, words: Sequence[NDArray[np.uint32]]) -> None:
        import numpy as np

        sizes = np.fromiter(map(len, words), np.int64, len(words))
        flat = np.concatenate(words) if words else np.zeros(0, np.uint32)
        order = np.argsort(flat, kind="stable")
        self._passages = np.repeat(np.arange(len(words)), sizes)[order]
        self._words, self._starts, self._counts = np.unique(flat[order], return_index=True, return_counts=True)
        self._size = len(words)

    def nearest(self, asked: NDArray[np.uint32], owner: NDArray[Any], record: str, most: int) -> list[int]:
        """The passages of other records that share the rarest words, best first; equals by their order."""
        import numpy as np

        if not len(self._words) or not len(asked):
            return []
        at = np.minimum(np.searchsorted(self._words, asked), len(self._words) - 1)
        at = at[(self._words[at] == asked) & (self._counts[at] <= COMMON)]
        at = at[np.lexsort((self._words[at], self._counts[at]))][:ASKED_STEMS]
        if not len(at):
            return []
        # In 1/1024 of a nat: whole numbers add up the same on every machine.
        weights = np.rint(1024 * np.log(self._size / self._counts[at])).astype(np.int64) + 1
        scores = np.zeros(self._size, np.int64)
        for place, weight in zip(at.tolist(), weights.tolist(), strict=True):
            scores[self._passages[self._starts[place] : self._starts[place] + self._counts[place]]] += weight
        scores[owner == record] = 0
        best = np.argsort(-scores, kind="stable")[:most]
        return [int(place) for place in best if scores[place] * 2 > weights.sum()]
