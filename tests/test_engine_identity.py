"""What is served must be what would be made: every change is seen, and what is no change redoes nothing."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from corpusforge import shards
from corpusforge.errors import StepFailed
from corpusforge.manifest import read_manifest

from .engine_running import HEAD, PASS, committed, here, make, write

Change = Callable[[Path], None]


def text_of(folder: Path) -> str:
    root = folder / "builds" / "bare"
    build = root / (root / "latest").read_text().strip()
    return str([pq.read_table(p).to_pylist() for p in sorted(build.glob("completion/*.parquet"))])


def same_time_and_size(path: Path, old: str, new: str) -> None:
    stat = path.stat()
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def edit(name: str, old: str, new: str) -> Change:
    return lambda folder: same_time_and_size(folder / name, old, new)


def swap(folder: Path) -> None:
    one, two = folder / "data" / "a" / "one.jsonl", folder / "data" / "b" / "one.jsonl"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        (edit("data/a/one.jsonl", "Note 7 ", "Note X "), {"ingest", "normalise", "ours", "tokens"}),
        (lambda f: (f / "data/a/one.jsonl").rename(f / "data/a/uno.jsonl"), {"ingest", "normalise", "ours", "tokens"}),
        (swap, {"ingest", "normalise", "ours", "tokens"}),
        (edit("sources/a.yaml", "CC0-1.0", "MIT-0.0"), {"ingest", "normalise", "ours", "tokens"}),
        (edit("sources/a.yaml", "data: none", "data: [ip]"), {"normalise", "ours", "tokens"}),
        (edit("sources/a.yaml", "kind: doc", "kind: chat"), {"ingest", "normalise", "ours", "tokens"}),
        (edit("ours.py", "yield from records", "yield from recordz".replace("z", "s ")), {"ours"}),
        (edit("ours.py", "version=1", "version=2"), {"ours"}),
        (edit("recipes/bare.yaml", "normalise: {}", "normalise: {max_blank_lines: 3}"), {"normalise"}),
        (edit("recipes/bare.yaml", "name: bare", "name: bare\nseed: 3"), {"normalise", "ours", "tokens"}),
    ],
)
def test_a_change_runs_the_steps_that_it_concerns(tmp_path: Path, change: Change, steps: set[str]) -> None:
    make(tmp_path)
    first = here(tmp_path)
    before = committed(tmp_path)
    change(tmp_path)
    second = here(tmp_path)
    assert steps <= {name.partition("/")[0] for name in committed(tmp_path) - before}
    assert second.folder != first.folder
    assert not second.reused


def test_an_edited_stage_of_the_same_second_and_size_is_run_in_the_same_process(tmp_path: Path) -> None:
    make(tmp_path, HEAD + "    for r in records: yield r.with_parts(['old words'])\n")
    here(tmp_path)
    same_time_and_size(tmp_path / "ours.py", "old words", "new words")
    here(tmp_path)
    assert "new words" in text_of(tmp_path)
    assert "old words" not in text_of(tmp_path)
    assert not (tmp_path / "__pycache__").exists()


def test_a_tokenizer_file_is_known_by_its_content(tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    make(tmp_path)
    for name, words in (("one", ["Note", "of"]), ("two", ["Note", "no"])):
        made = Tokenizer(WordLevel({"[UNK]": 0, **{word: i + 1 for i, word in enumerate(words)}}, unk_token="[UNK]"))
        made.pre_tokenizer = Whitespace()
        made.save(str(tmp_path / f"{name}.json"))
    (tmp_path / "tokenizer.json").write_bytes((tmp_path / "one.json").read_bytes())
    recipe = tmp_path / "recipes" / "bare.yaml"
    recipe.write_text(recipe.read_text().replace("tokenizer: bytes", "tokenizer: tokenizer.json"))
    first = here(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((tmp_path / "two.json").read_bytes())
    before = committed(tmp_path)
    assert here(tmp_path).folder != first.folder
    assert {name.partition("/")[0] for name in committed(tmp_path) - before} == {"tokens"}


@pytest.mark.parametrize("change", ["remove", "add"])
def test_a_file_removed_or_added_is_seen(tmp_path: Path, change: str) -> None:
    make(tmp_path)
    write(tmp_path / "data" / "a" / "two.jsonl", range(20, 25), "a")
    assert here(tmp_path).manifest["steps"][0]["counts"]["a"]["read"] == 25
    if change == "remove":
        (tmp_path / "data" / "a" / "two.jsonl").unlink()
    else:
        write(tmp_path / "data" / "a" / "three.jsonl", range(25, 30), "a")
    assert here(tmp_path).manifest["steps"][0]["counts"]["a"]["read"] == (20 if change == "remove" else 30)


def test_when_the_number_of_shards_doubles_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path)
    for i in range(1, 7):
        write(tmp_path / "data" / "a" / f"{i}.jsonl", range(i * 20, i * 20 + 20), "a")
    for size, number in ((10_000_000, 1), (3_000, 4), (1_500, 8)):
        monkeypatch.setattr("corpusforge.discover.SHARD_BYTES", size)
        manifest = here(tmp_path).manifest
        shards_of_a = [s for s in manifest["steps"][0]["shards"] if s["source"] == "a"]
        assert len(shards_of_a) <= number
        assert len(shards_of_a) > number // 2 - 1
        assert manifest["steps"][-1]["counts"]["a"]["out"] == 140


def test_shards_with_identical_bytes_are_each_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards that a stage leaves empty are the same bytes; each keeps its own counts."""
    make(tmp_path, HEAD + "    for r in records: yield r if r.source == 'c' else Dropped(r, 'all')\n")
    for i in range(1, 5):
        write(tmp_path / "data" / "a" / f"{i}.jsonl", range(i * 30, i * 30 + 20 + i), "a")
    monkeypatch.setattr("corpusforge.discover.SHARD_BYTES", 1_500)
    recipe = tmp_path / "recipes" / "bare.yaml"
    recipe.write_text(recipe.read_text().replace("domain: {share: 100%}", "domain: {share: 100%, c: rest}"))
    step = next(s for s in here(tmp_path).manifest["steps"] if s["name"] == "ours")
    assert len({s["sha256"] for s in step["shards"] if s["source"] == "a"}) == 1
    assert step["counts"]["a"]["dropped"] == {"all": step["counts"]["a"]["read"]}


def test_a_file_that_changes_while_it_is_read_is_not_kept_under_its_old_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    path = tmp_path / "data" / "a" / "one.jsonl"
    original = path.read_bytes()
    from corpusforge import build as engine

    real = engine.run_tasks

    def late(*words: object) -> None:
        path.write_bytes(original.replace(b"Note 7 ", b"Note X "))
        monkeypatch.setattr(engine, "run_tasks", real)
        real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "run_tasks", late)
    with pytest.raises(StepFailed, match=r"one.jsonl changed while it was read"):
        here(tmp_path)
    path.write_bytes(original)
    here(tmp_path)
    assert "Note X " not in text_of(tmp_path)


def test_a_damaged_or_half_deleted_build_is_written_anew(tmp_path: Path) -> None:
    make(tmp_path)
    first = here(tmp_path)
    file = next(first.folder.glob("completion/*.parquet"))
    good = file.read_bytes()
    for damage in (file.unlink, lambda: file.write_bytes(good[:-1] + b"x")):
        damage()
        again = here(tmp_path)
        assert (again.folder, again.reused, file.read_bytes()) == (first.folder, False, good)
    assert here(tmp_path).reused


@pytest.mark.parametrize("step", ["normalise", "tokens"])
def test_a_flipped_bit_in_the_store_never_reaches_a_build(tmp_path: Path, step: str) -> None:
    make(tmp_path)
    first = here(tmp_path)
    good = read_manifest(first.folder)
    for shard in (tmp_path / "builds" / "bare" / "steps" / step).glob("*.parquet"):
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1
        shard.write_bytes(bytes(data))
    (first.folder / "manifest.json").unlink()
    for report in (tmp_path / "builds" / "bare" / "steps" / "ours").glob("*.json"):
        report.unlink()
    said = []
    for _ in range(4):
        try:
            said.append(here(tmp_path).manifest == good)
        except StepFailed as error:
            said.append("checksum" in str(error))
    assert all(said)
    assert here(tmp_path).reused


def test_a_full_disk_is_one_clear_error_and_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    real, calls = os.fsync, iter(range(10_000))

    def full(file: int) -> None:
        if next(calls) >= 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file)

    monkeypatch.setattr(shards.os, "fsync", full)
    with pytest.raises(StepFailed, match="no space is left"):
        here(tmp_path)
    monkeypatch.undo()
    assert not list((tmp_path / "builds").rglob("*.tmp"))
    here(tmp_path)


def test_two_functions_of_one_file_and_name_are_two_stages(tmp_path: Path) -> None:
    two = (
        PASS.replace("version=1", 'version=1, name="ours"')
        + "\n\n"
        + PASS.split("\n\n\n")[1]
        .replace("version=1", 'version=1, name="ours"')
        .replace("def ours", "def other")
        .replace("yield from records", "yield from (Dropped(r, 'x') for r in records)")
    )
    make(tmp_path, two)
    here(tmp_path)
    recipe = tmp_path / "recipes" / "bare.yaml"
    recipe.write_text(recipe.read_text().replace("ours.py:ours", "ours.py:other"))
    with pytest.raises(StepFailed, match="no record is left"):
        here(tmp_path)


def test_a_stage_is_told_of_the_shards_own_source_alone(tmp_path: Path) -> None:
    """Else another source's licence could decide an output whose address does not name it."""
    stage = """\
from corpusforge.stage import Stage

class Told(Stage):
    name, version = "told", 1

    def apply(self, records, ctx):
        for record in records:
            assert list(ctx.sources) == [record.source]
            yield record
"""
    make(tmp_path, stage)
    recipe = tmp_path / "recipes" / "bare.yaml"
    recipe.write_text(recipe.read_text().replace("ours.py:ours", "ours.py:Told"))
    here(tmp_path)


def test_nothing_changed_is_fast_and_a_broken_last_run_is_harmless(tmp_path: Path) -> None:
    make(tmp_path)
    first = here(tmp_path)
    last = tmp_path / "builds" / "bare" / "last-run.json"
    seconds = orjson.loads(last.read_bytes())["steps"]
    last.write_bytes(b"{")
    started = time.perf_counter()
    assert here(tmp_path).folder == first.folder
    assert time.perf_counter() - started < 3
    assert orjson.loads(last.read_bytes())["steps"] == seconds
