"""The quick looks of character cleaning must change nothing of what cleaning does."""

from __future__ import annotations

from itertools import product

import pytest
from ftfy.badness import is_bad
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.curate import cleaning
from corpusforge.curate.cleaning import clean_characters

PIECES = [
    *"“”‘’–—…•aA1 .\n,\t\r\x07é\u00a0\u200b\u200d\u00ad\x85\u2028\ud800ﬁ²°×\x7f", "\r\n", "\x1b[1m", "\x0304",
    "Ã©", "â€œ", "â€™", "e\u0301", "Ã ", "\u202e", "\ufeff", "\u200c",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@settings(max_examples=300)
@given(TEXTS | st.text(max_size=30), st.sampled_from(["NFC", "NFKC"]))
def test_quick_looks_change_nothing(text: str, form: str) -> None:
    """A character that a quick look takes for clean stays in the corpus."""
    with pytest.MonkeyPatch.context() as patched:
        quick = clean_characters(text, form)  # type: ignore[arg-type]
        patched.setattr(cleaning, "_is_clean", lambda _: False)
        patched.setattr(cleaning, "_HARMLESS", frozenset())
        patched.setattr(cleaning, "_HARMLESS_NFC", frozenset())
        assert clean_characters(text, form) == quick  # type: ignore[arg-type]


def test_harmless_characters_are_no_sign_of_a_broken_encoding() -> None:
    """A text of these characters skips the search for broken encodings; it must have none to find."""
    alphabet = [*sorted(cleaning._HARMLESS_NFC), *"aA1 .\n"]
    texts = ("".join(letters) for letters in product(alphabet, repeat=4))
    assert not any(is_bad(text) for text in texts)
