"""Performs one piece of a plan in a worker: a chain of phases on one shard, each committed before the next begins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusforge.errors import StepFailed, UsageError
from corpusforge.ingest.files import LINK_TO_NOTHING, InputFile
from corpusforge.ingest.formats import find_reader
from corpusforge.ingest.reader import ReadContext
from corpusforge.ledger import Ledger, account, forget_peak, peak_bytes
from corpusforge.manifest import fingerprint
from corpusforge.record import Dropped, Quarantined
from corpusforge.shards import (
    RecordWriter,
    Shard,
    read_records,
    read_table,
    sha256_file,
    write_json,
    write_table,
)
from corpusforge.stage import StageContext, Survey
from corpusforge.steps import Decided, IngestShard, Step, Store, hashed, load_stage

RESPONSES = "responses"


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


@dataclass(slots=True)
class Doing:
    """What a task is at: which step (None: ingest), on which shard ("": on all of them)."""

    step: Step | None
    shard: str

    @property
    def place(self) -> str:
        """The step, with the shard where it is at one."""
        name = "ingest" if self.step is None else self.step.name
        return f"{name}, {self.shard}" if self.shard else name

    def written(self, setting: str) -> str | None:
        """file:line:column of a setting of the step, of the step itself for "" and what is not written; else None."""
        if self.step is None or not (setting == "" or setting.partition(".")[0] in self.step.settings):
            return None
        return self.step.places.get(setting) or self.step.places.get("")


def doing_first(task: Task) -> Doing:
    """What a task begins with."""
    if isinstance(task, DecideTask):
        return Doing(task.step, "")
    if task.ingest is not None:
        return Doing(None, task.ingest.name)
    return Doing(task.links[0].step, task.start.name if task.start else "")


def perform(task: Task, root: Path, begin: Callable[[Doing], None]) -> None:
    """Run a task; everything it finishes is committed below `root` as it goes. `begin` is told of each phase ahead."""
    store = Store(root)
    begin(doing_first(task))
    if isinstance(task, DecideTask):
        _decide(task, store)
        return
    current = task.start
    if task.ingest is not None:
        current = _ingest(task.ingest, task.ingest_key, store)
    for link in task.links:
        begin(Doing(link.step, current.name if current else ""))
        if current is None:
            raise StepFailed("has no shard to start from.", where=link.step.name)
        if link.phase == "survey":
            _survey(link.step, current, store)
        else:
            current = _apply(link, current, store)


def trusted(shard: Shard) -> Shard:
    """The shard, after its bytes were compared with its checksum. Raises StepFailed and forgets a damaged one."""
    _compare(shard.path, shard.sha256, shard.path.with_suffix(".json"))
    return shard


def _compare(path: Path, sha256: str, report: Path) -> Path:
    if not path.exists() or sha256_file(path) != sha256:
        report.unlink(missing_ok=True)
        what = "the file's bytes differ from its checksum; it was discarded."
        raise StepFailed(what, where=str(path), hint="Run the build again: it will be made anew.")
    return path


def _ingest(task: IngestShard, key: str, store: Store) -> Shard:
    forget_peak()
    started = time.process_time()
    reader = find_reader(task.reader)
    settings = reader.Settings.model_validate(dict(task.settings))
    ledger = Ledger(store, "ingest", key, task.source, open_text=True)
    seen: dict[str, str] = {}
    error: BaseException | None = None
    size = 0
    try:
        with RecordWriter(store.file("ingest", key, ".parquet")) as writer:
            for file in task.files:
                ctx = ReadContext(
                    settings, task.source, task.facts.kind, task.facts.licence, task.facts.languages, file
                )
                size += file.size
                nowhere = file.sha256 == LINK_TO_NOTHING
                for item in (ctx.quarantined(0, 0, LINK_TO_NOTHING),) if nowhere else reader().read(file, ctx):
                    ledger.counts.read += 1
                    if isinstance(item, Quarantined):
                        ledger.quarantine(item)
                    elif isinstance(item, Dropped):
                        ledger.drop(item)
                    elif (other := seen.get(item.id)) == file.name:
                        ledger.quarantine(Quarantined(item.source, item.origin, "duplicate-id"))
                    elif other is not None:
                        raise twice(task.source, other, file.name)
                    else:
                        seen[item.id] = file.name
                        ledger.counts.kept += 1
                        ledger.counts.out += 1
                        ledger.counts.characters += len(item.text)
                        writer.write(item)
            for file in (*task.files, *task.sidecars):
                _unchanged(file, task.source)
    except BaseException as caught:
        error = caught
        raise
    finally:
        ledger.close(error)
    extra = {"input_bytes": size}
    return ledger.commit(task.name, time.process_time() - started, {}, extra)


def twice(source: str, one: str, other: str) -> UsageError:
    """The error for one record id in two files: which of the two is right cannot be known."""
    what = f"two records of different files have one id ({one} and {other})."
    return UsageError(
        what, where=source, hint="The id field of its format is not unique over files; name another, or none."
    )


def _unchanged(file: InputFile, source: str) -> None:
    # What was read is kept under the hash that the plan saw: an edit in between would be served for ever.
    try:
        now = hashed(file).sha256
    except FileNotFoundError:
        now = LINK_TO_NOTHING
    if now != file.sha256:
        what = f"{file.name} changed while it was read."
        raise StepFailed(what, where=source, hint="Run the build again when it is written to the end.")


def _context(step: Step, settings: Any, shard: Shard, decided: Decided, store: Store) -> StageContext:
    """What the stage gets for one shard: only the facts of the shard's own source, which its address names."""

    def table(path: Path | None, sha256: str) -> pa.Table | None:
        if path is None:
            return None
        return read_table(_compare(path, sha256, store.file(step.name, path.name.partition(".")[0], ".json")))

    return StageContext(
        settings=settings,
        seed=step.seed,
        sources={shard.source: step.facts[shard.source]},
        shared=table(decided.shared, decided.shared_sha),
        mine=table(decided.mine.get(shard.name), decided.mine_sha.get(shard.name, "")),
        responses=store.root.parent / RESPONSES,
    )


def _survey(step: Step, shard: Shard, store: Store) -> None:
    key = step.survey_key(shard.source, shard.sha256)
    if store.report(step.name, key) is not None:
        return
    forget_peak()
    started = time.process_time()
    stage, settings = load_stage(step)
    table = stage.survey(read_records(trusted(shard).path), _context(step, settings, shard, Decided(), store))
    path = store.file(step.name, key, ".parquet")
    write_table(path, table)
    report = {
        "shard": shard.name,
        "source": shard.source,
        "sha256": sha256_file(path),
        "rows": table.num_rows,
        "files": {".parquet": path.stat().st_size},
        "seconds": round(time.process_time() - started, 4),
        "peak_bytes": peak_bytes(),
    }
    write_json(store.file(step.name, key, ".json"), report)


def _decide(task: DecideTask, store: Store) -> None:
    forget_peak()
    started = time.process_time()
    step = task.step
    stage, settings = load_stage(step)
    damaged: StepFailed | None = None
    for survey in task.surveys:
        for path in (survey.path, survey.records):
            try:
                _compare(path, _noted(path), path.with_suffix(".json"))
            except StepFailed as error:  # look at all, so that one more build mends all
                damaged = error
    if damaged is not None:
        raise damaged
    decision = stage.decide(task.surveys, StageContext(settings=settings, seed=step.seed, sources=step.facts))
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
        "peak_bytes": peak_bytes(),
    }
    write_json(store.file(step.name, task.key, ".json"), report)


def _surveyed(step: Step, shard: Shard, store: Store) -> Path | None:
    """The step's own survey of a shard. It follows from what the output's address names, so it needs no part there."""
    key = step.survey_key(shard.source, shard.sha256)
    report = store.report(step.name, key)
    if report is None:
        return None
    return _compare(store.file(step.name, key, ".parquet"), report["sha256"], store.file(step.name, key, ".json"))


def _noted(path: Path) -> str:
    report = Store(path.parent.parent).report(path.parent.name, path.stem)
    return "" if report is None else str(report["sha256"])


def _apply(link: Link, shard: Shard, store: Store) -> Shard:
    step, decided = link.step, link.decided
    shared_sha, mine_sha = decided.shared_sha, decided.mine_sha.get(shard.name, "")
    key = step.apply_key(shard.source, shard.sha256, shared_sha, mine_sha)
    done = store.report(step.name, key)
    if done is not None:
        return replace(store.shard(step.name, key, done), name=step.output_name(shard.name))
    forget_peak()
    started = time.process_time()
    stage, settings = load_stage(step)
    ctx = _context(step, settings, shard, decided, store)
    if step.surveys and step.reads_survey:
        ctx.surveyed = _surveyed(step, shard, store)
    ledger = Ledger(store, step.name, key, shard.source, step.open_text)
    error: BaseException | None = None
    try:
        with RecordWriter(store.file(step.name, key, ".parquet")) as writer:
            account(stage, read_records(trusted(shard).path), ctx, ledger, writer, step)
    except BaseException as caught:
        error = caught
        raise
    finally:
        ledger.close(error)
    counted = ctx.counts.get(shard.source, {})
    extra = {"paid": dict(sorted(ctx.paid.items()))} if ctx.paid else {}
    return ledger.commit(step.output_name(shard.name), time.process_time() - started, counted, extra)


def task_key(task: Task) -> str:
    """A name for a task that is the same in every process; used for logs and error files."""
    if isinstance(task, DecideTask):
        return fingerprint([task.step.name, task.key])
    start = [task.ingest_key] if task.start is None else [task.start.source, task.start.name, task.start.sha256]
    return fingerprint([start, [(link.step.name, link.phase) for link in task.links]])
