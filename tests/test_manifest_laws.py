"""Laws of counts, hashes and samples: what they lose here, no later check can find."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.errors import NotConserved
from corpusforge.manifest import Counts, canonical, fingerprint, nearest

SOME = st.integers(0, 50)
REASONS = st.dictionaries(st.sampled_from(["short", "language", "copy"]), st.integers(1, 50))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    kept, added, dropped, quarantined = draw(SOME), draw(SOME), draw(REASONS), draw(REASONS)
    read = kept + sum(dropped.values()) + sum(quarantined.values())
    return Counts(read, kept, added, kept + added, draw(SOME), dropped, quarantined)


@given(st.lists(counts(), max_size=6))
def test_sums_of_what_is_conserved_are_conserved_in_any_order(parts: list[Counts]) -> None:
    before = deepcopy(parts)
    total, backwards = Counts(), Counts()
    for part in parts:
        total.add(part)
    for part in reversed(parts):
        backwards.add(part)
    total.check("all")
    assert total.to_json() == backwards.to_json()
    assert parts == before
    assert Counts.from_json(total.to_json()).to_json() == total.to_json()


@given(counts(), st.sampled_from(["read", "kept", "added", "out"]), st.integers(1, 9))
def test_a_record_too_many_or_too_few_is_always_found(good: Counts, field: str, by: int) -> None:
    setattr(good, field, getattr(good, field) + by)
    with pytest.raises(NotConserved):
        good.check("here")


@given(VALUES)
def test_one_value_has_one_spelling(value: Any) -> None:
    def turned(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {key: turned(inner[key]) for key in reversed(list(inner))}
        return tuple(turned(item) for item in inner) if isinstance(inner, list) else inner

    assert canonical(value) == canonical(turned(value))


@given(VALUES, VALUES)
def test_two_values_do_not_share_an_address(one: Any, two: Any) -> None:
    assert (fingerprint(one) == fingerprint(two)) == (canonical(one) == canonical(two))


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, {"a": [1, (2.0, -math.inf)]}, {1: 2}, {"a": {3}}, 2**65, object()]
)
def test_what_has_no_single_spelling_is_refused(value: Any) -> None:
    """`max: .inf` and `max: null` would otherwise share their results."""
    with pytest.raises(TypeError):
        canonical(value)


SAMPLES = st.lists(
    st.fixed_dictionaries(
        {
            "source": st.sampled_from("ab"),
            "reason": st.sampled_from(["short", "long"]),
            "kept": st.booleans(),
            "id": st.text("xyz", min_size=1, max_size=4),
            "score": st.none() | st.floats(),
            "threshold": st.none() | st.floats(0, 1),
        }
    ),
    max_size=30,
    unique_by=lambda sample: sample["id"],
)


@given(SAMPLES, st.randoms(use_true_random=False))
def test_the_nearest_do_not_depend_on_order_nor_on_earlier_cuts(samples: list[dict[str, Any]], rng: Any) -> None:
    whole = repr(nearest(samples, 2))
    mixed = list(samples)
    rng.shuffle(mixed)
    half = len(mixed) // 2
    assert repr(nearest(mixed, 2)) == whole
    assert repr(nearest([*nearest(mixed[:half], 2), *nearest(mixed[half:], 2)], 2)) == whole
