"""What `corpusforge tune` does: sibling mixes, a proxy on each, a law of their losses, a share under the budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from corpusforge import console
from corpusforge.errors import StepFailed, UsageError
from corpusforge.manifest import read_manifest
from corpusforge.train_command import as_ours
from corpusforge.yaml_file import shown_path

if TYPE_CHECKING:
    from corpusforge.recipe import Recipe
    from corpusforge.tune.proxies import Proxies, Proxy
    from corpusforge.tune.tuning import Against, Proposal
    from corpusforge_train.config import Config

_COMPARABLE = "Give mix.completion.tokens a number that every share can reach, and lower schedule.peak if runs diverge."


def tune(
    recipe: Path,
    config_file: Path,
    shares: str,
    budget: float,
    seeds: int | None,
    tokens: str | None,
    out: Path | None,
    builds: Path | None,
    changes: Sequence[str],
    as_json: bool,
    quiet: bool,
) -> None:
    """Propose a domain share for a recipe's mix, or say what is missing for one.

    Raises UsageError for what cannot be right, before anything is built where that can be known; StepFailed, after the
    report is written, where the evidence is not enough.
    """
    from corpusforge.recipe import read_recipe
    from corpusforge.tune.page import write_report

    config = _config(config_file, changes)
    count = _seed_count(config, seeds)
    wanted = _shares(shares)
    told = read_recipe(recipe)
    _check(told)
    target = _tokens(tokens)
    if not math.isfinite(budget):
        raise UsageError(f"{budget} is no number of nats.", where="--budget", hint="Write 0.05.")
    place = out or Path("runs") / told.name / "tune"
    runs = _runs(recipe, wanted, config_file, config, changes, count, target, builds, place, quiet)
    proxies = _gathered(runs, config)
    proposal = _proposal(proxies, budget, target, config)
    written = write_report(place, told.name, proxies, proposal)
    if as_json:
        console.data_json({**written.value, "out": str(place)})
    else:
        _tell(proposal, proxies, written.page)
    if proposal.share is None:
        raise StepFailed(_not_enough(proposal, len(proxies.share)), where=told.name, hint=_more(proposal))


def _check(recipe: Recipe) -> None:
    """Raises UsageError for a recipe whose siblings could not be compared, before they are built."""
    where = shown_path(recipe.path)
    if recipe.completion is None or recipe.packed is None:
        hint = "Add `packed: {length: 1024}` to its mix."
        raise UsageError("the recipe packs no completion to train on.", where=where, hint=hint)
    if recipe.packed.stages.get("completion"):
        what = "the mix is trained in stages, so that its beginning has another share than its end."
        raise UsageError(what, where=where, hint="Tune it without mix.packed.stages.")
    held = next((use.settings for use in recipe.curate if use.name == "holdout"), None)
    if not (getattr(held, "public", False) or getattr(held, "sources", None)):
        what = "no public text is held out, so what is forgotten cannot be measured."
        raise UsageError(what, where=where, hint="Write `holdout: {share: 5%, public: true}` under curate.")


def _config(path: Path, changes: Sequence[str]) -> Config:
    try:
        import torch  # noqa: F401

        from corpusforge_train.config import load_config
        from corpusforge_train.errors import TrainError
    except ImportError as error:
        hint = "Run pip install 'corpusforge[train]'."
        raise UsageError(f"the trainer's libraries are not installed ({error.name}).", hint=hint) from error
    try:
        config = load_config(path, tuple(changes))
    except TrainError as error:
        raise as_ours(error) from error
    if config.data.outputs != ("completion",):
        what = "a share of completion is tuned, so the proxies train on completion alone."
        raise UsageError(what, where=f"{shown_path(path)}: data.outputs", hint="Write [completion].")
    return config


def _seed_count(config: Config, asked: int | None) -> int:
    """How many seeds; where weights come from a folder and all are trained, a seed changes nothing."""
    moves = config.model.random is not None or config.lora is not None
    if asked is not None and asked > 1 and not moves:
        what = "a seed changes nothing in a run of all weights that begins from a given model."
        raise UsageError(what, where="--seeds", hint="Name more shares: each is a run of its own.")
    return asked or (2 if moves else 1)


def _shares(text: str) -> list[str]:
    from corpusforge.sweep import as_share
    from corpusforge.tune.tuning import LEAST_SHARES

    shares = [part.strip() for part in text.split(",") if part.strip()]
    for share in shares:
        as_share(share, "--shares")
    if len(shares) < LEAST_SHARES:
        what = f"{len(shares)} shares are too few: a law has three parameters to find."
        raise UsageError(what, where="--shares", hint="Write --shares 1%,2%,5%,10%.")
    return shares


def _tokens(text: str | None) -> int | None:
    from corpusforge.units import parse_count

    try:
        count = None if text is None else parse_count(text)
    except ValueError as error:
        raise UsageError(str(error), where="--tokens") from None
    if count == 0:
        raise UsageError("a run of no tokens has no share.", where="--tokens", hint="Write 2B, 12M or 250k.")
    return count


def _check_target(target: int | None, measured: float, config: Config) -> None:
    """Raises UsageError for a run that proxies of so many tokens tell nothing of; known before any is trained."""
    from corpusforge.tune.tuning import REACH

    if target is None:
        return
    if target > REACH * measured:
        what = f"the law reaches {REACH:g} times the {measured:,.0f} tokens measured, not {target:,}."
        raise UsageError(what, where="--tokens", hint=f"Mix {target / REACH:,.0f} tokens or more for the proxies.")
    if config.schedule.kind != "constant" and abs(target / measured - 1) > 0.01:
        what = "the rate of these runs is not constant, so that nothing is known of another number of tokens."
        raise UsageError(what, where="--tokens", hint="Set schedule.kind to constant in the config.")


def _runs(
    recipe: Path,
    shares: Sequence[str],
    config_file: Path,
    config: Config,
    changes: Sequence[str],
    seeds: int,
    target: int | None,
    builds: Path | None,
    out: Path,
    quiet: bool,
) -> list[Proxy]:
    """The proxies of all shares and seeds, trained where they are not there."""
    from corpusforge import proxy_runs
    from corpusforge.progress import Progress
    from corpusforge.sweep import sweep
    from corpusforge_train.errors import TrainError

    siblings = sweep(recipe, shares, builds, reporter=Progress(quiet))
    folders = [sibling.folder for sibling in siblings]
    todo = proxy_runs.tasks(folders, config, range(config.seed, config.seed + seeds), out)
    _check_target(target, read_manifest(folders[0])["mix"]["completion"]["wanted_tokens"], config)
    found = []
    for number, task in enumerate(todo, 1):
        if not quiet:
            state = "measured before" if proxy_runs.finished(task) else "training"
            console.say(f"proxy {number} of {len(todo)}: {task.share:.2%} domain, seed {task.seed}: {state}")
        try:
            found.append(proxy_runs.run(task, config_file, changes, config, quiet))
        except TrainError as error:
            raise as_ours(error) from error
    return found


def _gathered(runs: Sequence[Proxy], config: Config) -> Proxies:
    from corpusforge.tune.proxies import gather

    try:
        return gather(runs, paired=config.model.random is not None)
    except ValueError as error:
        raise UsageError(f"{error}, so no law compares them.", where="--shares", hint=_COMPARABLE) from None


def _proposal(proxies: Proxies, budget: float, tokens: int | None, config: Config) -> Proposal:
    from corpusforge.tune.tuning import tune as decide

    against: Against = "least" if config.model.random is not None else "before"
    try:
        return decide(proxies, budget, tokens, against)
    except ValueError as error:
        hint = "Name shares further apart, or mix more tokens."
        raise UsageError(f"{error}.", where="the proxies", hint=hint) from None


def _tell(proposal: Proposal, proxies: Proxies, page: Path) -> None:
    from corpusforge.tune.wording import percent, sentences

    if proposal.share is not None:
        console.data(f"mix.completion.domain.share={percent(proposal.share)}")
    for line in sentences(proposal, proxies):
        console.data(line)
    console.data(f"report: {page}")


def _not_enough(proposal: Proposal, runs: int) -> str:
    return f"{runs} runs are not enough evidence to propose a share: {'; '.join(proposal.missing)}."


def _more(proposal: Proposal) -> str:
    if proposal.more_runs is None:
        return "More runs of this kind would not settle it: try other shares, longer runs, or another --budget."
    return f"About {proposal.more_runs} more runs should settle it: raise --seeds, or name shares between these."
