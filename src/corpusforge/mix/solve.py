"""Solves a mix: every leaf's wish as a line in the total, the largest total that fits, and the draws that follow.

Exact by construction: wishes are fractions, rounded once by largest remainder, and each leaf's draw is the prefix of
its stable order nearest to its wish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from corpusforge.mix.supply import Draw, Supply
from corpusforge.mix.tree import Path, dotted, leaves
from corpusforge.mix_tree import Node
from corpusforge.units import Epochs, Rest, Share, Tokens

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Rows:
    """A total in rows: the most tokens with at most so many rows. Shares stay shares of tokens."""

    count: int


Total = int | Rows | Literal["all"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is asked: the tree, the total (tokens, rows or all that fits), the cap on epochs and what there is."""

    tree: Node
    total: Total
    max_epochs: Fraction
    supplies: Mapping[str, Supply]

    def supply(self, name: str) -> Supply:
        """What a leaf can give; nothing if there are no records of that name."""
        return self.supplies.get(name) or Supply.of(name, ())

    def cap(self, name: str) -> Fraction:
        """The most tokens that a leaf may give."""
        return self.max_epochs * self.supply(name).tokens


@dataclass(frozen=True, slots=True)
class Line:
    """A wish in tokens as a function of the total: `slope * total + constant`."""

    slope: Fraction
    constant: Fraction

    def at(self, total: Fraction | int) -> Fraction:
        """The wish at a total."""
        return self.slope * total + self.constant

    def times(self, factor: Fraction) -> Line:
        """A part of the wish."""
        return Line(self.slope * factor, self.constant * factor)

    def less(self, other: Line) -> Line:
        """What remains when another wish is met."""
        return Line(self.slope - other.slope, self.constant - other.constant)


@dataclass(frozen=True, slots=True)
class LeafPlan:
    """What one leaf wants and gets. `wanted` is whole tokens; `share` of the total and `line` are exact."""

    name: str
    path: Path
    line: Line
    wanted: int
    cap: Fraction
    supply: Supply
    draw: Draw

    @property
    def got(self) -> int:
        """Tokens drawn."""
        return self.draw.tokens

    @property
    def have(self) -> int:
        """Tokens of the leaf's records, once each."""
        return self.supply.tokens

    @property
    def rows(self) -> int:
        """Rows drawn, repeats included."""
        return self.draw.rows

    @property
    def epochs(self) -> Fraction:
        """How many times the leaf's tokens are used."""
        return Fraction(self.got, self.have) if self.have else ZERO


Why = Literal["cap", "zero", "sum", "rows"]


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why there is no plan.

    cap: `leaf` cannot give its wish under the cap.  zero: its wish draws no record.
    sum: the members of the group at `path` do not add up to it by `left` tokens.  rows: `left` rows too few exist.
    `total` is the total in tokens at which this was found.
    """

    why: Why
    total: int
    leaf: LeafPlan | None = None
    path: Path = ()
    left: Fraction = ZERO


def solve(problem: Problem) -> tuple[int, list[LeafPlan]] | Shortage:
    """The total in tokens and a plan for each leaf in the order of the tree, or what stands in the way."""
    lines, balances = wishes(problem)
    if isinstance(problem.total, Rows):
        return _solve_rows(problem, problem.total.count, lines, balances)
    total = problem.total if isinstance(problem.total, int) else largest_total(problem, lines, balances)
    return _checked(problem, total, lines, balances)


def wishes(problem: Problem) -> tuple[dict[Path, Line], list[tuple[Path, Line]]]:
    """Each leaf's wish, and for each group without `rest` the tokens its members leave over (must be nothing)."""
    lines: dict[Path, Line] = {}
    balances: list[tuple[Path, Line]] = []

    def spread(node: Node, path: Path, line: Line) -> None:
        if not node.children:
            lines[path] = line
            return
        own = {child.name: _own_line(child, line, problem) for child in node.children}
        left = line
        for fixed in own.values():
            left = left.less(fixed) if fixed else left
        rests = {child.name: _have(child, problem) for child in node.children if own[child.name] is None}
        have = sum(rests.values())
        if not rests:
            balances.append((path, left))
        for child in node.children:
            fixed = own[child.name]
            if fixed is None:
                part = Fraction(rests[child.name], have) if have else Fraction(1, len(rests))
                fixed = left.times(part)
            spread(child, (*path, child.name), fixed)

    spread(problem.tree, (), Line(Fraction(1), ZERO))
    return lines, balances


def _own_line(child: Node, parent: Line, problem: Problem) -> Line | None:
    match child.amount:
        case Share(share):
            return parent.times(share)
        case Tokens(count):
            return Line(ZERO, Fraction(count))
        case Epochs(times):
            return Line(ZERO, times * _have(child, problem))
        case Rest():
            return None


def _have(tree: Node, problem: Problem) -> int:
    if not tree.children:
        return problem.supply(tree.name).tokens
    return sum(problem.supply(leaf.name).tokens for _, leaf in leaves(tree))


def largest_total(problem: Problem, lines: Mapping[Path, Line], balances: Sequence[tuple[Path, Line]]) -> int:
    """The most tokens at which no leaf passes its cap; where fixed amounts determine the total, that total."""
    for _, left in balances:
        if left.slope:
            return round(-left.constant / left.slope)
    limits = [(problem.cap(path[-1]) - line.constant) / line.slope for path, line in lines.items() if line.slope > 0]
    return max(0, int(min(limits)))


def _checked(
    problem: Problem, total: int, lines: Mapping[Path, Line], balances: Sequence[tuple[Path, Line]]
) -> tuple[int, list[LeafPlan]] | Shortage:
    for path, left in balances:
        # A derived total is a whole number, so a group may miss it by the rounding alone.
        if abs(left.at(total)) >= (1 if problem.total == "all" else Fraction(1, 2)):
            return Shortage("sum", total, path=path, left=left.at(total))
    for path, line in lines.items():
        if line.at(total) < 0:
            return Shortage("sum", total, path=path[:-1], left=line.at(total))
    plans = draw_all(problem, total, lines)
    over = [plan for plan in plans if plan.line.at(total) > plan.cap]
    if over:
        worst = min(over, key=lambda plan: (plan.cap / plan.line.at(total), plan.path))
        return Shortage("cap", total, worst)
    for plan in plans:
        if plan.line.at(total) > 0 and plan.rows == 0:
            return Shortage("zero", total, plan)
    if total == 0:
        first = min(plans, key=lambda plan: (plan.cap, plan.path))
        return Shortage("zero" if first.have else "cap", total, first)
    return total, plans


def draw_all(problem: Problem, total: int, lines: Mapping[Path, Line]) -> list[LeafPlan]:
    """Whole-token wishes (largest remainder, ties by path) and the draws nearest to them; no checks."""
    exact = {path: max(ZERO, line.at(total)) for path, line in lines.items()}
    wanted = {path: int(wish) for path, wish in exact.items()}
    missing = round(sum(exact.values(), ZERO)) - sum(wanted.values())
    for path in sorted(exact, key=lambda path: (wanted[path] - exact[path], path))[: max(0, missing)]:
        wanted[path] += 1
    plans: list[LeafPlan] = []
    for path, line in lines.items():
        supply = problem.supply(path[-1])
        cap = problem.cap(path[-1])
        plans.append(LeafPlan(path[-1], path, line, wanted[path], cap, supply, supply.draw(wanted[path], cap)))
    return plans


def _solve_rows(
    problem: Problem, count: int, lines: Mapping[Path, Line], balances: Sequence[tuple[Path, Line]]
) -> tuple[int, list[LeafPlan]] | Shortage:
    most = largest_total(problem, lines, balances)
    at_most = _checked(problem, most, lines, balances)
    if isinstance(at_most, Shortage) or _rows(at_most[1]) == count:
        return at_most
    if _rows(at_most[1]) < count:
        return Shortage("rows", most, left=Fraction(count - _rows(at_most[1])))
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if _rows(draw_all(problem, middle, lines)) <= count:
            low = middle
        else:
            high = middle
    return _checked(problem, low, lines, balances)


def _rows(plans: Sequence[LeafPlan]) -> int:
    return sum(plan.rows for plan in plans)


def where(path: Path) -> str:
    """A path for messages; the root is the mix itself."""
    return dotted(path) or "mix"
