"""Turns a recipe into ordered steps, and tells for each shard of each step whether its result is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from corpusforge.discover import discover, reader_identity
from corpusforge.generation import FROM_QUESTIONS
from corpusforge.recipe import Recipe
from corpusforge.setting_files import resolved
from corpusforge.shards import Shard, sha256_file
from corpusforge.stage import SourceFacts, Survey, find_stage
from corpusforge.stage_use import StageUse
from corpusforge.steps import Decided, IngestShard, Step, Store, decided, ingest_key, stage_identity
from corpusforge.work import Chain, DecideTask, Link, Task


@dataclass(frozen=True, slots=True)
class Slot:
    """One shard of a step: known (committed) or still to be made.

    `certain` tells of one still to be made whether its own input changes; if not, it waits for a decision over all
    shards, and is reused after all where that decision comes out the same for it.
    """

    name: str
    source: str
    shard: Shard | None
    report: Mapping[str, Any] | None = None
    certain: bool = True


@dataclass(slots=True)
class StepState:
    """What is known of one step: its output slots, its survey reports and its decisions."""

    step: Step | None
    name: str
    slots: list[Slot] = field(default_factory=list)
    surveys: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)
    decided: Decided | None = None
    decide_report: Mapping[str, Any] | None = None
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """Names of shards whose result is not there."""
        return [slot.name for slot in self.slots if slot.shard is None]


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe resolved against the raw files: ingest shards and the steps after them, in order."""

    recipe: Recipe
    root: Path
    shards: tuple[IngestShard, ...]
    ingest_keys: Mapping[str, str]
    steps: tuple[Step, ...]
    final: tuple[str, ...]

    @property
    def store(self) -> Store:
        """Where the steps' results lie."""
        return Store(self.root / "steps")


def make_plan(recipe: Recipe, builds: Path) -> Plan:
    """Find and fingerprint the raw files and lay out the steps. Reads every raw byte once, and nothing else."""
    shards: list[IngestShard] = []
    keys: dict[str, str] = {}
    for source in recipe.sources:
        identity = reader_identity(source)
        for shard in discover(source, builds / ".downloads"):
            shards.append(shard)
            keys[shard.name] = ingest_key(shard, identity)
    return Plan(recipe, builds / recipe.name, tuple(shards), keys, tuple(steps_of(recipe)), ("tokens",))


def steps_of(recipe: Recipe) -> list[Step]:
    """The steps after ingest, in order; of raw files nothing is read."""
    facts = {source.name: source.facts() for source in recipe.sources}
    redact = next((i for i, use in enumerate(recipe.curate) if use.stage.name == "redact"), None)
    private = any(source.spec.personal_data for source in recipe.sources)
    # Ahead of a redaction nothing of a record is shown, whatever its source declares: the declaration may be wrong.
    last_open = -1 if redact is None and not private else len(recipe.curate) if redact is None else redact
    steps: list[Step] = []
    before = "ingest"
    for i, use in enumerate(recipe.curate):
        steps.append(_step(recipe, use, (before,), facts, i <= last_open))
        before = use.name
    rows: tuple[str, ...] = ()
    for use in recipe.generate:
        # Questions that a model wrote are read before they are searched again: of those left out no text is kept.
        questions = use.written == FROM_QUESTIONS
        steps.append(_step(recipe, use, ("qa",) if questions else (before,), facts, questions))
        rows = (*rows, use.name)
    for use in recipe.proofs:
        steps.append(_step(recipe, use, rows, facts, False))
        rows = (use.name,)
    if rows and (clean := _clean_rows(recipe, rows, facts)):
        steps.append(clean)
        rows = (clean.name,)
    heads = [before, *rows]
    tokens = find_stage("tokens")
    written = {"tokenizer": recipe.tokenizer(), "chat_template": recipe.chat_template()}
    settings = tokens.Settings.model_validate(written)
    # Tokens are counted last: a template that cannot be used would be told after hours of other work.
    tokens.check(settings)
    steps.append(_step(recipe, StageUse("tokens", tokens, settings, written="tokens"), tuple(heads), facts, False))
    return steps


def _clean_rows(recipe: Recipe, made: tuple[str, ...], facts: Mapping[str, SourceFacts]) -> Step | None:
    """Decontamination once more, on the rows that were made: a template beside an answer can repeat what its parent
    does not. The decisions are those of the first time."""
    use = next((use for use in recipe.curate if use.stage.name == "decontaminate"), None)
    if use is None:
        return None
    again = _step(recipe, replace(use, name=f"{use.name}-rows"), made, facts, False)
    return replace(again, surveys=False, decided_by=use.name)


def _step(recipe: Recipe, use: StageUse, inputs: tuple[str, ...], facts: Mapping[str, Any], open_text: bool) -> Step:
    ready, shown = resolved(use.stage, use.settings, recipe.workspace)
    settings = use.stage.Settings.model_validate(ready)
    resources = {"/".join(path.parts[-2:]): sha256_file(path) for path in use.stage.resources()}
    resources.update(use.stage.also_identity(settings))
    if ".py:" in use.written:
        # A user's file is small and its version easily forgotten: its bytes are its identity.
        file, _, resources["function"] = use.written.rpartition(":")
        resources[Path(file).name] = sha256_file(recipe.workspace / file)
    return Step(
        name=use.name,
        stage=use.written,
        folder=recipe.workspace,
        settings=ready,
        identity=stage_identity(use.stage.name, use.stage, shown, resources),
        inputs=inputs,
        seed=recipe.spec.seed,
        facts=facts,
        sources=use.sources,
        surveys=use.stage.has_survey(settings),
        makes=use.stage.makes,
        reads_survey=use.stage.reads_survey,
        open_text=open_text,
        places=use.places,
    )


def _sha(report: Mapping[str, Any] | None) -> str:
    return "" if report is None else str(report["sha256"])


def _together(tasks: Sequence[Task]) -> list[Task]:
    """The tasks, with the surveys of one shard whose stages mine it in the same way as one: it is then mined once."""
    found: dict[tuple[str, ...], Task] = {}
    for at, task in enumerate(tasks):
        start = task.start if isinstance(task, Chain) and task.links[0].step.reads_survey else None
        key = (str(at),) if start is None else (start.source, start.name, start.sha256)
        before = found.get(key)
        if isinstance(before, Chain) and isinstance(task, Chain):
            found[key] = replace(before, links=(*before.links, *task.links))
        else:
            found[key] = task
    return list(found.values())


class Walk:
    """Follows the plan through what is committed: what is known, what can run now, what must wait."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.store = plan.store
        self.states: dict[str, StepState] = {}
        self._tasks: list[Task] = []

    def look(self) -> list[Task]:
        """Read the reports anew and return the tasks that can run now; none means that everything is done."""
        self.states = {"ingest": self._ingest()}
        self._tasks = []
        opened: dict[str, Chain] = {}
        for shard, slot in zip(self.plan.shards, self.states["ingest"].slots, strict=True):
            if slot.shard is None:
                opened[shard.name] = Chain((), ingest=shard, ingest_key=self.plan.ingest_keys[shard.name])
        chains = {("ingest", name): chain for name, chain in opened.items()}
        for step in self.plan.steps:
            self.states[step.name] = self._follow(step, chains)
        self._tasks = [*_together(self._tasks), *(chain for _, chain in sorted(chains.items()))]
        return self._tasks

    def _ingest(self) -> StepState:
        state = StepState(None, "ingest")
        for shard in self.plan.shards:
            key = self.plan.ingest_keys[shard.name]
            state.keys[shard.name] = key
            report = self.store.report("ingest", key)
            made = None if report is None else replace(self.store.shard("ingest", key, report), name=shard.name)
            state.slots.append(Slot(shard.name, shard.source, made, report))
        return state

    def _consumers(self, name: str) -> int:
        return sum(name in step.inputs for step in self.plan.steps)

    def _inputs(self, step: Step) -> Iterator[tuple[str, Slot]]:
        for name in step.inputs:
            for slot in self.states[name].slots:
                yield name, slot

    def _follow(self, step: Step, chains: dict[tuple[str, str], Chain]) -> StepState:
        state = StepState(step, step.name)
        inputs = list(self._inputs(step))
        if step.surveys:
            self._survey(step, state, inputs, chains)
        elif step.decided_by is not None:
            state.decided = self.states[step.decided_by].decided
        for name, slot in inputs:
            if not step.concerns(slot.source):
                state.slots.append(slot)
                continue
            output = step.output_name(slot.name)
            known = slot.shard
            ready = state.decided is not None or not (step.surveys or step.decided_by)
            if known is not None and ready:
                choice = state.decided or Decided()
                key = step.apply_key(slot.source, known.sha256, choice.shared_sha, choice.mine_sha.get(slot.name, ""))
                state.keys[output] = key
                report = self.store.report(step.name, key)
                if report is not None:
                    made = replace(self.store.shard(step.name, key, report), name=output)
                    state.slots.append(Slot(output, slot.source, made, report))
                    continue
                chains[(step.name, output)] = Chain((Link(step, "apply", choice),), start=known)
            elif ready and self._consumers(name) == 1 and (name, slot.name) in chains:
                chain = chains.pop((name, slot.name))
                chains[(step.name, output)] = replace(
                    chain, links=(*chain.links, Link(step, "apply", state.decided or Decided()))
                )
            certain = ready if known is not None else slot.certain
            state.slots.append(Slot(output, slot.source, None, certain=certain))
        return state

    def _survey(
        self, step: Step, state: StepState, inputs: Sequence[tuple[str, Slot]], chains: dict[tuple[str, str], Chain]
    ) -> None:
        surveys: list[Survey] = []
        for name, slot in inputs:
            if not step.concerns(slot.source):
                continue
            state.surveys[slot.name] = None
            if slot.shard is None:
                if self._consumers(name) == 1 and (name, slot.name) in chains:
                    chain = chains[(name, slot.name)]
                    chains[(name, slot.name)] = replace(chain, links=(*chain.links, Link(step, "survey")))
                continue
            key = step.survey_key(slot.source, slot.shard.sha256)
            report = self.store.report(step.name, key)
            if report is None:
                self._tasks.append(Chain((Link(step, "survey"),), start=slot.shard))
                continue
            state.surveys[slot.name] = report
            path = self.store.file(step.name, key, ".parquet")
            surveys.append(Survey(slot.name, slot.source, path, slot.shard.path))
        if any(report is None for report in state.surveys.values()):
            return
        shas = [
            (slot.name, _sha(state.surveys[slot.name]), slot.shard.sha256)
            for _, slot in inputs
            if slot.shard is not None and slot.name in state.surveys
        ]
        key = step.decide_key(shas)
        state.keys["decide"] = key
        report = self.store.report(step.name, key)
        if report is None:
            self._tasks.append(DecideTask(step, key, tuple(sorted(surveys, key=lambda s: s.shard))))
            return
        state.decided = decided(self.store, step.name, key, report)
        state.decide_report = report
