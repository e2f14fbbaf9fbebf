"""Runs the curate path of ubuntu-support on the real data and on 400 MB grown from it: MB/s per stage, memory, index.

The enlargement keeps each file's layout, marks, numbers and common words, and exchanges the other words within bands of
like frequency, by another rule for each copy: as natural as the original to every filter, and a duplicate of nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("CORPUSFORGE_DATA", REPOSITORY.parent / "shared" / "data"))
RECIPE = REPOSITORY / "recipes" / "ubuntu-support.yaml"
LAST = "decontaminate"
LARGE_MB = float(os.environ.get("BENCH_CURATE_MB", "400"))
GROWN = ("ubuntu-irc/logs/*.raw.txt", "ubuntu-kb-gnome-help/*/*.page", "ubuntu-kb-debian-html/*/*.html",
         "ubuntu-kb-linuxjourney/en_english/*/*.md", "ubuntu-kb-tldr/linux/*.md", "public-gutenberg/*/*.txt",
         "public-speeches/*/*.txt")  # fmt: skip
AS_IT_IS = ("ubuntu-qa-nl2bash", "tokenizers")
WORD = re.compile(rb"[A-Za-z]{4,}")
KEPT = re.compile(rb"<[^>]*>|&#?\w+;|^(?:\[\d\d:\d\d\] )?(?:<[^>]*>|=== .*|\* \S+)", re.MULTILINE)
COMMON, RARE, BAND = 300, 5, 60


def lay_out(folder: Path, megabytes: float) -> float:
    """Copy the raw data into `folder` and grow it to `megabytes`; 0 leaves it as it is. The raw size in MB."""
    for name in AS_IT_IS:
        shutil.copytree(DATA / name, folder / name, copy_function=shutil.copyfile)
    files = [path for pattern in GROWN for path in DATA.glob(pattern)]
    files.sort(key=lambda path: hashlib.sha256(path.name.encode()).digest())  # a part of a copy is a sample of all
    bands = frequency_bands(files)
    total, copy = 0, 0
    while copy == 0 or total < megabytes * 1e6:
        changed = {
            word: band[(i + 7 * copy + copy // BAND) % len(band)] for band in bands for i, word in enumerate(band)
        }
        for path in files:
            target = folder / path.relative_to(DATA)
            target.parent.mkdir(parents=True, exist_ok=True)
            raw = path.read_bytes()
            if copy:
                stem, dot, rest = target.name.partition(".")
                target = target.with_name(f"{stem}~{copy}{dot}{rest}")
                raw = exchanged(raw, changed)
            target.write_bytes(raw)
            total += len(raw)
            if copy and total >= megabytes * 1e6:
                break
        copy += 1
    return total / 1e6


def frequency_bands(files: list[Path]) -> list[list[bytes]]:
    """Lower-case words in bands of like frequency, the commonest and the rarest left out."""
    counts: Counter[bytes] = Counter()
    for path in files:
        counts.update(WORD.findall(path.read_bytes().lower()))
    ranked = [word for word, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n >= RARE][COMMON:]
    return [ranked[start : start + BAND] for start in range(0, len(ranked), BAND)]


def exchanged(raw: bytes, changed: dict[bytes, bytes]) -> bytes:
    """The bytes with words exchanged, outside tags, entities, speakers and lines of the chat server."""

    def one(match: re.Match[bytes]) -> bytes:
        word = match[0]
        other = changed.get(word.lower(), word)
        return other.title() if word[:1].isupper() and other is not word else other

    parts, done = [], 0
    for kept in KEPT.finditer(raw):
        parts += [WORD.sub(one, raw[done : kept.start()]), kept[0]]
        done = kept.end()
    return b"".join((*parts, WORD.sub(one, raw[done:])))


def run(builds: Path, workers: int) -> None:
    """The steps up to decontamination, in this process and its workers."""
    from corpusforge.build import run_steps
    from corpusforge.plan import make_plan
    from corpusforge.progress import Progress
    from corpusforge.recipe import Run, read_recipe

    plan = make_plan(read_recipe(RECIPE), builds)
    last = next(i for i, step in enumerate(plan.steps) if step.name == LAST)
    run_steps(replace(plan, steps=plan.steps[: last + 1], final=(LAST,)), Run(workers=workers), Progress(quiet=True))


def reports(steps: Path) -> Iterator[tuple[str, dict[str, Any], Path]]:
    """(step, report, file) of every phase on every shard."""
    for file in sorted(steps.glob("*/*.json")):
        report = json.loads(file.read_bytes())
        if "seconds" in report:
            yield file.parent.name, report, file


def measure(data: Path, raw: float, workers: int, scratch: Path) -> dict[str, Any]:
    """One run of the curate path from nothing."""
    builds = scratch / "builds"
    environment = {**os.environ, "CORPUSFORGE_DATA": str(data)}
    started = time.perf_counter()
    subprocess.run([sys.executable, __file__, str(builds), str(workers)], env=environment, check=True)
    seconds = time.perf_counter() - started
    cpu: Counter[str] = Counter()
    peak: dict[str, int] = {}
    records = index = 0
    for step, report, file in reports(builds / RECIPE.stem / "steps"):
        cpu[step] += report["seconds"]
        peak[step] = max(peak.get(step, 0), report.get("peak_bytes", 0))
        if step == "dedup" and "rows" in report and "shard" in report:
            index += file.with_suffix(".parquet").stat().st_size
            records += report["rows"]
    shutil.rmtree(builds)
    stages = {
        step: {"core_s": round(s, 1), "mb_per_s_per_core": round(raw / s, 2), "peak_mb": round(peak[step] / 1e6)}
        for step, s in cpu.items()
    }
    for step, row in stages.items():
        print(f"{raw:6.0f} MB, {workers} workers  {step:<14}" + "".join(f"{k} {v:>9}  " for k, v in row.items()))
    return {
        "raw_mb": round(raw, 1),
        "workers": workers,
        "seconds": round(seconds, 1),
        "mb_per_s": round(raw / seconds, 2),
        "mb_per_s_per_core": round(raw / sum(cpu.values()), 2),
        "dedup_rows": records,
        "dedup_index_bytes_per_row": round(index / max(records, 1), 1),
        "stages": stages,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        sizes = {size: lay_out(scratch / size, mb) for size, mb in (("real", 0.0), ("large", LARGE_MB))}
        runs = [measure(scratch / size, raw, n, scratch) for size, raw in sizes.items() for n in (1, 2)]
    growth = {
        step: round(row["peak_mb"] / max(runs[0]["stages"][step]["peak_mb"], 1), 2)
        for step, row in runs[2]["stages"].items()
    }
    print(json.dumps({"bench": "curate", "runs": runs, "peak_growth_large_over_real_1_worker": growth}))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
