"""Message lists of every common shape become chats, and a broken piece costs only itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.ingest.files import InputFile
from corpusforge.ingest.messages import Messages, MessagesSettings
from corpusforge.ingest.reader import ReadContext
from corpusforge.record import Quarantined, Record, render


def read(path: Path, **settings: object) -> tuple[list[Record], list[Quarantined]]:
    file = InputFile(str(path), path.name)
    ctx = ReadContext(MessagesSettings(**settings), "desk", "chat", "MIT", ("en",), file)
    found = list(Messages().read(file, ctx))
    return [r for r in found if isinstance(r, Record)], [q for q in found if isinstance(q, Quarantined)]


def write(folder: Path, content: str, name: str = "chats.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode())
    return path


FLAT = {"format": "tsv", "conversation": "chat", "role": "who", "text": "said", "order": "turn"}
ROLES = {"agent": "assistant", "customer": "user"}


def test_interleaved_rows_come_apart_and_in_order(tmp_path):
    """Without this, two customers' chats would be mixed into one, or answers stand before questions."""
    rows = [
        "chat\tturn\twho\tsaid",
        "a\t2\tagent\tyes",
        "b\t1\tcustomer\thello",
        "a\t10\tcustomer\tbye",
        "a\t1\tcustomer\thi",
    ]
    path = write(tmp_path, "\n".join(rows) + "\n")
    records, quarantined = read(path, roles=ROLES, **FLAT)
    assert [r.text for r in records] == ["user: hi\nassistant: yes\nuser: bye", "user: hello"]
    assert quarantined == []
    raw = path.read_bytes()
    pieces = [raw[start:end] for start, end in records[0].meta["lines"]]
    assert pieces == [b"a\t2\tagent\tyes\n", b"a\t10\tcustomer\tbye\na\t1\tcustomer\thi\n"]


def test_a_broken_row_goes_into_quarantine_with_its_bytes_and_neighbours_survive(tmp_path):
    """Without this, one bad export line would cost a chat or a file, or vanish unseen."""
    good = ["a\t1\tcustomer\thi", "a\t3\tagent\tyes"]
    bad = {"a\t2\tagent": "wrong-columns", "a\t4\trobot\thm": "unknown-role", "a\t5\tagent\t ": "empty-text"}
    path = write(tmp_path, "\n".join(["chat\tturn\twho\tsaid", good[0], *bad, good[1]]) + "\n")
    records, quarantined = read(path, roles=ROLES, **FLAT)
    assert [r.text for r in records] == ["user: hi\nassistant: yes"]
    raw = path.read_bytes()
    assert {raw[q.origin.start : q.origin.end].decode().rstrip("\n"): q.reason for q in quarantined} == bad
    assert records[0].meta["lost_messages"] == 2


def test_nested_json_keeps_ids_when_conversations_move(tmp_path):
    """Without stable ids, one new chat in an export would make every other one look new."""
    chats = [
        {"id": k, "turns": [{"by": "customer", "t": f"question {k}"}, {"by": "agent", "t": "ä"}]} for k in range(3)
    ]
    settings = {"format": "json", "conversation": "id", "messages": "turns", "role": "by", "text": "t", "roles": ROLES}
    before, _ = read(write(tmp_path, json.dumps(chats, ensure_ascii=False)), **settings)
    path = write(tmp_path, json.dumps(chats[::-1], ensure_ascii=False))
    after, _ = read(path, **settings)
    assert {r.text: r.id for r in before} == {r.text: r.id for r in after}
    raw = path.read_bytes()
    assert [json.loads(raw[r.origin.start : r.origin.end])["id"] for r in after] == [2, 1, 0]


def test_nested_lists_of_pairs_and_skipped_rows(tmp_path):
    """Without this, system notes of an agent's desk would be learnt as if somebody had said them."""
    row = {"original": [["agent", "Hi!"], ["action", "Account pulled up."], ["customer", "Hello"]]}
    records, quarantined = read(
        write(tmp_path, json.dumps(row)),
        messages="original", role="0", text="1", roles={**ROLES, "action": "skip"},
    )  # fmt: skip
    assert quarantined == []
    assert [(m.role, m.content) for m in records[0].messages] == [("assistant", "Hi!"), ("user", "Hello")]


def test_a_nested_chat_with_an_unusable_message_is_quarantined_whole(tmp_path):
    """Without this, a model would learn answers to questions that were lost."""
    rows = [
        {"m": [{"role": "user", "text": "a"}, {"role": "user"}]},
        {"m": []},
        {"x": 1},
        {"m": [{"role": "user", "text": "b"}]},
    ]
    content = "\n".join(map(json.dumps, rows)) + "\nno json\n"
    records, quarantined = read(write(tmp_path, content), messages="m", role="role")
    assert [r.text for r in records] == ["user: b"]
    reasons = [q.reason for q in quarantined]
    assert reasons == ["missing-field", "no-messages", "missing-field", "invalid-json"]


def test_a_repeated_conversation_id_is_reported(tmp_path):
    """Without this, two different chats would share one id, and deleting one would delete the wrong one."""
    rows = [{"id": "x", "m": [{"text": word}]} for word in ("one", "two")]
    records, quarantined = read(write(tmp_path, "\n".join(map(json.dumps, rows))), messages="m", conversation="id")
    assert [r.text for r in records] == ["user: one"]
    assert [q.reason for q in quarantined] == ["duplicate-id"]


def test_speakers_names_are_handed_to_redaction(tmp_path):
    """Without handles, a customer's name would stay in the texts after redaction."""
    row = {"m": [{"text": "hi", "who": {"name": "Ana"}}, {"text": "hi Ana", "who": {"name": "Bo"}}]}
    records, _ = read(write(tmp_path, json.dumps(row)), messages="m", name="who.name")
    assert records[0].meta["handles"] == ["Ana", "Bo"]
    assert records[0].text == "Ana: hi\nBo: hi Ana"


def test_settings_that_cannot_work_are_refused():
    """Without this, a source without a conversation field would become one endless chat."""
    with pytest.raises(ValidationError, match="Name the field of the conversation's id"):
        MessagesSettings(format="csv")
    with pytest.raises(ValidationError, match="Use conversation"):
        MessagesSettings(format="csv", messages="m")


WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(str.strip)


@given(rows=st.lists(st.tuples(st.sampled_from("abc"), WORDS), min_size=1, max_size=30))
def test_every_row_is_in_exactly_one_chat(tmp_path_factory, rows):
    """Without this law, messages could be lost or doubled without notice."""
    content = "\n".join(json.dumps({"c": chat, "text": text}) for chat, text in rows)
    path = write(tmp_path_factory.mktemp("rows"), content)
    records, quarantined = read(path, conversation="c")
    assert quarantined == []
    said = Counter(m.content for r in records for m in r.messages)
    assert said == Counter(text for _, text in rows)
    assert sum(end - start for r in records for start, end in r.meta["lines"]) == path.stat().st_size
    assert all(r.text == render(r.messages) and r.group == r.id for r in records)
    assert len({r.id for r in records}) == len({chat for chat, _ in rows})


@pytest.mark.data
def test_real_exports_are_read_whole(real_data):
    """Without this, the formats of three public chat sets would only be guessed at."""
    records, quarantined = read(
        real_data / "chats-taskmaster4-coffee/data_07.json",
        format="json", conversation="conversation_id", messages="utterances", role="speaker",
    )  # fmt: skip
    assert (len(records), len(quarantined)) == (210, 0)
    records, quarantined = read(
        real_data / "pii-chats-multidogo/finance/train.tsv",
        format="tsv", conversation="conversationId", text="utterance", order="turnNumber",
    )  # fmt: skip
    assert len(records) > 1500
    assert {q.reason for q in quarantined} <= {"empty-text", "wrong-columns"}
    assert len(quarantined) < 40
