"""Event logs give what was said, and say why a log was left out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from corpusforge.ingest.events import Events, EventsSettings
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.reader import ReadContext
from corpusforge.record import Dropped, Quarantined, Record

STAR = {
    "events": "Events", "agent": "Agent", "text": "Text", "time": "Time", "action": "Action", "id": "ID",
    "actions": ["utter", "pick"], "roles": {"User": "user", "Wizard": "assistant"}, "require": {"Level": "Complete"},
}  # fmt: skip


def read(path: Path, **settings: object) -> list[Record | Dropped | Quarantined]:
    file = InputFile(str(path), path.name)
    ctx = ReadContext(EventsSettings(**settings), "desk", "chat", "MIT", ("en",), file)
    return list(Events().read(file, ctx))


def log(number: int, level: str = "Complete", words: str = "Hello") -> dict[str, object]:
    return {
        "ID": number,
        "Level": level,
        "Events": [
            {"Agent": "Guide", "Action": "instruct", "Text": "You are a customer."},
            {"Agent": "User", "Action": "utter", "Text": words, "Time": 5},
            {"Agent": "Wizard", "Action": "query", "Text": "SELECT"},
            {"Agent": "Wizard", "Action": "pick", "Text": "How can I help?", "Time": 7},
            {"Agent": "User", "Action": "complete"},
        ],
    }


def test_only_what_is_said_becomes_messages(tmp_path):
    """Without this, instructions to test persons and database queries would be learnt as conversation."""
    path = tmp_path / "1.json"
    path.write_text(json.dumps(log(1), indent=1))
    (record,) = read(path, **STAR)
    assert isinstance(record, Record)
    assert [(m.role, m.content, m.time) for m in record.messages] == [
        ("user", "Hello", "5"), ("assistant", "How can I help?", "7"),
    ]  # fmt: skip
    assert (record.origin.start, record.origin.end) == (0, path.stat().st_size)


def test_a_broken_off_dialogue_is_dropped_with_its_reason(tmp_path):
    """Without this, dialogues that end in the middle would teach a model to stop, or disappear uncounted."""
    path = tmp_path / "logs.jsonl"
    rows = [
        log(1),
        log(2, "Disconnect"),
        log(3, "Disconnect") | {"Events": []},
        log(4) | {"Events": []},
        {"ID": 5},
        log(1),
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    kept, dropped, silent, empty, none, again = read(path, format="jsonl", **STAR)
    assert isinstance(kept, Record)
    assert isinstance(dropped, Dropped)
    assert isinstance(silent, Dropped)
    assert dropped.reason == silent.reason == "require:Level"
    assert [q.reason for q in (empty, none, again)] == ["no-messages", "missing-field", "duplicate-id"]


def test_logs_without_ids_keep_theirs_when_others_are_added(tmp_path):
    """Without this, adding a log to a file would rename all behind it."""
    path = tmp_path / "logs.json"
    settings = {**STAR, "id": "", "records": "logs.*"}
    path.write_text(json.dumps({"logs": [log(1), log(2, words="Ho"), log(3, words="Ho")]}))
    before = [item.id for item in read(path, **settings)]
    path.write_text(json.dumps({"logs": [log(9, words="New"), log(1), log(2, words="Ho"), log(3, words="Ho")]}))
    assert [item.id for item in read(path, **settings)][1:] == before
    assert len(set(before)) == 3


@pytest.mark.data
def test_real_event_logs_are_accounted_for(real_data):
    """Without this, the numbers of the bank and hotel story would not add up to its 1,154 dialogues."""
    settings = STAR | {
        "time": "UnixTime", "id": "DialogueID", "actions": ["utter", "pick_suggestion"],
        "require": {"CompletionLevel": "Complete"},
    }  # fmt: skip
    files = sorted((real_data / "chats-star-bank-hotel/dialogues").glob("*.json"))
    found = Counter(type(item).__name__ for file in files for item in read(file, **settings))
    assert found == {"Record": 995, "Dropped": 159}
