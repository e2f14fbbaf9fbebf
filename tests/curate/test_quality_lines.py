"""Lines, paragraphs and runs of words are counted over bytes: the counts must be those of the strings."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.curate.english_words import english_words
from corpusforge.curate.measured import Measured

PIECES = [
    "word",
    "the",
    "a",
    "été",
    "中文。",
    "“so”",
    ".",
    "...",
    "one two",
    " ",
    "  ",
    "\t",
    "\xa0",
    "\u2028",
    "\r",
    "\x85",
]
LINES = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
TEXTS = st.lists(LINES, max_size=12).map("\n".join)


def repeated(items: list[str]) -> tuple[int, int]:
    """How many items occurred before, and their characters."""
    seen: set[str] = set()
    again = [item for item in items if item in seen or seen.add(item)]  # type: ignore[func-returns-value]
    return len(again), sum(map(len, again))


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_lines_and_paragraphs_are_those_of_the_strings(texts: list[str]) -> None:
    """A repeated line that is missed, or seen where there is none, drops or keeps another page than datatrove's."""
    counts = Measured(texts).line_counts
    for k, text in enumerate(texts):
        lines = [line for line in text.split("\n") if line]
        said = [line for line in lines if not line.isspace()]
        borders = text.startswith("\n") + text.endswith("\n") if text else 1
        assert counts.newlines[k] == text.count("\n")
        assert counts.said[k] == len(said)
        assert counts.short[k] == sum(len(line) <= 30 for line in said)
        assert counts.count[k] == len(lines) + borders
        assert (counts.repeated[k] - (borders == 2), counts.repeated_characters[k]) == repeated(lines)
        assert counts.said_repeated_characters[k] == repeated(said)[1]
        paragraphs = re.split(r"\n{2,}", text.strip())
        if len(paragraphs) > 1:
            found = counts.repeated_paragraphs[k], counts.repeated_paragraph_characters[k]
            assert (counts.paragraphs[k], *found) == (len(paragraphs), *repeated(paragraphs))
        else:
            assert counts.repeated_paragraphs[k] == 0


def top_share(tokens: list[str], n: int, characters: int) -> float:
    runs = [" ".join(tokens[k : k + n]) for k in range(len(tokens) - n + 1)]
    if not runs:
        return 0.0
    run, times = Counter(runs).most_common(1)[0]
    return len(run) * times / characters


def repeated_share(tokens: list[str], n: int, characters: int) -> float:
    seen: set[str] = set()
    covered = place = 0
    while place < len(tokens) - n + 1:
        run = "".join(tokens[place : place + n])
        if run in seen:
            covered += len(run)
            place += n
        else:
            seen.add(run)
            place += 1
    return covered / characters


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["a", "to", "the", "cat", "sat", "on", "it"]), max_size=90), min_size=1, max_size=4
    )
)
def test_repeated_runs_are_those_of_the_words(made: list[list[str]]) -> None:
    """The shares are what Gopher's thresholds are about, down to which of two frequent pairs comes first."""
    texts = [" ".join(words) for words in made]
    shares = Measured(texts).repeats
    split = english_words().split
    for k, text in enumerate(texts):
        tokens = [token for chunk in text.split() for token in split(chunk)]
        for n, found in shares.top.items():
            assert found[k] == top_share(tokens, n, len(text) or 1)
        for n, found in shares.repeated.items():
            assert found[k] == repeated_share(tokens, n, len(text) or 1)


def test_a_batch_of_nothing_is_measured() -> None:
    """A shard may hold no record, and a record no word."""
    assert Measured([]).line_counts.count.tolist() == []
    empty = Measured(["", " ", "\n"])
    assert empty.words.tolist() == [0, 0, 0]
    assert np.isfinite(empty.repeats.top[2]).all()
