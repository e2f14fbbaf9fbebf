"""What a user would lose: a night to a build that hangs, or bytes to workers that outlive their build."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

from .engine_running import HEAD, PASS, SECRET, build, built, command, make

ONCE = (
    HEAD
    + """\
    for i, record in enumerate(records):
        if i == 5 and record.source == "b" and os.environ.get("TROUBLE") == "kill":
            os.kill(os.getpid(), 9)
        if i == 5 and os.environ.get("TROUBLE") == "wait":
            open(f"begun-{record.source}", "w").write(str(os.getpid()))
            time.sleep(60)
        if i == 5 and os.environ.get("TROUBLE") == "leave":
            raise SystemExit(0)
        yield record
"""
)


def begun(folder: Path, number: int) -> list[int]:
    """Wait until so many workers are in the middle of a shard; their process ids."""
    for _ in range(6000):
        pids = [int(p.read_text() or 0) for p in folder.glob("begun-*")]
        if len([pid for pid in pids if pid]) >= number:
            return pids
        time.sleep(0.1)
    raise AssertionError("the workers never began")


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*words),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TROUBLE": "wait"},
    )


def gone(pids: list[int]) -> bool:
    for _ in range(50):
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.1)
    return False


def leftovers(folder: Path) -> list[Path]:
    root = folder / "builds" / "bare"
    return [*root.rglob("*.tmp"), *(root / ".scratch").glob("*")]


def test_a_killed_worker_fails_the_build_at_once_and_names_where(tmp_path: Path) -> None:
    make(tmp_path, ONCE)
    done = build(tmp_path, "--workers", "2", code=1, TROUBLE="kill")
    assert "a worker was killed" in done.stderr
    assert "b-00000" in done.stderr
    assert built(tmp_path, "--workers", "2")["reused"] is False
    assert not leftovers(tmp_path)


def test_no_worker_outlives_a_killed_build(tmp_path: Path) -> None:
    make(tmp_path, ONCE)
    process = start(tmp_path, "--workers", "2")
    workers = begun(tmp_path, 2)
    process.kill()
    _, errors = process.communicate(timeout=300)
    assert gone(workers)
    assert "Traceback" not in errors
    assert SECRET not in errors
    assert built(tmp_path, "--workers", "2")["reused"] is False
    assert not leftovers(tmp_path)


def test_ctrl_c_reaches_the_whole_group_and_says_one_line(tmp_path: Path) -> None:
    make(tmp_path, ONCE)
    process = start(tmp_path, "--workers", "2")
    workers = begun(tmp_path, 2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert gone(workers)
    assert "Traceback" not in errors


def test_a_stage_that_calls_exit_does_not_end_the_build_as_if_all_were_well(tmp_path: Path) -> None:
    make(tmp_path, ONCE)
    assert "SystemExit" in build(tmp_path, "--workers", "2", code=1, TROUBLE="leave").stderr
    assert "SystemExit" in build(tmp_path, "--workers", "1", code=1, TROUBLE="leave").stderr


def test_two_builds_of_one_recipe_do_not_meet(tmp_path: Path) -> None:
    make(tmp_path, ONCE)
    first = start(tmp_path, "--workers", "2")
    try:
        begun(tmp_path, 2)
        assert "another build" in build(tmp_path, code=1).stderr
    finally:
        first.kill()
        first.communicate()
    assert gone([first.pid])
    built(tmp_path)


def test_what_killed_builds_left_is_swept(tmp_path: Path) -> None:
    make(tmp_path, PASS)
    step = tmp_path / "builds" / "bare" / "steps" / "ours"
    step.mkdir(parents=True)
    (step / ".x.parquet.0123456789ab.tmp").write_bytes(b"half")
    (tmp_path / "builds" / "bare" / ".scratch" / "old").mkdir(parents=True)
    (tmp_path / "builds" / "bare" / ".0000.1111.tmp").mkdir()
    built(tmp_path)
    assert not leftovers(tmp_path)
