"""Performs one piece of a plan in a worker: a chain of phases on one shard, each committed before the next begins."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusforge.errors import StepFailed
from corpusforge.ingest.formats import find_reader
from corpusforge.ingest.reader import ReadContext
from corpusforge.manifest import Counts, fingerprint, nearest
from corpusforge.record import Dropped, Quarantined, Record, excerpt
from corpusforge.shards import (
    RecordWriter,
    Shard,
    TableWriter,
    read_records,
    read_table,
    sha256_file,
    write_json,
    write_table,
)
from corpusforge.stage import Stage, StageContext, Survey
from corpusforge.steps import Decided, IngestShard, Step, Store, load_stage

EXCERPT = 300
NEAR_EACH = 6
DROPPED_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("reason", pa.string()),
        ("score", pa.float64()),
        ("threshold", pa.float64()),
        ("detail", pa.string()),
        ("file", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("unit", pa.string()),
        ("text", pa.large_string()),
    ]
)
QUARANTINE_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("file", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("unit", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Link:
    """One phase of one step in a chain."""

    step: Step
    phase: str
    decided: Decided = field(default_factory=Decided)


@dataclass(frozen=True, slots=True)
class Chain:
    """Phases to run one after another on one shard, from files (`ingest`) or from a committed shard (`start`)."""

    links: tuple[Link, ...]
    start: Shard | None = None
    ingest: IngestShard | None = None
    ingest_key: str = ""


@dataclass(frozen=True, slots=True)
class DecideTask:
    """The decide phase of one step over all its surveys."""

    step: Step
    key: str
    surveys: tuple[Survey, ...]


Task = Chain | DecideTask


def perform(task: Task, root: Path) -> None:
    """Run a task; everything it finishes is committed below `root` as it goes."""
    store = Store(root)
    if isinstance(task, DecideTask):
        _decide(task, store)
        return
    current = task.start
    if task.ingest is not None:
        current = _ingest(task.ingest, task.ingest_key, store)
    for link in task.links:
        if current is None:
            raise StepFailed("has no shard to start from.", where=link.step.name)
        if link.phase == "survey":
            _survey(link.step, current, store)
        else:
            current = _apply(link, current, store)


def trusted(shard: Shard) -> Shard:
    """The shard, after its bytes were compared with its checksum. Raises StepFailed and forgets a damaged one."""
    if sha256_file(shard.path) != shard.sha256:
        shard.path.with_suffix(".json").unlink(missing_ok=True)
        what = "the shard's bytes differ from its checksum; it was discarded."
        raise StepFailed(what, where=str(shard.path), hint="Run the build again: it will be made anew.")
    return shard


class _Ledger:
    """Counts one shard's records through one phase, writes the three outputs, and keeps samples near the line."""

    def __init__(self, store: Store, step: str, key: str, source: str, open_text: bool) -> None:
        self.store, self.step, self.key, self.source, self.open_text = store, step, key, source, open_text
        self.counts = Counts()
        self.near: list[dict[str, Any]] = []
        self._dropped: TableWriter | None = None
        self._quarantine: TableWriter | None = None

    def drop(self, item: Dropped) -> None:
        record = item.record
        self.counts.dropped[item.reason] = self.counts.dropped.get(item.reason, 0) + 1
        if self._dropped is None:
            self._dropped = TableWriter(self.store.file(self.step, self.key, ".dropped.parquet"), DROPPED_SCHEMA)
            self._dropped.__enter__()
        text = None if self.open_text else record.text
        origin = record.origin
        self._dropped.add(
            {
                "id": record.id,
                "source": record.source,
                "reason": item.reason,
                "score": item.score,
                "threshold": item.threshold,
                "detail": _json(item.detail),
                "file": origin.file,
                "start": origin.start,
                "end": origin.end,
                "unit": origin.unit,
                "text": text,
            }
        )
        self.near.append(
            {
                "source": record.source,
                "id": record.id,
                "reason": item.reason,
                "score": item.score,
                "threshold": item.threshold,
                "kept": False,
                "excerpt": "" if text is None else excerpt(text, EXCERPT),
            }
        )
        if len(self.near) > 500:
            self.near = nearest(self.near, NEAR_EACH)

    def quarantine(self, item: Quarantined) -> None:
        self.counts.quarantined[item.reason] = self.counts.quarantined.get(item.reason, 0) + 1
        if self._quarantine is None:
            path = self.store.file(self.step, self.key, ".quarantine.parquet")
            self._quarantine = TableWriter(path, QUARANTINE_SCHEMA)
            self._quarantine.__enter__()
        origin = item.origin
        self._quarantine.add(
            {
                "source": item.source,
                "file": origin.file,
                "start": origin.start,
                "end": origin.end,
                "unit": origin.unit,
                "reason": item.reason,
                "detail": item.detail,
            }
        )

    def close(self, error: BaseException | None) -> None:
        kind = None if error is None else type(error)
        for writer in (self._dropped, self._quarantine):
            if writer is not None:
                writer.__exit__(kind, error, None)

    def commit(self, shard: str, seconds: float, counted: Mapping[str, Any], extra: Mapping[str, Any]) -> Shard:
        """Write the report; the result exists from here on."""
        self.counts.check(f"{self.step}, {shard}")
        path = self.store.file(self.step, self.key, ".parquet")
        sizes = {}
        for suffix in (".parquet", ".dropped.parquet", ".quarantine.parquet"):
            file = self.store.file(self.step, self.key, suffix)
            if file.exists():
                sizes[suffix] = file.stat().st_size
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
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            **extra,
        }
        write_json(self.store.file(self.step, self.key, ".json"), report)
        return made


def _json(value: Mapping[str, Any]) -> str:
    import orjson

    return orjson.dumps(dict(value), option=orjson.OPT_SORT_KEYS).decode() if value else ""


def _ingest(task: IngestShard, key: str, store: Store) -> Shard:
    started = time.process_time()
    reader = find_reader(task.reader)
    settings = reader.Settings.model_validate(dict(task.settings))
    ledger = _Ledger(store, "ingest", key, task.source, open_text=True)
    seen: set[str] = set()
    error: BaseException | None = None
    size = 0
    try:
        with RecordWriter(store.file("ingest", key, ".parquet")) as writer:
            for file in task.files:
                ctx = ReadContext(
                    settings, task.source, task.facts.kind, task.facts.licence, task.facts.languages, file
                )
                size += file.size
                for item in reader().read(file, ctx):
                    ledger.counts.read += 1
                    if isinstance(item, Quarantined):
                        ledger.quarantine(item)
                    elif isinstance(item, Dropped):
                        ledger.drop(item)
                    elif item.id in seen:
                        ledger.quarantine(Quarantined(item.source, item.origin, "duplicate-id"))
                    else:
                        seen.add(item.id)
                        ledger.counts.kept += 1
                        ledger.counts.out += 1
                        ledger.counts.characters += len(item.text)
                        writer.write(item)
    except BaseException as caught:
        error = caught
        raise
    finally:
        ledger.close(error)
    extra = {"input_bytes": size}
    return ledger.commit(task.name, time.process_time() - started, {}, extra)


def _context(step: Step, settings: Any, decided: Decided, shard: str) -> StageContext:
    mine = decided.mine.get(shard)
    return StageContext(
        settings=settings,
        seed=step.seed,
        sources=step.facts,
        shared=None if decided.shared is None else read_table(decided.shared),
        mine=None if mine is None else read_table(mine),
    )


def _survey(step: Step, shard: Shard, store: Store) -> None:
    key = step.survey_key(shard.source, shard.sha256)
    if store.report(step.name, key) is not None:
        return
    started = time.process_time()
    stage, settings = load_stage(step)
    table = stage.survey(read_records(trusted(shard).path), _context(step, settings, Decided(), shard.name))
    path = store.file(step.name, key, ".parquet")
    write_table(path, table)
    report = {
        "shard": shard.name,
        "source": shard.source,
        "sha256": sha256_file(path),
        "rows": table.num_rows,
        "files": {".parquet": path.stat().st_size},
        "seconds": round(time.process_time() - started, 4),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    write_json(store.file(step.name, key, ".json"), report)


def _decide(task: DecideTask, store: Store) -> None:
    started = time.process_time()
    step = task.step
    stage, settings = load_stage(step)
    decision = stage.decide(task.surveys, _context(step, settings, Decided(), ""))
    sizes: dict[str, int] = {}

    def save(suffix: str, table: pa.Table) -> str:
        path = store.file(step.name, task.key, suffix)
        write_table(path, table)
        sizes[suffix] = path.stat().st_size
        return sha256_file(path)

    shared = "" if decision.shared is None else save(".shared.parquet", decision.shared)
    mine = {shard: save(f".{shard}.parquet", table) for shard, table in sorted(decision.per_shard.items())}
    report = {
        "files": sizes,
        "shared": shared,
        "mine": mine,
        "notes": dict(decision.notes),
        "seconds": round(time.process_time() - started, 4),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    write_json(store.file(step.name, task.key, ".json"), report)


def _apply(link: Link, shard: Shard, store: Store) -> Shard:
    step, decided = link.step, link.decided
    shared_sha, mine_sha = decided.shared_sha, decided.mine_sha.get(shard.name, "")
    key = step.apply_key(shard.source, shard.sha256, shared_sha, mine_sha)
    done = store.report(step.name, key)
    if done is not None:
        return replace(store.shard(step.name, key, done), name=step.output_name(shard.name))
    started = time.process_time()
    stage, settings = load_stage(step)
    ctx = _context(step, settings, decided, shard.name)
    ledger = _Ledger(store, step.name, key, shard.source, step.open_text)
    error: BaseException | None = None
    try:
        with RecordWriter(store.file(step.name, key, ".parquet")) as writer:
            _count(stage, read_records(trusted(shard).path), ctx, ledger, writer, step)
    except BaseException as caught:
        error = caught
        raise
    finally:
        ledger.close(error)
    counted = ctx.counts.get(shard.source, {})
    return ledger.commit(step.output_name(shard.name), time.process_time() - started, counted, {})


def _count(
    stage: Stage, records: Iterable[Record], ctx: StageContext, ledger: _Ledger, writer: RecordWriter, step: Step
) -> None:
    """Run the stage and hold it to the law: every record read comes out exactly once, whole, split or left out."""
    open_ids: dict[str, int] = {}

    def counted() -> Iterator[Record]:
        for record in records:
            ledger.counts.read += 1
            open_ids[record.id] = 0
            yield record

    counts = ledger.counts
    made: set[str] = set()
    for item in stage.apply(counted(), ctx):
        if isinstance(item, Dropped):
            _settle(open_ids, item.record.id, step)
            ledger.drop(item)
        elif isinstance(item, Quarantined):
            ledger.quarantine(item)
        else:
            parents = _parents(item, open_ids, step, stage.makes)
            for parent in parents:
                counts.kept += open_ids[parent] == 0
                open_ids[parent] += 1
            if item.id in made:
                raise StepFailed("makes two records with one id.", where=f"{step.name}, {item.id}")
            made.add(item.id)
            counts.out += 1
            counts.characters += len(item.text)
            writer.write(item)
    counts.added = counts.out - counts.kept


def _settle(open_ids: dict[str, int], identity: str, step: Step) -> None:
    if open_ids.get(identity) != 0:
        what = "drops a record that it did not read, or that it kept or dropped before."
        raise StepFailed(what, where=f"{step.name}, {identity}")
    open_ids[identity] = -1


def _parents(item: Record, open_ids: Mapping[str, int], step: Step, makes: bool) -> Sequence[str]:
    """The records read that this one stands for: itself, the one it is a piece of, or those it was made from."""
    if makes:
        parents = [p for p in item.parents if p in open_ids]
    elif item.id in open_ids:
        parents = [item.id]
    else:
        whole = item.id.rpartition("#")[0]
        parents = [whole] if whole in open_ids else []
    if not parents or any(open_ids[p] < 0 for p in parents):
        raise StepFailed("makes a record from none that it read.", where=f"{step.name}, {item.id}")
    return parents


def task_key(task: Task) -> str:
    """A name for a task that is the same in every process; used for logs and error files."""
    if isinstance(task, DecideTask):
        return fingerprint([task.step.name, task.key])
    start = task.ingest_key if task.start is None else task.start.sha256
    return fingerprint([start, [(link.step.name, link.phase) for link in task.links]])
