"""IRC logs come apart into conversations, with every line in one of them or accounted for."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.ingest import conversation_stream
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.irc import Irc, IrcSettings
from corpusforge.ingest.irc_log import Clock, parse_line
from corpusforge.ingest.reader import ReadContext
from corpusforge.record import Quarantined, Record, render

TWO_TALKS = """\
=== newt [~n@example.org] has joined #help
[09:14] <newt> hello, how can I mount a usb stick by hand?
[09:14] <oriole> does anyone know why my printer says it is offline?
[09:15] <sysop7> newt: plug it in and look at dmesg for the name of the stick
[09:15] <heron_> oriole: is the cups service running?
[09:16] <newt> sysop7: ok, dmesg says sdb1
=== oriole is now known as oriole_away
[09:16] <oriole_away> heron_: how do I see whether cups is running?
[09:16] <sysop7> newt: then sudo mount /dev/sdb1 /mnt
[09:17] <heron_> oriole_away: systemctl status cups
[09:17] <newt> sysop7: that works, thanks!
"""


def read(path: Path, **settings: object) -> tuple[list[Record], list[Quarantined]]:
    file = InputFile(str(path), path.name)
    ctx = ReadContext(IrcSettings(**settings), "desk", "chat", "CC-BY-4.0", ("en",), file)
    found = list(Irc().read(file, ctx))
    return [r for r in found if isinstance(r, Record)], [q for q in found if isinstance(q, Quarantined)]


def write(folder: Path, content: str | bytes, name: str = "2024-11-21.log") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines_of(record: Record, raw: bytes) -> bytes:
    return b"".join(raw[start:end] for start, end in record.meta["lines"])


def test_two_talks_at_once_come_apart(tmp_path):
    """Without this, a model would learn to answer a printer question with advice on USB sticks."""
    path = write(tmp_path, TWO_TALKS)
    records, quarantined = read(path)
    assert quarantined == []
    assert [[m.name for m in r.messages] for r in records] == [
        ["newt", "sysop7", "newt", "sysop7", "newt"],
        ["oriole", "heron_", "oriole_away", "heron_"],
    ]
    usb, printer = records
    assert [m.role for m in usb.messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [m.role for m in printer.messages] == ["user", "assistant", "user", "assistant"]
    assert usb.messages[0].time == "09:14"
    assert usb.meta["date"] == "2024-11-21"
    assert usb.group == usb.id


def test_every_line_can_be_found_again(tmp_path):
    """Without exact byte ranges, a deletion request could not reach the lines of a conversation."""
    path = write(tmp_path, TWO_TALKS)
    raw = path.read_bytes()
    for record in read(path)[0]:
        found = [parse_line(line).text for line in lines_of(record, raw).decode().splitlines()]
        assert found == [m.content for m in record.messages]
        assert record.origin.start == record.meta["lines"][0][0]
        assert record.origin.end == record.meta["lines"][-1][1]


def test_all_nicks_of_a_conversation_are_handed_to_redaction(tmp_path):
    """Without this, nicks inside sentences, in other spelling or of silent people would survive redaction."""
    log = TWO_TALKS + "[09:18] <heron_> oriole_away: ask Newt, or lurker9 when he is back\n"
    log = "=== lurker9 [~l@example.org] has joined #help\n" + log
    records, _ = read(write(tmp_path, log))
    (printer,) = [r for r in records if r.messages[0].name == "oriole"]
    assert printer.meta["handles"] == ["Newt", "heron_", "lurker9", "oriole", "oriole_away"]


def test_a_nick_that_is_a_plain_word_is_not_redacted_everywhere(tmp_path):
    """Without this, a visitor called `help` or `cups` would have that word cut out of all texts."""
    log = "[09:00] <help> hello\n[09:00] <cups> hi\n" + "".join(
        f"[09:{k % 60:02}] <newt{k}> I need help with cups please\n" for k in range(60)
    )
    records, _ = read(write(tmp_path, log))
    written = {handle for r in records for handle in r.meta["handles"]}
    assert "help" not in written
    assert not any("cups" in r.meta["handles"] for r in records if r.messages[0].name != "cups")


def test_a_line_in_another_encoding_costs_only_itself(tmp_path):
    """Without this, one old client's umlaut would cost a day's log, or turn into a wrong letter unseen."""
    raw = TWO_TALKS.replace("mount a", "möunt a").replace("service", "sérvice").encode()
    raw = raw.replace("sérvice".encode(), "sérvice".encode("latin-1"))
    path = write(tmp_path, raw)
    records, quarantined = read(path)
    assert [q.reason for q in quarantined] == ["invalid-bytes"]
    assert "sérvice".encode("latin-1") in raw[quarantined[0].origin.start : quarantined[0].origin.end]
    assert sum(len(r.messages) for r in records) == 8
    records, quarantined = read(path, encoding=["utf-8", "latin-1"])
    assert quarantined == []
    assert any("sérvice" in r.text for r in records)
    assert [r.meta.get("other_encodings") for r in records] == [None, {"latin-1": 1}]


def test_garbage_and_endless_lines_are_quarantined(tmp_path):
    """Without this, a file that is no IRC log would come in as chat, or one line would fill the memory."""
    log = "no log line\n" + TWO_TALKS + "[09:20] <newt> " + "x" * 100_000 + "\n[09:21] <newt> ok\n"
    records, quarantined = read(write(tmp_path, log))
    assert [q.reason for q in quarantined] == ["unknown-line", "too-long"]
    assert sum(len(r.messages) for r in records) == 10


def test_bytes_of_a_mark_within_a_log_do_not_switch_the_encoding(tmp_path):
    """A line that begins with two stray bytes would be read as UTF-16, into letters that nobody wrote."""
    records, quarantined = read(write(tmp_path, TWO_TALKS.encode() + b"\xff\xfe[09:20] <newt> ok\n"))
    assert [q.detail for q in quarantined] == ["byte 0 is not utf-8"]
    assert sum(len(r.messages) for r in records) == 9


def test_ids_stay_when_the_log_grows(tmp_path):
    """Without this, tomorrow's lines would rename, and so rebuild, everything of today."""
    path = write(tmp_path, TWO_TALKS)
    before = {r.messages[0].content: r.id for r in read(path)[0]}
    path = write(tmp_path, TWO_TALKS + "[11:45] <wren> can somebody explain how grub finds my windows disk?\n")
    after = {r.messages[0].content: r.id for r in read(path)[0]}
    assert before.items() < after.items()


def test_equal_openings_of_one_minute_get_different_ids(tmp_path):
    """Without this, a flood of equal lines would be taken for one record and break the accounting."""
    log = "".join(f"[09:00] <bird{k % 7}> hello everybody out there\n" for k in range(40))
    records, _ = read(write(tmp_path, log))
    assert len({r.id for r in records}) == len(records)


NOTATIONS = {
    "[09:14] <al> hi there": ("al", "hi there"),
    "[09:14:55] <@al> hi there": ("al", "hi there"),
    "09:14 < al> hi there": ("al", "hi there"),
    "09:14  * al waves": ("al", "waves"),
    "2024-11-21T09:14:55Z <al> hi there": ("al", "hi there"),
    "2024-11-21 09:14:55\tal\thi there": ("al", "hi there"),
    "2024-11-21 09:14:55\t *\tal waves": ("al", "waves"),
    "Nov 21 09:14:55 <al>\thi there": ("al", "hi there"),
    "[09:14] <al[x] > hi there": ("al[x]", "hi there"),
    "[09:14] -al:#help- hi there": ("al", "hi there"),
    "=== al waves": ("al", "waves"),
}
SYSTEM = [
    "=== al [~al@example.org]  has joined #help",
    "=== al is now known as bo",
    '=== al [~al@example.org]  has left #help ["bye"]',
    "=== mode/#help [+o al] by ChanServ",
    "=== stranger waves",
    "09:14 -!- al [~al@example.org] has joined #help",
    "09:14 -!- al is now known as bo",
    "[09:14:55] *** Joins: al (~al@example.org)",
    "[09:14] * al has quit (Ping timeout)",
    "[09:14] * al sets mode: +o bo",
    "2024-11-21 09:14:55\t-->\tal (~al@example.org) has joined #help",
    "--- Day changed Thu Nov 21 2024",
    "**** BEGIN LOGGING AT Thu Nov 21 2024",
]


@pytest.mark.parametrize("line", NOTATIONS)
def test_notations_of_common_clients_are_read(line):
    """Without this, logs of other clients would all go into quarantine."""
    parsed = parse_line(line, {"al"})
    assert parsed.kind == "message"
    assert (parsed.nick, parsed.text.strip()) == NOTATIONS[line]


@pytest.mark.parametrize("line", SYSTEM)
def test_system_lines_are_nobodys_words(line):
    """Without this, joins with people's hosts and addresses would be learnt as conversation."""
    assert parse_line(line, {"al"}).kind == "system"


def test_the_clock_goes_on_over_noon_and_midnight():
    """Without this, a twelve-hour clock would seem to stand still for half a day, and talks would run together."""
    old, new = Clock(), Clock()
    assert [old.at(h * 60) for h in (9, 11, 12, 1, 3)] == [0, 120, 180, 240, 360]
    assert [new.at(h * 60) for h in (20, 23, 0, 9)] == [0, 180, 240, 780]
    assert new.at(9 * 60 - 1) == 780


def a_log(seed: int, messages: int) -> str:
    chance = random.Random(seed)
    nicks = [f"bird{k}" for k in range(12)]
    minute, rows = 540, []
    for k in range(messages):
        minute += chance.choice((0, 0, 0, 1))
        nick = chance.choice(nicks)
        address = f"{chance.choice(nicks)}: " if chance.random() < 0.6 else ""
        words = " ".join(chance.choice(("cups", "grub", "wifi", "works?", "no", "disk")) for _ in range(4))
        rows.append(f"[{minute // 60 % 24:02}:{minute % 60:02}] <{nick}> {address}{words} {k}\n")
    return "".join(rows)


@given(seed=st.integers(0, 2**32), messages=st.integers(1, 80))
def test_every_message_is_in_exactly_one_conversation(tmp_path_factory, seed, messages):
    """Without this law, lines could be lost or doubled without notice."""
    path = write(tmp_path_factory.mktemp("log"), a_log(seed, messages))
    records, quarantined = read(path)
    assert quarantined == []
    raw = path.read_bytes()
    found = Counter(line for r in records for line in lines_of(r, raw).splitlines())
    assert found == Counter(raw.splitlines())
    assert all(r.text == render(r.messages) for r in records)


def test_memory_is_bounded_and_no_message_is_lost_at_block_borders(tmp_path, monkeypatch):
    """Without blocks, one log of many years would have to fit into memory."""
    path = write(tmp_path, a_log(3, 2_000))
    whole = {r.id for r in read(path)[0]}
    monkeypatch.setattr(conversation_stream, "BLOCK", 300)
    monkeypatch.setattr(conversation_stream, "CONTEXT", 200)
    records, _ = read(path)
    assert sum(len(r.messages) for r in records) == 2_000
    raw = path.read_bytes()
    assert sorted(b"".join(lines_of(r, raw) for r in records).splitlines()) == sorted(raw.splitlines())
    # Rarity of words is judged within a block, so some links may differ; most conversations must not.
    assert len(whole & {r.id for r in records}) > 0.8 * len(whole)


def test_an_endless_chain_of_replies_is_cut(tmp_path, monkeypatch):
    """Without this, one never-ending talk would grow until memory ends."""
    monkeypatch.setattr(conversation_stream, "MAX_TURNS", 50)
    log = "".join(f"[09:{k // 10:02}] <al{k % 2}> al{1 - k % 2}: and then {k}\n" for k in range(400))
    records, _ = read(write(tmp_path, log))
    assert max(len(r.messages) for r in records) == 50
    assert sum(len(r.messages) for r in records) == 400


def test_the_same_log_gives_the_same_records_in_every_process(tmp_path):
    """Without this, a rebuild on another machine could not be compared byte by byte."""
    path = write(tmp_path, a_log(5, 400))
    script = (
        "import sys; from pathlib import Path; from corpusforge.ingest.files import InputFile;"
        "from corpusforge.ingest.irc import Irc; from corpusforge.ingest.reader import ReadContext;"
        "file = InputFile(sys.argv[1], 'x'); ctx = ReadContext(Irc.Settings(), 's', 'chat', '', (), file);"
        "print(repr(list(Irc().read(file, ctx))))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script, str(path)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.data
def test_real_logs_split_better_than_by_time_or_speaker(real_data):
    """Without this, conversations of the flagship corpus could silently become worse than a naive split."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    try:
        import irc_conversations as benchmark
    finally:
        sys.path.pop(0)
    files = sorted((real_data / "ubuntu-irc/logs").glob("*.raw.txt"))[1::12]
    days = [benchmark.load(file) for file in files]
    linker = benchmark.measure(days, [benchmark.predict(day) for day in days])
    speaker = benchmark.measure(days, [benchmark.by_speaker(day) for day in days])
    gap = benchmark.measure(days, [benchmark.by_time(day, 1) for day in days])
    assert linker["link_f1"] > 0.66
    assert linker["link_f1"] > speaker["link_f1"] + 0.08
    for metric in ("cluster_f1", "ari", "vi", "one_to_one"):
        assert linker[metric] > speaker[metric] > gap[metric]
