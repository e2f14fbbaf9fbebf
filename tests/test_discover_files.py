"""Finding raw files: nothing that was meant is passed over, and names on disk never become patterns."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from corpusforge.discover import discover, reader_identity
from corpusforge.errors import UsageError
from corpusforge.source import Source, read_source
from corpusforge.steps import ingest_key

from .generate.factory import built, workspace

YAML = "name: notes\npath: PATH\nformat: text\nkind: doc\nlicence: CC0-1.0\npersonal_data: none\n"


def source(folder: Path, path: str, more: str = "") -> Source:
    (folder / "sources").mkdir(parents=True, exist_ok=True)
    file = folder / "sources" / "notes.yaml"
    file.write_text(YAML.replace("PATH", path) + more)
    made, problems = read_source(file, "domain", folder)
    assert made is not None, problems.problems
    return made


def names(found: Source, folder: Path) -> list[str]:
    return sorted(file.name for shard in discover(found, folder / "downloads") for file in shard.files)


def put(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"words of {name}")


def test_a_workspace_whose_path_looks_like_a_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "team [a] *"
    put(folder, "data/one.txt", "data/in/two.txt")
    assert names(source(folder, "data/**/*.txt"), folder) == ["in/two.txt", "one.txt"]
    assert names(source(folder, "data"), folder) == ["in/two.txt", "one.txt"]
    assert names(source(folder, "./other/../data/one.txt"), folder) == ["one.txt"]


def test_a_link_to_nothing_is_known_as_such_and_can_be_left_out(tmp_path: Path) -> None:
    put(tmp_path, "data/one.txt")
    (tmp_path / "data" / "two.txt").symlink_to("gone.txt")
    shards = discover(source(tmp_path, "data/*.txt"), tmp_path)
    hashes = {file.name: file.sha256 for shard in shards for file in shard.files}
    assert hashes["two.txt"] == "link-to-nothing"
    assert len(hashes["one.txt"]) == 64
    assert names(source(tmp_path, "data/*.txt", "exclude: two.txt\n"), tmp_path) == ["one.txt"]


def test_one_file_under_two_patterns_is_one_file(tmp_path: Path) -> None:
    put(tmp_path, "data/one.txt", "data/two.txt")
    assert names(source(tmp_path, "[data/*.txt, data/one.txt]"), tmp_path) == ["one.txt", "two.txt"]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a/one.txt", "b/one.txt")
    with pytest.raises(UsageError, match="two files are called"):
        names(source(tmp_path, "[a/*.txt, b/*.txt]"), tmp_path)


def test_nothing_found_names_the_pattern(tmp_path: Path) -> None:
    put(tmp_path, "data/one.md")
    with pytest.raises(UsageError, match=r"no file matches data/\*.txt"):
        names(source(tmp_path, "data/*.txt"), tmp_path)


def test_a_shards_name_and_files_follow_from_names_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, *(f"data/{i}.txt" for i in range(40)))
    monkeypatch.setattr("corpusforge.discover.SHARD_BYTES", 100)
    found = source(tmp_path, "data/*.txt")
    before = {s.name: [f.name for f in s.files] for s in discover(found, tmp_path)}
    assert len(before) > 1
    (tmp_path / "data" / "7.txt").write_text("words of x.txt")
    after = {s.name: [f.name for f in s.files] for s in discover(found, tmp_path)}
    assert before == after


def test_a_file_beside_it_that_it_is_read_with_is_part_of_its_address(tmp_path: Path) -> None:
    put(tmp_path, "data/one.nl", "data/one.cm")
    found = source(tmp_path, "data/*.nl")
    text = found.file.read_text().replace("text\n", '{reader: parallel, answers: "{stem}.cm"}\n')
    found.file.write_text(text.replace("kind: doc", "kind: labelled"))
    made, problems = read_source(found.file, "labelled", tmp_path)
    assert made is not None, problems.problems
    keys = []
    for words in ("ls", "ls", "rm"):
        (tmp_path / "data" / "one.cm").write_text(words)
        (shard,) = discover(made, tmp_path)
        assert [file.name for file in shard.sidecars] == ["one.cm"]
        keys.append(ingest_key(shard, reader_identity(made)))
    assert keys[0] == keys[1] != keys[2]
    (tmp_path / "data" / "one.cm").unlink()
    with pytest.raises(UsageError, match=r"one.cm that one.nl is read with"):
        discover(made, tmp_path)


def test_an_address_in_a_file_name_is_written_nowhere(tmp_path: Path) -> None:
    """Names of files stand in manifests, quarantine and every record's origin, where redaction never looked."""
    put(tmp_path, "data/ana.diaz@example.org.txt", "data/bob@example.org/notes.txt", "data/plain@.txt", "data/one.txt")
    found = source(tmp_path, "data/**/*.txt")
    kept = names(found, tmp_path)
    assert "ana.diaz@example.org.txt" in kept
    spec = found.spec.model_copy(update={"personal_data": ("email",)})
    hidden = names(replace(found, spec=spec), tmp_path)
    assert not [name for name in hidden if "ana" in name or "bob" in name]
    assert {"one.txt", "plain@.txt"} < set(hidden)
    assert sum(re.fullmatch(r"EMAIL_ADDRESS-[0-9a-f]{12}(/notes)?\.txt", name) is not None for name in hidden) == 2
    assert hidden == names(replace(found, spec=spec), tmp_path)


def test_a_link_to_nothing_is_counted_and_does_not_end_the_build(tmp_path: Path) -> None:
    workspace(tmp_path, dict.fromkeys(range(4), 0))
    (tmp_path / "data" / "gone.jsonl").symlink_to("nowhere.jsonl")
    recipe = tmp_path / "recipes" / "written.yaml"
    told = yaml.safe_load(recipe.read_text())
    del told["generate"], told["mix"]["instruct"]
    recipe.write_text(yaml.safe_dump(told, sort_keys=False))
    done = built(tmp_path)
    step = next(one for one in done.manifest["steps"] if one["name"] == "ingest")
    assert step["counts"]["notes"]["quarantined"] == {"link-to-nothing": 1}
    assert built(tmp_path).reused
