"""What a survey has mined is read, not mined again, and makes the same rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from corpusforge.generate import mined, qa_chats
from corpusforge.generate.mcq import MCQ
from corpusforge.generate.page import stands_alone
from corpusforge.generate.qa import QA
from corpusforge.generate.qa_pair import Pair
from corpusforge.record import Record
from corpusforge.shards import read_table, write_table
from corpusforge.stage import Decision, Stage, StageContext, Survey

from .factory import built, workspace
from .pages import FACTS, manuals


def phases(stage: type[Stage], records: list[Record], folder: Path, *, surveyed: bool) -> list[object]:
    path = folder / f"{stage.name}.parquet"
    settings = stage.Settings()
    write_table(path, stage().survey(records, StageContext(settings, 1, FACTS)))
    decision = stage().decide([Survey("kb-00000", "kb", path, path)], StageContext(settings, 1, FACTS))
    ctx = context(settings, decision)
    if surveyed:
        ctx.surveyed = path
    return [*stage().apply(records, ctx), ctx.counts]


def context(settings: object, decision: Decision) -> StageContext:
    return StageContext(settings, 1, FACTS, shared=decision.shared, mine=decision.per_shard.get("kb-00000"))


@pytest.mark.parametrize("stage", [QA, MCQ])
def test_rows_of_a_survey_are_those_of_mining_anew(stage: type[Stage], tmp_path: Path) -> None:
    """Who runs a stage without its survey at hand must not get other rows, reasons or counts."""
    records = [*manuals(40), replace(manuals(1)[0], id="kb:german", language="de")]
    assert phases(stage, records, tmp_path, surveyed=True) == phases(stage, records, tmp_path, surveyed=False)


@pytest.mark.parametrize("stage", [QA, MCQ])
def test_a_survey_without_pairs_is_mined_anew(stage: type[Stage], tmp_path: Path) -> None:
    """A workspace may hold surveys from before they kept pairs."""
    records = manuals(10)
    settings = stage.Settings()
    path = tmp_path / "survey.parquet"
    write_table(path, stage().survey(records, StageContext(settings, 1, FACTS)))
    decision = stage().decide([Survey("kb-00000", "kb", path, path)], StageContext(settings, 1, FACTS))
    with_pairs, without = context(settings, decision), context(settings, decision)
    with_pairs.surveyed = path
    old = tmp_path / "old.parquet"
    write_table(old, read_table(path).drop_columns(["pair", "record"]))
    without.surveyed = old
    assert list(stage().apply(records, with_pairs)) == list(stage().apply(records, without))


def test_a_build_mines_each_record_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two generators with two phases each mined every page four times."""
    seen: list[str] = []
    really = mined.mine

    def counted(record: Record) -> list[Pair]:
        seen.append(record.id)
        return really(record)

    monkeypatch.setattr(mined, "mine", counted)
    workspace(tmp_path, dict.fromkeys(range(12), 0), engine={"kind": "extractive"}, qa={}, mcq={}, reading={})
    built(tmp_path)
    assert seen
    assert len(seen) == len(set(seen))


def test_an_edited_record_is_mined_anew(tmp_path: Path) -> None:
    """One id may stand for other text in the next build of the same process."""
    record = manuals(1)[0]
    first = mined.mined(record)
    edited = replace(record, text=record.text.replace("router", "gateway"))
    assert mined.mined(edited) == mined.mine(edited)
    assert first == mined.mine(record)


def test_what_is_kept_of_records_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard of any size goes through a worker of bounded memory."""
    records = manuals(20)
    monkeypatch.setattr(mined, "HELD_CHARS", 3 * len(records[0].text))
    held = mined._Held()
    for record in records:
        held.put(record, [])
    assert sum(held.take(record) is not None for record in records) <= 4
    assert all(held.take(record) is None for record in records)


@pytest.mark.parametrize("text", ["tHanKs, that worked", "SOLVED", "much APPRECIATED", "cheerſ"])
def test_the_quick_look_for_thanks_loses_no_conversation(text: str) -> None:
    assert qa_chats._THANKS.search(text)
    assert qa_chats._may_hold(text, qa_chats._THANKING)


def test_the_quick_look_at_an_opening_misses_no_pointing_word() -> None:
    """A question whose answer opens with "this" or "above" does not stand alone."""
    words = "this these that it its they he she such here there above below following however therefore thus hence also"
    words += " then so but and or because otherwise instead moreover furthermore additionally finally both another next"
    words += " similarly likewise consequently again now also their them those"
    phrases = "in addition|for example|for instance|in this|in that|as above|as you can|as we|the above|the same"
    phrases += "|of course|note that|as a result|the former|the other|their|as described"
    for opening in (*words.split(), *phrases.split("|")):
        for written in (opening, opening.capitalize(), opening.upper(), f"**{opening}**"):
            assert not stands_alone(f"{written} says what to do.")
    assert stands_alone("Press the button.")
