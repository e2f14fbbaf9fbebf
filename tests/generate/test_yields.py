"""A task that gave nothing must not look like one that did: console, gate, `show` and card tell it, with the reasons."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import yaml

from corpusforge import commands
from corpusforge.build import Built
from corpusforge.yields import silence, yields

from .factory import built, records_of, workspace
from .scripted import Scripted, plugged


def made(folder: Path, monkeypatch: pytest.MonkeyPatch, reply: str | None = None, gate: str = "") -> Built:
    """A build whose model answers every request so; its mix can do without rows, and it may have the gate."""
    plugged(monkeypatch, Scripted(lambda kind, document, n: reply))
    workspace(folder, dict.fromkeys(range(6), 0))
    path = folder / "recipes" / "written.yaml"
    recipe = yaml.safe_load(path.read_text()) | ({"gates": {"written": gate}} if gate else {})
    del recipe["mix"]["instruct"]
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return built(folder)


def test_a_model_that_writes_nothing_is_told_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = made(tmp_path, monkeypatch, "Nothing comes to mind.")
    (line,) = silence(done.manifest)
    assert line.startswith("qa gave no row of ")
    assert "unparsable" in line
    commands._print_headline({**commands._headline(done.folder, done.manifest), "reused": False, "seconds": 1.0})
    assert f"WARNING    {line}" in capsys.readouterr().out
    assert "No row is left of qa, which the recipe asks for." in (done.folder / "README.md").read_text()
    assert all(gate["passed"] for gate in done.manifest["gates"])
    commands.show("written", tmp_path / "builds", None, near=False, as_json=False)
    assert "unparsable" in capsys.readouterr().out


def test_the_gate_written_fails_a_build_whose_model_wrote_too_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = made(tmp_path, monkeypatch, "Nothing comes to mind.", gate="50%")
    gate = next(one for one in done.manifest["gates"] if one["name"] == "written")
    assert (gate["passed"], gate["observed"], gate["allowed"]) == (False, 0.0, 0.5)
    assert "unparsable" in gate["detail"]
    verdict = orjson.loads((done.folder / "card.json").read_bytes())["verdict"]
    assert next(one for one in verdict["gates"] if one["name"] == "written")["allowed"] == "at least 50%"


def test_the_gate_written_holds_where_enough_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = made(tmp_path, monkeypatch, gate="50%")
    (one,) = yields(done.manifest)
    assert one.task == "qa"
    assert one.rows == sum(row.kind == "qa" for row in records_of(done, "tokens").values())
    assert one.asked is not None
    gate = next(gate for gate in done.manifest["gates"] if gate["name"] == "written")
    assert gate["passed"]
    assert gate["observed"] == round(one.rows / one.asked, 6)
    assert not silence(done.manifest)
