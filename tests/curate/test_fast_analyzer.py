"""The fast analyzer finds what vanilla Presidio finds: type, place and score, on real text and on text made to differ."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpusforge.curate.redaction.analyzer import FastAnalyzer
from corpusforge.curate.redaction.context import Words
from corpusforge.curate.redaction.findings import RedactionFailed
from corpusforge.curate.redaction.gate import Form, Gate, Possible, Searcher, Views, utf8
from corpusforge.curate.redaction.phones import PhoneSearch
from corpusforge.curate.redaction.presidio import blank_engine, offline_email

DATA = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[3] / "shared/data"))
Row = tuple[str, int, int, float]
PIECES = (  # noqa: SIM905, RUF005 - a sentence of pieces reads better than sixty quoted ones
    "+ ( ) - / . , : ; ~ @ % € $ _ # 00 011 1 20 555 0123 4567 89 x ext. 49 44 8005551234 12345678 A1234567 ２３ ٣ a é ß ſ "
    "ſſn K İ ı the is phone number passport card bank account my call me name 12:is is: :) ( (^_^) bob@ example.com http:// "
    "https://x.co/a?b=1 www. foo.co info.uk \" ' ::1 10.0.0.1 fe80:: 2/3/2004 12.04.99 DE89370400440532013000 "
    "4532015112830366 00:1A:2B:3C:4D:5E 1BoatSLRHtKNngkdXEeobR76b53LETtpyT 219-09-9998 2004-01-02 08:00 (650) +44 driver license"
).split(" ") + [" ", "  ", "\n", "\t", "\x0b", "\x1c", " ", "\u2028", "4111 1111 1111 1111", "\ud800", " phone ", ": "]  # fmt: skip


@cache
def recognizers() -> tuple[Any, ...]:
    from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider

    made = RecognizerRegistryProvider(registry_configuration={"supported_languages": ["en"]})
    return tuple(offline_email(recognizer) for recognizer in made.create_recognizer_registry().recognizers)


@cache
def both(context: bool) -> tuple[Callable[[str], list[Row]], Callable[[str], list[Row]]]:
    """Vanilla and ours, with context words that work or with none."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    engine = blank_engine()
    if not context:
        engine = SpacyNlpEngine()
        engine.nlp = {"en": spacy.blank("en")}
    vanilla = AnalyzerEngine(registry=RecognizerRegistry(recognizers=list(recognizers())), nlp_engine=engine)
    enhancer = LemmaContextAwareEnhancer() if context else None
    fast = FastAnalyzer(recognizers(), enhancer=enhancer, words=Words(engine.nlp["en"]))
    return (
        lambda text: rows(vanilla.analyze(text, "en", score_threshold=0)),
        lambda text: rows(fast.analyze([text])[0]),
    )


def rows(results: Any) -> list[Row]:
    return [(r.entity_type, r.start, r.end, r.score) for r in results]


@given(text=st.lists(st.sampled_from(PIECES), min_size=1, max_size=24).map("".join), context=st.booleans())
@example("card 4111111111111111", True)
@example("x" * 40 + " 12:is is my 12345678 bank account", True)
@example("6\x1c135.115.7.8 ſsn 219-09-9998 passport: 123456789", True)
@example("see jane.company/profile “foo.com” and é555-0123 call 0041 44 668 18 00", False)
@settings(max_examples=80, deadline=None)
def test_a_text_made_to_differ_has_the_same_findings(text: str, context: bool) -> None:
    vanilla, fast = both(context)
    try:
        expected = vanilla(text)
    except (ValueError, UnicodeError):
        # Vanilla itself fails on it; then so may this, but not with fewer findings.
        return
    assert fast(text) == expected


def real_texts() -> list[str]:
    texts = [row["full_text"] for row in json.loads((DATA / "pii-presidio-research/synth_dataset_v2.json").read_text())]
    texts = texts[::10]
    for file in sorted((DATA / "ubuntu-irc/logs").glob("*raw*"))[::16]:
        log = file.read_text("utf-8", errors="replace")
        texts += [log[at : at + 1500] for at in range(0, min(len(log), 15_000), 1500)]
    for file in sorted((DATA / "ubuntu-kb-debian-html").rglob("*.html"))[::40]:
        texts.append(re.sub(r"<[^>]+>", "", file.read_text("utf-8", errors="replace"))[:6000])
    for file in sorted((DATA / "pii-chats-multidogo").glob("*/train.tsv")):
        lines = file.read_text("utf-8").splitlines()
        texts += ["\n".join(lines[at : at + 12]) for at in range(1, 241, 12)]
    return texts


@pytest.mark.data
@pytest.mark.parametrize("context", [True, False])
def test_real_text_has_the_same_findings(context: bool) -> None:
    """Chats, logs, manuals and Microsoft's own sentences: not one finding differs."""
    if not DATA.is_dir():
        pytest.skip(f"no real data in {DATA}: set CORPUSFORGE_DATA")
    vanilla, fast = both(context)
    # Without context words only the scores are made otherwise: every second text will do, vanilla is slow.
    different = sum(vanilla(text) != fast(text) for text in real_texts()[:: 1 if context else 2])
    assert different == 0


PATTERNS = (
    r"\b\d{3}[- .]?\d{2}\b", r"(?<!\w)[A-Z]{2}\d+(?!\d)", r"(a|ab)(c|bcd)?\s?d*", r"[^\s()<>\"']+@\w+", r"\W\d\W", r"x{2,}?y*",
    r"(?i:k|s)+\S", r"([:-])\d\1", r"(?:^|\s)\p{Lu}\w*$", r"\b\w+\b\.?", r"[\w.+-]{1,40}:\D",
)  # fmt: skip
LETTERS = st.text("ab cd12-.:@KkSsıİſKéß\n\tÀ(x)y\u00a0\x1c", max_size=40)


@given(text=LETTERS, pattern=st.sampled_from(PATTERNS), ignorecase=st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_gate_never_shuts_out_a_match(text: str, pattern: str, ignorecase: bool) -> None:
    """A value behind a shut gate would stay in the corpus; a part of the text is let through with the whole."""
    import regex

    flags = regex.MULTILINE | (regex.IGNORECASE if ignorecase else 0)
    form = Form(pattern, ignorecase=ignorecase)
    matched = [m.span() for m in regex.finditer(pattern, text, flags) if m.end() > m.start()]
    if matched:
        assert Gate([form, Form("zzz")]).open(text) >= {0}
        assert Possible(form).within(utf8(text), ascii_text=text.isascii())
        assert Possible(form).within(utf8(f"q\n{text} q"), ascii_text=text.isascii())
    assert sorted(Searcher(form).spans(Views(text), 5)) == matched


NUMBERS = st.lists(
    st.sampled_from(["+", "(", ")", " ", "-", "/", ".", "00", "011", "1", "20", "555", "0123", "4567", "89", "030", "x", "ext. ",
                     "49", "8005551234", "a", "%", "２３", "\n", "～", "800", " - ", "[", "12 34", "2012-01-02 08", ":00", "/x"]),
    max_size=30,
).map("".join)  # fmt: skip


@given(
    text=NUMBERS,
    regions=st.sampled_from([("US", "GB", "DE"), ("FR", "IL"), ("IN", "CA", "BR"), ("AR", "SM", "JP"), ("GG",)]),
)
@settings(max_examples=150, deadline=None)
def test_phone_numbers_are_those_of_the_library_in_every_region(text: str, regions: tuple[str, ...]) -> None:
    import phonenumbers

    expected = [(m.start, m.end) for region in regions for m in phonenumbers.PhoneNumberMatcher(text, region)]
    assert PhoneSearch(regions, 1).spans(text) == expected


def test_a_number_behind_more_candidates_than_the_library_tries_is_found() -> None:
    """A log full of numbers must not hide the customer's telephone in its last line."""
    text = "9999999 x " * 70_000 + "call 415-736-2671"
    assert PhoneSearch(("US",), 1).spans(text) == [(len(text) - 12, len(text))]


def test_a_recognizer_that_raises_is_named_and_not_quoted() -> None:
    from presidio_analyzer import EntityRecognizer

    class Broken(EntityRecognizer):
        def load(self) -> None:
            """Nothing to load."""

        def analyze(self, text: str, entities: Any, nlp_artifacts: Any) -> Any:
            raise ValueError(text)

    with pytest.raises(RedactionFailed) as caught:
        FastAnalyzer([Broken(["X"], name="Broken")], nlp_engine=blank_engine()).analyze(["a secret"])
    assert str(caught.value) == "Broken: ValueError"
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_other_recognizers_and_name_models_are_called_as_they_are() -> None:
    """A pipeline's entities come from batches, with the same findings as one call for each text."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    engine = blank_engine()
    ruler = engine.nlp["en"].add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Xanthe Vole"}])
    all_of_them = [*recognizers(), SpacyRecognizer()]
    vanilla = AnalyzerEngine(registry=RecognizerRegistry(recognizers=all_of_them), nlp_engine=engine)
    fast = FastAnalyzer(all_of_them, enhancer=LemmaContextAwareEnhancer(), nlp_engine=engine)
    texts = [
        "Xanthe Vole: my phone number is 415-736-2671",
        "",
        "nobody",
        "the bank account of Xanthe Vole is 12345678",
    ]
    assert [rows(found) for found in fast.analyze(texts)] == [
        rows(vanilla.analyze(text, "en", score_threshold=0)) for text in texts
    ]


@cache
def with_the_shipped_tagger() -> tuple[Any, FastAnalyzer]:
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    from corpusforge.curate.redaction.ner import pipeline

    engine = blank_engine()
    engine.nlp = {"en": pipeline()}
    all_of_them = [*recognizers(), SpacyRecognizer()]
    vanilla = AnalyzerEngine(registry=RecognizerRegistry(recognizers=all_of_them), nlp_engine=engine)
    return vanilla, FastAnalyzer(all_of_them, enhancer=LemmaContextAwareEnhancer(), nlp_engine=engine)


@given(
    st.lists(st.lists(st.sampled_from([*PIECES, " Anna Kowalska ", " be:is "]), max_size=12).map("".join), max_size=4)
)
@example(["Anna Kowalska: my phone number is 415-736-2671", "", "x:phone 4157362671", "the bank:account is 12345678"])
@settings(max_examples=40, deadline=None)
def test_what_the_shipped_tagger_reads_without_docs_has_the_same_findings(texts: list[str]) -> None:
    """Words and entities are handed on without spaCy's Docs: names and context words must not change by it."""
    vanilla, fast = with_the_shipped_tagger()
    texts = [text.replace("\ud800", "") for text in texts]
    assert [rows(found) for found in fast.analyze(texts)] == [
        rows(vanilla.analyze(text, "en", score_threshold=0)) for text in texts
    ]


def test_a_recognizer_with_its_own_context_search_is_refused() -> None:
    from presidio_analyzer.predefined_recognizers import MacAddressRecognizer

    class Own(MacAddressRecognizer):
        def enhance_using_context(self, *args: Any, **kwargs: Any) -> Any:
            return []

    with pytest.raises(ValueError, match="own way"):
        FastAnalyzer([Own()])
