"""Builds of one recipe at several shares, for runs that are to be compared: equal in tokens and in all but the mix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from corpusforge.build import Reporter, build_siblings
from corpusforge.errors import InfeasibleMix, UsageError
from corpusforge.folders import builds_folder
from corpusforge.mix.stock import plan_output, read_stock
from corpusforge.mix.wording import decimal
from corpusforge.mix_changes import Wish, changes_for
from corpusforge.mix_tree import OutputTree
from corpusforge.progress import Progress
from corpusforge.recipe import Recipe, Run, read_recipe
from corpusforge.units import parse_share
from corpusforge.yaml_file import Change, load_yaml

ShareLike = str | float | Fraction


@dataclass(frozen=True, slots=True)
class Sibling:
    """A build of a sweep: its share (exact, of its parent in the mix) and folder.

    `wanted` is the total of tokens of completion, equal for all siblings; `tokens` is what whole records came to, which
    differs by less than one record a source. `epochs` has how often each source's tokens are used.
    """

    share: Fraction
    folder: Path
    wanted: int
    tokens: int
    epochs: dict[str, float]
    reused: bool


def sweep(
    recipe: Path,
    shares: Sequence[ShareLike],
    builds: Path | None = None,
    *,
    part: str = "domain",
    reporter: Reporter | None = None,
    run: Run | None = None,
) -> list[Sibling]:
    """Build a recipe's mix at several shares of one part of completion; the siblings in the order of `shares`.

    A share is a percentage as a recipe writes it (`"2%"`) or a number from 0 to 1; `part` is a key below
    `mix.completion` (`domain`, `domain.reading`), and where one other share fills its group that one follows. Earlier
    steps are run once, if they are not there. Every sibling has the same number of completion tokens: the recipe's, or
    for `all` and for a number of rows the smallest of what each share allows within max_epochs. Siblings lie in
    `builds` (by default those of the recipe's workspace) beside the recipe's own builds; its latest build stays the
    latest. Raises UsageError and its kind for shares that are none or cannot be met, StepFailed for what a step cannot
    do.
    """
    wanted = [as_share(share) for share in shares]
    if not wanted or len(set(wanted)) != len(wanted):
        raise UsageError("needs shares, each once.", where="--sweep", hint="Write domain=1%,2%,5%,10%.")
    told = reporter or Progress(quiet=True)
    written = load_yaml(recipe).value or {}
    asked = [_changes(written, part, share) for share in wanted]
    first = [read_recipe(recipe, changes) for changes in asked]

    def siblings(shards: Sequence[Path]) -> list[Recipe]:
        total, binding = _equal_total(first, wanted, shards)
        if binding is not None:
            told.said(f"every sibling has {total:,} tokens: what {binding} allows within max_epochs")
        said = "--sweep: equal tokens for all"
        at = ("mix", "completion")
        more = [Change((*at, "rows"), None, said, gone=True), Change((*at, "tokens"), total, said)]
        return [read_recipe(recipe, [*changes, *more]) for changes in asked]

    built = build_siblings(first[0], builds_folder(builds, recipe), siblings, told, run)
    made: list[Sibling] = []
    for share, one in zip(wanted, built, strict=True):
        mix: dict[str, Any] = one.manifest["mix"]["completion"]
        epochs = {str(leaf["path"][-1]): float(leaf["epochs"]) for leaf in mix["leaves"]}
        made.append(Sibling(share, one.folder, mix["wanted_tokens"], mix["got_tokens"], epochs, one.reused))
    return made


def as_share(share: ShareLike, where: str = "--sweep") -> Fraction:
    """A share as an exact fraction: `"2%"`, 0.02 or Fraction(1, 50). Raises UsageError for what is none, said
    `where` it was asked."""
    try:
        exact = parse_share(share) if isinstance(share, str) else Fraction(str(share))
    except ValueError as error:
        raise UsageError(str(error), where=where) from None
    if not 0 <= exact <= 1:
        raise UsageError(f"{share} is not a share from 0 to 1.", where=where, hint="Write 2% or 0.02.")
    return exact


def shown(share: Fraction) -> str:
    """A share as a recipe writes it."""
    return f"{decimal(share * 100)}%"


def _changes(written: dict[str, Any], part: str, share: Fraction) -> list[Change]:
    said = f"--sweep {part}={shown(share)}"
    changes = changes_for(written, [Wish(("mix", "completion", *part.split(".")), shown(share), said)])
    # A sibling is for a proxy, not for signing; the audit of the same pipeline would be repeated for each.
    changes.append(Change(("audit", "canaries"), 0, said))
    changes.append(Change(("gates", "canary_leak"), None, said, gone=True))
    return changes


def _equal_total(
    recipes: Sequence[Recipe], shares: Sequence[Fraction], shards: Sequence[Path]
) -> tuple[int, str | None]:
    """The total for all siblings, and the share that sets it (None where the recipe itself names the tokens).

    Each share is planned at it too: a small source that some total draws from may vanish at a smaller one.
    """
    trees = [recipe.completion for recipe in recipes if recipe.completion is not None]
    if not trees:
        raise UsageError("the recipe mixes no completion.", where="--sweep", hint="Add mix.completion.")
    names = sorted({name for tree in trees for name in tree.root.leaves()})
    stocks, _ = read_stock(sorted(shards), "completion", names, recipes[0].spec.seed)

    def total(tree: OutputTree, share: Fraction) -> int:
        try:
            return plan_output(tree, {name: stocks[name] for name in tree.root.leaves()}).total
        except InfeasibleMix as error:
            where = f"{error.problem.where} at {shown(share)}"
            raise InfeasibleMix(error.problem.what, where=where, hint=error.problem.hint) from None

    totals = [total(tree, share) for tree, share in zip(trees, shares, strict=True)]
    smallest = min(totals)
    for tree, share in zip(trees, shares, strict=True):
        total(replace(tree, total=smallest, unit="tokens"), share)
    named = trees[0].unit == "tokens" and trees[0].total is not None
    return smallest, None if named else shown(shares[totals.index(smallest)])
