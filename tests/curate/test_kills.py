"""A machine that is lost in the middle of redaction or dedup costs the shard it was at, and never a byte of the result."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from corpusforge.build import build
from corpusforge.progress import Progress
from corpusforge.recipe import Run, read_recipe

RECIPE = """\
name: killed
tokenizer: bytes
sources: {domain: [desk, help], public: [web]}
audit: {canaries: 0}
curate:
  redact: {policy: strict, common_in: 3}
  language: {keep: [en]}
  quality: {rules: {min_words: 12}}
  dedup: {similarity: 0.7, cap: 100%}
  holdout: {share: 10%}
  decontaminate: {holdout: false}
mix: {completion: {tokens: all}}
"""
KINDS = {"desk": ("doc", "[person, email]"), "help": ("article", "[person]"), "web": ("public", "none")}
NAMES = ("Tamsin Quillfeather", "Ansel Borowik", "Ottoline Vey", "Ruben Achterberg")
FOREIGN = "Leider konnte der Drucker gestern nicht mehr gefunden werden, obwohl er eingeschaltet und verbunden war. "
VERBS = ("open", "choose", "press", "check", "write", "read", "connect", "remove", "watch", "turn")
THINGS = ("menu", "page", "panel", "button", "cable", "report", "window", "printer", "router", "camera")
PHASES = [
    ("redact", "survey", 5), ("redact", "decide", 0), ("redact", "apply", 7), ("redact", "report", 0),
    ("language", "apply", 3), ("language", "report", 0), ("quality", "apply", 2), ("quality", "report", 0),
    ("dedup", "survey", 4), ("dedup", "decide", 0), ("dedup", "apply", 6), ("dedup", "report", 0),
]  # fmt: skip
ONE_EACH = [("redact", "decide", 0), ("language", "apply", 3), ("quality", "report", 0), ("dedup", "apply", 6)]


def prose(rng: random.Random, sentences: int) -> str:
    return " ".join(
        f"Then you {rng.choice(VERBS)} the {rng.choice(THINGS)}, and {rng.choice(VERBS)} the old {rng.choice(THINGS)}"
        f" {rng.randrange(90)} times before the {rng.choice(THINGS)} is ready."
        for _ in range(sentences)
    )


def workspace(folder: Path) -> Path:
    """Three sources of two files, in which each stage finds something to hide or to drop."""
    rng = random.Random(7)
    for room in ("recipes", "sources", "data"):
        (folder / room).mkdir(parents=True)
    copied = prose(rng, 12)
    for name, (kind, personal) in KINDS.items():
        head = f"name: {name}\npath: data/{name}-*.jsonl\nlicence: CC0-1.0\nlanguages: [en]\n"
        form = f"format: {{reader: jsonl, id: key, text: body}}\nkind: {kind}\npersonal_data: {personal}\n"
        (folder / "sources" / f"{name}.yaml").write_text(head + form)
        for part in (0, 1):
            texts = [prose(rng, 9) + f" Ask {NAMES[i % 4]} at a{i}.b{part}@northwind.org." for i in range(10)]
            texts += [FOREIGN * 4, "Too short.", copied, f"{copied} It ends here.", prose(rng, 7)]
            rows = [{"key": f"{name}{part}-{i}", "body": text} for i, text in enumerate(texts)]
            path = folder / "data" / f"{name}-{part}.jsonl"
            path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    recipe = folder / "recipes" / "killed.yaml"
    recipe.write_text(RECIPE)
    return recipe


def whole(recipe: Path, builds: Path) -> dict[str, bytes]:
    """Build to the end; every file of the build, and the data of every step, by name."""
    made = build(read_recipe(recipe), builds, Progress(quiet=True), Run(workers=1))
    root = made.folder.parent
    files = [*made.folder.rglob("*"), *root.glob("steps/*/*.parquet")]
    assert not list(root.rglob("*.tmp"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files if path.is_file()}


def kill(recipe: Path, builds: Path, stage: str, phase: str, after: int) -> None:
    script = Path(__file__).with_name("killing.py")
    words = [sys.executable, str(script), str(recipe), str(builds), stage, phase, str(after)]
    done = subprocess.run(words, capture_output=True, check=False, timeout=300, env={**os.environ})
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """The workspace, and what an undisturbed build makes of it."""
    recipe = workspace(tmp_path_factory.mktemp("kills"))
    return recipe, whole(recipe, recipe.parents[1] / "unharmed")


def test_every_stage_has_something_to_lose(unharmed: tuple[Path, dict[str, bytes]]) -> None:
    manifest = orjson.loads(next(raw for name, raw in unharmed[1].items() if name.endswith("manifest.json")))
    steps = {step["name"]: step for step in manifest["steps"]}
    counted = steps["redact"]["counted"]
    assert counted["desk"]["found:EMAIL_ADDRESS"] == 20
    assert counted["desk"]["found:NUMBER"] > 100
    for name in ("language", "quality", "dedup"):
        assert sum(sum(one["dropped"].values()) for one in steps[name]["counts"].values()) >= 3, name


def test_a_build_that_is_killed_in_one_stage_after_the_other_comes_to_the_same_bytes(
    unharmed: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    recipe, expected = unharmed
    for stage, phase, after in ONE_EACH:
        kill(recipe, tmp_path, stage, phase, after)
    assert whole(recipe, tmp_path) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "phase", "after"), PHASES)
def test_a_kill_in_any_phase_costs_no_byte(
    unharmed: tuple[Path, dict[str, bytes]], tmp_path: Path, stage: str, phase: str, after: int
) -> None:
    recipe, expected = unharmed
    kill(recipe, tmp_path, stage, phase, after)
    left = {path.relative_to(tmp_path / "killed").as_posix() for path in (tmp_path / "killed").glob("steps/*/*.json")}
    assert left, "what was committed before the kill is there to be used"
    assert whole(recipe, tmp_path) == expected
