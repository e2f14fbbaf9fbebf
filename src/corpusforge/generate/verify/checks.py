"""All checks of one row without a model, in rising cost: what the stages and the writers ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from corpusforge.generate.verify.agreement import names, numbers
from corpusforge.generate.verify.claims import Claim
from corpusforge.generate.verify.form import Limits, language, length, self_contained, structure
from corpusforge.generate.verify.polarity import polarity
from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.scope import scope
from corpusforge.generate.verify.support import LONGEST, share, support
from corpusforge.generate.verify.view import RowView
from corpusforge.record import Record


@dataclass(frozen=True, slots=True)
class Rules:
    """The thresholds of the checks; the defaults are those that the stage `verify` ships with."""

    limits: Limits = field(default_factory=Limits)
    longest_unsupported: float = LONGEST
    min_support: float = 0.5


DEFAULT = Rules()
# As loose as the settings of `verify` can be: what breaks these is in no recipe's build.
LOOSEST = Rules(Limits(question=100_000, question_with_text=100_000, answer=100_000), 100.0, 0.0)
UNCHECKED = "unchecked"


def problems(row: Record, rules: Rules = DEFAULT) -> Iterator[Problem]:
    """What is wrong with a row, cheapest checks first; nothing for a row that may stay. Pure: the row alone decides.

    A row whose parts are not all there is not looked at further, nor one that its writer does not believe (a quote that
    is not in the text). The first problem is the row's reason.
    """
    if row.meta.get("rejected"):
        yield Problem(str(row.meta["rejected"]), 0, 1)
        return
    view = RowView(row)
    found = False
    for problem in structure(view):
        found = True
        yield problem
    if found:
        return
    yield from self_contained(view)
    yield from length(view, rules.limits)
    if row.meta.get("options") is not None:
        from corpusforge.generate.verify.options import option_problems

        yield from option_problems(view)
    if not row.meta.get("answerable", True):
        return
    if not view.verbatim:
        yield from disagreements(view, view.claims, rules)
    yield from language(view)


def disagreements(view: RowView, claims: Sequence[Claim], rules: Rules = DEFAULT) -> Iterator[Problem]:
    """Where claims differ from the source: numbers, units, codes, names, negation, scope, words without support."""
    yield from numbers(view, claims)
    yield from names(view, claims)
    yield from polarity(view, claims)
    yield from scope(view, claims)
    yield from support(view, claims, rules.longest_unsupported)
    held = share(view, claims)
    if held < rules.min_support:
        yield Problem("unsupported", round(held, 4), rules.min_support)
