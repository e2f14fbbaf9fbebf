"""A file that a setting names is found from anywhere and known by its content; one that is bad costs a second."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from corpusforge.curate.redaction.ner import embedded_folder
from corpusforge.errors import Problems, StepFailed, UsageError
from corpusforge.recipe import read_recipe

from .engine_running import HEAD, committed, here, make

STAGES = """\
normalise: {}
  redact:
    ner: models/names
    key: file:secrets/key
    style: surrogate
    by_source: {a: {ner: models/other}}
  language: {model: models/lang.ftz, keep: [en]}
  quality:
    model: models/quality.json
"""
FILES = ("models/names", "models/other", "secrets/key", "models/quality.json")


def workspace(folder: Path, stages: str, model: bool = False) -> Path:
    make(folder)
    recipe = folder / "recipes" / "bare.yaml"
    text = recipe.read_text()
    named = {line.split(":")[0].strip() for line in stages.splitlines()}
    kept = [line for line in text.splitlines() if line.split(":")[0].strip() not in named | {"normalise"}]
    recipe.write_text("\n".join(kept).replace("curate:", f"curate:\n  {stages.rstrip()}") + "\n")
    if model:
        for name in ("names", "other"):
            shutil.copytree(embedded_folder(), folder / "models" / name)
        (folder / "secrets").mkdir()
        (folder / "secrets" / "key").write_text("0123456789abcdef0123456789abcdef\n")
        for source in (folder / "sources").glob("*.yaml"):
            source.write_text(source.read_text().replace("personal_data: none", "personal_data: [person]"))
    return recipe


def told(recipe: Path) -> list[str]:
    with pytest.raises(Problems) as caught:
        read_recipe(recipe)
    return [str(problem) for problem in caught.value.problems]


def test_files_that_are_not_there_are_all_told_by_line_before_anything_runs(tmp_path: Path) -> None:
    """A night of ingest must not end at a model that was never there."""
    recipe = workspace(tmp_path, STAGES)
    lines = recipe.read_text().splitlines()
    said = told(recipe)
    for path in (*FILES, "models/lang.ftz"):
        line = next(i for i, text in enumerate(lines, 1) if path in text)
        assert any(f"bare.yaml:{line}:" in one and f"nothing lies at {path}" in one for one in said), path
    assert len(said) == 5


@pytest.mark.parametrize(
    ("stages", "path", "content", "message"),
    [
        ("quality:\n    preset: web\n    model: m.json\n", "m.json", "{}", "m.json is no quality model"),
        ("language: {keep: [en],\n    model: m.ftz}\n", "m.ftz", "no model", "m.ftz is no fastText model"),
        ("redact: {style: surrogate,\n    key: 'file:key'}\n", "key", "short", "shorter than 16 bytes"),
        (
            "redact:\n    policy: strict\n    ner: names\n",
            "names/weights",
            "x",
            "names is no folder of a spaCy pipeline",
        ),
    ],
)
def test_a_bad_file_is_told_where_its_setting_is_written(
    tmp_path: Path, stages: str, path: str, content: str, message: str
) -> None:
    recipe = workspace(tmp_path, f"normalise: {{}}\n  {stages}")
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(content)
    word = "key:" if path == "key" else "ner:" if path.startswith("names") else "model:"
    line = next(i for i, text in enumerate(recipe.read_text().splitlines(), 1) if f" {word}" in text)
    said = told(recipe)
    assert len(said) == 1
    assert f"bare.yaml:{line}:" in said[0]
    assert message in said[0]


def test_a_key_and_name_models_are_found_from_anywhere_and_known_by_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a build from another folder would redact by another model, or redo a corpus that is there."""
    stages = "".join(
        line for line in STAGES.splitlines(keepends=True) if "model:" not in line and "quality:" not in line
    )
    workspace(tmp_path / "one", stages, model=True)
    monkeypatch.chdir(tmp_path)
    first = here(tmp_path / "one")
    keys = committed(tmp_path / "one")
    step = next(step for step in first.manifest["steps"] if step["name"] == "redact")
    assert {model["name"] for model in step["facts"]["name_models"]} == {"names", "other"}
    assert str(tmp_path) not in str(step)
    assert "secrets" not in str(step)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert here(tmp_path / "one").reused
    shutil.move(tmp_path / "one", tmp_path / "two")
    shutil.rmtree(tmp_path / "two" / "builds")
    recipe = tmp_path / "two" / "recipes" / "bare.yaml"
    (tmp_path / "two" / "models" / "names").rename(tmp_path / "two" / "models" / "persons")
    recipe.write_text(recipe.read_text().replace("models/names", "models/persons"))
    here(tmp_path / "two")
    assert committed(tmp_path / "two") == keys
    (tmp_path / "two" / "models" / "other" / "rehearsal.jsonl").write_text("")
    here(tmp_path / "two")
    assert committed(tmp_path / "two") > keys


def test_a_file_of_your_own_stage_is_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word list that was edited must be read again, and found from any folder."""
    make(tmp_path, HEAD.replace("ours(records)", "ours(records, *, words: Path)").replace("import os, time", "import os, time\nfrom pathlib import Path") +
         "    for r in records: yield r.with_parts([words.read_text()])\n")  # fmt: skip
    recipe = tmp_path / "recipes" / "bare.yaml"
    recipe.write_text(recipe.read_text().replace("after: normalise}", "after: normalise,\n    words: lists/words.txt}"))
    assert any("words: nothing lies at lists/words.txt" in one for one in told(recipe))
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "words.txt").write_text("alpha")
    monkeypatch.chdir("/")
    first = here(tmp_path)
    (tmp_path / "lists" / "words.txt").write_text("gamma")
    second = here(tmp_path)
    assert first.folder != second.folder


BROKEN = [
    ("raise UsageError('too few words.', where='words')", "words:", "ours: too few words."),
    ("raise UsageError('is not possible.')", "stage:", "ours: is not possible."),
]


@pytest.mark.parametrize(("line", "at", "message"), BROKEN)
def test_what_a_stage_says_of_its_setting_is_told_where_that_is_written(
    tmp_path: Path, line: str, at: str, message: str
) -> None:
    """Not under the chain's first step, which has nothing to do with it."""
    stage = HEAD.replace("ours(records)", "ours(records, *, words: int = 3)")
    make(tmp_path, stage.replace("import os", "from corpusforge.errors import UsageError\nimport os") +
         f"    yield from ()\n    {line}\n")  # fmt: skip
    recipe = tmp_path / "recipes" / "bare.yaml"
    recipe.write_text(recipe.read_text().replace("after: normalise}", "after: normalise,\n    words: 7}"))
    number = next(i for i, text in enumerate(recipe.read_text().splitlines(), 1) if at in text)
    with pytest.raises(UsageError) as caught:
        here(tmp_path)
    assert message in str(caught.value)
    assert f"bare.yaml:{number}:" in caught.value.problem.where


def test_a_defect_is_told_under_the_step_that_has_it(tmp_path: Path) -> None:
    make(tmp_path, HEAD + "    yield from records\n    raise KeyError(1)\n")
    with pytest.raises(StepFailed) as caught:
        here(tmp_path)
    assert caught.value.problem.where.startswith("ours, ")
