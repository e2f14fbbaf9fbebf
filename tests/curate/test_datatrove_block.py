"""Any datatrove block must work as a stage, with checked settings and no document lost unseen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.curate.datatrove_block import block_stage, known_blocks
from corpusforge.errors import UsageError
from corpusforge.record import Dropped, Message, Origin, Record, Span
from corpusforge.stage import Item, StageContext, find_stage

GOOD = "The printer of the office has a menu with settings that users have to know. " * 8


def record(text: str, number: int = 0, **more: object) -> Record:
    return Record(id=f"s:{number}", source="s", kind="doc", text=text, origin=Origin("a", 0, 1), **more)  # type: ignore[arg-type]


def run(path: str, records: list[Record], **chosen: object) -> list[Item]:
    made = block_stage(path)
    return list(made().apply(records, StageContext(settings=made.Settings(**chosen), seed=1, sources={})))


def test_a_filter_drops_with_its_own_reason() -> None:
    """The card names the rule that datatrove names."""
    kept, dropped = run("filters.GopherQualityFilter", [record(GOOD), record("short", 1)])
    assert kept == record(GOOD)
    assert isinstance(dropped, Dropped)
    assert dropped.reason == "gopher_short_doc"


def test_settings_are_the_blocks_arguments() -> None:
    """A misspelt argument is an error in the recipe, not a default in the build."""
    made = find_stage("datatrove:filters.GopherQualityFilter")
    assert made.Settings().min_doc_words == 50  # type: ignore[attr-defined]
    assert isinstance(run("filters.GopherQualityFilter", [record("the cat and dog")])[0], Dropped)
    assert isinstance(run("filters.GopherQualityFilter", [record("the cat and dog")], min_doc_words=None)[0], Record)
    with pytest.raises(ValidationError, match="min_doc_wrods"):
        made.Settings(min_doc_wrods=3)
    with pytest.raises(ValidationError):
        made.Settings(min_doc_words="many")
    assert "datatrove" in made.libraries


def test_a_formatter_rewrites_each_turn() -> None:
    """A chat stays a chat."""
    chat = record("").with_messages([Message("user", "donâ€™t"), Message("assistant", "ok")])
    (made,) = run("formatters.FTFYFormatter", [chat])
    assert isinstance(made, Record)
    assert made.parts == ("don’t", "ok")
    assert made.text == "user: don’t\nassistant: ok"


def test_a_block_that_edits_redacted_text_is_refused() -> None:
    """Spans beside their placeholders would make the leak report wrong."""
    item = record("donâ€™t <NAME_1>", spans=(Span("NAME", 8, 16, "rule", 1.0),))
    with pytest.raises(UsageError, match="already redacted"):
        run("formatters.FTFYFormatter", [item])


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["keep me", "drop me", ""]), max_size=12))
def test_blocks_that_run_over_documents_lose_none(texts: list[str]) -> None:
    """Duplicate ids, empty texts and dropped documents: each record comes out exactly once, in order."""
    records = [record(text, number % 3) for number, text in enumerate(texts)]
    made = run("filters.RegexFilter", records, regex_exp="drop")
    assert [item.record if isinstance(item, Dropped) else item for item in made] == records
    assert [isinstance(item, Dropped) for item in made] == ["drop" in text for text in texts]


def test_other_blocks_see_documents_and_may_add_metadata() -> None:
    """Statistics of datatrove land in a record's meta."""
    (made,) = run("filters.SamplerFilter", [record(GOOD)], rate=1.0)
    assert made == record(GOOD)


def test_unknown_blocks_name_their_neighbours() -> None:
    """A typo is answered with what was meant."""
    with pytest.raises(UsageError, match=r"Did you mean filters\.GopherQualityFilter"):
        block_stage("filters.GopherQualtyFilter")
    with pytest.raises(UsageError, match="no block"):
        block_stage("nothing.Nowhere")
    assert "formatters.FTFYFormatter" in known_blocks()


@pytest.mark.parametrize("path", ["filters.LanguageFilter", "filters.C4BadWordsFilter", "stats.CCNetPerplexityStats"])
def test_blocks_that_need_the_network_say_so(path: str) -> None:
    """A build that hangs on a download after an hour is worse than a refusal at once."""
    with pytest.raises(UsageError, match="needs the network"):
        block_stage(path)


def test_readers_and_writers_are_no_stages() -> None:
    """Records come from sources alone, or nothing could be traced."""
    with pytest.raises(UsageError, match="is no stage"):
        block_stage("readers.JsonlReader")
