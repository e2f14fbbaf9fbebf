"""Segment must cut where a reader would, and lose nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.curate.segment import Segment
from corpusforge.record import Message, Origin, Record, Span, render
from corpusforge.stage import StageContext

ORIGIN = Origin("a.txt", 0, 1)


def pieces_of(record: Record, max_chars: int = 100, min_chars: int = 20) -> list[Record]:
    settings = Segment.Settings(max_chars=max_chars, min_chars=min_chars)  # type: ignore[call-arg]
    made = list(Segment().apply([record], StageContext(settings=settings, seed=1, sources={})))
    assert all(isinstance(item, Record) for item in made)
    return made  # type: ignore[return-value]


def document(text: str, **more: object) -> Record:
    return Record(id="s:1", source="s", kind="doc", text=text, origin=ORIGIN, title="T", group="g", **more)  # type: ignore[arg-type]


@given(st.text("ab. \n!?“é你。", max_size=900), st.integers(100, 300), st.integers(0, 50))
def test_pieces_concatenate_to_the_original(text: str, max_chars: int, min_chars: int) -> None:
    """No character is lost or read twice, and no piece is longer than asked."""
    made = pieces_of(document(text), max_chars, min_chars)
    assert "".join(piece.text for piece in made) == text
    assert all(len(piece.text) <= max_chars for piece in made)
    assert len({piece.id for piece in made}) == len(made)
    for piece in made[:-1]:
        assert len(piece.text) >= min_chars
    if len(made) > 1:
        assert [text[slice(*piece.meta["piece"])] for piece in made] == [piece.text for piece in made]
        assert {(piece.group, piece.title, piece.origin, piece.parents) for piece in made} == {("g", "T", ORIGIN, ())}


@given(st.lists(st.text("abc \n", max_size=120), min_size=1, max_size=20))
def test_chats_are_cut_between_turns(turns: list[str]) -> None:
    """A turn cut in two would put half an answer into each training row."""
    messages = tuple(Message("user" if i % 2 else "assistant", turn, f"n{i % 3}") for i, turn in enumerate(turns))
    chat = Record(id="s:1", source="s", kind="chat", text="", origin=ORIGIN).with_messages(messages)
    made = pieces_of(chat)
    assert tuple(m for piece in made for m in piece.messages or ()) == messages
    assert all(piece.text == render(piece.messages or ()) for piece in made)
    if len(made) > 1:
        assert [chat.text[slice(*piece.meta["piece"])] for piece in made] == [piece.text for piece in made]


@given(st.lists(st.sampled_from(["word ", "Sentence. ", "\n\n", "<PERSON_NAME_12>", "x" * 40]), max_size=60))
def test_no_cut_goes_through_a_redaction(parts: list[str]) -> None:
    """Half a placeholder is neither text nor redaction, and its span would vanish from the leak report."""
    text = "".join(parts)
    spans, at = [], 0
    for part in parts:
        if part.startswith("<"):
            spans.append(Span("PERSON", at, at + len(part), "rule", 0.9))
        at += len(part)
    made = pieces_of(document(text, spans=tuple(spans)))
    assert "".join(piece.text for piece in made) == text
    found = [piece.text[span.start : span.end] for piece in made for span in piece.spans]
    assert found == ["<PERSON_NAME_12>"] * len(spans)


def test_paragraphs_before_sentences_before_words() -> None:
    """The boundary whitespace stays with the piece before."""
    text = "One sentence here. Another one follows it.\n\n" + "A second paragraph starts. " * 4
    made = [piece.text for piece in pieces_of(document(text))]
    assert made[0] == "One sentence here. Another one follows it.\n\n"
    assert all(piece.endswith("starts. ") for piece in made[1:])


def test_short_and_labelled_records_pass_unchanged() -> None:
    """A label belongs to its whole text."""
    short = document("short")
    labelled = Record(id="s:2", source="s", kind="labelled", text="long. " * 100, origin=ORIGIN)
    assert pieces_of(short) == [short]
    assert pieces_of(labelled) == [labelled]


def test_impossible_settings_are_refused() -> None:
    """min_chars near max_chars leaves no place to cut."""
    with pytest.raises(ValidationError, match="at most half"):
        Segment.Settings(max_chars=100, min_chars=80)  # type: ignore[call-arg]
