"""Whether the card knows which licences ask what, and which cannot meet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.card import licences
from corpusforge.card.front_matter import HUB_LICENCES, hub_licence

IDS = st.sampled_from(sorted(licence.id for licence in licences.LICENCES.values()))


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ("CC-BY-SA-4.0", "GPL-2.0-only", True),
        ("CC-BY-SA-3.0", "GPL-3.0-only", True),
        ("CC-BY-SA-4.0", "GPL-3.0-only", False),
        ("CC-BY-SA-4.0", "GPL-2.0-or-later", False),
        ("CC-BY-SA-3.0", "CC-BY-SA-4.0", False),
        ("CC-BY-SA-4.0", "CC-BY-NC-4.0", True),
        ("CC-BY-NC-3.0", "CC-BY-NC-SA-4.0", False),
        ("GPL-2.0-only", "GPL-3.0-only", True),
        ("GPL-2.0-or-later", "GPL-3.0-only", False),
        ("Apache-2.0", "GPL-2.0-only", True),
        ("Apache-2.0", "GPL-3.0-only", False),
        ("CC-BY-SA-4.0", "proprietary", True),
        ("CC-BY-4.0", "proprietary", False),
        ("public-domain", "GPL-2.0-only", False),
        ("MIT OR GPL-2.0-only", "CC-BY-SA-3.0", False),
        ("GPL-2.0-only AND MIT", "CC-BY-SA-3.0", True),
    ],
)
def test_pairs_that_can_and_cannot_meet(first, second, clash):
    """Legal signs by this table; golden cases from creativecommons.org and gnu.org."""
    assert bool(licences.conflicts([first, second])) is clash


@given(st.lists(IDS, max_size=5), st.booleans())
def test_order_and_repeats_make_no_difference(ids, commercial):
    found = licences.conflicts(ids, commercial=commercial)
    assert found == licences.conflicts([*reversed(ids), *ids], commercial=commercial)


@given(IDS)
def test_a_licence_meets_itself_and_the_public_domain(id):
    assert all(c.second == "adaptation" for c in licences.conflicts([id, id, "public-domain"]))


@given(IDS)
def test_every_licence_has_a_spelling_that_the_hub_takes(id):
    assert set(hub_licence(id)) <= HUB_LICENCES


def test_non_commercial_data_in_commercial_use():
    assert licences.conflicts(["CC-BY-NC-4.0"], commercial=True)[0].always
    assert not licences.conflicts(["CC-BY-NC-4.0"])


def test_unknown_and_empty_licences_are_flagged():
    """What nobody recognised must not look like `no conditions`."""
    assert licences.unknown("FancyLicence-1.0 OR MIT") == ["FancyLicence-1.0"]
    assert licences.unknown("") == ["(none given)"]
    assert licences.unknown("cc-by-4.0") == []
    assert licences.conditions("FancyLicence-1.0") == ["unknown: read the licence"]


def test_conditions_in_words():
    assert licences.conditions("CC-BY-NC-SA-4.0") == [
        "name the authors",
        "share adaptations alike",
        "no commercial use",
    ]
    assert licences.conditions("CC0-1.0") == ["none"]
