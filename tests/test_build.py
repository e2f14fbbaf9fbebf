"""The promises of a build: nothing is lost, nothing is stale, the same bytes for any worker count and after any kill."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

RECIPE = """\
name: small
tokenizer: bytes
audit: {canaries: 0}
sources: {domain: [notes, demo-help], labelled: [demo-queries], public: [demo-python]}
curate:
  quality: {preset: none}
  holdout: {share: 10%}
generate: {qa: {}, mcq: {}, reading: {}}
mix:
  completion: {tokens: all, max_epochs: 2, domain: {share: 20%}, public: {share: 80%}}
  instruct: {rows: all}
gates: {grounded: 90%}
"""
NOTES = """\
name: notes
path: notes.jsonl
format: {reader: jsonl, text: body, id: key}
kind: doc
licence: CC0-1.0
personal_data: [email]
quarantine_limit: 5%
"""
WORDS = [
    "the",
    "router",
    "sends",
    "a",
    "signal",
    "to",
    "every",
    "lamp",
    "in",
    "the",
    "house",
    "and",
    "waits",
    "until",
    "it",
    "answers",
    "before",
    "it",
    "goes",
    "on",
]


def note(i: int) -> bytes:
    rng = random.Random(i)
    body = " ".join(rng.choice(WORDS) for _ in range(30)).capitalize() + f". Note {i} was sent by u{i}@mail-host.net."
    return orjson.dumps({"key": f"n{i}", "body": body})


def make_small(source: Path, workspace: Path) -> Path:
    """A small recipe over one broken export, a help centre, a labelled set and a little public text."""
    shutil.copytree(source, workspace)
    lines = [note(i) for i in range(1000)]
    lines[300] = lines[300][:-9]
    lines[500] = b""
    lines[700] = lines[700].replace(b"Note", b"\xff\xfete")
    (workspace / "notes.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (workspace / "sources" / "notes.yaml").write_text(NOTES)
    (workspace / "recipes" / "small.yaml").write_text(RECIPE)
    for path in sorted((workspace / "demo" / "public").rglob("*.txt"))[20:]:
        path.unlink()
    return workspace


@pytest.fixture
def small(demo_workspace: Path, tmp_path: Path) -> Path:
    """A private small workspace, not built."""
    return make_small(demo_workspace, tmp_path / "small")


def forge(workspace: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "corpusforge.cli", *words], cwd=workspace, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def build(workspace: Path, *words: str, recipe: str = "small") -> dict[str, object]:
    answer: dict[str, object] = orjson.loads(forge(workspace, "build", f"recipes/{recipe}.yaml", "--json", *words))
    return answer


@pytest.fixture(scope="session")
def built_once(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small workspace after one build; tests copy it."""
    folder = make_small(demo_workspace, tmp_path_factory.mktemp("built") / "workspace")
    build(folder)
    return folder


@pytest.fixture
def built(built_once: Path, tmp_path: Path) -> Path:
    """A private copy of the small workspace with its finished build."""
    target = tmp_path / "built"
    shutil.copytree(built_once, target)
    return target


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def latest(workspace: Path) -> Path:
    root = workspace / "builds" / "small"
    return root / (root / "latest").read_text().strip()


def steps(workspace: Path, recipe: str = "small") -> dict[str, dict[str, object]]:
    rows = orjson.loads(forge(workspace, "plan", f"recipes/{recipe}.yaml", "--json"))["steps"]
    return {row["step"]: row for row in rows}


def test_a_broken_export_loses_three_lines_and_says_which(built: Path) -> None:
    small = built
    shown = orjson.loads(forge(small, "show", "small", "--json"))
    ingest = shown["steps"][0]["counts"]["notes"]
    assert (ingest["read"], ingest["kept"], sum(ingest["quarantined"].values())) == (1000, 997, 3)
    rows = pq.read_table(latest(small) / "quarantine" / "ingest.parquet").to_pylist()
    raw = (small / "notes.jsonl").read_bytes()
    starts = [sum(len(line) + 1 for line in raw.split(b"\n")[:i]) for i in (300, 500, 700)]
    assert [row["start"] for row in rows if row["source"] == "notes"] == starts
    assert {row["reason"] for row in rows} == {"invalid-json", "empty-line", "invalid-bytes"}
    for step in shown["steps"]:
        for counts in step["counts"].values():
            left = counts["kept"] + sum(counts["dropped"].values()) + sum(counts["quarantined"].values())
            assert counts["read"] == left
            assert counts["out"] == counts["kept"] + counts["added"]


def test_no_planted_address_is_left_anywhere_after_redaction(built: Path) -> None:
    for path in latest(built).rglob("*"):
        if path.is_file():
            data = b"\n".join(str(row).encode() for row in pq.read_table(path).to_pylist()) \
                if path.suffix == ".parquet" else path.read_bytes()  # fmt: skip
            assert b"@mail-host.net" not in data, path


def test_nothing_changed_means_no_work(built: Path) -> None:
    small = built
    first = latest(small).name
    assert all(row["state"] == "reuse" for row in steps(small).values())
    before = digests(small / "builds")
    again = build(small)
    assert again["reused"]
    assert again["build"] == first
    after = digests(small / "builds")
    del before["small/last-run.json"], after["small/last-run.json"]
    assert before == after


def test_one_changed_article_runs_its_shards_and_plan_said_so(built: Path) -> None:
    small = built
    article = small / "demo" / "help" / "repeater.md"
    article.write_text(article.read_text().replace("60 square metres", "75 square metres"))
    planned = steps(small)
    assert planned["ingest"]["run"] == 1
    assert "repeater.md" in str(planned["ingest"]["why"])
    assert planned["redact"]["run"] == 1
    before = digests(small / "builds" / "small" / "steps")
    build(small)
    made = sorted(set(digests(small / "builds" / "small" / "steps")) - set(before))
    for step in ("ingest", "redact", "language", "quality"):
        assert sum(name.startswith(f"{step}/") and name.endswith(".json") for name in made) == 1, made


@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        ("quality: {preset: none}", "quality: {preset: docs}", "quality"),
        ("share: 10%}", "share: 20%}", "holdout"),
        ("qa: {}", "qa: {per_passage: 1}", "qa"),
    ],
)
def test_a_changed_setting_is_never_served_stale(built: Path, old: str, new: str, step: str) -> None:
    small, first = built, latest(built).name
    recipe = small / "recipes" / "small.yaml"
    recipe.write_text(RECIPE.replace(old, new, 1))
    planned = steps(small)
    assert planned[step]["state"] == "run"
    assert "setting" in str(planned[step]["why"])
    names = list(planned)
    for earlier in names[: names.index(step)]:
        assert planned[earlier]["state"] == "reuse" or planned[earlier]["why"] == "never built"
    assert build(small)["build"] != first


def test_a_changed_source_file_is_never_served_stale_even_with_its_old_time(built: Path) -> None:
    small, first = built, latest(built).name
    article = small / "demo" / "help" / "repeater.md"
    stat = article.stat()
    article.write_text(article.read_text().replace("60 square", "61 square"))
    os.utime(article, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert build(small)["build"] != first


def test_workers_and_place_change_nothing(built: Path) -> None:
    assert build(built, "--workers", "1")["reused"]
    alone = build(built, "--workers", "1", "--builds", "elsewhere")
    assert digests(latest(built)) == digests(built / Path(str(alone["manifest"])).parent)


def test_too_many_broken_lines_stop_the_build(small: Path) -> None:
    lines = [note(i)[: -9 if i % 10 == 0 else None] for i in range(200)]
    (small / "notes.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    forge(small, "build", "recipes/small.yaml", code=1)


def test_a_damaged_shard_is_found_and_made_anew(built: Path) -> None:
    small, first = built, latest(built).name
    folder = small / "builds" / "small" / "steps" / "language"
    shard = max(folder.glob("*.parquet"), key=lambda p: p.stat().st_size)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(bytes(data))
    recipe = small / "recipes" / "small.yaml"
    recipe.write_text(RECIPE.replace("preset: none", "preset: docs"))
    forge(small, "build", "recipes/small.yaml", code=1)
    build(small)
    recipe.write_text(RECIPE)
    assert build(small)["build"] == first


def kill_and_resume(small: Path, moments: int, seconds: float, expected: dict[str, str]) -> None:
    rng = random.Random(7)
    for moment in range(moments):
        place = f"killed-{moment}"
        command = [sys.executable, "-m", "corpusforge.cli", "build", "recipes/small.yaml", "-q", "--builds", place]
        process = subprocess.Popen(command, cwd=small, start_new_session=True)
        time.sleep(rng.uniform(0.2, seconds))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        built = build(small, "--builds", place)
        assert digests(small / Path(str(built["manifest"])).parent) == expected


def test_a_killed_build_resumes_to_the_same_bytes(built: Path) -> None:
    kill_and_resume(built, 2, 12, digests(latest(built)))


@pytest.mark.slow
def test_thirty_kills_resume_to_the_same_bytes(built: Path) -> None:
    started = time.monotonic()
    build(built, "--builds", "timed")
    kill_and_resume(built, 30, time.monotonic() - started, digests(latest(built)))
