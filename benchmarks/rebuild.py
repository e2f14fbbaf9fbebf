"""Rebuilds ubuntu-support with nothing changed and with one article changed, beside a build from scratch."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("CORPUSFORGE_DATA", REPOSITORY.parent / "shared" / "data"))
NEEDED = ("ubuntu-irc", "ubuntu-kb-gnome-help", "ubuntu-kb-debian-html", "ubuntu-kb-linuxjourney", "ubuntu-kb-tldr",
          "ubuntu-qa-nl2bash", "public-gutenberg", "public-speeches", "tokenizers")  # fmt: skip


def forge(data: Path, builds: Path, *words: str) -> tuple[str, float]:
    """One command's stdout and seconds."""
    command = [sys.executable, "-m", "corpusforge.cli", *words, "--json", "--builds", str(builds)]
    environment = {**os.environ, "CORPUSFORGE_DATA": str(data)}
    started = time.perf_counter()
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    return done.stdout, time.perf_counter() - started


def main() -> None:
    recipe = "recipes/ubuntu-support.yaml"
    with tempfile.TemporaryDirectory() as scratch:
        data, builds = Path(scratch) / "data", Path(scratch) / "builds"
        for name in NEEDED:
            shutil.copytree(DATA / name, data / name, copy_function=shutil.copyfile)
        _, whole = forge(data, builds, "build", recipe)
        nothing = [forge(data, builds, "build", recipe)[1] for _ in range(3)]
        article = sorted((data / "ubuntu-kb-gnome-help" / "gnome-help").glob("*.page"))[40]
        text = article.read_text()
        cut = text.rindex("</p>")
        article.write_text(text[:cut] + " This sentence was added by the benchmark." + text[cut:])
        planned = json.loads(forge(data, builds, "plan", recipe)[0])["steps"]
        _, one = forge(data, builds, "build", recipe)
    print(
        json.dumps(
            {
                "bench": "rebuild",
                "from_scratch_s": round(whole, 1),
                "nothing_changed_s": round(statistics.median(nothing), 2),
                "one_article_s": round(one, 1),
                "shards_planned_to_run": {row["step"]: [row["run"], row["shards"]] for row in planned if row["run"]},
            }
        )
    )


if __name__ == "__main__":
    main()
