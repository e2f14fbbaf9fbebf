"""If the order is wrong, a trainer sees one source at a time, or one record twice in a batch."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.mix.shuffle import RING, position, sample_key


@given(st.integers(0, 9), st.text(max_size=20), st.integers(2, 40))
def test_repeats_of_a_record_keep_their_distance(seed: int, identity: str, of: int):
    places = sorted(position(seed, identity, repeat, of) for repeat in range(of))
    assert all(0 <= place < RING for place in places)
    gaps = [b - a for a, b in zip(places, [*places[1:], places[0] + RING], strict=True)]
    assert min(gaps) >= RING // of // 2 - 1


def test_every_part_of_the_order_holds_its_share_of_each_pass():
    """Records with few and with many repeats are spread evenly, so that any stretch has the wanted ratio."""
    for of in (1, 3, 7):
        parts = Counter(position(1, f"r{k}", repeat, of) * 10 // RING for k in range(3000) for repeat in range(of))
        expected = 300 * of
        assert all(abs(parts[part] - expected) < 6 * expected**0.5 for part in range(10))


def test_each_pass_has_another_order():
    first = sorted(range(200), key=lambda k: position(1, f"r{k}", 0, 2) % (RING // 2))
    second = sorted(range(200), key=lambda k: position(1, f"r{k}", 1, 2) % (RING // 2))
    assert first != second


def test_orders_are_the_same_on_every_machine():
    assert (sample_key(17, "kb:1"), position(17, "kb:1", 1, 3)) == (17576931194860946077, 12608864697269836773)
