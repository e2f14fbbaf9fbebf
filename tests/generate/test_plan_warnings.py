"""What `plan` can see must not wait for the end of a build: a mix that the counted records cannot meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusforge import plan_commands

from .factory import built, workspace
from .scripted import Scripted, plugged


def test_plan_tells_that_the_counted_records_cannot_meet_the_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plugged(monkeypatch, Scripted())
    workspace(tmp_path, dict.fromkeys(range(4), 0))
    built(tmp_path)
    recipe = tmp_path / "recipes" / "written.yaml"
    plan_commands.plan(recipe, tmp_path / "builds", as_json=False)
    assert "warning" not in capsys.readouterr().err
    text = recipe.read_text()
    assert "tokens: all" in text
    recipe.write_text(text.replace("tokens: all", "tokens: 900M"))
    plan_commands.plan(recipe, tmp_path / "builds", as_json=False)
    told = capsys.readouterr().err
    assert "warning: mix.completion: " in told
    assert "Either" in told
