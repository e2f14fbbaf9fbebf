"""Chunks keep to the document's structure and to the limit, and tell exactly where they lie."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.generate.write.chunk import Chunk, chosen, chunks, tokens_bound
from corpusforge.generate.write.quotes import find_quote, find_quotes
from corpusforge.record import Message, Record, Span

from .pages import chat, manuals, page

LONG = "\n\n".join(
    f"## Part {n}\n\nThis part is about thing {n}. "
    + " ".join(f"Sentence {n}-{k} says a thing or two." for k in range(12))
    for n in range(8)
)
TEXTS = st.lists(
    st.sampled_from(["# One\n", "## Two\n", "Words of a line.\n", "\n", "- item one\n", "1. step\n", "| a | b |\n", "```\n",
                     "x" * 90 + "\n", "日本語の文です。" * 6 + "\n", "Grüße aus Köln, immer wieder. " * 4, "\t indented\n"]),
    min_size=1, max_size=40,
).map("".join)  # fmt: skip


def covered(record: Record, found: list[Chunk]) -> str:
    return "".join("".join(chunk.text.split()) for chunk in found)


@given(TEXTS, st.integers(8, 60), st.sampled_from([1.0, 3.0]))
def test_chunks_fit_do_not_overlap_and_lose_nothing(text: str, tokens: int, per_token: float) -> None:
    record = page(text)
    found = chunks(record, tokens, per_token, 1)
    assert covered(record, found) == "".join(text.split())
    for before, after in pairwise(found):
        assert before.end <= after.start
    for chunk in found:
        assert tokens_bound(chunk.text, per_token) <= tokens or len(chunk.text) <= 1
        first, last = chunk.byte_span
        assert record.text.encode()[first:last].decode() == chunk.text


def test_sections_stay_whole_while_they_fit_and_tell_the_headings_above_them() -> None:
    found = chunks(page("# Manual\n\n" + LONG), 200, 3.0, 1)
    assert len(found) == 8
    assert all(chunk.text.count("## Part") == 1 for chunk in found)
    assert {chunk.section for chunk in found[1:]} == {"Manual"}


def test_a_long_section_is_cut_between_items_and_still_says_what_it_is_about() -> None:
    steps = "\n".join(f"{n}. Turn the knob number {n} until the lamp beside it goes out." for n in range(1, 30))
    found = chunks(page(f"# Lamps\n\n## Switching off\n\n{steps}\n"), 100, 3.0, 1)
    assert len(found) > 3
    assert all(chunk.text.splitlines()[-1].endswith("goes out.") for chunk in found)
    assert all(chunk.section == "Lamps > Switching off" for chunk in found[2:])


def test_a_conversation_is_cut_between_turns() -> None:
    record = chat(*[(f"u{n % 2}", f"This is what is said in turn number {n}, no more and no less.") for n in range(20)])
    found = chunks(record, 60, 3.0, 1)
    assert len(found) > 4
    assert all(chunk.text.startswith(("u0: ", "u1: ")) for chunk in found)


def test_a_placeholder_is_never_cut_in_two() -> None:
    text = "a" * 80 + "<PERSON_1>" + "b" * 80
    record = page(text, spans=(Span("PERSON", 80, 90, "x", 1.0),))
    for tokens in range(24, 40):
        assert any("<PERSON_1>" in chunk.text for chunk in chunks(record, tokens, 3.0, 1))


def test_trap_13_a_limit_takes_chunks_from_all_over_a_document_and_not_its_beginning() -> None:
    places = [0] * 8
    for n in range(200):
        record = page("# Manual\n\n" + LONG.replace("thing", f"thing {n}"), key=str(n))
        found = chunks(record, 220, 3.0, 1)
        assert len(found) == 8
        for chunk in chosen(found, 2):
            places[found.index(chunk)] += 1
    assert min(places) > 25, places
    assert chosen(found, 20) == found


def test_the_choice_of_a_chunk_does_not_hang_on_its_neighbours() -> None:
    (first, *_), record = manuals(1), page("# Manual\n\n" + LONG)
    found = chunks(record, 220, 3.0, 1)
    shorter = chunks(page("# Manual\n\n" + LONG.partition("## Part 7")[0]), 220, 3.0, 1)
    kept = {chunk.text for chunk in chosen(found, 4)}
    assert len(kept & {chunk.text for chunk in chosen(shorter, 4)}) >= 3
    assert first.text


TEXT = "# Doors\n\nThe door opens — “after” three\nseconds, and it **doesn’t lock** by itself, ever.\n"


def test_trap_21_a_quote_is_found_word_for_word_or_not_at_all() -> None:
    record = page(TEXT)
    chunk = Chunk(record, 0, len(TEXT))
    for quote in (
        "The door opens — “after” three\nseconds",
        'The door opens - "after" three seconds',
        "it doesn't lock by itself",
    ):
        span = find_quote(chunk, quote)
        assert span is not None, quote
        assert "door opens" in TEXT[slice(*span)] or "lock" in TEXT[slice(*span)]
    for wrong in (
        "The door opens after four seconds",
        "the door opens — “after” three",
        "door",
        "",
        "seconds, and it does lock",
    ):
        assert find_quote(chunk, wrong) is None, wrong
    assert find_quotes(chunk, ["The door opens", "never said at all"]) is None
    assert find_quotes(chunk, ["it **doesn’t lock**", "The door opens", "The door opens"]) is not None


def test_a_quote_from_another_chunk_of_the_document_proves_nothing() -> None:
    record = page(TEXT + "\n# Windows\n\nThe window stays shut at night.\n")
    assert find_quote(Chunk(record, 0, len(TEXT)), "The window stays shut at night.") is None


def test_a_turn_is_quoted_from_the_conversation_as_it_is_rendered() -> None:
    record = page("", key="c").with_messages(
        (Message("user", "How do I mend it?"), Message("assistant", "Press the red knob twice."))
    )
    span = find_quote(Chunk(record, 0, len(record.text)), "Press the red knob twice.")
    assert span is not None
    assert record.text[slice(*span)] == "Press the red knob twice."
