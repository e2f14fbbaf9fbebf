"""The ratio screen: what a recipe's mix comes to over records that were counted before, without running any step."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson

from corpusforge.assemble import final_shards
from corpusforge.build import make_recipe_plan
from corpusforge.errors import UsageError
from corpusforge.manifest import read_manifest
from corpusforge.mix.plan import GroupPlan, MixPlan, Problem, what_is_short
from corpusforge.mix.remedies import Remedy, remedies
from corpusforge.mix.solve import Shortage, draw_all, solve, wishes
from corpusforge.mix.stock import problem_of_output, read_stock
from corpusforge.mix.supply import Supply
from corpusforge.mix.tree import find
from corpusforge.mix.wording import show
from corpusforge.mix_tree import OutputTree
from corpusforge.plan import steps_of
from corpusforge.recipe import Recipe
from corpusforge.steps import Store
from corpusforge.yaml_file import shown_path

# How much more is asked for where nothing is short, so that the way to more has numbers.
MORE = Fraction(5, 4)
_IDENTITY = ("stage", "version", "settings", "libraries", "resources")


@dataclass(slots=True)
class Counted:
    """The counted records that a mix would draw from; `build` is the one they are known from, if any."""

    shards: tuple[Path, ...]
    build: str | None
    seed: int
    _supplies: dict[tuple[str, str], Supply] = field(default_factory=dict)

    def supplies(self, tree: OutputTree) -> dict[str, Supply]:
        """What each leaf of an output has; read once, so that other shares take no time."""
        names = tree.root.leaves()
        missing = [name for name in names if (tree.name, name) not in self._supplies]
        if missing:
            stocks, _ = read_stock(self.shards, tree.name, missing, self.seed)
            for name, stock in stocks.items():
                self._supplies[tree.name, name] = Supply.of(name, stock.tokens.tolist())
        return {name: self._supplies[tree.name, name] for name in names}


def counted(recipe: Recipe, builds: Path) -> Counted:
    """The counted records of a recipe: those of its latest build if the steps before the mix are still the same (the
    raw files are not looked at), else what the plan finds finished. Raises UsageError where that is not all.
    """
    root = builds / recipe.name
    latest = root / "latest"
    build = latest.read_text().strip() if latest.is_file() else ""
    if build and (root / build / "manifest.json").is_file():
        manifest = read_manifest(root / build)
        if _same_steps(recipe, manifest):
            store = Store(root / "steps")
            made = [store.file("tokens", shard["key"], ".parquet") for shard in manifest["steps"][-1]["shards"]]
            if all(path.is_file() for path in made):
                return Counted(tuple(sorted(made)), build, recipe.spec.seed)
    plan, walk = make_recipe_plan(recipe, builds)
    missing = [name for name, state in walk.states.items() if state.missing]
    if missing:
        some = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        what = f"the steps before the mix are not there as this recipe has them: {some}."
        hint = f"Run corpusforge build {shown_path(recipe.path)}; corpusforge plan says why."
        raise UsageError(what, where=shown_path(recipe.path), hint=hint)
    return Counted(tuple(shard.path for shard in final_shards(plan, walk.states)), None, recipe.spec.seed)


def _same_steps(recipe: Recipe, manifest: Mapping[str, Any]) -> bool:
    then = [{key: step[key] for key in ("name", *_IDENTITY)} for step in manifest["steps"][1:]]
    now = [{"name": s.name, **{key: s.identity.get(key, {}) for key in _IDENTITY}} for s in steps_of(recipe)]
    sources = [{"name": s.name, "role": s.role, "kind": s.spec.kind} for s in recipe.sources]
    known = [{key: source[key] for key in ("name", "role", "kind")} for source in manifest["sources"]]
    # Through JSON, as the manifest went: its lists were tuples.
    same = orjson.loads(orjson.dumps(now, default=str)) == then
    return same and sources == known and manifest["seed"] == recipe.spec.seed


def screen(recipe: Recipe, found: Counted) -> dict[str, dict[str, Any]]:
    """What each output of the mix comes to, by name.

    Of each: `asked` (tokens or rows, None for all that fits), `total` (tokens wanted), `tokens` and `rows` taken,
    `lines` (one a group and leaf, see `_line`), `binds` (the parts that stop a larger total, and that total),
    `remedies` (each `text` and `edits`) for what stands in the way, or for `more` tokens where nothing does. `short`
    says what stands in the way, None where nothing does; then nothing is taken.
    """
    trees = [tree for tree in (recipe.completion, recipe.instruct) if tree is not None]
    return {tree.name: _output(tree, problem_of_output(tree, found.supplies(tree))) for tree in trees}


def _output(tree: OutputTree, problem: Problem) -> dict[str, Any]:
    outcome = solve(problem)
    short = isinstance(outcome, Shortage)
    if isinstance(outcome, Shortage):
        total, leaves = outcome.total, draw_all(problem, outcome.total, wishes(problem)[0])
        told: Sequence[Remedy] = remedies(problem, outcome)
    else:
        (total, leaves), told = outcome, ()
    plan = MixPlan(tree.root, total, tree.max_epochs, tuple(leaves))
    at_most = outcome if problem.total == "all" else solve(replace(problem, total="all"))
    most = None if isinstance(at_most, Shortage) else at_most
    binding = [] if most is None else [leaf for leaf in most[1] if leaf.have and leaf.line.at(most[0] + 1) > leaf.cap]
    more = None
    if not short and most is not None:
        more = int(most[0] * MORE)
        larger = replace(problem, total=more)
        beyond = solve(larger)
        told = () if not isinstance(beyond, Shortage) else remedies(larger, beyond)
        told = [way for way in told if not {"total", "rows"} & way.edits.keys()]
    return {
        "asked": tree.total,
        "unit": tree.unit,
        "max_epochs": float(tree.max_epochs),
        "total": total,
        "tokens": 0 if short else plan.tokens,
        "rows": 0 if short else plan.rows,
        "short": what_is_short(problem, outcome) if isinstance(outcome, Shortage) else None,
        "lines": [_line(plan, group, problem, short, {leaf.path for leaf in binding}) for group in plan.groups()],
        "binds": {"parts": [leaf.name for leaf in binding], "total": None if most is None else most[0]},
        "more": more,
        "remedies": [{"text": way.text, "edits": way.edits} for way in told],
    }


def _line(
    plan: MixPlan, group: GroupPlan, problem: Problem, short: bool, binding: Collection[tuple[str, ...]]
) -> dict[str, Any]:
    """One part: `asked` as the recipe has it; `share_asked` and `share` are of the whole output, `error` is their
    difference; `wanted` and `taken` are tokens, `records` and `have` what there is; `epochs` are those taken, or
    wanted where the mix is short."""
    node = find(plan.tree, group.path)
    drawn = 0 if short else group.got
    share_asked = Fraction(group.wanted, max(1, plan.total))
    share = None if short else Fraction(drawn, max(1, plan.tokens))
    used = group.wanted if short else drawn
    return {
        "path": list(group.path),
        "asked": show(node.amount),
        "share_asked": float(share_asked),
        "records": sum(problem.supply(name).rows for name in node.leaves()),
        "have": group.have,
        "wanted": group.wanted,
        "taken": drawn,
        "rows": 0 if short else group.rows,
        "epochs": float(Fraction(used, group.have)) if group.have else 0.0,
        "share": None if share is None else float(share),
        "error": None if share is None else float(share - share_asked),
        "binds": group.path in binding,
    }
