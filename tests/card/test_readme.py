"""Whether README.md is a card that the Hub and `datasets` can use."""

from __future__ import annotations

from itertools import pairwise

import pytest
import yaml
from pydantic import ValidationError

from corpusforge.card.card_json import make_card
from corpusforge.card.facts import facts_of
from corpusforge.card.front_matter import FrontMatter, front_matter, size_category
from corpusforge.card.markdown import cell
from corpusforge.card.readme import readme
from corpusforge.card.write import write_card


def card(manifest):
    return make_card(facts_of(manifest, "a" * 64))


def test_load_dataset_finds_every_config(build_dir, tmp_path, no_network, monkeypatch):
    """`datasets.load_dataset(build, "completion")` is the contract with everybody else."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    datasets.disable_progress_bars()
    write_card(build_dir)
    names = ["completion", "instruct", "eval_mcq", "eval_qa", "eval_tasks_shell-pairs"]
    assert sorted(datasets.get_dataset_config_names(str(build_dir))) == sorted(names)
    for name, split, rows in [("completion", "train", 4), ("instruct", "train", 1), ("eval_qa", "test", 1)]:
        loaded = datasets.load_dataset(str(build_dir), name, cache_dir=str(tmp_path / "cache"))
        assert loaded[split].num_rows == rows
    # What the rows' order means is the mix: shard 0 comes first.
    whole = datasets.load_dataset(str(build_dir), "completion", split="train", cache_dir=str(tmp_path / "cache"))
    assert whole["id"][:2] == ["a", "b"]


def test_front_matter_has_only_configs_that_exist(made):
    manifest = made.manifest()
    manifest["mix"]["instruct"] = None
    manifest["eval"]["files"] = []
    assert [c.config_name for c in front_matter(card(manifest)).configs] == ["completion"]


def test_exports_and_shard_numbers_make_no_configs(made):
    manifest = made.manifest()
    paths = [
        "eval/qa-00000-of-00002.parquet",
        "eval/qa-00001-of-00002.parquet",
        "eval/lm_eval/qa.parquet",
        "eval/a.jsonl",
    ]
    manifest["eval"]["files"] = [{"path": p, "sha256": "0" * 64, "rows": 1, "bytes": 1} for p in paths]
    found = {c.config_name: c.data_files[0].path for c in front_matter(card(manifest)).configs}
    assert found["eval_qa"] == paths[:2]
    assert set(found) == {"completion", "instruct", "eval_qa"}


def test_readme_opens_with_valid_yaml(made):
    text = readme(card(made.manifest()))
    front = yaml.safe_load(text.split("---\n")[1])
    assert FrontMatter.model_validate(front)
    assert front["license"] == "other"
    assert front["size_categories"] == ["10K<n<100K"]


def test_several_open_licences_are_listed(made):
    assert front_matter(card(made.blameless())).license == "other"
    manifest = made.blameless()
    manifest["sources"][4]["licence"] = "CC0-1.0"
    assert front_matter(card(manifest)).license == ["cc-by-4.0", "cc0-1.0", "mit"]


@pytest.mark.parametrize("wrong", [{"license": "cc-by"}, {"size_categories": ["lots"]}, {"licence": "mit"}])
def test_what_the_hub_takes_in_silence_is_an_error_here(made, wrong):
    good = front_matter(card(made.manifest())).model_dump()
    with pytest.raises(ValidationError):
        FrontMatter.model_validate({**good, **wrong})


@pytest.mark.parametrize(("rows", "band"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**12, "n>1T")])
def test_size_bands(rows, band):
    assert size_category(rows) == band


def test_text_cannot_break_out_of_a_table():
    """An owner called `a | b` must not shift the columns, nor a title become a link or a script."""
    assert cell("a | b\n<script>[x](y)`") == "a \\| b &lt;script&gt;\\[x\\](y)\\`"


def test_every_table_is_rectangular(made):
    lines = readme(card(made.manifest())).splitlines()
    for above, line in pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert above.replace("\\|", "").count("|") == line.replace("\\|", "").count("|")


def test_same_card_same_text(made):
    assert readme(card(made.manifest())) == readme(card(made.manifest()))
