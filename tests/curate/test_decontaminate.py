"""What a user would lose if training repeated the exam: the meaning of every score."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.curate.decontaminate import Decontaminate
from corpusforge.errors import UsageError
from corpusforge.record import Record

from .dedup_running import Outcome, doc, run_stage

RNG = random.Random(3)
VOCABULARY = [f"{a}{b}{c}" for a in "bcdfgklmnp" for b in "aeiou" for c in ("r", "st", "nd", "lk", "ton", "ve")]


def text(count: int, rng: random.Random = RNG) -> str:
    return " ".join(rng.choice(VOCABULARY) for _ in range(count))


def held(key: str, content: str, **more: object) -> Record:
    return replace(doc(key, content, **more), side="holdout")  # type: ignore[arg-type]


def clean(records: list[Record], folder: Path, **options: object) -> Outcome:
    shards: dict[str, list[Record]] = {}
    for record in records:
        shards.setdefault(f"{record.source}-00000", []).append(record)
    return run_stage(Decontaminate(), shards, folder, **options)


def test_a_training_record_that_quotes_the_hold_out_goes_and_the_held_out_record_stays(tmp_path: Path) -> None:
    secret = text(60)
    quote = " ".join(secret.upper().split()[20:33])
    records = [
        held("exam", secret),
        doc("leak", f"{text(40)}. {quote}! {text(47)}", source="pub-web"),
        doc("near", f"{text(40)} {' '.join(quote.split()[:12])} {text(40)}"),
        doc("other", text(100)),
    ]
    out = clean(records, tmp_path)
    (dropped,) = out.dropped.values()
    assert dropped.record.id == "pub-web:leak"
    assert dropped.reason == "contaminated"
    assert dropped.score == pytest.approx(0.13)
    assert dropped.detail == {"benchmark": "holdout", "hits": 1}
    assert out.counts == {"pub-web": {"contaminated:holdout": 1}}


def test_a_minimum_overlap_lets_short_quotations_pass(tmp_path: Path) -> None:
    secret = text(60)
    records = [held("exam", secret), doc("long", f"{text(200)} {secret}"), doc("copy", f"{secret} {text(20)}")]
    out = clean(records, tmp_path, min_overlap="50%")
    assert set(out.dropped) == {"kb:copy"}
    assert out.dropped["kb:copy"].threshold == 0.5
    assert set(clean(records, tmp_path / "off", holdout=False).dropped) == set()


def test_boilerplate_is_no_leak(tmp_path: Path) -> None:
    """A greeting in every chat would otherwise empty the training side."""
    greeting = text(30)
    chats = [doc(str(k), f"{greeting} {text(40)}", group=f"g{k}") for k in range(30)]
    exam = held("exam", f"{greeting} {text(40)}")
    out = clean([*chats, exam], tmp_path / "1")
    assert not out.dropped
    assert out.decision.notes["holdout"]["boilerplate"] == 18
    few = clean([*chats[:5], exam], tmp_path / "2")
    assert len(few.dropped) == 5
    same_group = [replace(chat, group="one") for chat in chats]
    assert len(clean([*same_group, exam], tmp_path / "3").dropped) == 30


def test_short_held_out_texts_count_whole(tmp_path: Path) -> None:
    question = "how do I reset the password of my account"
    records = [
        held("q", question, source="lab"),
        held("tiny", "yes please do that now"),
        doc("leak", f"{text(20)}. How do I reset the password of my account? {text(20)}"),
        doc("fine", f"{text(20)} yes please do that now {text(20)}"),
    ]
    assert set(clean(records, tmp_path).dropped) == {"kb:leak"}


@pytest.mark.parametrize("name", ["bench.jsonl", "bench.jsonl.gz", "bench.json", "bench.txt"])
def test_benchmark_files_are_kept_out_and_counted(name: str, tmp_path: Path) -> None:
    questions = [text(25) for _ in range(15)]
    rubric = text(14)
    if ".json" in name:
        found = [{"question": q, "meta": {"note": [rubric + f" x{k}"]}, "n": k} for k, q in enumerate(questions)]
        raw = orjson.dumps(found) if name == "bench.json" else b"\n".join(map(orjson.dumps, found)) + b"\n"
    else:
        raw = "\n\n".join([*questions, *(f"{rubric} x{k}" for k in range(15))]).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    records = [
        doc("leak", f"{text(30)} {questions[4]} {text(30)}", source="pub-web"),
        doc("rubric", f"{text(30)} {rubric} {text(30)}"),
        held("exam", questions[5]),
    ]
    out = clean(records, tmp_path / "s", against=[str(path)])
    assert set(out.dropped) == {"pub-web:leak"}
    assert out.dropped["pub-web:leak"].detail == {"benchmark": "bench", "hits": 13}
    assert out.counts == {"pub-web": {"contaminated:bench": 1}}
    assert out.decision.notes["bench"]["items"] == 30


def test_benchmark_files_that_cannot_be_used_are_errors(tmp_path: Path) -> None:
    for name, raw, message in (
        ("a.jsonl", b'{"q": "x"}\n{"q": \n', r"a\.jsonl:2: not valid JSON"),
        ("b.jsonl", b'{"q": "too short"}', "no text of 8 words"),
        ("c.xlsx", b"", "no benchmark file"),
        ("d.txt", b"\xff\xfe\xff", "cannot be read"),
        ("e.txt.gz", b"nothing", "cannot be read"),
    ):
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(UsageError, match=message):
            clean([doc("a", "text")], tmp_path / "s", against=[str(tmp_path / name)])
    with pytest.raises(UsageError, match="cannot be read"):
        clean([doc("a", "text")], tmp_path / "s", against=[str(tmp_path / "gone.txt")])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25))
def test_laws_conserved_order_free_idempotent_and_no_shared_run_left(seed: int, size: int) -> None:
    """Afterwards no training record shares 13 words in a row with the hold-out, checked by brute force."""
    rng = random.Random(seed)
    pool = [text(20, rng) for _ in range(6)]
    records = []
    for k in range(size):
        content = " ".join(rng.choice(pool) if rng.random() < 0.3 else text(rng.randrange(30), rng) for _ in range(3))
        made = doc(str(k), content, source=rng.choice(["kb", "pub-web"]))
        records.append(replace(made, side=rng.choice(["train", "train", "holdout"])))
    with TemporaryDirectory() as name:
        out = clean(records, Path(name) / "1", common=1000)
        shuffled = rng.sample(records, len(records))
        assert clean(shuffled, Path(name) / "2", common=1000).fates == out.fates
        again = clean(list(out.kept.values()), Path(name) / "3", common=1000) if out.kept else out
    assert set(out.kept) | set(out.dropped) == {record.id for record in records}
    assert not out.kept or not again.dropped
    exams = [record.text.split() for record in records if record.side == "holdout"]
    runs = {tuple(e[i : i + 13]) for e in exams for i in range(len(e) - 12)}
    for record in records:
        words = record.text.split()
        shares = any(tuple(words[i : i + 13]) in runs for i in range(len(words) - 12))
        if record.side == "holdout":
            assert record.id in out.kept
        elif shares:
            assert record.id in out.dropped


def test_benchmarks_of_one_name_are_told_apart_by_their_folders_wherever_the_workspace_lies(tmp_path: Path) -> None:
    """Else a corpus that is built in another folder has other bytes."""
    told = []
    quoted = [text(20), text(20), text(20)]
    for workspace in ("here", "there/deep"):
        root = tmp_path / workspace
        files = [root / "exams" / "a.txt", root / "quiz" / "a.txt", root / "b.txt"]
        for file, content in zip(files, quoted, strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        records = [doc(f"r{k}", f"{text(9)} {content} {text(9)}") for k, content in enumerate(quoted)]
        out = clean(records, tmp_path / f"{workspace}-run", against=[str(file) for file in files])
        told.append([dropped.detail["benchmark"] for dropped in out.dropped.values()])
    assert told == [["exams/a", "quiz/a", "b"]] * 2


def test_two_files_beside_each_other_with_one_stem_have_names_of_their_own(tmp_path: Path) -> None:
    files = [tmp_path / folder / f"a.{suffix}" for folder in ("one", "two") for suffix in ("txt", "md")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text(20))
    notes = clean([doc("r", text(30))], tmp_path / "run", against=[str(file) for file in files]).decision.notes
    assert {"one/a.txt", "one/a.md", "two/a.txt", "two/a.md"} <= set(notes)
