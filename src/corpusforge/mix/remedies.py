"""Every way out of an infeasible mix, each with its number and each tried before it is offered.

A remedy is a set of edits in the words of the recipe. Numbers are rounded to three digits to the safe side, applied as
they will be typed, and solved again; what does not solve is not offered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from corpusforge.mix.solve import LeafPlan, Problem, Rows, Shortage, draw_all, largest_total, solve, wishes
from corpusforge.mix.tree import Path, dotted, find, leaves, siblings, with_amount
from corpusforge.mix.wording import decimal, sentence, show, three_digits
from corpusforge.mix_tree import Node
from corpusforge.units import Amount, Epochs, Rest, Share, Tokens, show_count

_TRIES = 24


@dataclass(frozen=True, slots=True)
class Remedy:
    """One way out: `edits` maps a key of the mix to what to write there, `problem` is the mix with them applied.

    Keys are `total`, `rows`, `max_epochs`, a path such as `domain.qa`, or `+name` for tokens to add to a source.
    """

    text: str
    edits: dict[str, str]
    problem: Problem


Way = tuple[dict[str, str], Problem]


def remedies(problem: Problem, shortage: Shortage) -> tuple[Remedy, ...]:
    """All remedies that work for a problem that `solve` could not plan, in the order: shares, total, epochs, data."""
    found: list[Remedy] = []
    for candidate in _candidates(problem, shortage):
        way = _completed(candidate)
        if way and all(way[0] != other.edits for other in found):
            found.append(Remedy(sentence(way[0], lower=shortage.why != "zero"), *way))
    if not found and (way := _completed(_everything(problem))):
        found.append(Remedy(sentence(way[0], lower=False), *way))
    return tuple(found)


def _completed(way: Way) -> Way | None:
    """The way, with sources left out that it would leave too small to be drawn at all; None if it fails."""
    edits, problem = way
    for _ in range(_TRIES):
        outcome = solve(problem)
        if not isinstance(outcome, Shortage):
            return edits, problem
        step: Way | None = None
        if outcome.why == "zero":
            step = _without(problem, outcome)
        elif outcome.why == "cap" and "max_epochs" in edits:
            # A source that was left out gave its share to others, which now need more epochs.
            step = _epochs(problem, problem)
        if step is None:
            return None
        edits, problem = {**edits, **step[0]}, step[1]
    return None


def _candidates(problem: Problem, shortage: Shortage) -> Iterator[Way]:
    if shortage.why == "sum":
        yield from _leave_rest(problem, shortage)
        return
    target = problem
    if shortage.why == "rows":
        target = replace(problem, total=_tokens_for_rows(problem))
    if isinstance(target.total, Rows):
        target = replace(target, total=shortage.total)
    for top in (False, True):
        if way := _shares(target, problem, top=top):
            yield way
    if step := _without(problem, shortage):
        yield step
    yield from _total(problem, shortage)
    if way := _epochs(target, problem):
        yield way
    if way := _add(target, problem):
        yield way


def _everything(problem: Problem) -> Way:
    """The last way, where no change of one line is enough (a handful of large records): no share, and all there is."""
    edits = {"rows" if isinstance(problem.total, Rows) else "total": "all"}
    tree = problem.tree
    for path in _paths(tree, ()):
        tree = with_amount(tree, path, Rest())
        edits[dotted(path)] = "rest"
    return edits, replace(problem, tree=tree, total="all")


def _paths(node: Node, path: Path) -> Iterator[Path]:
    for child in node.children:
        below = (*path, child.name)
        yield below
        yield from _paths(child, below)


def _leave_rest(problem: Problem, shortage: Shortage) -> Iterator[Way]:
    group = find(problem.tree, shortage.path)
    for child in group.children:
        path = (*shortage.path, child.name)
        edited = replace(problem, tree=with_amount(problem.tree, path, Rest()))
        yield {dotted(path): "rest"}, edited


def _shares(target: Problem, asked: Problem, *, top: bool) -> Way | None:
    """Change shares, leaf-most or top-most ones, until the mix fits; siblings take what a share leaves."""
    edits: dict[str, str] = {}
    current = target
    for _ in range(_TRIES):
        outcome = solve(current)
        if not isinstance(outcome, Shortage):
            return (edits, replace(asked, tree=current.tree)) if edits else None
        if outcome.leaf is None or not (step := _fit(current, outcome, outcome.leaf, top=top)):
            return None
        current = replace(current, tree=step[0])
        edits.update(step[1])
    return None


def _fit(problem: Problem, shortage: Shortage, leaf: LeafPlan, *, top: bool) -> tuple[Node, dict[str, str]] | None:
    wish = leaf.line.at(shortage.total)
    if wish <= 0:
        return None
    raise_it = shortage.why == "zero"
    factor = Fraction(leaf.supply.prefix_tokens(1) // 2 + 1) / wish if raise_it else leaf.cap / wish
    paths = [leaf.path[:depth] for depth in range(1, len(leaf.path) + 1)]
    fixed = [path for path in paths if not isinstance(find(problem.tree, path).amount, Rest)]
    if not fixed:
        return None
    path = fixed[0] if top else fixed[-1]
    amount = _scaled(find(problem.tree, path).amount, factor, up=raise_it)
    if amount is None:
        return None
    edits = {dotted(path): show(amount)}
    tree = with_amount(problem.tree, path, amount)
    others = siblings(problem.tree, path)
    if not any(isinstance(other.amount, Rest) for other in others):
        if not others:
            return None
        taker = _taker(problem, shortage, path, shrink=raise_it)
        beside = (*path[:-1], taker.name)
        before = find(problem.tree, path).amount
        taken: Amount = Rest()
        if isinstance(before, Share) and isinstance(amount, Share) and isinstance(taker.amount, Share):
            taken = Share(taker.amount.of_parent + before.of_parent - amount.of_parent)
            if not 0 <= taken.of_parent <= 1:
                return None
        tree = with_amount(tree, beside, taken)
        edits[dotted(beside)] = show(taken)
    return tree, edits


def _taker(problem: Problem, shortage: Shortage, path: Path, *, shrink: bool) -> Node:
    """The sibling that makes room (`shrink`) or takes what is left over: the one that can do most of it.

    One that is left out (0%) stays out as long as another can do it.
    """
    lines, _ = wishes(problem)

    def room(other: Node) -> tuple[bool, Fraction, str]:
        below = [(*path[:-1], other.name, *rest) for rest, _ in leaves(other)]
        wish = sum((lines[leaf].at(shortage.total) for leaf in below), Fraction(0))
        caps = sum((problem.cap(leaf[-1]) for leaf in below), Fraction(0))
        return (wish > 0, wish if shrink else caps - wish, other.name)

    return max(siblings(problem.tree, path), key=room)


def _scaled(amount: Amount, factor: Fraction, *, up: bool) -> Amount | None:
    match amount:
        case Share(share):
            percent = three_digits(share * factor * 100, up=up)
            return Share(percent / 100) if percent <= 100 else None
        case Tokens(count):
            return Tokens(int(three_digits(count * factor, up=up, whole=True)))
        case Epochs(times):
            epochs = three_digits(times * factor, up=up)
            return Epochs(epochs) if epochs else Tokens(0)
        case Rest():
            return None


def _without(problem: Problem, shortage: Shortage) -> Way | None:
    """Leave the binding leaf out (its group, if it stands there alone): the last way for a source that is too small."""
    leaf = shortage.leaf
    if leaf is None or (shortage.why == "cap" and leaf.have):
        return None
    lines, _ = wishes(problem)
    in_use = {
        path[:depth] for path, line in lines.items() if line.at(shortage.total) > 0 for depth in range(len(path) + 1)
    }
    path = leaf.path
    while path and not any((*path[:-1], other.name) in in_use for other in siblings(problem.tree, path)):
        path = path[:-1]
    if not path:
        return None
    others = siblings(problem.tree, path)
    tree = with_amount(problem.tree, path, Share(Fraction(0)))
    edits = {dotted(path): "0%"}
    if not any(isinstance(other.amount, Rest) for other in others):
        taker = _taker(problem, shortage, path, shrink=False)
        beside = (*path[:-1], taker.name)
        tree = with_amount(tree, beside, Rest())
        edits[dotted(beside)] = "rest"
    return edits, replace(problem, tree=tree)


def _total(problem: Problem, shortage: Shortage) -> Iterator[Way]:
    """The largest total that fits; for a source that would draw nothing, the smallest at which all draw something."""
    if problem.total == "all":
        return
    lines, balances = wishes(problem)
    if shortage.why == "zero":
        needs = [
            (plan.supply.prefix_tokens(1) // 2 + 1 - plan.line.constant) / plan.line.slope
            for plan in draw_all(problem, shortage.total, lines)
            if plan.rows == 0 and plan.line.slope > 0 and plan.have
        ]
        if not needs:
            return
        total = int(three_digits(max(needs), up=True, whole=True))
    else:
        total = int(three_digits(Fraction(largest_total(problem, lines, balances)), up=False, whole=True))
    if isinstance(problem.total, Rows):
        rows = sum(plan.rows for plan in draw_all(problem, total, lines))
        yield {"rows": str(rows)}, replace(problem, total=Rows(rows))
    else:
        yield {"total": show_count(total)}, replace(problem, total=total)


def _tokens_for_rows(problem: Problem) -> int:
    """The tokens at which the rows asked for would be reached if there were no cap on epochs."""
    assert isinstance(problem.total, Rows)
    free = replace(problem, max_epochs=Fraction(10**9))
    lines, balances = wishes(free)
    high = max(1, largest_total(problem, lines, balances))

    def enough(total: int) -> bool:
        return sum(plan.rows for plan in draw_all(free, total, lines)) >= asked

    asked = problem.total.count
    for _ in range(64):
        if enough(high):
            break
        high *= 2
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    # Three-digit slack: rows are whole, so the edited mix must reach the rows, not only come near.
    return int(three_digits(Fraction(high), up=True, whole=True))


def _epochs(target: Problem, asked: Problem) -> Way | None:
    lines, balances = wishes(target)
    total = target.total if isinstance(target.total, int) else largest_total(target, lines, balances)
    needs = [(line.at(total), target.supply(path[-1]).tokens) for path, line in lines.items()]
    if any(wish > 0 and not have for wish, have in needs):
        return None
    ratios = [wish / have for wish, have in needs if have]
    if not ratios:
        return None
    epochs = three_digits(max(ratios), up=True)
    if epochs <= asked.max_epochs:
        return None
    return {"max_epochs": decimal(epochs)}, replace(asked, max_epochs=epochs)


def _add(target: Problem, asked: Problem) -> Way | None:
    added: dict[str, int] = {}
    current = target
    for _ in range(_TRIES):
        outcome = solve(current)
        if not isinstance(outcome, Shortage):
            edits = {f"+{name}": show_count(count) for name, count in added.items()}
            return (edits, replace(asked, supplies=current.supplies)) if added else None
        if outcome.why != "cap" or outcome.leaf is None:
            return None
        name = outcome.leaf.name
        need = _missing(current, outcome, outcome.leaf) / current.max_epochs
        added[name] = int(three_digits(added.get(name, 0) + need, up=True, whole=True))
        grown = target.supply(name).more(added[name])
        current = replace(current, supplies={**current.supplies, name: grown})
    return None


def _missing(problem: Problem, shortage: Shortage, leaf: LeafPlan) -> Fraction:
    """Tokens a leaf lacks; where it shares `rest`, those that all leaves beside it that do so lack together."""
    missing = leaf.line.at(shortage.total) - leaf.cap
    if not isinstance(find(problem.tree, leaf.path).amount, Rest):
        return missing
    lines, _ = wishes(problem)
    paths = [(*leaf.path[:-1], other.name) for other in siblings(problem.tree, leaf.path) if _is_rest_leaf(other)]
    return missing + sum((lines[path].at(shortage.total) - problem.cap(path[-1]) for path in paths), Fraction(0))


def _is_rest_leaf(tree: Node) -> bool:
    return not tree.children and isinstance(tree.amount, Rest)
