"""The command `evaluate`: asks one model or two a build's held-out benchmark, lets a judge grade, writes a report."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge import console
from corpusforge.errors import GateFailed, Problems, StepFailed, UsageError

if TYPE_CHECKING:
    from corpusforge.evaluate.answering import Asked, Sitting
    from corpusforge.evaluate.asking import Ask, Question, Reply
    from corpusforge.evaluate.calibrate import Agreement
    from corpusforge.evaluate.likelihoods import Score

SHEET = "calibration.csv"
TELL_EVERY = 30.0
# Tokens of a context that a window of text leaves free: the one that is generated, and those a tokenizer adds.
SPARE = 16
# Seconds beyond `linger` that a local server may take to end before the next one is started.
ENDING = 60.0


def evaluate(
    name: str,
    builds: Path | None,
    models: tuple[str | None, str | None, Path | None, str | None],
    labels: Path | None,
    tasks: Sequence[str],
    limit: int | None,
    rotations: bool,
    likelihoods: bool,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Evaluate one model, or two against each other, one after the other: two local ones need not fit on one GPU.

    `models` are an engine, the one against it, a training run, and the judge, as they are written on the command line.
    Of a run the model that it left is evaluated against the one that it began with, where no other is named,
    and the run's report is written again with what came of it.

    Raises, after all is written, GateFailed where people and judge do not agree enough or too few labels tell, and
    StepFailed where likelihoods were asked for and not given.
    """
    from corpusforge.commands import find_build
    from corpusforge.evaluate.answering import read_benchmark
    from corpusforge.evaluate.calibrate import read_sheet
    from corpusforge.evaluate.telling import markdown
    from corpusforge.report_command import write_report
    from corpusforge.run_report.read import EVALUATION
    from corpusforge.shards import write_bytes, write_json

    model, against, run, judge = models
    folder = find_build(name, builds)
    if run is not None:
        out = out or run / EVALUATION
    model, against = _named(model, against, run)
    asked, seal = read_benchmark(folder, tasks, limit)
    if labels is not None and judge is None:
        raise UsageError("--labels holds a judge against people.", hint="Name the judge with --judge.")
    sheet = None if labels is None else read_sheet(labels)
    told = {"A": read_model(model, "--model")}
    if against is not None:
        told["B"] = read_model(against, "--against")
        if _same(told["A"], told["B"]):
            hint = "Name another model, or give each a revision of its own."
            raise UsageError("--model and --against are the same model.", where=model, hint=hint)
    judging = None if judge is None else read_model(judge, "--judge")
    sittings: dict[str, Sitting] = {}
    lost: dict[str, StepFailed] = {}
    order = [*told.values(), *([] if judging is None else [judging])]
    for done, (key, settings) in enumerate(told.items(), start=1):
        sittings[key], error = _sat(asked, settings, folder, f"model {key}", rotations, likelihoods, quiet)
        if error is not None:
            lost[key] = error
        _let_go(settings, order[done:])
    with ExitStack() as stack:
        ask_judge = None if judging is None else _opened(stack, judging, folder, "the judge", quiet)
        verdicts = _Verdicts(asked, sittings, ask_judge, sheet)
    report = _report(folder, seal, told, judging, asked, sittings, verdicts, limit, rotations, lost)
    place = out or folder.parent / "evaluations" / f"{folder.name}-{_slug(told)}"
    write_json(place / "report.json", report)
    write_bytes(place / "report.md", markdown(report).encode())
    for key, sitting in sittings.items():
        write_bytes(place / f"answers-{key.lower()}.jsonl", _answers(sitting))
    if verdicts.sheet and sheet is None:
        write_bytes(place / SHEET, verdicts.sheet.encode())
    if run is not None:
        write_report(run, folder, None)
    _tell(report, place / "report.md", as_json)
    for error in lost.values():
        raise error
    if verdicts.agreement is not None and verdicts.agreement.state != "passed":
        raise _not_passed(verdicts.agreement, str(labels))


def _tell(report: Mapping[str, Any], page: Path, as_json: bool) -> None:
    from corpusforge.evaluate.telling import remarks, tables

    if as_json:
        console.data_json({**report, "report": str(page)})
        return
    for columns, rows, right in tables(report):
        console.table(columns, rows, right=right, skip_empty=True)
    for line in remarks(report):
        console.data(line)
    console.data(f"report: {page}")


def _named(model: str | None, against: str | None, run: Path | None) -> tuple[str, str | None]:
    from corpusforge.report_command import engine_of, models_of

    if run is not None:
        left, before = models_of(run)
        model, against = model or left, against or before
    if model is None:
        raise UsageError("no model is named.", hint="Add --model ENGINE, or --run with the folder of a training run.")
    own, other = (engine_of(Path(text)) if text and Path(text).is_dir() else text for text in (model, against))
    return str(own), other


def _not_passed(found: Agreement, labels: str) -> GateFailed:
    from corpusforge.evaluate.calibrate import MIN_LABELS

    if found.labels < MIN_LABELS:
        what = f"{found.labels} labels are too few to hold the judge against people: not passed."
        return GateFailed(what, where=labels, hint=f"Label {MIN_LABELS} rows of the sheet or more.")
    what = f"the judge agrees with people too little (kappa {found.kappa.value:.2f})."
    return GateFailed(what, where=labels, hint="Do not use its grades; take another model.")


def _sat(
    asked: Sequence[Asked], settings: Any, folder: Path, who: str, rotations: bool, likelihoods: bool, quiet: bool
) -> tuple[Sitting, StepFailed | None]:
    """One model's answers, and why its likelihoods are missing; its engine is closed when this returns."""
    from corpusforge.evaluate.answering import sit
    from corpusforge.evaluate.likelihoods import score_tasks

    with ExitStack() as stack:
        sitting = sit(asked, _opened(stack, settings, folder, who, quiet), rotations)
    if not likelihoods:
        return sitting, None
    try:
        with ExitStack() as stack:
            score = _scoring(stack, settings, folder, who, quiet)
            scored = score_tasks(asked, score, max(64, settings.context_tokens - SPARE))
    except StepFailed as error:
        return sitting, error
    sitting.answers |= scored
    return sitting, None


def _let_go(settings: Any, later: Sequence[Any]) -> None:
    """End the server of a local model before that of another is started: one GPU seldom holds both."""
    following = next((one for one in later if one.kind == "vllm"), None)
    if settings.kind == "vllm" and following is not None and not _same(following, settings):
        from corpusforge.generate.engines.local_server import let_go_of_all

        let_go_of_all(settings.linger + ENDING)


def read_model(text: str, option: str) -> Any:
    """The `EngineSettings` of `kind=endpoint,model=…,address=…` or of a YAML file. Raises Problems or UsageError."""
    from corpusforge.engine_choice import read_engine
    from corpusforge.recipe import nearest_workspace
    from corpusforge.yaml_file import YamlFile, load_yaml

    path = Path(text)
    if path.suffix in (".yaml", ".yml"):
        file, workspace = load_yaml(path), path.resolve().parent
    else:
        file, workspace = YamlFile(Path(), option, _pairs(text, option)), nearest_workspace(Path()) or Path().resolve()
    found = None if file.problems else read_engine(file.value, file, (), workspace)
    if file.problems or found is None:
        raise Problems(file.problems)
    if found.kind == "extractive":
        raise UsageError(
            "the engine 'extractive' has no model to evaluate.", where=option, hint="Name vllm or endpoint."
        )
    return found


def _pairs(text: str, option: str) -> dict[str, Any]:
    """kind=endpoint,options.seed=1 as a mapping; values are read as YAML reads them."""
    import yaml

    found: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            hint = "Write kind=endpoint,model=NAME,address=URL, or name a YAML file of engine settings."
            raise UsageError(f"{part!r} is no setting.", where=option, hint=hint)
        keys = key.strip().split(".", 1)
        read = yaml.safe_load(value) if len(keys) == 2 or not re.search("[a-zA-Z]", value) else value
        if len(keys) == 2:
            found.setdefault(keys[0], {})[keys[1]] = read
        else:
            found[keys[0]] = str(read) if keys[0] in ("model", "revision") else read
    return found


def _opened(stack: ExitStack, settings: Any, folder: Path, who: str, quiet: bool) -> Ask:
    """A callable that asks the engine in order; a failed call is a reply with an error."""
    from corpusforge.evaluate.asking import Reply
    from corpusforge.generate.engines.door import Sampling
    from corpusforge.generate.engines.registry import make_engine

    answers = _answering(stack, settings, folder, who, quiet, make_engine)

    def ask(questions: Iterable[Question]) -> Iterator[Reply]:
        for text, error in answers((q.task, q.prompt, Sampling(0.0, 1.0, q.max_tokens)) for q in questions):
            yield Reply(text, error)

    return ask


def _scoring(stack: ExitStack, settings: Any, folder: Path, who: str, quiet: bool) -> Score:
    """A callable that asks how likely texts are, in order; what is not known is the kind of failure."""
    from corpusforge.generate.engines.door import Sampling
    from corpusforge.generate.engines.likelihood import TASK, make_scorer

    answers = _answering(stack, settings, folder, who, quiet, make_scorer)

    def score(texts: Iterable[str]) -> Iterator[float | str]:
        for text, error in answers((TASK, text, Sampling()) for text in texts):
            yield error or float(text)

    return score


def _answering(
    stack: ExitStack, settings: Any, folder: Path, who: str, quiet: bool, make: Callable[[Any], Any]
) -> Callable[[Iterable[tuple[str, str, Any]]], Iterator[tuple[str, str]]]:
    """Asks (task, prompt, sampling) in order, from the build's cache first; a finished call is never paid twice.

    Every half minute and at the end of a task it says on stderr how far `who` is, unless `quiet`.
    """
    from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse
    from corpusforge.generate.engines.session import in_order, opened
    from corpusforge.record import Message
    from corpusforge.stage import StageContext
    from corpusforge.work import RESPONSES

    ctx = StageContext(settings=None, seed=0, sources={}, responses=folder.parent / RESPONSES)
    # What stands behind a name changes; only a revision says that it did not. Without one, an address tells at least
    # two servers apart, whose answers would have the same keys.
    keyed = settings.model_copy(update={"revision": f"at {place}"}) if (place := _address(settings)) else settings
    session = stack.enter_context(opened(keyed, ctx, make))

    async def one(asked: tuple[str, str, Any]) -> GenerationResponse:
        task, prompt, sampling = asked
        return await session.ask(GenerationRequest(task, (Message("user", prompt),), sampling))

    def answers(asked: Iterable[tuple[str, str, Any]]) -> Iterator[tuple[str, str]]:
        done, told = 0, time.monotonic()
        for response in in_order(session, one, asked):
            done += 1
            if not quiet and time.monotonic() - told > TELL_EVERY:
                told = time.monotonic()
                console.say(f"{who}: {done:,} answers")
            yield response.texts[0] if response.texts else "", response.error
        if not quiet and done:
            keys = ("calls", "cached", "prompt_tokens", "completion_tokens")
            calls, cached, read, written = (f"{ctx.paid.get(key, 0):,}" for key in keys)
            said = f"{who}: {done:,} answers; so far {calls} calls, {cached} from the cache"
            console.say(f"{said}, {read} tokens read, {written} written")

    return answers


class _Verdicts:
    """What the judge says: verdicts are put among the answers' scores; pairs, troubles, the sheet, the agreement."""

    def __init__(self, asked: Sequence[Asked], sittings: Mapping[str, Sitting], ask: Ask | None, sheet: Any) -> None:
        self.pairs: list[dict[str, Any]] = []
        self.troubles: Counter[str] = Counter()
        self.sheet = ""
        self.agreement: Agreement | None = None
        if ask is None:
            return
        from corpusforge.evaluate.calibrate import agreement

        for task in asked:
            if task.judged and task.rows:
                self._judge(task, sittings, ask)
        if sheet is not None:
            self.agreement = agreement(sheet[0], sheet[1], ask)

    def _judge(self, task: Asked, sittings: Mapping[str, Sitting], ask: Ask) -> None:
        from corpusforge.evaluate.calibrate import sheet
        from corpusforge.evaluate.judge import compare_answers, judge_answers
        from corpusforge.evaluate.report import pair_report, with_verdicts

        rows: list[Any] = []
        replies: list[str | None] = []
        verdicts: list[Any] = []
        by_model = []
        for sitting in sittings.values():
            answers = sitting.answers[task.name]
            said = [answer.reply for answer in answers]
            judged = judge_answers(task.rows, said, ask)
            self.troubles.update(one.trouble for one in judged if one.trouble)
            sitting.answers[task.name] = with_verdicts(answers, judged)
            rows, replies, verdicts = [*rows, *task.rows], [*replies, *said], [*verdicts, *judged]
            by_model.append(said)
        if len(by_model) == 2:
            compared = compare_answers(task.rows, by_model[0], by_model[1], ask)
            self.pairs.append(pair_report(task.name, compared, by_model[0], by_model[1]))
        self.sheet = sheet(rows, replies, verdicts)


def _report(
    folder: Path,
    seal: str,
    models: Mapping[str, Any],
    judging: Any,
    asked: Sequence[Asked],
    sittings: Mapping[str, Sitting],
    verdicts: _Verdicts,
    limit: int | None,
    rotations: bool,
    lost: Mapping[str, StepFailed],
) -> dict[str, Any]:
    import orjson

    from corpusforge import __version__
    from corpusforge.evaluate.report import judge_report, not_run, own_questions, task_reports
    from corpusforge.manifest import read_manifest

    manifest = read_manifest(folder)
    baselines = orjson.loads((folder / "eval" / "baselines.json").read_bytes())
    identities = {key: _identity(settings) for key, settings in models.items()}
    judge = None
    if judging is not None:
        grader = _identity(judging)
        same = [key for key, settings in models.items() if _same(settings, judging)]
        judge = judge_report(grader, dict(sorted(verdicts.troubles.items())), verdicts.agreement, same)
    return {
        "format": 1,
        "corpusforge": __version__,
        "recipe": manifest["name"],
        "build": manifest["build"],
        "seal": seal,
        "models": identities,
        "judge": judge,
        "limit": limit,
        "rotations": rotations,
        "tasks": task_reports(asked, sittings, baselines),
        "pairs": verdicts.pairs,
        "own_questions": own_questions(asked, identities),
        "not_run": not_run(asked, sittings, {key: error.problem.what for key, error in lost.items()}),
    }


def _identity(settings: Any) -> dict[str, Any]:
    """What decides the answers, without keys; a folder goes by its content, and its name is told. An address is told
    only of an endpoint without a revision, as nothing else says which model answered."""
    from corpusforge.generate.engines.weights import named
    from corpusforge.report_command import MODELS

    model, revision = named(settings)
    options = settings.deciding_options()
    told = {"engine": settings.kind, "model": model, "revision": revision, "options": options}
    path = Path(settings.model)
    # What the trainer calls a run's model says nothing of which run.
    name = (path.parent.name if path.name in MODELS else path.name) if settings.is_folder else model
    return {"name": name, **told, "address": _address(settings)}


def _same(one: Any, two: Any) -> bool:
    """Whether two models would give the same answers, whatever their folders are called."""
    return {**_identity(one), "name": ""} == {**_identity(two), "name": ""}


def _address(settings: Any) -> str:
    """Where an endpoint without a revision lies, without scheme; empty for every other engine."""
    if settings.kind != "endpoint" or settings.revision:
        return ""
    return str(settings.address).partition("://")[2].rstrip("/")


def _answers(sitting: Sitting) -> bytes:
    import orjson

    rows = [
        {"task": task, "id": one.item, "reply": one.reply, "scores": dict(one.scores), "trouble": one.trouble}
        for task, answers in sorted(sitting.answers.items())
        for one in answers
    ]
    return b"".join(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) + b"\n" for row in rows)


def _slug(models: Mapping[str, Any]) -> str:
    from corpusforge.record import stable_hash

    identities = [_identity(settings) for settings in models.values()]
    names = [re.sub(r"[^A-Za-z0-9.-]+", "-", str(identity["name"])).strip("-.") for identity in identities]
    return f"{'-vs-'.join(names)}-{stable_hash(*map(str, identities))[:8]}"
