"""A staged mix that is not the signed mix in another order would train on what nobody signed."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from corpusforge.errors import UsageError
from corpusforge.mix.packed_order import order
from corpusforge.mix.packed_stages import staged_order, targets
from corpusforge.packed_settings import MixStage, read_packed

LENGTH = 64
GROUPS = {"kb": "domain", "chats": "domain", "web": "public", "books": "public"}
sizes = st.lists(st.integers(1, LENGTH), min_size=1, max_size=80)


def stage(until: float, **shares: float) -> MixStage:
    written = {name: f"{100 * share:.6f}%" for name, share in shares.items()}
    return MixStage.model_validate({"until": f"{100 * until:.6f}%", "shares": written})


@settings(max_examples=40)
@given(st.fixed_dictionaries(dict.fromkeys(GROUPS, sizes)), st.floats(0.1, 0.9), st.floats(0, 1))
def test_totals_stay_and_each_stage_keeps_its_own_shares_at_every_place(
    own: dict[str, list[int]], until: float, part: float
) -> None:
    """Stages move tokens in time and nowhere else; inside each, the law of one sequence holds as it does without."""
    totals = {source: sum(found) for source, found in own.items()}
    domain = totals["kb"] + totals["chats"]
    share = part * domain / sum(totals.values())
    stages = [stage(until, domain=share)]
    try:
        places, told = staged_order(own, LENGTH, stages, GROUPS)
    except UsageError:
        assume(False)
    names = list(own)
    assert [places.tolist().count(k) for k in range(len(names))] == [len(own[name]) for name in names]
    assert {name: sum(one["sources"][name] for one in told) for name in names} == totals
    wanted = targets(totals, stages, GROUPS)
    for name in names:
        # A sequence is whole, so a stage's end is half a sequence from where it was asked, at most.
        assert abs(told[0]["sources"][name] - wanted[0][name]) <= Fraction(LENGTH, 2)
    taken = dict.fromkeys(names, 0)
    begin = 0
    for one in told:
        had, sofar, worst = dict.fromkeys(names, 0), 0, 0.0
        for place in places[begin : begin + one["sequences"]].tolist():
            size = own[names[place]][taken[names[place]]]
            taken[names[place]] += 1
            had[names[place]] += size
            sofar += size
            for name in names:
                worst = max(worst, abs(had[name] - one["sources"][name] / one["tokens"] * sofar))
        assert worst <= LENGTH
        assert one["largest_deviation"] == pytest.approx(worst / LENGTH)
        begin += one["sequences"]


@given(st.lists(sizes, min_size=1, max_size=5))
def test_without_stages_the_order_is_as_it_was(found: list[list[int]]) -> None:
    own = {str(k): one for k, one in enumerate(found)}
    places, told = staged_order(own, LENGTH, (), {})
    plain, deviation = order(found, LENGTH)
    assert places.tolist() == plain.tolist()
    assert [one["largest_deviation"] for one in told] == [deviation]


def test_what_stages_want_is_split_within_a_group_and_refused_where_it_is_not_there() -> None:
    totals = {"kb": 300, "chats": 100, "web": 3600}
    wanted = targets(totals, [stage(0.5, domain=0.04), stage(0.8, kb=0.06)], {**GROUPS})
    assert wanted[0] == {"kb": 60, "chats": 20, "web": 1920}
    assert wanted[1]["kb"] == 72
    assert wanted[1]["chats"] + wanted[1]["web"] == 1128
    with pytest.raises(UsageError, match=r"stage 1 wants 600 tokens of kb, but 300 are left"):
        targets(totals, [stage(0.5, kb=0.3)], GROUPS)
    with pytest.raises(UsageError, match="of nothing"):
        targets({"web": 100}, [stage(0.5, domain=0.3)], GROUPS)


def test_mistakes_in_stages_are_told_with_their_place() -> None:
    said: list[str] = []
    file: Any = SimpleNamespace(
        problems=[], problem=lambda at, what, hint="": said.append(f"{'.'.join(map(str, at))}: {what}")
    )
    stages = [
        {"until": "80%", "shares": {"domain": "2%"}},
        {"until": "50%", "shares": {"domian": "70%", "web": "40%"}},
    ]
    assert read_packed({"stages": {"completion": stages}}, file, ["kb", "web"]) is not None
    text = "\n".join(said)
    assert "completion.1.until: ends no later" in text
    assert "no group, source or task named 'domian'" in text
    assert "add up to 110%" in text
