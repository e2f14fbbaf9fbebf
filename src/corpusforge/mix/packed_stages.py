"""Stages of a run: the same tokens in another order, such as a general blend first and more of the domain at the end.

A stage gets its share of the output's tokens, and each source its part of that; the last stage gets what is left, so
that the totals of the mix, which were signed, stay as they are to the token.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from corpusforge.errors import UsageError
from corpusforge.mix.packed_order import order
from corpusforge.packed_settings import MixStage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def staged_order(
    sizes: Mapping[str, Sequence[int]],
    length: int,
    stages: Sequence[MixStage],
    groups: Mapping[str, str],
    where: str = "",
) -> tuple[npt.NDArray[np.int32], list[dict[str, Any]]]:
    """Which source comes at each place (its number in the order of `sizes`), and what is told of each stage.

    `sizes` has the tokens of each source's sequences in their own order, which is kept; `groups` the group of each
    source. Within a stage every source is within one sequence of the share that it has there, and that share is
    within half a sequence of what was asked. Raises UsageError for stages that want more of a source than there is.
    """
    import numpy as np

    cuts = _cuts(sizes, stages, groups, where)
    places, told = [], []
    begin = dict.fromkeys(sizes, 0)
    for number in range(len(stages) + 1):
        end = {source: cuts[source][number] for source in sizes}
        here = [own[begin[source] : end[source]] for source, own in sizes.items()]
        found, deviation = order(here, length)
        places.append(found)
        until = float(stages[number].until) if number < len(stages) else 1.0
        tokens = {source: sum(own) for source, own in zip(sizes, here, strict=True)}
        one = {"until": until, "sequences": len(found), "tokens": sum(tokens.values())}
        told.append({**one, "sources": tokens, "largest_deviation": deviation})
        begin = end
    return np.concatenate(places) if places else np.empty(0, dtype=np.int32), told


def _cuts(
    sizes: Mapping[str, Sequence[int]], stages: Sequence[MixStage], groups: Mapping[str, str], where: str
) -> dict[str, list[int]]:
    """For each source the number of its sequences that lie before the end of each stage."""
    totals = {source: sum(own) for source, own in sizes.items()}
    wanted = targets(totals, stages, groups, where)
    cuts: dict[str, list[int]] = {}
    for source, own in sizes.items():
        ends = [0, *accumulate(own)]
        sums = accumulate(stage[source] for stage in wanted)
        cuts[source] = [*(_nearest(ends, one) for one in sums), len(own)]
    return cuts


def targets(
    totals: Mapping[str, int], stages: Sequence[MixStage], groups: Mapping[str, str], where: str = ""
) -> list[dict[str, Fraction]]:
    """Tokens that each stage but the last wants of each source. Raises UsageError where there are fewer."""
    whole = sum(totals.values())
    left = {source: Fraction(count) for source, count in totals.items()}
    found: list[dict[str, Fraction]] = []
    bounds = [Fraction(0), *(stage.until for stage in stages)]
    for number, (stage, (begin, end)) in enumerate(zip(stages, pairwise(bounds), strict=True), start=1):
        tokens = (end - begin) * whole
        own: dict[str, Fraction] = {}
        parts = [([s for s in totals if name in (s, groups.get(s))], share) for name, share in stage.shares.items()]
        named = {source for members, _ in parts for source in members}
        rest = [source for source in totals if source not in named]
        for members, share in [*parts, (rest, 1 - sum(stage.shares.values(), Fraction(0)))]:
            together = sum(totals[source] for source in members)
            if share and not together:
                raise UsageError(f"stage {number} wants {float(share):.2%} of nothing.", where=where, hint=_HINT)
            own |= {source: share * tokens * totals[source] / together for source in members if together}
        for source, count in own.items():
            if count > left[source]:
                what = f"stage {number} wants {int(count):,} tokens of {source}, but {int(left[source]):,} are left."
                raise UsageError(what, where=where, hint=_HINT)
            left[source] -= count
        found.append({source: own.get(source, Fraction(0)) for source in totals})
    return found


_HINT = "Raise its share in the mix, end the stage earlier, or lower its share there: totals stay as the mix has them."


def _nearest(ends: Sequence[int], wanted: Fraction) -> int:
    """The place in ascending numbers that is nearest to a number; the earlier of two."""
    after = bisect_left(ends, wanted)
    if after == len(ends):
        return len(ends) - 1
    return after - 1 if after and wanted - ends[after - 1] <= ends[after] - wanted else after
