"""If an export differs from the schedule, another trainer is given another mix than the one that was signed."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from corpusforge import export_command
from corpusforge.errors import NotConserved, UsageError
from corpusforge.manifest import FORMAT
from corpusforge.mix.export import TARGETS, export
from corpusforge.mix.packed import PackSpec, write_packed
from corpusforge.mix.write import MixSpec, write_mix
from corpusforge.packed_settings import Packed

LENGTH = 96
TREE = {"domain": {"share": "30%", "kb": "rest"}, "public": {"share": "70%", "web": "rest"}}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory, make: SimpleNamespace) -> Path:
    """A build with packed sequences: text of which some weighs 0.5, a document of several sequences, answers."""
    folder = tmp_path_factory.mktemp("export")
    rows = [make.text("kb", k, words=2 + k % 30) for k in range(20)]
    rows += [make.text("web", k, "public", words=3 + k % 50) for k in range(60)]
    rows += [make.talk("kb", k, "qa", answer="Yes. " * (1 + k % 40)) for k in range(25)]
    paths = make.sharded(folder / "in", list(make.counted(rows)))
    out = folder / "build"
    mix = {
        name: report.to_json()
        for name, report in write_mix(
            paths, MixSpec(make.output("completion", TREE), make.output("instruct", {"qa": "rest"}), 7), out
        ).items()
    }
    settings = Packed(length=LENGTH, loss_weights={"kb": {"text": 0.5}})
    told = write_packed(paths, PackSpec(settings, "bytes", 7, {"kb": "domain", "web": "public"}), mix, out)
    about = {"format": FORMAT, "name": "tiny", "build": "0123456789ab", "tokenizer": {"name": "bytes"}}
    manifest = {**about, "mix": mix, "packed": told}
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


def manifest_of(build: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((build / "manifest.json").read_text())
    return found


def scheduled(build: Path, name: str) -> list[Row]:
    """What the trainer reads, with the labels that a loss of yes and no can have."""
    files = manifest_of(build)["packed"]["outputs"][name]["files"]
    rows = [row for file in files for row in pq.read_table(build / file["path"]).to_pylist()]
    for row in rows:
        pairs = zip(row["input_ids"], row["loss_weights"], strict=True)
        row["labels"] = [token if weight else -100 for token, weight in pairs]
        row["position_ids"] = [place for size in row["seq_lengths"] for place in range(size)]
    return rows


def read_back(out: Path, to: str, name: str) -> list[Row]:
    import datasets

    datasets.disable_progress_bars()
    if to == "llama-factory":
        return list(datasets.load_from_disk(str(out / name))["train"])
    if to == "axolotl":
        return [row for path in sorted((out / name).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return list(datasets.load_dataset(str(out), name, split="train", cache_dir=str(out.parent / "cache")))


@pytest.mark.parametrize("to", TARGETS)
def test_every_export_holds_the_schedule_and_nothing_else(build: Path, tmp_path: Path, to: str) -> None:
    made = {one.name: one for one in export(build, manifest_of(build), to, (), tmp_path / "out")}
    assert set(made) == {"completion", "instruct"}
    for name, told in made.items():
        wanted, found = scheduled(build, name), read_back(tmp_path / "out", to, name)
        assert told.rows == len(found)
        assert told.labels == sum(label != -100 for row in wanted for label in row["labels"]) > 0
        if to == "axolotl":
            for column in ("input_ids", "labels"):
                assert [one for row in found for one in row[column]] == [one for row in wanted for one in row[column]]
            assert [len(row["input_ids"]) for row in found] == [size for row in wanted for size in row["seq_lengths"]]
            assert all(set(row["attention_mask"]) == {1} for row in found)
            continue
        for ours, theirs in zip(wanted, found, strict=True):
            n = len(ours["input_ids"])
            assert theirs["input_ids"][:n] == ours["input_ids"]
            assert theirs["labels"][:n] == ours["labels"]
            if to == "llama-factory":
                numbers = [k + 1 for k, size in enumerate(ours["seq_lengths"]) for _ in range(size)]
                assert theirs["attention_mask"] == numbers + [0] * (LENGTH - n)
                assert theirs["position_ids"] == ours["position_ids"] + [0] * (LENGTH - n)
                assert theirs["labels"][n:] == [-100] * (LENGTH - n)
                assert len(theirs["input_ids"]) == LENGTH
            else:
                assert {column: ours[column] for column in theirs} == theirs


def test_the_readme_says_what_is_lost_and_the_settings_keep_the_order(build: Path, tmp_path: Path) -> None:
    between = {"completion": True, "instruct": False}
    for to in TARGETS:
        for name, lost in between.items():
            out = tmp_path / to / name
            export(build, manifest_of(build), to, [name], out)
            readme = (out / "README.md").read_text()
            assert "What is lost here" in readme
            assert ("weigh something between" in readme) == lost
            about = json.loads((out / "export.json").read_text())
            assert about["manifest_sha256"] == hashlib.sha256((build / "manifest.json").read_bytes()).hexdigest()
            assert not {path.name for path in out.iterdir()} & set(between) - {name}
    trl = yaml.safe_load((tmp_path / "trl/completion/sft_config.yaml").read_text())
    assert (trl["train_sampling_strategy"], trl["max_length"], trl["padding_free"]) == ("sequential", None, True)
    llama = yaml.safe_load((tmp_path / "llama-factory/instruct/instruct.yaml").read_text())
    assert llama["disable_shuffling"]
    assert llama["neat_packing"]
    axolotl = yaml.safe_load((tmp_path / "axolotl/completion/completion.yaml").read_text())
    assert axolotl["curriculum_sampling"]
    assert axolotl["datasets"][0]["type"] is None


def test_an_export_has_the_same_bytes_each_time(build: Path, tmp_path: Path) -> None:
    for to in TARGETS:
        trees = []
        for place in ("one", "two"):
            out = tmp_path / place / to
            export(build, manifest_of(build), to, (), out)
            trees.append({p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()})
        assert trees[0] == trees[1]


def test_what_is_damaged_or_unknown_is_refused_and_leaves_nothing(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=r"no export for 'tlr'.*trl"):
        export_command.export(str(build), "tlr", out, [], None, as_json=False)
    with pytest.raises(UsageError, match="no packed instructions"):
        export(build, manifest_of(build), "trl", ["instructions"], out)
    with pytest.raises(UsageError, match="no packed sequences"):
        export(build, {"packed": None}, "trl", (), out)
    export_command.export(str(build), "trl", out, ["completion", "completion"], None, as_json=True)
    assert json.loads(capsys.readouterr().out)["outputs"]["completion"]["tokens"] > 0
    with pytest.raises(UsageError, match="there already"):
        export(build, manifest_of(build), "trl", (), out)
    manifest = manifest_of(build)
    manifest["packed"]["outputs"]["completion"]["tokens"] += 1
    with pytest.raises(NotConserved):
        export(build, manifest, "trl", (), tmp_path / "short")
    build = Path(shutil.copytree(build, tmp_path / "build"))
    file = build / manifest["packed"]["outputs"]["completion"]["files"][0]["path"]
    table = pq.read_table(file)
    place = table.schema.get_field_index("loss_weights")
    ones = pa.array([np.ones(len(row), dtype=np.float32) for row in table["input_ids"].to_pylist()])
    pq.write_table(table.set_column(place, "loss_weights", ones), file)
    with pytest.raises(UsageError, match="damaged"):
        export(build, manifest_of(build), "trl", (), tmp_path / "short")
    assert {path.name for path in tmp_path.iterdir()} == {"build", "out"}
