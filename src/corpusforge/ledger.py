"""Accounts for every record of one shard in one phase: counts, what was left out, and samples near a line."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from corpusforge.errors import NotConserved, StepFailed
from corpusforge.manifest import Counts, nearest
from corpusforge.record import Dropped, Origin, Quarantined, Record, excerpt, render
from corpusforge.shards import RecordWriter, Shard, TableWriter, sha256_file, write_json
from corpusforge.stage import Stage, StageContext
from corpusforge.steps import Step, Store

EXCERPT = 300
NEAR_EACH = 6
NEAR_HELD = 500
_ORIGIN = [("file", pa.string()), ("start", pa.int64()), ("end", pa.int64()), ("unit", pa.string())]
DROPPED_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("reason", pa.string()),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("detail", pa.string()),
        *_ORIGIN,
        ("text", pa.large_string()),
    ]
)
QUARANTINE_SCHEMA = pa.schema([("source", pa.string()), *_ORIGIN, ("reason", pa.string()), ("detail", pa.string())])


class Ledger:
    """Counts one shard's records through one phase, writes what is left out, and keeps samples near the line.

    `open_text` tells that records may still hold personal data: then nothing of their text is written.
    """

    def __init__(self, store: Store, step: str, key: str, source: str, open_text: bool) -> None:
        self.store, self.step, self.key, self.source, self.open_text = store, step, key, source, open_text
        self.counts = Counts()
        self.near: list[dict[str, Any]] = []
        self._writers: dict[str, TableWriter] = {}

    def drop(self, item: Dropped) -> None:
        """Account for a record that is left out."""
        record, reason = item.record, item.reason
        if len(reason) > 60 or not reason.isprintable() or "@" in reason or not 0 < len(reason.split()) <= 4:
            # It becomes a key of the manifest and a word of the card, where no text of a record may go.
            raise StepFailed("drops a record for a reason that is no rule's name.", where=self.step)
        self.counts.dropped[reason] = self.counts.dropped.get(reason, 0) + 1
        detail = item.detail
        if self.open_text:
            detail = {key: value for key, value in detail.items() if isinstance(value, int | float)}
        row = {
            "id": record.id,
            "source": record.source,
            "reason": reason,
            "score": item.score,
            "threshold": item.threshold,
            "detail": orjson.dumps(detail, option=orjson.OPT_SORT_KEYS).decode() if detail else "",
            **_place(record.origin),
            "text": None if self.open_text else record.text,
        }
        self._writer(".dropped.parquet", DROPPED_SCHEMA).add(row)
        other = "" if self.open_text else str(detail.get("compared") or detail.get("kept") or "")
        self.sample(record, reason, item.score, item.threshold, kept=False, other=other)

    def sample(
        self,
        record: Record,
        reason: str,
        score: float | None,
        threshold: float | None,
        *,
        kept: bool,
        other: str = "",
    ) -> None:
        """Keep a record in mind as one near a rule's line; only the nearest few stay.

        `other` is the id of what it was compared with, if anything.
        """
        self.near.append(
            {
                "source": record.source,
                "id": record.id,
                "reason": reason,
                "score": score,
                "threshold": threshold,
                "kept": kept,
                "other": other,
                "excerpt": "" if self.open_text else excerpt(record.text, EXCERPT),
            }
        )
        if len(self.near) > NEAR_HELD:
            self.near = nearest(self.near, 2 * NEAR_EACH)

    def quarantine(self, item: Quarantined) -> None:
        """Account for a piece of input that could not be read."""
        self.counts.quarantined[item.reason] = self.counts.quarantined.get(item.reason, 0) + 1
        row = {"source": item.source, **_place(item.origin), "reason": item.reason, "detail": item.detail}
        self._writer(".quarantine.parquet", QUARANTINE_SCHEMA).add(row)

    def _writer(self, suffix: str, schema: pa.Schema) -> TableWriter:
        if suffix not in self._writers:
            self._writers[suffix] = TableWriter(self.store.file(self.step, self.key, suffix), schema).__enter__()
        return self._writers[suffix]

    def close(self, error: BaseException | None) -> None:
        """Commit what was left out, or discard it after an error."""
        kind = None if error is None else type(error)
        for writer in self._writers.values():
            writer.__exit__(kind, error, None)

    def commit(self, shard: str, seconds: float, counted: Mapping[str, Any], extra: Mapping[str, Any]) -> Shard:
        """Write the report; the result exists from here on. Files of an earlier attempt are not part of it."""
        self.counts.check(f"{self.step}, {shard}")
        sizes = {}
        for suffix in (".parquet", *self._writers):
            sizes[suffix] = self.store.file(self.step, self.key, suffix).stat().st_size
        path = self.store.file(self.step, self.key, ".parquet")
        made = Shard(shard, self.source, path, sha256_file(path), self.counts.out, sizes[".parquet"])
        report = {
            "shard": shard,
            "source": self.source,
            "sha256": made.sha256,
            "rows": made.rows,
            "files": sizes,
            "counts": self.counts.to_json(),
            "counted": counted,
            "near": nearest(self.near, NEAR_EACH),
            "seconds": round(seconds, 4),
            "peak_bytes": peak_bytes(),
            **extra,
        }
        write_json(self.store.file(self.step, self.key, ".json"), report)
        return made


def forget_peak() -> None:
    """Begin a new count for `peak_bytes`, so that a phase is told its own memory and not that of one before it."""
    with suppress(OSError):  # not on every system; the count then goes on over the phases
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """The largest resident set of this process since `forget_peak`, in bytes; since its start where that cannot be."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _place(origin: Origin) -> dict[str, Any]:
    return {"file": origin.file, "start": origin.start, "end": origin.end, "unit": origin.unit}


def account(
    stage: Stage, records: Iterable[Record], ctx: StageContext, ledger: Ledger, writer: RecordWriter, step: Step
) -> None:
    """Run the stage and hold it to the law: every record read comes out exactly once, whole, split or left out."""
    fate: dict[str, int] = {}  # -1 left out, 0 still open, else the number of pieces or rows
    origins: dict[str, Origin] = {}
    quarantined: Counter[Origin] = Counter()
    made: set[str] = set()
    counts = ledger.counts

    def counted() -> Iterator[Record]:
        for record in records:
            counts.read += 1
            if record.id in fate:
                raise StepFailed("reads two records with one id.", where=f"{step.name}, {record.id}")
            fate[record.id] = 0
            origins[record.id] = record.origin
            yield record

    for item in stage.apply(counted(), ctx):
        if isinstance(item, Dropped):
            if fate.get(item.record.id) != 0:
                what = "drops a record that it did not read, or that it kept or dropped before."
                raise StepFailed(what, where=_named(step, item.record.id, fate))
            fate[item.record.id] = -1
            ledger.drop(item)
        elif isinstance(item, Quarantined):
            quarantined[item.origin] += 1
            ledger.quarantine(item)
        elif isinstance(item, Record):
            _whole(item, ledger.source, _named(step, item.id, fate))
            for parent in _parents(item, fate, step, stage.makes):
                counts.kept += fate[parent] == 0
                fate[parent] += 1
            if item.id in made:
                raise StepFailed("makes two records with one id.", where=_named(step, item.id, fate))
            made.add(item.id)
            counts.out += 1
            counts.characters += len(item.text)
            writer.write(item)
        else:
            what = f"yields a {type(item).__name__}."
            raise StepFailed(what, where=step.name, hint="A stage yields Record, Dropped or Quarantined.")
        for near in ctx.take_near():
            ledger.sample(near.record, near.rule, near.score, near.threshold, kept=True)
    counts.added = counts.out - counts.kept
    ledger.near = [sample for sample in ledger.near if not sample["kept"] or fate.get(sample["id"], 0) > 0]
    _nothing_open([identity for identity, n in fate.items() if n == 0], origins, quarantined, step)


def _nothing_open(
    left: Sequence[str], origins: Mapping[str, Origin], quarantined: Mapping[Origin, int], step: Step
) -> None:
    """What was neither kept nor dropped must be what was quarantined, place by place."""
    unaccounted = Counter(quarantined)
    unaccounted.subtract(origins[identity] for identity in left)
    lost = next((identity for identity in left if unaccounted[origins[identity]] < 0), None)
    if lost is not None:
        hint = "A stage yields every record it reads, or a Dropped with the reason."
        number = -sum(n for n in unaccounted.values() if n < 0)
        raise NotConserved(f"loses {number} of the records it reads.", where=f"{step.name}, {lost}", hint=hint)
    if any(unaccounted.values()):
        raise NotConserved("quarantines a record that it did not read, or that it kept.", where=step.name)


def _named(step: Step, identity: str, known: Mapping[str, int]) -> str:
    """Where an error happened; an id that a stage made up may quote a record, so it is not shown."""
    return f"{step.name}, {identity}" if identity in known else step.name


def _whole(item: Record, source: str, where: str) -> None:
    if item.source != source:
        raise StepFailed("gives a record to another source.", where=where, hint="Leave source as it is.")
    if item.messages is not None and item.text != render(item.messages):
        hint = "Change records with with_parts or with_messages."
        raise StepFailed("changes a chat's text but not its messages.", where=where, hint=hint)
    if any(not 0 <= span.start <= span.end <= len(item.text) for span in item.spans):
        hint = "A stage that shortens or moves text must move the spans with it."
        raise StepFailed("leaves a redaction's span outside the text.", where=where, hint=hint)


def _parents(item: Record, fate: Mapping[str, int], step: Step, makes: bool) -> Sequence[str]:
    """The records read that this one stands for: itself, the one it is a piece of, or those it was made from."""
    if makes:
        if item.id in fate:
            raise StepFailed("makes a record under the id of one that it read.", where=_named(step, item.id, fate))
        parents = [parent for parent in dict.fromkeys(item.parents) if parent in fate]
    elif item.id in fate:
        parents = [item.id]
    else:
        whole = item.id.rpartition("#")[0]
        parents = [whole] if whole in fate else []
    if not parents:
        raise StepFailed("makes a record from none that it read.", where=step.name)
    if gone := next((parent for parent in parents if fate[parent] < 0), None):
        raise StepFailed("keeps a record that it has dropped.", where=_named(step, gone, fate))
    return parents
