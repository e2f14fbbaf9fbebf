"""Labelled rows are asked in several wordings, and a benchmark of them in one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import orjson
import pytest
from pydantic import ValidationError

from corpusforge.evaluate.items import make_item
from corpusforge.ingest.mapping import Mapping

FIRST = "Name the intent."
OTHERS = ("Which intent is this?", "What does the customer want?")
DATA = b"".join(orjson.dumps({"q": f"Where is my card number {n}?", "y": "card_arrival"}) + b"\n" for n in range(300))


def test_wordings_take_turns_and_change_nothing_else(read):
    plain, _ = read("jsonl", DATA, prompt="q", label="y", instruction=FIRST)
    varied, _ = read("jsonl", DATA, prompt="q", label="y", instruction=FIRST, phrasings=OTHERS)
    assert [record.id for record in varied] == [record.id for record in plain]
    used = Counter(record.text.partition("\n")[0].removeprefix("user: ") for record in varied)
    assert used.keys() == {FIRST, *OTHERS}
    assert min(used.values()) > 60
    for before, after in zip(plain, varied, strict=True):
        assert before.text.partition("\n")[2] == after.text.partition("\n")[2]


def test_a_benchmark_keeps_to_the_first_wording(read):
    varied, _ = read("jsonl", DATA, prompt="q", label="y", instruction=FIRST, phrasings=OTHERS)
    prompts = [make_item(replace(record, kind="labelled", side="holdout"), "tasks")["prompt"] for record in varied]
    assert all(prompt.startswith(f"{FIRST}\n\nWhere is my card") for prompt in prompts)


def test_wordings_of_no_instruction_are_a_mistake() -> None:
    with pytest.raises(ValidationError, match="need an instruction"):
        Mapping(prompt="q", label="y", phrasings=OTHERS)
