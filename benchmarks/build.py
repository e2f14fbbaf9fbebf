"""Builds the whole ubuntu-support recipe from scratch and prints MB/s per stage and overall, and the peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[1]
RECIPE = "recipes/ubuntu-support.yaml"


def build(builds: str, workers: int) -> tuple[dict[str, object], float, int]:
    """One build: the command's JSON, seconds, and the largest resident set of any of its processes in bytes."""
    command = [sys.executable, "-m", "corpusforge.cli", "build", RECIPE, "--json", "--builds", builds]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--workers", str(workers)], cwd=REPOSITORY, stdout=subprocess.PIPE)
    peak = 0
    root = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            for one in [root, *root.children(recursive=True)]:
                peak = max(peak, one.memory_info().rss)
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.2)
    seconds = time.perf_counter() - started
    out = process.stdout.read() if process.stdout else b""
    if process.returncode != 0:
        raise SystemExit(f"the build ended with exit code {process.returncode}")
    return json.loads(out), seconds, peak


def main() -> None:
    workers = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as builds:
        answer, seconds, peak = build(builds, workers)
        manifest = json.loads((Path(str(answer["manifest"]))).read_bytes())
        last = json.loads((Path(builds) / "ubuntu-support" / "last-run.json").read_bytes())
    raw = sum(source["bytes"] for source in manifest["sources"]) / 1e6
    stages = {name: {"seconds": s, "mb_per_s_per_core": round(raw / s, 2)} for name, s in last["steps"].items() if s}
    for name, row in stages.items():
        print(f"{name:<14} {row['seconds']:>8.1f} core-s {row['mb_per_s_per_core']:>8.2f} MB/s a core")
    print(
        json.dumps(
            {
                "bench": "build",
                "raw_mb": round(raw, 2),
                "workers": workers,
                "seconds": round(seconds, 1),
                "mb_per_s": round(raw / seconds, 3),
                "peak_process_mb": round(peak / 1e6),
                "stages": stages,
            }
        )
    )


if __name__ == "__main__":
    main()
