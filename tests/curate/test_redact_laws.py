"""Laws of redaction on made-up records: spans tell the truth, a second run changes nothing, speed costs no finding."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.curate.redaction import presidio
from corpusforge.curate.redaction.findings import Finding, disjoint
from corpusforge.curate.redaction.kinds import PLACEHOLDER
from corpusforge.curate.redaction.windows import windows
from corpusforge.record import Record, render

from .redact_running import chat, record, redacted

WORDS = st.sampled_from(
    [
        "hello", "the", "my name is", "Tamsin", "Quillfeather", "t.q@northwind.org", "415-736-2671", "call", "card",
        "4532015112830366", "84.23.11.9", "10.0.0.1", "zed_77", "zed_77:", "password is", "hunter2", "order number",
        "AC-77812", "é", "e\u0301", "👩‍👩‍👧", "<EMAIL_3>", "<PERSON_1>", "12 High Street", "https://x.io/?token=abcdef12",
        "219-09-9998", "ssn", ",", ".", "!", "2.6.24.16", "at", "dot", "com", "(at)", "\n", "\n\n", "000", "ä",
    ]
)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=25).flatmap(
    lambda words: st.lists(st.sampled_from([" ", " ", "", ", "]), min_size=len(words), max_size=len(words)).map(
        lambda gaps: "".join(word + gap for word, gap in zip(words, gaps, strict=True))
    )
)
NAMES = st.sampled_from(["", "zed_77", "Tamsin Quillfeather", "agent", "help"])


def lawful(made: Record) -> None:
    end = 0
    for span in made.spans:
        assert span.start >= end
        assert PLACEHOLDER.fullmatch(made.text[span.start : span.end])
        end = span.end
    if made.messages is not None:
        assert made.text == render(made.messages)
    assert redacted(made) == made


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from(["article", "chat", "doc"]))
def test_spans_are_placeholders_and_a_second_run_changes_nothing(text: str, kind: str) -> None:
    """A card that counts spans, and a rebuild that redacts twice, rely on it."""
    lawful(redacted(record(text, kind=kind)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, TEXTS), min_size=1, max_size=5))
def test_conversations_obey_the_same_laws(turns: list[tuple[str, str]]) -> None:
    lawful(redacted(chat(*(("user", name, text) for name, text in turns), meta={"handles": ["zed_77", "help"]})))


@settings(max_examples=100, deadline=None)
@given(
    st.text(alphabet="ab1 <>_\n\r\u0301é👩\u200d🏽", max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12), st.sampled_from([0.4, 0.9])), max_size=6),
)
def test_overlapping_findings_become_disjoint_and_lose_no_letter(text: str, raw: list[tuple[int, int, float]]) -> None:
    """A letter between two findings that nobody masks is a leak."""
    findings = [
        Finding("PERSON", start, min(start + size, len(text)), "x", score)
        for start, size, score in raw
        if start < min(start + size, len(text))
    ]
    kept = disjoint(text, findings)
    covered = {at for f in kept for at in range(f.start, f.end)}
    assert sum(f.end - f.start for f in kept) == len(covered)
    for finding in findings:
        assert all(at in covered for at in range(finding.start, finding.end) if text[at].isalnum())
    for finding in kept:
        for edge in (finding.start, finding.end):
            assert not (
                edge < len(text) and unicodedata.combining(text[edge]) and edge > 0 and text[edge - 1].isalnum()
            )


@given(st.text(alphabet="ab \n", max_size=400), st.integers(4, 40))
def test_windows_cover_the_text_and_cut_no_token(text: str, size: int) -> None:
    cuts = windows(text, size)
    assert "".join(text[a:b] for a, b in cuts) == text
    assert all(a == 0 or text[a - 1].isspace() for a, _ in cuts)


SAMPLES = [
    "call 415-736-2671 or 4157362671, fax +44 20 7946 0958; ssn 219 09 9998 and 219099998",
    "social security 219099998\naccount 1234567890 in the bank",
    "bob@acme.org at 84.23.11.9, ::1, 2a00:1450::200e, 00:1A:2B:3C:4D:5E, DE89370400440532013000",
    "4532015112830366 9876543210 1BoatSLRHtKNngkdXEeobR76b53LETtpyT AB123456C taxpayer 912-78-1234",
    "no personal data here, only 12 words and 2.6.24 versions",
]


@pytest.mark.parametrize("text", SAMPLES)
def test_the_gate_loses_none_of_presidios_own_findings(text: str) -> None:
    """The speed-up must decide as AnalyzerEngine does on the same window with the same recognizers."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

    made = presidio.engine()
    registry = RecognizerRegistry(recognizers=made.recognizers)
    vanilla = AnalyzerEngine(registry=registry, nlp_engine=made.nlp_engine)
    kinds = {entity: d.kind for d in made.detectors for entity in d.recognizer.supported_entities}
    expected = {
        (kinds[r.entity_type], r.start, r.end)
        for r in vanilla.analyze(text, "en", score_threshold=0.4)
        if r.entity_type != "PHONE_NUMBER" or sum(c.isdigit() for c in text[r.start : r.end]) >= 7
    }
    fast = presidio.recognised(made, text, 0.4)
    names = {recognizer.name for recognizer in made.recognizers}
    assert {(f.kind, f.start, f.end) for f in fast if f.detector in names} == expected
