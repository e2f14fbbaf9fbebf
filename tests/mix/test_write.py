"""If the writer is wrong, the files hold something else than the plan and the card say."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from corpusforge.errors import InfeasibleMix, StepFailed
from corpusforge.mix.stock import plan_outputs
from corpusforge.mix.write import MixSpec, write_mix
from corpusforge.record import Record
from corpusforge.shards import read_records

TREE = {"domain": {"share": "20%", "kb": "50%", "chats": "rest"}, "public": {"share": "80%", "web": "rest"}}
TASKS = {"qa": "40%", "reading": "20%", "intents": "rest"}


@pytest.fixture
def records(make: SimpleNamespace) -> list[Record]:
    rows = [make.text("kb", k, words=5 + k % 30) for k in range(60)]
    rows += [make.text("chats", k, "chat", words=3 + k % 20) for k in range(80)]
    rows += [make.text("web", k, "public", words=10 + k % 50) for k in range(400)]
    rows += [make.text("kb", k, side="holdout") for k in range(900, 910)]
    rows += [make.talk("kb", k, "qa") for k in range(50)]
    rows += [make.talk("kb", k, "reading", meta={"completion": f"long reading text {k} " * 9}) for k in range(50)]
    rows += [make.talk("intents", k, "labelled") for k in range(70)]
    return list(make.counted(rows))


def spec(make: SimpleNamespace, **more: int) -> MixSpec:
    return MixSpec(make.output("completion", TREE), make.output("instruct", TASKS, 60, "rows", 1), 7, **more)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_is_written_is_what_was_planned(tmp_path: Path, make: SimpleNamespace, records: list[Record]):
    reports = write_mix(make.sharded(tmp_path / "in", records), spec(make), tmp_path / "out")
    for name, report in reports.items():
        table = pq.read_table(tmp_path / "out" / name)
        tokens: Counter[str] = Counter()
        for row in table.to_pylist():
            kind = row.get("kind") or row["task"]
            tokens[kind if kind in ("qa", "reading") else row["source"]] += row["tokens"]
        assert tokens == {leaf.name: leaf.got for leaf in report.plan.leaves}
        assert table.num_rows == report.plan.rows == sum(file.rows for file in report.files)
        for file in report.files:
            assert hashlib.sha256((tmp_path / "out" / file.path).read_bytes()).hexdigest() == file.sha256
        for line in report.to_json()["leaves"]:
            assert abs(line["got"] - line["wanted"]) <= line["largest_record"]
    assert reports["instruct"].plan.rows <= 60
    assert reports["completion"].left_out.unnamed == {"qa": 50, "reading": 50, "intents": 70}


def test_bytes_do_not_depend_on_how_records_are_sharded(tmp_path: Path, make: SimpleNamespace, records: list[Record]):
    write_mix(make.sharded(tmp_path / "a", records, 1), spec(make), tmp_path / "one")
    write_mix(make.sharded(tmp_path / "b", records[::-1], 5), spec(make), tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    write_mix(make.sharded(tmp_path / "a", records, 1), spec(make), tmp_path / "one")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_small_files_hold_the_same_rows_in_order(tmp_path: Path, make: SimpleNamespace, records: list[Record]):
    shards = make.sharded(tmp_path / "in", records)
    write_mix(shards, spec(make), tmp_path / "large")
    write_mix(shards, spec(make, shard_bytes=5_000), tmp_path / "small")
    files = sorted((tmp_path / "small" / "completion").iterdir())
    assert len(files) > 5
    assert files[0].name == f"train-00000-of-{len(files):05d}.parquet"
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    assert rows == pq.read_table(tmp_path / "large" / "completion").to_pylist()


def test_buckets_decide_nothing(
    tmp_path: Path, make: SimpleNamespace, records: list[Record], monkeypatch: pytest.MonkeyPatch
):
    """Memory is bounded by buckets and spills; where they fall must not be seen in the order."""
    shards = make.sharded(tmp_path / "in", records)
    write_mix(shards, spec(make), tmp_path / "one")
    monkeypatch.setattr("corpusforge.mix.sort._BUCKET_BYTES", 9_000)
    monkeypatch.setattr("corpusforge.mix.sort._BUFFER_CHARS", 20_000)
    write_mix(shards, spec(make), tmp_path / "many")
    for name in ("completion", "instruct"):
        assert pq.read_table(tmp_path / "one" / name).to_pylist() == pq.read_table(tmp_path / "many" / name).to_pylist()
    assert not list((tmp_path / "many").rglob(".mix-*"))


def test_a_larger_share_contains_the_smaller_one(tmp_path: Path, make: SimpleNamespace, records: list[Record]):
    shards = make.sharded(tmp_path / "in", records)
    taken = []
    for share in (2, 3):
        tree = {"domain": {"share": f"{share}%", "kb": "rest"}, "public": {"share": f"{100 - share}%", "web": "rest"}}
        write_mix(shards, MixSpec(make.output("completion", tree, 60_000), None, 7), tmp_path / str(share))
        rows = pq.read_table(tmp_path / str(share) / "completion", columns=["id", "source", "repeat"]).to_pylist()
        taken.append({(row["id"], row["repeat"]) for row in rows if row["source"] == "kb"})
    assert taken[0] < taken[1]


def test_held_out_rows_are_never_written(tmp_path: Path, make: SimpleNamespace, records: list[Record]):
    shards = make.sharded(tmp_path / "in", records)
    held = {record.id for path in shards for record in read_records(path) if record.side == "holdout"}
    write_mix(shards, spec(make), tmp_path / "out")
    for name in ("completion", "instruct"):
        assert held.isdisjoint(pq.read_table(tmp_path / "out" / name).column("id").to_pylist())


def test_only_the_assistant_is_learned_from(tmp_path: Path, make: SimpleNamespace, records: list[Record]):
    write_mix(make.sharded(tmp_path / "in", records), spec(make), tmp_path / "out")
    for row in pq.read_table(tmp_path / "out" / "instruct").to_pylist():
        roles = [message["role"] for message in row["messages"]]
        assert [1.0 if role == "assistant" else 0.0 for role in roles] == row["loss_weights"]
        assert row["parents"]


def test_mistakes_in_the_input_stop_the_build(tmp_path: Path, make: SimpleNamespace, records: list[Record]):
    wanted = MixSpec(make.output("completion", {"kb": "rest"}), None, 7)
    twice = make.sharded(tmp_path / "twice", [*records, records[0]])
    with pytest.raises(StepFailed, match="two records have the same id"):
        write_mix(twice, wanted, tmp_path / "out")
    uncounted = make.sharded(tmp_path / "uncounted", [make.text("kb", 1)], 1)
    with pytest.raises(StepFailed, match="no token count"):
        write_mix(uncounted, wanted, tmp_path / "out")
    tree = MixSpec(make.output("completion", {"kb": "2%", "nothing": "rest"}), None, 7)
    with pytest.raises(InfeasibleMix, match=r"mix\.completion: nothing has no records"):
        write_mix(make.sharded(tmp_path / "in", records), tree, tmp_path / "out")


def test_ratios_can_be_tried_without_writing(tmp_path: Path, make: SimpleNamespace, records: list[Record]):
    shards = make.sharded(tmp_path / "in", records)
    plans = plan_outputs(shards, spec(make).outputs(), 7)
    reports = write_mix(shards, spec(make), tmp_path / "out")
    assert plans == {name: report.plan for name, report in reports.items()}


def test_datasets_can_load_what_was_written(
    tmp_path: Path, make: SimpleNamespace, records: list[Record], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    import datasets

    reports = write_mix(make.sharded(tmp_path / "in", records), spec(make, shard_bytes=20_000), tmp_path / "out")
    for report in reports.values():
        files = [str(tmp_path / "out" / file.path) for file in report.files]
        loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
        assert len(loaded) == report.plan.rows
        assert sum(loaded["tokens"]) == report.plan.tokens
    assert loaded[0]["messages"][0]["role"] == "user"
