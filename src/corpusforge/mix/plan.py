"""The planner of a mix: shares, tokens, epochs and `rest` in; the exact records of each source out, or every remedy.

It is pure and reads no data. Shares are shares of *tokens* at every level; a total in rows only says where to stop.

>>> tree = tree_from_mapping({"domain": {"share": "2%", "kb": "40%", "irc": "rest"}, "web": "98%"})
>>> plan = plan_mix(tree, "all", Fraction(4), [Supply.of("kb", [9] * 9), Supply.of("irc", [5] * 50), …])
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from corpusforge.errors import InfeasibleMix
from corpusforge.mix.remedies import Remedy, remedies
from corpusforge.mix.solve import LeafPlan, Problem, Rows, Shortage, Total, solve, where
from corpusforge.mix.supply import Draw, Supply
from corpusforge.mix.tree import Path, find, tree_from_mapping
from corpusforge.mix_tree import Node
from corpusforge.units import show_count

__all__ = [
    "Draw",
    "GroupPlan",
    "LeafPlan",
    "MixPlan",
    "Node",
    "Problem",
    "Remedy",
    "Rows",
    "Supply",
    "Total",
    "plan_mix",
    "remedies_of",
    "tree_from_mapping",
    "what_is_short",
]


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A line of the mix table: a group or leaf with its tokens wanted, got and at hand, and its rows."""

    path: Path
    wanted: int
    got: int
    have: int
    rows: int

    @property
    def epochs(self) -> Fraction:
        """How many times what it has is used."""
        return Fraction(self.got, self.have) if self.have else Fraction(0)


@dataclass(frozen=True, slots=True)
class MixPlan:
    """The choice of records of one output: `total` tokens wanted in all, and a plan for each leaf in recipe order."""

    tree: Node
    total: int
    max_epochs: Fraction
    leaves: tuple[LeafPlan, ...]

    @property
    def tokens(self) -> int:
        """Tokens drawn from all leaves."""
        return sum(leaf.got for leaf in self.leaves)

    @property
    def rows(self) -> int:
        """Rows drawn from all leaves, repeats included."""
        return sum(leaf.rows for leaf in self.leaves)

    @property
    def binding(self) -> LeafPlan:
        """The leaf that is nearest to its cap on epochs: the one that stops a larger total."""
        return max(self.leaves, key=lambda leaf: (Fraction(leaf.wanted) / leaf.cap if leaf.cap else 0, leaf.path))

    @property
    def unused(self) -> tuple[str, ...]:
        """Leaves that give nothing because they want nothing (0%, or `rest` of which nothing is left)."""
        return tuple(leaf.name for leaf in self.leaves if leaf.rows == 0)

    @property
    def error(self) -> float:
        """The largest difference between a group's or leaf's share of tokens wanted and got, as a fraction of 1."""
        total, got = max(1, self.total), max(1, self.tokens)
        return float(max(abs(Fraction(g.got, got) - Fraction(g.wanted, total)) for g in self.groups()))

    def leaf(self, name: str) -> LeafPlan:
        """The plan of a leaf. Raises KeyError if the mix has none of that name."""
        for leaf in self.leaves:
            if leaf.name == name:
                return leaf
        raise KeyError(name)

    def groups(self) -> tuple[GroupPlan, ...]:
        """Every group and leaf in recipe order, groups before their members; the root is left out."""
        order: dict[Path, list[LeafPlan]] = {}
        for leaf in self.leaves:
            for depth in range(1, len(leaf.path) + 1):
                order.setdefault(leaf.path[:depth], []).append(leaf)
        return tuple(
            GroupPlan(
                path,
                sum(leaf.wanted for leaf in members),
                sum(leaf.got for leaf in members),
                sum(leaf.have for leaf in members),
                sum(leaf.rows for leaf in members),
            )
            for path, members in order.items()
        )


def plan_mix(tree: Node, total: Total, max_epochs: Fraction, supplies: Iterable[Supply], named: str = "mix") -> MixPlan:
    """Choose the records of a mix.

    `total` is a number of tokens, `Rows(n)` (the most tokens with at most n rows) or "all" (as much as shares and caps
    allow). Each leaf gets whole passes and a prefix of its stable order, within one record of what it wants and never
    above `max_epochs` times what it has. Raises InfeasibleMix naming the binding source and every remedy that works.
    """
    problem = Problem(tree, total, Fraction(max_epochs), {supply.name: supply for supply in supplies})
    outcome = solve(problem)
    if isinstance(outcome, Shortage):
        ways = remedies(problem, outcome)
        hint = "Either " + ", or ".join(way.text for way in ways) + "." if ways else "Add data or change the shares."
        raise InfeasibleMix(what_is_short(problem, outcome), where=named, hint=hint)
    tokens, leaves = outcome
    return MixPlan(tree, tokens, problem.max_epochs, tuple(leaves))


def remedies_of(tree: Node, total: Total, max_epochs: Fraction, supplies: Iterable[Supply]) -> tuple[Remedy, ...]:
    """The remedies that `plan_mix` would name, as edits; none if the mix can be planned."""
    problem = Problem(tree, total, Fraction(max_epochs), {supply.name: supply for supply in supplies})
    outcome = solve(problem)
    return remedies(problem, outcome) if isinstance(outcome, Shortage) else ()


def what_is_short(problem: Problem, shortage: Shortage) -> str:
    """What stands in the way of a mix, in one sentence."""
    leaf = shortage.leaf
    if shortage.why == "rows":
        asked = problem.total.count if isinstance(problem.total, Rows) else 0
        return f"{asked} rows are wanted, but only {asked - int(shortage.left)} fit the shares and max_epochs."
    if leaf is None:
        verb = "leave" if shortage.left > 0 else "want"
        more = "unused" if shortage.left > 0 else "more than it has"
        group = find(problem.tree, shortage.path)
        members = ", ".join(child.name for child in group.children)
        count = show_count(abs(round(shortage.left)))
        return f"the members of {where(shortage.path)} ({members}) {verb} {count} tokens {more}."
    wish, name = show_count(leaf.wanted), where(leaf.path)
    if not leaf.have:
        return f"{name} has no records."
    if shortage.why == "zero":
        first = show_count(leaf.supply.prefix_tokens(1))
        return f"{name} would be drawn zero times: it wants {wish} tokens and its first record has {first}."
    epochs = float(leaf.line.at(shortage.total) / leaf.have)
    return (
        f"{name} binds: it wants {wish} tokens and has {show_count(leaf.have)}, "
        f"which is {epochs:.2f} epochs and more than max_epochs {float(problem.max_epochs):g}."
    )
