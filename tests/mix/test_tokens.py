"""If the counts are not of what training sees, every share on the card is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from corpusforge.errors import UsageError
from corpusforge.mix.render import completion_text, form_tokens, instruct_messages
from corpusforge.mix.tokens import Tokens
from corpusforge.record import Dropped, Message, Origin, Record
from corpusforge.stage import StageContext


def test_bytes_count_the_text_and_its_end(make: SimpleNamespace):
    (record,) = make.counted([replace(make.text("kb", 1), text="zwölf")])
    assert record.tokens == len("zwölf".encode()) + 1


def test_a_title_is_part_of_what_is_trained_and_counted_once(make: SimpleNamespace):
    record = replace(make.text("kb", 1), text="Press the key.", title="Printing")
    assert completion_text(record) == "# Printing\n\nPress the key."
    assert completion_text(replace(record, text="Printing\n\nPress the key.")) == "Printing\n\nPress the key."
    assert completion_text(replace(record, text="## printing\nPress")) == "## printing\nPress"
    assert completion_text(replace(record, kind="chat")) == "Press the key."
    assert make.counted([record])[0].tokens == len("# Printing\n\nPress the key.") + 1


def test_reading_records_are_counted_in_both_forms(make: SimpleNamespace):
    talk = make.talk("kb", 1, "reading", meta={"completion": "A text, then a question. An answer."})
    (record,) = make.counted([talk])
    assert record.tokens == len("A text, then a question. An answer.") + 1
    assert record.meta["instruct_tokens"] == len(talk.text) + 1
    assert form_tokens(record, "instruct") == len(talk.text) + 1


def test_labelled_data_without_an_answer_is_dropped_with_a_reason(make: SimpleNamespace):
    (dropped,) = make.counted([make.text("intents", 1, "labelled")])
    assert isinstance(dropped, Dropped)
    assert dropped.reason == "no-answer"


def test_every_record_comes_out_once_in_order_across_batches(make: SimpleNamespace):
    records = [make.text("kb", k, words=3) for k in range(5000)]
    assert [record.id for record in make.counted(records)] == [record.id for record in records]


def test_turns_alternate_and_begin_with_the_user(make: SimpleNamespace):
    """Chat templates refuse two turns of one role in a row, or an assistant who speaks first."""
    turns = [("assistant", "Hello"), ("user", "a"), ("user", "b"), ("assistant", "c"), ("assistant", "d")]
    record = make.text("chats", 1, "chat").with_messages(Message(role, text, name="X") for role, text in turns)
    messages = instruct_messages(record)
    assert messages == (Message("user", "a\nb"), Message("assistant", "c\nd"))
    assert instruct_messages(record.with_messages([Message("user", "a", name="x"), Message("user", "b")])) is None


def test_a_wrong_tokenizer_path_says_what_would_be_right(tmp_path: Path, make: SimpleNamespace):
    with pytest.raises(UsageError, match=r"no tokenizer here.*tokenizer\.json"):
        make.counted([make.text("kb", 1)], str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UsageError, match="cannot be read"):
        make.counted([make.text("kb", 1)], str(tmp_path))


@pytest.mark.data
@pytest.mark.parametrize(("name", "tokens"), [("gpt-neox-20b", 6), ("gpt2", 6)])
def test_real_tokenizers_of_both_shapes_load(real_data: Path, name: str, tokens: int):
    settings = Tokens.Settings(tokenizer=str(real_data / "tokenizers" / name), eos=1)
    context = StageContext(settings=settings, seed=1, sources={})
    (record,) = Tokens().apply([Record("a", "a", "doc", "Hello world, hello!", Origin("f", 0, 1))], context)
    assert isinstance(record, Record)
    assert record.tokens == tokens
