"""The files of a real build, as the field's own tools and a browser see them: datasets, mlcroissant, Chromium."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

RECIPE = """\
name: small
about: {purpose: A test., suitable: Tests., unsuitable: Anything else., limits: Small., publisher: nobody}
tokenizer: bytes
sources: {domain: [demo-chats, demo-help], labelled: [demo-queries], public: [demo-python]}
curate: {holdout: {share: 10%}, decontaminate: {common: 2}}
generate: {qa: {}, mcq: {}, reading: {}}
mix:
  completion: {tokens: all, max_epochs: 2, domain: {share: 20%}, public: {share: 80%}}
  instruct: {rows: all}
"""
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
    "--window-size=1280,2400",
]


@pytest.fixture(scope="module")
def built(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small build of the demo's sources, moved away from where it was made, as a user would hand it on."""
    workspace = tmp_path_factory.mktemp("card") / "workspace"
    shutil.copytree(demo_workspace, workspace)
    (workspace / "recipes" / "small.yaml").write_text(RECIPE)
    for path in sorted((workspace / "demo" / "public").rglob("*.txt"))[20:]:
        path.unlink()
    words = ["build", "recipes/small.yaml", "--json", "-q", "--builds", "builds", "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "corpusforge.cli", *words], cwd=workspace, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    moved = tmp_path_factory.mktemp("handed-on") / "small"
    shutil.copytree(workspace / Path(orjson.loads(done.stdout)["manifest"]).parent, moved)
    return moved


LOAD = """
import json, socket, sys

def refuse(*_):
    raise AssertionError("the network was used")

socket.socket.connect = refuse
from datasets import get_dataset_config_names, load_dataset

found = {}
for name in get_dataset_config_names(sys.argv[1]):
    loaded = load_dataset(sys.argv[1], name)
    found[name] = {split: len(rows) for split, rows in loaded.items()}
print(json.dumps(found))
"""


def test_every_config_loads_offline(built: Path, tmp_path: Path) -> None:
    """`load_dataset(BUILD, config)` is the contract with everybody who is not this project."""
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(built)], capture_output=True, text=True, check=False, env=env, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    manifest = orjson.loads((built / "manifest.json").read_bytes())
    assert found["completion"] == {"train": manifest["mix"]["completion"]["rows"]}
    assert found["instruct"] == {"train": manifest["mix"]["instruct"]["rows"]}
    held = {name: splits["test"] for name, splits in found.items() if name.startswith("eval_")}
    exported = [file for file in manifest["eval"]["files"] if file["path"].endswith(".parquet")]
    assert sorted(held.values()) == sorted(file["rows"] for file in exported)
    assert held["eval_tasks_demo-queries"] > 0


def test_the_card_of_a_build_names_its_name_model(built: Path) -> None:
    """What read the chats, with which figures and from which data, reaches the card from the stage itself."""
    card = orjson.loads((built / "card.json").read_bytes())
    redactor = card["people"]["redactor"]
    (model,) = redactor["models"]
    assert model["name"] == "embedded"
    assert len(model["measured"]) == 3
    assert all(row["spans"] > 500 and "to" in row["recall"] for row in model["measured"])
    assert any(row["licence"] == "CC-BY-4.0" and row["attribution"] for row in model["data"])
    assert {row["source"] for row in redactor["sources"]} == set(card["people"]["sources"])
    hidden = card["people"]["hidden"]
    assert len({(row["kind"], row["source"]) for row in hidden}) > 3
    assert all(re.search(r"<[A-Z_]+_\d+>", row["text"]) for row in hidden)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlcroissant_reads_every_record_set_of_a_build(
    built: Path, no_network: None, caplog: pytest.LogCaptureFixture
) -> None:
    import mlcroissant

    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(str(built / "croissant.json"))
    assert not dataset.metadata.issues.errors
    manifest = orjson.loads((built / "manifest.json").read_bytes())
    for record_set in dataset.metadata.record_sets:
        rows = sum(1 for _ in dataset.records(record_set.name))
        if record_set.name in manifest["mix"]:
            assert rows == manifest["mix"][record_set.name]["rows"]
        assert rows > 0


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: nobody looked at the card in a browser")
def test_the_card_opens_without_a_console_error_or_a_request(built: Path, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}"]
    shot = tmp_path / "card.png"
    page = built / "card.html"
    done = subprocess.run(
        [*command, f"--screenshot={shot}", page.as_uri()], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr
    assert shot.stat().st_size > 20_000
    # The browser talks to its maker by itself; whatever else it asked for, the page asked for.
    text = log.read_text(errors="replace")
    asked = {url.split('"')[0] for url in text.split('"url":"')[1:]}
    own = ("google.com/", "googleapis.com/", "gvt1.com/")
    assert not [url for url in asked if not any(part in url for part in own) and not url.startswith(page.as_uri())]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: nobody looked at the card in a browser")
def test_the_browser_check_would_see_a_request_and_an_error(tmp_path: Path) -> None:
    """A check that cannot fail proves nothing."""
    page = tmp_path / "bad.html"
    page.write_text("<img src='http://127.0.0.1:9/pixel.png'><script>undefined_name()</script>")
    log = tmp_path / "net.json"
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}"]
    done = subprocess.run(
        [*command, f"--screenshot={tmp_path / 'x.png'}", page.as_uri()],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "CONSOLE" in done.stderr
    assert "127.0.0.1:9/pixel.png" in log.read_text(errors="replace")
