"""The name tagger: exact on every machine, spells texts as they are, never silently absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.curate.redact import Redact
from corpusforge.curate.redaction import ner
from corpusforge.curate.redaction.ner.component import FACTORY, NameTagger, reader
from corpusforge.curate.redaction.ner.labels import LABELS
from corpusforge.curate.redaction.ner.network import LIMIT, Network, Weights
from corpusforge.curate.redaction.ner.words import features, offsets, shape, tokens, words_of
from corpusforge.errors import UsageError
from corpusforge.record import Origin, Record
from corpusforge.stage import SourceFacts, StageContext


def drawn_weights(seed: int = 0, rows: int = 512, width: int = 8, hidden: int = 8, labels: int = 3) -> Weights:
    draw = np.random.Generator(np.random.PCG64(seed))

    def integers(*size: int) -> Any:
        return draw.integers(-LIMIT, LIMIT + 1, size)

    def one(value: float) -> Any:
        return np.array([value], np.float32)

    return Weights(
        table=integers(rows, width).astype(np.int8),
        first=integers(5 * width, hidden).astype(np.int8),
        first_bias=integers(hidden).astype(np.int32),
        second=integers(5 * hidden, hidden).astype(np.int8),
        second_bias=integers(hidden).astype(np.int32),
        last=integers(width + 2 * hidden, labels).astype(np.int8),
        last_bias=integers(labels).astype(np.int32),
        word_scale=one(0.3),
        first_scale=one(0.01),
        second_scale=one(0.01),
        score_scale=one(0.001),
    )


texts = st.text(st.sampled_from("ab Ü1٣.,'’\n\t _-🙂é\u0301\u00a0"), max_size=40)


@given(texts)
def test_words_and_blanks_spell_the_text(text: str) -> None:
    """Else a placeholder would stand beside the name instead of over it."""
    words, blanks = tokens(text)
    assert "".join(word + " " * blank for word, blank in zip(words, blanks, strict=True)) == text
    starts = offsets(words, blanks)
    assert all(text.startswith(word, start) for word, start in zip(words, starts, strict=False))


@given(texts | st.text(st.sampled_from("a1 .!?'\n-"), max_size=30))
def test_words_read_quickly_are_the_same_words(text: str) -> None:
    """Else a build would mask other names than the tagger was measured with."""
    assert words_of(text) == tokens(text)[0]


@given(st.text(max_size=30))
def test_features_hold_for_any_word(word: str) -> None:
    """A strange character must not stop a build."""
    whole, grams = features(word, 512)
    assert len(whole) == 5
    assert all(0 <= row < 512 for row in (*whole, *grams))


def test_shape_tells_case_and_digits() -> None:
    assert shape("Anna-2b") == "Xxxx-dx"
    assert shape("McDONALDS") == "XxXXXX"
    assert shape("1234567") == "dddd"


@given(st.lists(st.lists(st.sampled_from(["a", "Bob", "12", ",", "\n"]), max_size=6), max_size=5), st.integers(0, 4))
def test_a_text_is_tagged_the_same_alone_and_among_others(batch: list[list[str]], seed: int) -> None:
    """Else what is masked would depend on which records share a shard."""
    weights = drawn_weights(seed)
    together = Network(weights).scores(batch)
    for words, scores in zip(batch, together, strict=True):
        assert np.array_equal(scores, Network(weights).scores([words])[0])


def test_scores_are_exact_integers_in_any_order_of_sums() -> None:
    """The law of the same bytes on every machine: integer sums, whatever the BLAS does."""
    weights = drawn_weights(3)
    words = ["Anna", "said", "12", "x", "y", "Z", ","]
    scores = Network(weights).scores([words])[0]
    assert np.array_equal(scores, np.rint(scores))
    assert np.array_equal(scores, by_hand(weights, words))


def by_hand(weights: Weights, words: list[str]) -> Any:
    """The same network in Python's whole numbers."""

    def scaled(total: int, scale: Any) -> int:
        return int(np.rint(np.float32(total) * scale[0]))

    rows = []
    for word in words:
        whole, grams = features(word, len(weights.table))
        total = weights.table[whole].astype(int).sum(axis=0) + np.rint(
            weights.table[grams].astype(int).sum(axis=0) / np.float32(len(grams))
        )
        rows.append([max(-LIMIT, min(LIMIT, scaled(int(v), weights.word_scale))) for v in total])

    def layer(inputs: list[list[int]], matrix: Any, bias: Any, scale: Any) -> list[list[int]]:
        width = len(inputs[0])
        made = []
        for at in range(len(inputs)):
            window: list[int] = []
            for other in range(at - 2, at + 3):
                window += inputs[other] if 0 <= other < len(inputs) else [0] * width
            sums = [
                sum(w * int(matrix[i, j]) for i, w in enumerate(window)) + int(bias[j]) for j in range(matrix.shape[1])
            ]
            made.append([max(0, min(LIMIT, scaled(s, scale))) for s in sums])
        return made

    first = layer(rows, weights.first, weights.first_bias, weights.first_scale)
    second = layer(first, weights.second, weights.second_bias, weights.second_scale)
    joined = [a + b + c for a, b, c in zip(rows, first, second, strict=True)]
    return np.array(
        [
            [sum(v * int(weights.last[i, j]) for i, v in enumerate(row)) + int(weights.last_bias[j]) for j in range(3)]
            for row in joined
        ]
    )


def test_weights_whose_sums_would_not_be_exact_are_refused() -> None:
    weights = drawn_weights()
    with pytest.raises(ValueError, match="exact"):
        Network(
            Weights(
                **{name: getattr(weights, name) for name in Weights.__slots__ if name != "last_bias"},
                last_bias=np.full(3, 1 << 25, np.int32),
            )
        )


def test_many_words_are_forgotten_and_learned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded over a long build, and answers do not change."""
    monkeypatch.setattr("corpusforge.curate.redaction.ner.network.CACHED_WORDS", 8)
    weights = drawn_weights()
    network = Network(weights)
    for at in range(30):
        words = [f"w{at}", f"v{at}", "a"]
        assert np.array_equal(network.scores([words])[0], Network(weights).scores([words])[0])
    assert len(network._vectors) <= 1024


def test_the_embedded_pipeline_finds_names_in_any_case() -> None:
    """What issue 3 is about: names are never silently skipped."""
    nlp = ner.pipeline()
    for text in ("My name is Kathrin Obermeier.", "my name is kathrin obermeier"):
        assert [(e.text.casefold(), e.label_) for e in nlp(text).ents] == [("kathrin obermeier", "PERSON")]
    assert not nlp("sudo apt-get install the package and restart the service").ents


def test_batches_and_single_texts_agree_and_empty_texts_pass() -> None:
    nlp = ner.pipeline()
    batch = ["", " ", "\n\n", "i live at 12 oak street, springfield", "Then call Mr. Novák from Acme Corp."] * 3
    found = [[(e.start_char, e.end_char, e.label_) for e in doc.ents] for doc in nlp.pipe(batch)]
    assert found == [[(e.start_char, e.end_char, e.label_) for e in nlp(text).ents] for text in batch]
    assert [doc.text for doc in nlp.pipe(batch)] == batch
    assert all(not text[s:e][:1].isspace() for text, spans in zip(batch, found, strict=True) for s, e, _ in spans)


def test_docs_of_another_tokenizer_are_tagged_too() -> None:
    """Someone may put the component into a pipeline of their own."""
    import spacy

    tagger: Any = ner.pipeline().get_pipe(FACTORY)
    doc = tagger(spacy.blank("en")("My name is Kathrin Obermeier."))
    assert "Kathrin Obermeier" in {entity.text for entity in doc.ents}


def test_a_pipeline_is_loaded_once_a_process() -> None:
    assert ner.pipeline() is ner.pipeline("embedded")


def test_a_pipeline_that_is_missing_or_broken_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not installed"):
        ner.pipeline("en_core_web_none")
    with pytest.raises(UsageError):
        ner.pipeline(str(tmp_path))


def test_a_tagger_without_weights_refuses_to_find_nothing() -> None:
    """An empty component must not pass for one that looked."""
    with pytest.raises(ValueError, match="no weights"):
        NameTagger().spans([["Anna"]])


def test_kinds_of_other_pipelines_are_ours() -> None:
    assert {label: ner.kind(label) for label in ("PER", "GPE", "ORG", "NORP", "MONEY", "PERSON", "O")} == {
        "PER": "PERSON", "GPE": "LOCATION", "ORG": "ORGANIZATION", "NORP": "NRP", "MONEY": None, "PERSON": "PERSON",
        "O": None,
    }  # fmt: skip


def test_the_card_of_the_shipped_tagger_tells_data_licences_and_figures() -> None:
    """A signer must see what the names rest on."""
    card = ner.model_card()
    assert card is not None
    assert all(row["name"] and row["licence"] for row in card["data"])
    assert "presidio" not in json.dumps(card["data"]).casefold()
    for figures in card["figures"].values():
        told = figures["recall"]["all"]
        assert 0 < told["low"] < told["share"] < told["high"] < 1
    assert ner.model_card("en_core_web_none") is None


def test_the_shipped_tagger_is_whole_and_small() -> None:
    folder = ner.embedded_folder()
    assert NameTagger().from_disk(folder / FACTORY).labels == LABELS
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 6_500_000


def counts_of(text: str, *, language: str = "", declared: tuple[str, ...] = (), **settings: Any) -> dict[str, int]:
    ctx = StageContext(
        settings=Redact.Settings(**settings),
        seed=1,
        sources={"s": SourceFacts("s", "chat", "domain", languages=declared, personal_data=("names",))},
    )
    made = Record(id="s:1", source="s", kind="chat", text=text, origin=Origin("s", 0, 1), language=language)
    list(Redact().apply([made], ctx))
    return {key: n for key, n in ctx.counts.get("s", {}).items() if key.startswith("no-ner")}


@pytest.mark.parametrize(
    ("given_to", "counted"),
    [
        ({}, {}),
        ({"language": "en"}, {}),
        ({"language": "de"}, {"no-ner": 1, "no-ner:de": 1}),
        ({"declared": ("de", "en-GB")}, {}),
        ({"declared": ("fr",)}, {"no-ner": 1, "no-ner:fr": 1}),
        ({"ner": "none"}, {"no-ner": 1, "no-ner:unknown": 1}),
    ],
)
def test_records_that_no_name_model_could_read_are_counted_by_language(given_to: Any, counted: dict[str, int]) -> None:
    """The card must be able to say which languages had no name model."""
    assert counts_of("I wrote to Kathrin", **given_to) == counted


def test_other_weights_are_another_stage(tmp_path: Path) -> None:
    """Else a retrained tagger would get yesterday's records from the cache."""
    shipped = Redact.also_identity(Redact.Settings())
    folder = tmp_path / "m"
    ner.pipeline().to_disk(folder)
    one = Redact.also_identity(Redact.Settings(ner=str(folder)))
    (folder / FACTORY / "tagger.json").write_text('{"labels": ["O"], "caution": 1}')
    assert len({str(x) for x in (shipped, one, Redact.also_identity(Redact.Settings(ner=str(folder))))}) == 3
    assert Redact.also_identity(Redact.Settings(ner="none")) == {}


@settings(deadline=None)  # the first example loads the model
@given(st.lists(st.text(st.sampled_from("ab Zé1.,-\n\t'’@中"), max_size=60), max_size=8))
def test_texts_read_without_docs_have_the_entities_of_docs(made: list[str]) -> None:
    """The stage would hide other characters than the pipeline that a user tries by hand."""
    nlp = ner.pipeline()
    texts = [*made, "", "my name is  Ravi   Kumar\n\n7 Elm Street,  Springfield ", "i am ana, from Porto"]
    docs = [[(e.label_, e.start_char, e.end_char) for e in doc.ents] for doc in nlp.pipe(texts)]
    assert reader(nlp)(texts) == docs
    assert any(docs)
