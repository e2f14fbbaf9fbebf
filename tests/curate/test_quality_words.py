"""The words of the quality rules must be spaCy's, whatever else stands in the batch, and white space must be Python's."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from unicodedata import category

import numpy as np
import pytest
from datatrove.utils.text import PUNCTUATION_SET
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.pipeline import Sentencizer

from corpusforge.curate.chunks import Chunks
from corpusforge.curate.english_words import english_words
from corpusforge.curate.mark_table import MarkTable
from corpusforge.curate.quality_rules import judge
from corpusforge.curate.quality_thresholds import PUBLISHED
from corpusforge.curate.vocabulary import Vocabulary

DATA = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
PIECES = [
    *"aZ9.,;:!?()[]{}<>\"'’“”‘-–—…*&#@/\\+=_|~^%$€£°²éßÑ中文。！¿«»•©", "n't", "can", "it's", "I'm", "U.S.", "Mr.", "e.g.",
    "...", "--", "http://", "www.", ".com", "10", "km", "km²", "a.m.", ":)", ":-(", "o.O", "US$", "foo", "Bar", "'em",
]  # fmt: skip
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2003", "\u2028", "\u3000", "\u205f"]
LETTERED = [
    *"aZ9.,;:!?()[]\"'’”-—/=<>#",
    "'s",
    "’s",
    "--",
    "---",
    "foo",
    "Bar",
    "word",
    "won",
    "été",
    "Straße",
    "10",
    "AB",
]
NUMBERS = st.sampled_from(["0", "00", "1", "9", "10", "012", "16", "31", "99", "100", "127", "168", "169", "172", "192",
                           "223", "224", "254", "255", "256", "1000"])  # fmt: skip
HOSTS = st.lists(st.sampled_from(["a", "B", "0", "-", "_", "x" * 31, "com", "org", "www", "uk"]), max_size=3)
ENDINGS = st.sampled_from(["", ":80", ":8", ":123456", "/", "/a.b?c", "?q", "#x", ":80/x", ".", "x", ":", "@", "é"])
ADDRESSES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "http://", "h://", "//", "a+b.c-d://", "me@", "a:b@c@", "@", "ftp://x@", "<", "(", "`"]),
    st.lists(NUMBERS, min_size=3, max_size=5).map(".".join)
    | st.lists(HOSTS.map("".join), min_size=1, max_size=4).map(".".join),
    ENDINGS,
    ENDINGS | st.sampled_from([">", ").", "`,"]),
)
LETTER_FORMS = (
    "{}.",
    "a{}.",
    "A{}.",
    "{0}{0}.",
    "({})",
    "{}'s",
    "1{}",
    "a,{}",
    "{}-b",
    "{}.A",
    "A.{}",
    "{0}:{0}",
    "a{}a",
)
CHUNKS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)
TEXTS = st.lists(CHUNKS | st.sampled_from(SPACES) | st.text(max_size=3), max_size=25).map("".join)


@pytest.fixture(scope="module")
def spacy_tokens():
    import spacy

    tokenizer = spacy.blank("en").tokenizer

    def tokens(chunk: str) -> tuple[str, ...]:
        with tokenizer.vocab.memory_zone():
            return tuple(token.text for token in tokenizer(chunk))

    return tokens


@settings(max_examples=250, deadline=None)
@given(chunk=CHUNKS)
def test_words_are_those_of_spacy(spacy_tokens, chunk: str) -> None:
    """A rule on words that counts other words than datatrove is another rule under the same name."""
    assert english_words().split(chunk) == spacy_tokens(chunk)


def lengths(made: list[str]) -> tuple[list[int], list[int]]:
    """Characters of the tokens of chunks by arrays, and as each alone is split."""
    vocabulary, text = Vocabulary(english_words()), " ".join(made)
    expected = [len(token) for chunk in text.split() for token in english_words().split(chunk)]
    rows = vocabulary.token_rows(vocabulary.number(Chunks([text])), len(expected)).astype(np.int64)
    return (rows[:, 1] & 0xFFFFFFFF).tolist(), expected


@settings(max_examples=80, deadline=None)
@given(st.lists(ADDRESSES, min_size=30, max_size=80))
def test_addresses_are_told_as_by_spacy(made: list[str]) -> None:
    """Pages full of links would otherwise have other words than datatrove counts."""
    found, expected = lengths(made)
    assert found == expected


@settings(max_examples=20, deadline=None)
@given(st.lists(st.characters(categories=["L"], min_codepoint=128), min_size=40, max_size=80))
def test_letters_of_all_scripts_are_told_as_by_spacy(letters: list[str]) -> None:
    """Pages in other languages have their own letters, which rules know by classes alone."""
    found, expected = lengths([form.format(letter) for letter in letters for form in LETTER_FORMS])
    assert found == expected


@settings(max_examples=150, deadline=None)
@given(st.lists(CHUNKS | st.lists(st.sampled_from(LETTERED), min_size=1, max_size=8).map("".join), max_size=60))
def test_many_chunks_are_split_as_each_alone(made: list[str]) -> None:
    """A chunk that arrays cut elsewhere than spaCy does moves every count that rules are about."""
    split, punctuation = english_words().split, frozenset(PUNCTUATION_SET)
    chunks = Chunks([" ".join(made)])
    vocabulary = Vocabulary(english_words())
    numbers = vocabulary.number(chunks)
    tokens = [token for chunk in " ".join(made).split() for token in split(chunk)]
    rows = vocabulary.token_rows(numbers, len(tokens)).astype(np.int64)
    assert (rows[:, 1] & 0xFFFFFFFF).tolist() == list(map(len, tokens))
    assert len(set(rows[:, 0].tolist())) == len(set(tokens))
    words = [token for token in tokens if not punctuation.issuperset(token)]
    counts, sizes = vocabulary.chunks[numbers, :2].sum(axis=0).tolist()
    assert (counts & 0xFFFFFFFF, counts >> 32) == (len(tokens), len(words))
    lettered = sum(any(map(str.isalpha, token)) for token in tokens)
    assert (sizes & 0xFFFFFFFF, sizes >> 32) == (sum(map(len, words)), lettered)
    ends = frozenset(Sentencizer.default_punct_chars)
    kinds = [0 if t in ends else 1 if all(category(c)[0] == "P" for c in t) else 2 for t in tokens]
    assert (rows[:, 1] >> 32).tolist() == kinds


@given(st.lists(TEXTS | st.text(" \n\x00\x1bé.ab", min_size=50, max_size=200), max_size=6))
def test_chunks_are_what_split_gives(texts: list[str]) -> None:
    """Words glued by a no-break space, or taken from the next record, are words that nobody wrote."""
    chunks = Chunks(texts)
    found = chunks.joined(np.arange(len(chunks.starts)))[1:-1].split("\n") if len(chunks.starts) else []
    bounds = chunks.bounds.tolist()
    assert [found[a:b] for a, b in pairwise(bounds)] == [text.split() for text in texts]
    joined = "\n".join(("", *texts, "")).encode()
    assert chunks.breaks.tolist() == [place for place, byte in enumerate(joined) if byte == ord("\n")]
    assert len(set(chunks.marks.tolist())) == len(set(found))


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS.filter(str.strip), min_size=1, max_size=5))
def test_a_verdict_does_not_depend_on_the_neighbours(texts: list[str]) -> None:
    """A record that falls or stays with the shard it lies in makes builds depend on file order."""
    every = {name: value for rules in PUBLISHED.values() for name, value in rules.items()}
    together = judge(texts, [every] * len(texts))
    assert together == [judge([text], [every])[0] for text in texts]
    assert together[::-1] == judge(texts[::-1], [every] * len(texts))


@pytest.mark.parametrize("rules", sorted(PUBLISHED))
@settings(max_examples=25, deadline=None)
@given(text=TEXTS.filter(str.strip))
def test_odd_text_is_decided_as_by_datatrove(rules: str, text: str) -> None:
    """Real pages have other white space, marks and line ends than a clean example."""
    from datatrove.data import Document
    from datatrove.pipeline import filters

    block = {
        "gopher-quality": filters.GopherQualityFilter,
        "gopher-repetition": filters.GopherRepetitionFilter,
        "c4": filters.C4QualityFilter,
        "fineweb": filters.FineWebQualityFilter,
    }[rules]
    chosen = PUBLISHED[rules]
    if rules == "gopher-quality":
        made, chosen = block(min_doc_words=1), {**chosen, "min_words": 1}
    elif rules == "c4":
        made, chosen = block(min_num_sentences=2), {**chosen, "min_sentences": 2}
    else:
        made = block()
    expected = made.filter(Document(text=text, id="1"))
    (verdict,) = judge([text], [chosen])
    assert (verdict.failed is None) == (expected is True)


def test_a_table_finds_what_it_was_given_after_it_grew() -> None:
    """A word found under another's number would be counted as that one."""
    marks = np.random.default_rng(1).integers(1, 2**63, 150_000).astype(np.uint64)
    marks[:1000] = np.arange(1, 1001, dtype=np.uint64)  # all in one place, one beside the other
    marks = np.unique(marks)
    table = MarkTable()
    for part in np.array_split(marks, 7):
        numbers, new = table.number(np.concatenate((part, part)))
        assert new.tolist() == list(range(len(part)))
        assert (numbers[: len(part)] == numbers[len(part) :]).all()
    numbers, new = table.number(np.append(marks, np.arange(2**40, 2**40 + 50, dtype=np.uint64)))
    assert (numbers == np.arange(table.count)).all()
    assert new.tolist() == list(range(len(marks), len(marks) + 50))


@pytest.mark.data
def test_real_pages_are_decided_as_by_datatrove() -> None:
    """Which pages stay is what a user compares with published corpora."""
    from datatrove.data import Document
    from datatrove.pipeline import filters

    path = DATA / "quality-dclm-human" / "majority_data.jsonl"
    if not path.is_file():
        pytest.skip(f"no data at {path}: set CORPUSFORGE_DATA")
    texts = [str(json.loads(line)["text"]) for line in path.read_text().splitlines()[:60]]
    blocks = {
        "gopher-quality": filters.GopherQualityFilter(),
        "gopher-repetition": filters.GopherRepetitionFilter(),
        "c4": filters.C4QualityFilter(),
        "fineweb": filters.FineWebQualityFilter(),
    }
    for name, block in blocks.items():
        expected = [block.filter(Document(text=text, id="1")) is True for text in texts]
        verdicts = judge(texts, [PUBLISHED[name]] * len(texts))
        assert [verdict.failed is None for verdict in verdicts] == expected, name
