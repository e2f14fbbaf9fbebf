"""`corpusforge mix`: the ratio screen tells the truth about the mix that a build would write, and runs nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from corpusforge.cli import app
from corpusforge.errors import InfeasibleMix, Problems, UsageError
from corpusforge.manifest import read_manifest

from .cli_corpus import built, copied, make_corpus


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = make_corpus(tmp_path_factory.mktemp("mix") / "corpus")
    text = recipe.read_text().replace(
        "domain: {share: 2%}, public: {share: 98%}", "domain: {share: 20%}, public: {share: 80%}"
    )
    recipe.write_text(
        text.replace(
            "  instruct: {rows: all}", "  # all that there is\n  instruct: {rows: all}\n  packed: {length: 256}"
        )
    )
    built(recipe)
    return recipe


@pytest.fixture
def recipe(built_once: Path, tmp_path: Path) -> Path:
    """The recipe in a private copy of the built workspace."""
    return copied(built_once, tmp_path / "corpus")


def mix(recipe: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["mix", str(recipe), "--builds", str(recipe.parents[1] / "builds"), *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.stderr
    return done.stdout


def told(recipe: Path, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(mix(recipe, *words, "--json"))
    return found


def files(recipe: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in recipe.parents[1].rglob("*") if p.is_file()}


def lines(output: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {".".join(line["path"]): line for line in output["lines"]}


def test_the_screen_shows_what_the_build_took_and_touches_nothing(recipe: Path) -> None:
    before = files(recipe)
    found = told(recipe)
    assert files(recipe) == before
    manifest = read_manifest(recipe.parents[1] / "builds" / "own" / found["build"])
    for name, output in found["outputs"].items():
        known = manifest["mix"][name]
        assert (output["tokens"], output["rows"]) == (known["got_tokens"], known["rows"])
        for leaf in known["leaves"]:
            line = lines(output)[".".join(leaf["path"])]
            keys = {"taken": "got", "have": "have", "rows": "records", "epochs": "epochs", "share": "share_got"}
            assert {key: line[key] for key in keys} == {key: leaf[theirs] for key, theirs in keys.items()}
    domain = lines(found["outputs"]["completion"])["domain"]
    assert domain["asked"] == "20%"
    assert domain["error"] == pytest.approx(domain["share"] - 0.2, abs=1e-4)
    assert found["outputs"]["completion"]["binds"]["parts"]
    shown = mix(recipe)
    assert "← binds" in shown
    assert "raise max_epochs to" in shown


def test_a_tried_share_is_shown_before_and_after_and_nothing_is_written(recipe: Path) -> None:
    before = files(recipe)
    found = told(recipe, "--set", "mix.completion.domain.share=40%")
    assert files(recipe) == before
    assert found["changes"] == {"mix.completion.domain.share": "40%", "mix.completion.public.share": "60%"}
    old, new = (lines(found[side]["completion"])["domain"] for side in ("before", "outputs"))
    assert (old["asked"], new["asked"]) == ("20%", "40%")
    assert abs(new["share"] - 0.4) < 0.02
    shown = mix(recipe, "--set", "mix.completion.domain.share=40%")
    assert "20% → 40%" in shown
    assert "80% → 60%" in shown
    for value in ("3k", "1x", "rest"):
        found = told(
            recipe, "--set", f"mix.completion.domain.share={value}", "--set", "mix.completion.public.share=rest"
        )
        assert lines(found["outputs"]["completion"])["domain"]["taken"] > 0


def test_remedies_that_are_offered_do_what_they_say(recipe: Path) -> None:
    output = told(recipe)["outputs"]["completion"]
    ways = [way["edits"] for way in output["remedies"] if not any(key.startswith("+") for key in way["edits"])]
    assert ways
    for edits in ways:
        sets = [f"mix.completion.{key}={value}" for key, value in {**edits, "tokens": output["more"]}.items()]
        after = told(recipe, *(word for text in sets for word in ("--set", text)))["outputs"]["completion"]
        assert after["total"] == output["more"]


def test_a_mix_that_cannot_be_had_shows_why_and_every_way_out_and_is_not_kept(recipe: Path) -> None:
    text = recipe.read_text()
    done = CliRunner().invoke(
        app, ["mix", str(recipe), "--builds", str(recipe.parents[1] / "builds"), "--set", "mix.completion.tokens=9M", "--write"]
    )  # fmt: skip
    assert isinstance(done.exception, InfeasibleMix)
    assert done.exception.exit_code == 2
    assert "max_epochs" in str(done.exception)
    assert "cannot be had" in done.stdout
    assert recipe.read_text() == text


def test_a_write_keeps_every_other_byte_and_the_next_build_reuses_every_step(recipe: Path) -> None:
    text = recipe.read_text()
    mix(recipe, "--set", "mix.completion.domain.share=40%", "--write")
    expected = text.replace("{share: 20%}", "{share: 40%}").replace("{share: 80%}", "{share: 60%}")
    assert recipe.read_text() == expected
    assert "before" not in told(recipe)
    steps = {path for path in files(recipe) if "/steps/" in path}
    folder = built(recipe)
    assert {path for path in files(recipe) if "/steps/" in path} == steps
    assert read_manifest(folder)["mix"]["completion"]["rows"] == told(recipe)["outputs"]["completion"]["rows"]


def test_where_the_steps_are_not_built_it_says_what_to_run(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not there as this recipe has them: .*Run corpusforge build"):
        mix(make_corpus(tmp_path / "new"))
    recipe.write_text(recipe.read_text().replace("share: 10%", "share: 20%"))
    with pytest.raises(UsageError, match=r"holdout.*Run corpusforge build"):
        mix(recipe)


def test_mistakes_are_the_recipes_own(recipe: Path) -> None:
    with pytest.raises(Problems, match="Did you mean 'domain'"):
        mix(recipe, "--set", "mix.completion.domian.share=3%")
    with pytest.raises(UsageError, match="Add --set"):
        mix(recipe, "--write")
    with pytest.raises(UsageError, match="together"):
        mix(recipe, "--peek", "2", "--sweep", "domain=1%")


def test_a_recipe_that_is_no_mix_is_mended_from_the_screen(recipe: Path) -> None:
    whole = recipe.read_text()
    recipe.write_text(whole.replace("share: 80%", "share: 70%"))
    tried = told(recipe, "--set", "mix.completion.public=80%", "--write")
    assert tried["before"] is None
    assert tried["changes"] == {"mix.completion.public.share": "80%"}
    assert recipe.read_text() == whole


def test_a_file_that_is_not_there_is_not_watched(recipe: Path) -> None:
    with pytest.raises(Problems, match="cannot be read"):
        mix(recipe.with_name("none.yaml"), "--watch")


def test_a_sweep_prints_each_share_and_where_its_build_lies(recipe: Path) -> None:
    found = told(recipe, "--sweep", "domain=10%,20%")
    assert [one["share"] for one in found["siblings"]] == ["10%", "20%"]
    assert all((Path(one["folder"]) / "manifest.json").is_file() for one in found["siblings"])
    shown = mix(recipe, "--sweep", "domain=10%,20%")
    assert all(one["folder"] in shown for one in found["siblings"])
    with pytest.raises(UsageError, match="domain=1%"):
        mix(recipe, "--sweep", "domain")


def test_watch_shows_again_at_every_save_and_ends_with_130(recipe: Path) -> None:
    command = [sys.executable, "-m", "corpusforge.cli", "mix", str(recipe), "--watch"]
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    folder, pipe = recipe.parents[1], subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=folder, env=buffered) as process:
        # A screen that never comes ends the test, not the day.
        late = threading.Timer(300, process.kill)
        late.start()
        assert process.stdout is not None
        try:
            _wait(process.stdout, " 20% ")
            text = recipe.read_text()
            recipe.write_text(text.replace("share: 20%", "share: 120%"))
            time.sleep(1)
            recipe.write_text(text.replace("share: 20%", "share: 30%").replace("share: 80%", "share: 70%"))
            _wait(process.stdout, " 30% ")
        finally:
            late.cancel()
            process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 130
    assert "120% is more than 100%" in said
    assert "Traceback" not in said


def _wait(stream: Any, words: str) -> None:
    for line in stream:
        if words in line:
            return
    raise AssertionError(f"never shown: {words}")


def test_peek_shows_whole_sequences_by_document_and_the_same_ones_again(recipe: Path) -> None:
    found = told(recipe, "--peek", "4")
    assert len(found["sequences"]) == 4
    assert found["made_up"] is None
    for one in found["sequences"]:
        assert one["tokens"] == sum(document["tokens"] for document in one["documents"]) <= 256
        assert all(document["source"] == one["source"] for document in one["documents"])
        # The recipe's tokenizer is bytes, and each document but a piece of one ends by one more token.
        for document in one["documents"]:
            if document["tokens"] == document["of"]:
                assert len(document["text"].encode()) + 1 == document["tokens"]
    assert told(recipe, "--peek", "4") == found
    few = told(recipe, "--peek", "2")["sequences"]
    assert all(one in found["sequences"] for one in few)
    shown = mix(recipe, "--peek", "4")
    assert "\x1b" not in shown, "colours where nobody sees them"
    assert shown.count("┌─ ") == shown.count("└─") == sum(len(one["documents"]) for one in found["sequences"])
    assert "@mail-host.net" not in shown


def test_without_packed_output_rows_are_cut_and_it_says_so(recipe: Path) -> None:
    recipe.write_text(recipe.read_text().replace("  packed: {length: 256}\n", ""))
    built(recipe)
    found = told(recipe, "--peek", "2")
    assert "no packed output" in found["made_up"]
    assert [one["tokens"] <= found["length"] == 4096 for one in found["sequences"]] == [True, True]
    for one in found["sequences"]:
        assert sum(document["tokens"] for document in one["documents"]) == one["tokens"]


def test_peek_shows_nothing_that_was_not_redacted(recipe: Path) -> None:
    text = (
        recipe.read_text()
        .replace("generate: {qa: {per_passage: 2}, reading: {}}\n", "")
        .replace("  quality:", "  redact: false\n  quality:")
    )
    recipe.write_text(text.replace("  instruct: {rows: all}\n", ""))
    built(recipe)
    with pytest.raises(UsageError, match=r"chats expect personal data: its text is not shown"):
        mix(recipe, "--peek", "2")


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from corpusforge import console

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    paint = console.painter(["kb", "web"])
    assert paint("kb", "x") != paint("web", "x") != "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.painter(["kb"])("kb", "x") == "x"
    assert console.harmless("a\x1b[2Jb\tc") == "a·[2Jb\tc"
