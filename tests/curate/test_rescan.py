"""Personal data in rows that a model wrote: it can invent an address, or write out what was masked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from corpusforge.curate.rescan import Rescan
from corpusforge.record import Dropped, Message, Origin, Record
from corpusforge.stage import SourceFacts, StageContext

PASSAGE = "Write to help@acme.example or to <EMAIL_1>. The desk opens at nine."
FACTS = {"desk": SourceFacts("desk", "chat", "domain", personal_data=("name", "email", "phone"))}


def row(answer: str, engine: str = "endpoint", **more: Any) -> Record:
    meta = {"task": "qa", "engine": engine, "question": "Where do I write to?", "answer": answer,
            "context": {"start": 0, "end": len(PASSAGE), "text": PASSAGE}}  # fmt: skip
    made = Record(f"desk:{len(answer)}{engine}", "desk", "qa", "", Origin("f", 0, 1), meta=meta | more)
    made = replace(made, language="en", parents=("desk:1",))
    return made.with_messages((Message("user", "Where do I write to?"), Message("assistant", answer)))


def judged(*rows: Record) -> tuple[list[Any], StageContext]:
    ctx = StageContext(Rescan.Settings(ner="none"), 1, FACTS)
    return list(Rescan().apply(rows, ctx)), ctx


INVENTED = "maria.lindqvist@gmail.com"


def test_an_address_that_the_passage_lacks_drops_the_row_and_its_value_is_nowhere() -> None:
    (item,), ctx = judged(row(f"Write to {INVENTED} before nine."))
    assert isinstance(item, Dropped)
    assert (item.reason, item.score) == ("personal-data", 1)
    assert INVENTED not in str(item)
    assert ctx.counts["desk"] == {"scanned": 1, "found:EMAIL_ADDRESS": 1}


@pytest.mark.parametrize(
    "answer", ["Write to <EMAIL_1>.", "Write to help@acme.example before nine.", "The desk opens at nine."]
)
def test_what_stands_in_the_passage_stays(answer: str) -> None:
    (item,), ctx = judged(row(answer))
    assert isinstance(item, Record)
    assert item.meta["answer"] == answer
    assert ctx.counts["desk"] == {"scanned": 1}


def test_a_number_written_out_in_an_option_is_found_too() -> None:
    made = row("Call the desk.", options=["Call the desk.", "Call +44 20 7946 0958 and ask."])
    made = made.with_messages((*(made.messages or ())[:1], Message("assistant", "Call +1 212 736 5000 and ask.")))
    (item,), _ = judged(made)
    assert isinstance(item, Dropped)


def test_rows_made_of_spans_and_records_pass_unread() -> None:
    span = row(f"Write to {INVENTED}.", engine="extractive")
    record = replace(row(f"Write to {INVENTED} now."), kind="chat")
    items, ctx = judged(span, record)
    assert items == [span, record]
    assert ctx.counts == {}


def test_a_row_without_its_passage_proves_nothing() -> None:
    (item,), _ = judged(row("Write to help@acme.org soon.", context={}))
    assert isinstance(item, Dropped)
