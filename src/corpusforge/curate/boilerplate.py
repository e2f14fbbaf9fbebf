"""Learns from a source which lines and turns are boilerplate, and takes them out where that loses no content.

Documents: a line that begins or ends many records of its source (navigation, footers) goes from their ends; a long
line that a large share of the records holds anywhere (licence and cookie notices) goes from everywhere. Headings,
numbered steps, tables and code stay: repeated steps are what instructions are made of.
Chats: a long turn that many conversations hold word for word is a macro, a bot's factoid or an announcement. It goes
where it opens a conversation, where it follows a mere goodbye at its end, or where its side said something of its own
afterwards. What the asker said stays, and so does what the asker answered.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from corpusforge.curate.anchors import ANCHOR
from corpusforge.record import Message
from corpusforge.stage import Decision, StageSettings, Survey
from corpusforge.units import parse_share

if TYPE_CHECKING:
    import pyarrow as pa


def _share(value: object) -> object:
    return float(parse_share(value)) if isinstance(value, str) else value


Share = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)]


class BoilerplateSettings(StageSettings):
    """When a repeated line or turn counts as boilerplate. Counts are of records of one source."""

    min_documents: int = Field(20, ge=2, description="Records that must hold a line or turn before it may be removed.")
    min_share: Share = Field(0.02, description="Share of a source's records that must begin or end with a line.")
    inside_share: Share = Field(0.2, description="Share of a source's records for a line to go from inside as well.")
    inside_words: int = Field(8, ge=1, description="Words that a line must have to be removed from inside a record.")
    turn_share: Share = Field(0.0005, description="Share of a source's conversations that must hold a turn.")
    turn_words: int = Field(8, ge=1, description="Words that a turn must have to be removed.")


class Place(IntEnum):
    """Where a counted line stands; `TOTAL` counts the records themselves."""

    TOTAL = 0
    EDGE = 1
    INSIDE = 2
    TURN = 3


EDGE_LINES = 12
MIN_LINES = 4
# A shard's table is bounded: beyond this many distinct lines only the most frequent are kept.
MOST_KEYS = 2_000_000
_PROTECTED = re.compile(r"\s*(?:#{1,6}\s|\d{1,3}[.)]\s|\||`|~~~|\$ |<[A-Z_]+_\d+>\s*$)|\s{4}|\t")
_ADDRESS = re.compile(r"^[^\s:,]{1,30}[:,]\s+")
_SMALL_TALK_WORDS = 8


@dataclass(slots=True)
class Known:
    """The boilerplate of one source, as hashes by place."""

    edge: frozenset[int] = frozenset()
    inside: frozenset[int] = frozenset()
    turn: frozenset[int] = frozenset()


@dataclass(slots=True)
class Tally:
    """Counts records per line and turn of one shard."""

    settings: BoilerplateSettings
    records: int = 0
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add_document(self, text: str) -> None:
        """Count one document's lines, each once."""
        self.records += 1
        lines, free = _lines(text)
        filled = [index for index, line in enumerate(lines) if line and not line.isspace()]
        keys: set[tuple[int, int]] = set()
        if len(filled) >= MIN_LINES:
            for index in {*filled[:EDGE_LINES], *filled[-EDGE_LINES:]}:
                if free[index]:
                    keys.add((Place.EDGE, _key(lines[index])))
        for index in filled:
            if free[index] and _has_words(lines[index], self.settings.inside_words):
                keys.add((Place.INSIDE, _key(lines[index])))
        self.counts.update(keys)

    def add_conversation(self, messages: Sequence[Message], contents: Sequence[str]) -> None:
        """Count one conversation's turns that may be removed, each once."""
        self.records += 1
        keys = {
            (int(Place.TURN), _turn_key(content))
            for message, content in zip(messages, contents, strict=True)
            if message.role != "user" and _has_words(content, self.settings.turn_words)
        }
        self.counts.update(keys)

    def table(self) -> pa.Table:
        """The survey table: place, key, documents."""
        rows = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_KEYS]
        return _table([(Place.TOTAL, 0, self.records), *((place, key, n) for (place, key), n in sorted(rows))])


def empty_table() -> pa.Table:
    """A survey table that counted nothing."""
    return _table([])


def decide(surveys: Sequence[Survey], settings: BoilerplateSettings) -> Decision:
    """Each source's boilerplate, given to that source's shards alone, so that a change touches no other source."""
    sources: dict[str, list[Survey]] = {}
    for survey in surveys:
        sources.setdefault(survey.source, []).append(survey)
    tables: dict[str, pa.Table] = {}
    notes: dict[str, dict[str, int]] = {}
    for source in sorted(sources):
        table, found = _boilerplate_of(sources[source], settings)
        tables.update({survey.shard: table for survey in sources[source]})
        if found:
            notes[source] = found
    return Decision(per_shard=tables, notes={"boilerplate": notes} if notes else {})


def _boilerplate_of(surveys: Sequence[Survey], settings: BoilerplateSettings) -> tuple[pa.Table, dict[str, int]]:
    import polars as pl

    counted = (
        pl.scan_parquet(sorted(str(survey.path) for survey in surveys))
        .group_by("place", "key")
        .agg(pl.col("documents").sum())
        .filter((pl.col("place") == int(Place.TOTAL)) | (pl.col("documents") >= settings.min_documents))
        .sort("place", "key")
        .collect(engine="streaming")
    )
    total = int(counted.filter(pl.col("place") == int(Place.TOTAL))["documents"].sum())
    shares = {
        Place.EDGE: settings.min_share,
        Place.INSIDE: settings.inside_share,
        Place.TURN: settings.turn_share,
    }
    chosen = [
        (place, key, documents)
        for place, key, documents in counted.rows()
        if place != Place.TOTAL and documents >= shares[Place(place)] * total
    ]
    found = Counter(Place(place).name.lower() for place, _, _ in chosen)
    return _table([(place, key, 0) for place, key, _ in chosen]), dict(sorted(found.items()))


def known(table: pa.Table | None) -> Known:
    """The decision of one shard, ready for look-up."""
    if table is None or not table.num_rows:
        return Known()
    places: dict[int, set[int]] = {}
    for place, key in zip(table["place"].to_pylist(), table["key"].to_pylist(), strict=True):
        places.setdefault(place, set()).add(key)
    return Known(*(frozenset(places.get(place, ())) for place in (Place.EDGE, Place.INSIDE, Place.TURN)))


def without_boilerplate(text: str, found: Known, settings: BoilerplateSettings) -> tuple[str, int]:
    """A document without its boilerplate lines, and how many went."""
    if not found.edge and not found.inside:
        return text, 0
    lines, free = _lines(text)
    filled = [index for index, line in enumerate(lines) if line and not line.isspace()]
    gone: set[int] = set()
    if found.edge and len(filled) >= MIN_LINES:
        for order in (filled[:EDGE_LINES], filled[: -EDGE_LINES - 1 : -1]):
            for index in order:
                if not free[index] or _key(lines[index]) not in found.edge:
                    break
                gone.add(index)
    if found.inside:
        gone.update(
            index
            for index in filled
            if free[index] and _has_words(lines[index], settings.inside_words) and _key(lines[index]) in found.inside
        )
    if not gone:
        return text, 0
    return "\n".join(line for index, line in enumerate(lines) if index not in gone), len(gone)


def canned_turns(
    messages: Sequence[Message], contents: Sequence[str], found: Known, settings: BoilerplateSettings
) -> set[int]:
    """The indices of turns that are boilerplate and whose removal leaves no question and no answer alone."""
    if not found.turn:
        return set()
    canned = {
        index
        for index, (message, content) in enumerate(zip(messages, contents, strict=True))
        if message.role != "user" and _has_words(content, settings.turn_words) and _turn_key(content) in found.turn
    }
    if not canned:
        return set()
    gone: set[int] = set()
    for before, run in _answer_runs(messages):
        opens = before is None
        closes = run[-1] == len(messages) - 1 and before is not None and _is_small_talk(contents[before])
        if opens or closes:
            gone.update(canned.intersection(run))
        else:
            last = max((index for index in run if index not in canned), default=-1)
            gone.update(index for index in canned.intersection(run) if index < last)
    return gone


def _answer_runs(messages: Sequence[Message]) -> Iterator[tuple[int | None, list[int]]]:
    """Each run of turns that are not the asker's, with the asker's turn before it."""
    before: int | None = None
    run: list[int] = []
    for index, message in enumerate(messages):
        if message.role != "user":
            run.append(index)
            continue
        if run:
            yield before, run
            run = []
        before = index
    if run:
        yield before, run


def _is_small_talk(content: str) -> bool:
    return "?" not in content and len(content.split()) <= _SMALL_TALK_WORDS


def _lines(text: str) -> tuple[list[str], list[bool]]:
    """The lines, and for each whether it may be removed at all."""
    lines = text.split("\n")
    free: list[bool] = []
    fenced = False
    for line in lines:
        fence = line.lstrip().startswith(("```", "~~~"))
        free.append(not (fenced or fence or _PROTECTED.match(line)))
        fenced ^= fence
    return lines, free


def _has_words(text: str, minimum: int) -> bool:
    return text.count(" ") + 1 >= minimum and len(text.split(None, minimum - 1)) >= minimum


def _key(line: str) -> int:
    import xxhash

    folded = " ".join(ANCHOR.sub("\U000f0000", line).casefold().split())
    return xxhash.xxh3_64_intdigest(folded.encode("utf-8", "surrogatepass"))


def _turn_key(content: str) -> int:
    return _key(_ADDRESS.sub("", content, count=1))


def _table(rows: Iterable[tuple[int, int, int]]) -> pa.Table:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    types = (pa.uint8(), pa.uint64(), pa.int64())
    names = ("place", "key", "documents")
    return pa.table({n: pa.array([int(v) for v in c], type=t) for n, c, t in zip(names, columns, types, strict=True)})
