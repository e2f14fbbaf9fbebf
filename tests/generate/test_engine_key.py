"""A key that is not set must be told before hours of curation, with the line that names its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusforge import plan_commands
from corpusforge.errors import Problems

from .factory import ENGINE, built, workspace
from .scripted import Scripted, plugged


def test_a_key_that_is_not_set_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FACTORY_KEY", raising=False)
    plugged(monkeypatch, Scripted())
    workspace(tmp_path, dict.fromkeys(range(4), 0), engine={**ENGINE, "output": "tagged", "key_env": "FACTORY_KEY"})
    recipe = tmp_path / "recipes" / "written.yaml"
    line = next(n for n, text in enumerate(recipe.read_text().splitlines(), 1) if "key_env" in text)
    plan_commands.plan(recipe, tmp_path / "builds", as_json=False)
    assert f"written.yaml:{line}:" in capsys.readouterr().err
    with pytest.raises(Problems, match=rf"written\.yaml:{line}:\d+: the environment variable FACTORY_KEY") as caught:
        built(tmp_path)
    assert len(caught.value.problems) == 1
    assert not list((tmp_path / "builds").rglob("*.parquet"))
    monkeypatch.setenv("FACTORY_KEY", "k")
    built(tmp_path)
    monkeypatch.delenv("FACTORY_KEY")
    assert built(tmp_path).reused
