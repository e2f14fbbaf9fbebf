"""The command line keeps its manners: exit codes, one object on stdout, talk on stderr, and errors that say what to do."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .cli_corpus import built, make_corpus

FORGE = [sys.executable, "-m", "corpusforge.cli"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built workspace in a folder with a space in its name."""
    recipe = make_corpus(tmp_path_factory.mktemp("cli") / "my corpus")
    built(recipe)
    return recipe.parents[1]


def forge(folder: Path, *words: str, code: int = 0) -> tuple[str, str]:
    done = subprocess.run([*FORGE, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["check", "recipes/own.yaml"],
        ["plan", "recipes/own.yaml"],
        ["build", "recipes/own.yaml"],
        ["show", "own"],
        ["show", "own", "--step", "dedup"],
        ["show", "own", "--near-threshold"],
        ["diff", "own", "own"],
        ["card", "own"],
        ["ls"],
        ["ls", "sources"],
        ["ls", "messages"],
        ["ls", "dedup"],
        ["ls", "stages/ours.py:drop_footer"],
    ],
    ids=" ".join,
)
def test_json_is_one_object_and_nothing_else(corpus: Path, words: list[str]) -> None:
    out, _ = forge(corpus, *words, "--json")
    assert isinstance(json.loads(out), dict)


def test_conservation_can_be_read_from_show(corpus: Path) -> None:
    told = json.loads(forge(corpus, "show", "own", "--json")[0])
    for step in told["steps"]:
        for counts in step["counts"].values():
            lost = sum(counts["dropped"].values()) + sum(counts["quarantined"].values())
            assert counts["read"] == counts["kept"] + lost
            assert counts["out"] == counts["kept"] + counts["added"]


def test_a_build_is_found_from_any_folder(corpus: Path, tmp_path: Path) -> None:
    """A build started elsewhere would otherwise begin anew in a folder nobody looks into."""
    out, _ = forge(tmp_path, "build", str(corpus / "recipes" / "own.yaml"), "--json")
    assert json.loads(out)["reused"]
    assert list(tmp_path.iterdir()) == []
    assert "own" in forge(corpus / "sources", "ls")[0]
    assert "own" in forge(corpus / "help", "show", "own")[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "owm"], "no build 'owm'. Did you mean 'own'?"),
        (["show", "own", "--step", "dedupp"], "no step 'dedupp' in this build. Did you mean 'dedup'?"),
        (["trace", "help:nope", "--build", "own"], "no record 'help:nope' in this build."),
        (["ls", "stage"], "cannot list 'stage'. Did you mean 'stages'?"),
        (["build", "nowhere.yaml"], "nowhere.yaml: cannot be read: No such file or directory."),
        (["build", "recipes/own.yaml", "--executor", "cloud"], "no executor named 'cloud'. Known: local, slurm, ray."),
        (["approve", "own", "--yes"], "the reviewer has no name. Give --reviewer."),
        (["approve", "own", "--reviewer", "Ana", "--yes", "--waive", "grounded"], "gives no reason. Write --waive"),
        (["approve", "own", "--reviewer", "Ana", "--yes", "--waive", "tone=is fine by me"], "nothing called 'tone'"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["schema", "--of", "everything"], "Known: recipe, source."),
    ],
)
def test_wrong_words_exit_2_and_name_the_right_ones(corpus: Path, words: list[str], says: str) -> None:
    out, err = forge(corpus, *words, code=2)
    assert says in err
    assert out == ""


def test_a_recipe_outside_any_workspace_says_that_once(corpus: Path, tmp_path: Path) -> None:
    lost = tmp_path / "lost.yaml"
    lost.write_text((corpus / "recipes" / "own.yaml").read_text())
    _, err = forge(tmp_path, "check", "lost.yaml", code=2)
    assert len(err.splitlines()) == 1
    assert "corpusforge init DIR makes one" in err


def test_one_missing_source_is_one_mistake(corpus: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(corpus, tmp_path / "copy", ignore=shutil.ignore_patterns("builds"))
    (tmp_path / "copy" / "sources" / "books.yaml").unlink()
    _, err = forge(tmp_path / "copy", "check", "recipes/own.yaml", code=2)
    assert len(err.splitlines()) == 1, err


@pytest.mark.parametrize("name", ["mix", "tokens", "qa", "ingest"])
def test_a_stage_cannot_take_the_name_of_a_step(corpus: Path, tmp_path: Path, name: str) -> None:
    import shutil

    shutil.copytree(corpus, tmp_path / "copy", ignore=shutil.ignore_patterns("builds"))
    recipe = tmp_path / "copy" / "recipes" / "own.yaml"
    recipe.write_text(recipe.read_text().replace("after: normalise", f"name: {name}, after: normalise"))
    _, err = forge(tmp_path / "copy", "check", "recipes/own.yaml", code=2)
    assert f"a step cannot be named '{name}'" in err


def test_nobody_signs_without_a_terminal(corpus: Path, tmp_path: Path) -> None:
    _, err = forge(corpus, "approve", "own", "--reviewer", "Ana", "--cards", str(tmp_path / "cards"), code=2)
    assert "about.purpose is missing" in err, "what cannot be signed is said before any question is asked"
    assert not (tmp_path / "cards").exists()


def test_a_place_that_cannot_be_written_is_named(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    _, err = forge(corpus, "build", "recipes/own.yaml", "--builds", str(tmp_path / "file"), code=1)
    assert str(tmp_path / "file") in err


def test_init_into_a_folder_with_a_space_says_a_line_that_can_be_pasted(tmp_path: Path) -> None:
    _, err = forge(tmp_path, "init", "my corpus")
    assert err.splitlines()[-1] == "Next: corpusforge build 'my corpus/recipes/demo.yaml'"
    assert len(err.splitlines()) < 15


def test_show_fits_a_terminal_of_100_columns(corpus: Path) -> None:
    text = on_a_terminal(corpus, "show", "own")
    assert "drop-footer" in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_progress_never_wraps_and_never_tells_a_step_of_no_records(corpus: Path, tmp_path: Path) -> None:
    text = on_a_terminal(corpus, "build", "recipes/own.yaml", "--builds", str(tmp_path / "b"))
    drawn = [line for line in text.splitlines() if "records" in line and "/" in line]
    assert drawn
    assert max(len(line) for line in drawn) <= 100
    assert not [line for line in drawn if " 0 records" in line]
    done = drawn[-1].split()
    assert done[0] == "tokens"
    shards, of = done[1].split("/")
    assert shards == of


def on_a_terminal(folder: Path, *words: str) -> str:
    """What a person sees, escape sequences taken out."""
    import fcntl
    import re
    import struct
    import termios

    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen([*FORGE, *words], cwd=folder, stdin=side, stdout=side, stderr=side, env=environment)
    os.close(side)
    said = b""
    try:
        while block := os.read(main, 65536):
            said += block
    except OSError:
        pass  # Linux reports the end of a terminal as an error
    os.close(main)
    assert process.wait() == 0, said
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said.decode()).replace("\r", "")


def test_an_interrupted_build_says_so_exits_130_and_goes_on(corpus: Path, tmp_path: Path) -> None:
    words = [*FORGE, "build", "recipes/own.yaml", "--builds", str(tmp_path / "b"), "--workers", "1"]
    process = subprocess.Popen(words, cwd=corpus, stderr=subprocess.PIPE, text=True)
    ingest = tmp_path / "b" / "own" / "steps" / "ingest"
    for _ in range(600):
        if list(ingest.glob("*.json")) or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "run the same command again to go on" in err
    assert "Traceback" not in err
    forge(corpus, "build", "recipes/own.yaml", "--builds", str(tmp_path / "b"), "--quiet")


def test_a_reader_that_has_enough_is_no_error(corpus: Path) -> None:
    line = f"{sys.executable} -m corpusforge.cli schema --of source | head -1"
    done = subprocess.run(line, shell=True, cwd=corpus, capture_output=True, text=True, check=False)
    assert done.stdout == "{\n"
    assert done.stderr == ""
