"""The one public verb: plan, run, check every count, write the build and its card."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge.assemble import assemble, build_id, final_shards
from corpusforge.engine_key import missing_key
from corpusforge.errors import NotConserved, Problem, Problems, StepFailed, TooMuchQuarantine, UsageError
from corpusforge.ingest.files import LINK_TO_NOTHING
from corpusforge.manifest import Counts
from corpusforge.plan import Plan, Slot, StepState, Walk, make_plan
from corpusforge.recipe import Recipe, Run
from corpusforge.run import problem_of, run_tasks, sweep
from corpusforge.shards import Shard, disk_failure, write_json
from corpusforge.tally import step_counts, step_seconds
from corpusforge.work import twice
from corpusforge.yaml_file import shown_path

# None found among 300 planted: at most 1% leak (95%, rule of three).
CANARIES_OF_A_GATE = 300


class Reporter(Protocol):
    """What a build tells while it runs."""

    def planned(self, plan: Plan, walk: Walk) -> None:
        """The plan is made; `walk` tells what is there already."""

    def progress(self, plan: Plan) -> None:
        """Called about twice a second while tasks run."""

    def said(self, line: str) -> None:
        """One thing worth knowing."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to: its folder, its manifest, what ran and for how long (seconds)."""

    folder: Path
    manifest: Mapping[str, Any]
    reused: bool
    seconds: float
    timings: Mapping[str, float] = field(default_factory=dict)


def build(recipe: Recipe, builds: Path, reporter: Reporter, run: Run | None = None) -> Built:
    """Build a recipe; what is committed from earlier runs is reused. Raises CorpusforgeError with what went wrong."""
    started = time.perf_counter()
    settings = run or recipe.spec.run
    plan = make_plan(recipe, builds)
    try:
        with _alone(plan.root):
            sweep(plan.root)
            walk = run_steps(plan, settings, reporter)
            states = walk.states
            counts = check_counts(plan, states)
            folder = plan.root / build_id(plan, states)
            manifest, reused = assemble(
                plan, states, counts, folder, reporter.said, lambda: _audited(plan, states, reporter)
            )
            seconds = time.perf_counter() - started
            timings = step_seconds(states)
            record = {"build": folder.name, "seconds": round(seconds, 2), "steps": timings, "reused": reused}
            write_json(plan.root / "last-run.json", record)
    except OSError as error:
        if (failure := disk_failure(error, str(plan.root))) is not None:
            raise failure from None
        raise
    return Built(folder, manifest, reused, seconds, timings)


def build_siblings(
    recipe: Recipe,
    builds: Path,
    siblings: Callable[[Sequence[Path]], Sequence[Recipe]],
    reporter: Reporter,
    run: Run | None = None,
) -> list[Built]:
    """Builds that differ in their mix alone: every earlier step is run, or found, once for all of them.

    `siblings` makes their recipes from the shards that are to be mixed. None becomes the recipe's latest build, and
    none has a leak audit: what they share was audited, or will be, with the recipe's own build. Raises
    CorpusforgeError.
    """
    started = time.perf_counter()
    plan = make_plan(recipe, builds)
    try:
        with _alone(plan.root):
            sweep(plan.root)
            states = run_steps(plan, run or recipe.spec.run, reporter).states
            counts = check_counts(plan, states)
            made: list[Built] = []
            for one in siblings([shard.path for shard in final_shards(plan, states)]):
                own = replace(plan, recipe=one)
                folder = plan.root / build_id(own, states)
                manifest, reused = assemble(own, states, counts, folder, reporter.said, dict, latest=False)
                made.append(Built(folder, manifest, reused, time.perf_counter() - started))
            return made
    except OSError as error:
        if (failure := disk_failure(error, str(plan.root))) is not None:
            raise failure from None
        raise


def _audited(plan: Plan, states: Mapping[str, StepState], reporter: Reporter) -> dict[str, Any]:
    """The leak audit of a build at the recipe's own rate; nothing where none redacts or the recipe leaves it out.

    It runs when everything else is done, so its own failure must not lose that: it becomes a fact of the build.
    """
    spec = plan.recipe.spec
    if not spec.audit.canaries or not redacts(plan.recipe):
        return {}
    from corpusforge.audit.measure import measure
    from corpusforge.audit.second_look import second_look

    gated = 0 if spec.gates.canary_leak is None else CANARIES_OF_A_GATE
    reporter.said(f"planting {max(spec.audit.canaries, gated)} invented values and looking for them")
    try:
        found = measure(plan, states, build, spec.audit.canaries, spec.audit.rate, gated)
        return {"audit": {**found, "second_look": second_look(final_shards(plan, states), spec.seed)}}
    except Exception as error:
        problem, _ = problem_of(error, "audit")
        reporter.said(f"the leak audit failed: {problem}")
        return {"audit_failed": f"{problem.where}: {problem.what}"}


def redacts(recipe: Recipe) -> bool:
    """Whether the recipe takes personal data out at all."""
    return any(use.stage.name == "redact" for use in recipe.curate)


def audit_build(
    recipe: Recipe, builds: Path, wanted: str, canaries: int, rate: float, sample: int, reporter: Reporter
) -> dict[str, Any]:
    """The leak audit of a finished build, with more canaries than it had itself. Writes `audits/` beside the build.

    `wanted` is the build's id. Raises UsageError where the recipe, its sources or this version are no longer what the
    build was made from: the audit runs the pipeline that there is, and must speak of the build that it names.
    """
    from corpusforge.audit.measure import measure
    from corpusforge.audit.second_look import second_look

    if not redacts(recipe):
        raise UsageError("leaves out redact: there is nothing to audit.", where=shown_path(recipe.path))
    plan, walk = make_recipe_plan(recipe, builds)
    missing = [name for name, state in walk.states.items() if state.missing]
    now = None if missing else build_id(plan, walk.states)
    if now != wanted:
        what = f"build {wanted} was made from another state of {shown_path(recipe.path)} or its sources."
        raise UsageError(what, where=wanted, hint=f"Run corpusforge build {shown_path(recipe.path)}, then audit that.")
    with _alone(plan.root):
        sweep(plan.root)
        reporter.said(f"planting {canaries} invented values and looking for them")
        found = measure(plan, walk.states, build, canaries, rate)
    looked = second_look(final_shards(plan, walk.states), recipe.spec.seed, sample)
    return {"recipe": recipe.name, "build": wanted, **found, "second_look": looked}


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One build of a recipe at a time; the lock goes with the process, however it ends."""
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)  # steps before redaction hold what the raw files hold
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = "another build of this recipe is running."
            raise StepFailed(what, where=str(root), hint="Wait for it, or stop it.") from None
        yield


def curated(recipe: Recipe, builds: Path, reporter: Reporter, run: Run) -> tuple[Plan, list[Shard]]:
    """Run the steps ahead of the generators alone; the plan of all, and the shards that the generators read."""
    plan = make_plan(recipe, builds)
    made = {use.name for use in (*recipe.generate, *recipe.proofs)}
    steps = tuple(takewhile(lambda step: step.name not in made and step.name != "tokens", plan.steps))
    with _alone(plan.root):
        sweep(plan.root)
        walk = run_steps(replace(plan, steps=steps), run, reporter)
    last = walk.states[steps[-1].name if steps else "ingest"]
    return plan, [slot.shard for slot in last.slots if slot.shard is not None]


def run_steps(plan: Plan, settings: Run, reporter: Reporter) -> Walk:
    """Run what is not there yet, round by round: shards in parallel, decisions between."""
    walk = Walk(plan)
    tasks = walk.look()
    if (problem := missing_key(plan.recipe, unfinished(plan, walk))) is not None:
        raise Problems([problem])
    reporter.planned(plan, walk)
    rounds = 0
    checked = False
    while tasks:
        run_tasks(tasks, plan.store.root, settings, lambda: reporter.progress(plan))
        tasks = walk.look()
        if not checked and not walk.states["ingest"].missing:
            check_ingest(plan, walk.states["ingest"])
            checked = True
        rounds += 1
        if rounds > 6 * (len(plan.steps) + 2):
            raise StepFailed("the steps do not come to an end.", hint="A stage's output differs from run to run.")
    if not checked:
        check_ingest(plan, walk.states["ingest"])
    return walk


def unfinished(plan: Plan, walk: Walk) -> list[str]:
    """The steps whose result is not all there."""
    done = {name for name, state in walk.states.items() if state.slots and not state.missing}
    return [step.name for step in plan.steps if step.name not in done]


def check_ingest(plan: Plan, state: StepState) -> None:
    """Hold every source to its quarantine limit, and every record id to one record."""
    totals = step_counts(state)
    problems: list[Problem] = []
    for source in plan.recipe.sources:
        counts = totals.get(source.name, Counts())
        where = shown_path(source.file)
        # A link that leads nowhere is told by its count: of how many records it stands for nothing is known.
        nowhere = counts.quarantined.get(LINK_TO_NOTHING, 0)
        bad = sum(counts.quarantined.values()) - nowhere
        limit = source.spec.quarantine_limit
        if counts.read == nowhere:
            problems.append(Problem(where, "gave no record at all.", "Mend path: or format:."))
        elif bad > limit * counts.read:
            worst = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.quarantined.items(), key=lambda i: -i[1]))
            what = f"{bad} of {counts.read} records could not be read ({worst}); the limit is {float(limit * 100):g}%."
            hint = f"See {plan.store.root / 'ingest'}/*.quarantine.parquet, mend format:, or raise quarantine_limit."
            problems.append(Problem(where, what, hint))
    if problems:
        raise TooMuchQuarantine("\n".join(str(problem) for problem in problems))
    _check_ids(state)


def _check_ids(state: StepState) -> None:
    """Hold every id to one record. Memory: the ids of one source as Arrow strings; ids hold their source's name."""
    per_source: dict[str, list[Slot]] = {}
    for slot in state.slots:
        per_source.setdefault(slot.source, []).append(slot)
    for source, slots in per_source.items():
        shards = [slot.shard for slot in slots if slot.shard is not None]
        if len(shards) < 2:  # within one shard, ingest has seen to it
            continue
        columns = [pq.ParquetFile(shard.path).read(columns=["id"])["id"] for shard in shards]
        ids = pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())
        if len(pc.unique(ids)) != len(ids):
            raise _doubled(source, shards)


def _doubled(source: str, shards: Sequence[Shard]) -> UsageError:
    seen: dict[str, str] = {}
    for shard in shards:
        table = pq.read_table(shard.path, columns=["id", "origin"])
        for identity, origin in zip(table["id"].to_pylist(), table["origin"].to_pylist(), strict=True):
            if identity in seen:
                return twice(source, seen[identity], origin["file"])
            seen[identity] = origin["file"]
    raise AssertionError("ids that are not unique hold one twice")


def check_counts(plan: Plan, states: Mapping[str, StepState]) -> dict[str, dict[str, Counts]]:
    """The conservation law over the whole build: within each step, and from each step to the next, for each source."""
    counts = {name: step_counts(state) for name, state in states.items()}
    for name, per_source in counts.items():
        for source, one in per_source.items():
            one.check(f"{name}, {source}")
    for step in plan.steps:
        arrived: dict[str, int] = {}
        for before in step.inputs:
            for slot in states[before].slots:
                if step.concerns(slot.source):
                    if slot.shard is None:
                        raise NotConserved("a shard has no result.", where=f"{before}, {slot.name}")
                    arrived[slot.source] = arrived.get(slot.source, 0) + slot.shard.rows
        read = {source: one.read for source, one in counts[step.name].items()}
        if arrived != read:
            source = next(s for s in sorted({**arrived, **read}) if arrived.get(s) != read.get(s))
            what = f"{arrived.get(source, 0)} records left the steps before, but {read.get(source, 0)} were read."
            raise NotConserved(what, where=f"{step.name}, {source}", hint="Report this with the recipe.")
    return counts


def make_recipe_plan(recipe: Recipe, builds: Path) -> tuple[Plan, Walk]:
    """The plan and what is there already, without running anything."""
    plan = make_plan(recipe, builds)
    walk = Walk(plan)
    walk.look()
    return plan, walk
