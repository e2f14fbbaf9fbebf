"""An independent reader of a finished build: it trusts no figure of the manifest that the Parquet files do not show."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

RECIPE = """\
name: small
tokenizer: bytes
audit: {canaries: 0}
sources: {domain: [demo-chats, demo-help], labelled: [demo-queries], public: [demo-python]}
curate: {holdout: {share: 10%}, decontaminate: {common: 2}}
generate: {qa: {}, mcq: {}, reading: {}}
mix:
  completion:
    tokens: all
    max_epochs: 3
    domain: {share: 20%, demo-help: 30%, reading: 20%, demo-chats: rest}
    public: {share: 80%}
  instruct: {rows: all, max_epochs: 2, qa: rest, mcq: 10%, reading: 30%, demo-queries: 25%}
  packed: {length: 256, loss_weights: {qa: {user: 0.1}}}
  preference: {}
"""
Row = dict[str, Any]


def make(workspace: Path, place: str) -> Path:
    words = ["build", "recipes/small.yaml", "--json", "-q", "--builds", place, "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "corpusforge.cli", *words], cwd=workspace, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return workspace / Path(orjson.loads(done.stdout)["manifest"]).parent


@pytest.fixture(scope="module")
def built(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of a few help articles, chats and queries, and a little of the public text."""
    import shutil

    workspace = tmp_path_factory.mktemp("mix") / "workspace"
    shutil.copytree(demo_workspace, workspace)
    (workspace / "recipes" / "small.yaml").write_text(RECIPE)
    for path in sorted((workspace / "demo" / "public").rglob("*.txt"))[25:]:
        path.unlink()
    return make(workspace, "builds")


@pytest.fixture(scope="module")
def manifest(built: Path) -> Row:
    found: Row = orjson.loads((built / "manifest.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def rows(built: Path, manifest: Row) -> dict[str, list[Row]]:
    return {
        name: [row for file in output["files"] for row in pq.read_table(built / file["path"]).to_pylist()]
        for name, output in manifest["mix"].items()
    }


def leaf_of(output: str, row: Row) -> str:
    if output == "completion":
        return str(row["kind"] if row["kind"] in ("qa", "mcq", "reading") else row["source"])
    return str(row["task"] if row["parents"] else row["source"])


def text_of(output: str, row: Row) -> str:
    if output == "completion":
        return str(row["text"])
    return "\n".join(f"{message['role']}: {message['content']}" for message in row["messages"])


@pytest.mark.parametrize("output", ["completion", "instruct"])
def test_every_leaf_has_what_the_manifest_says_and_what_the_recipe_wants(
    rows: dict[str, list[Row]], manifest: Row, output: str
) -> None:
    tokens: Counter[str] = Counter()
    count: Counter[str] = Counter()
    largest: Counter[str] = Counter()
    for row in rows[output]:
        leaf = leaf_of(output, row)
        tokens[leaf] += row["tokens"]
        count[leaf] += 1
        largest[leaf] = max(largest[leaf], row["tokens"])
    told = manifest["mix"][output]
    leaves = {leaf["path"][-1]: leaf for leaf in told["leaves"]}
    assert tokens == {name: leaf["got"] for name, leaf in leaves.items() if leaf["got"]}
    assert count == {name: leaf["records"] for name, leaf in leaves.items() if leaf["records"]}
    assert sum(tokens.values()) == told["got_tokens"]
    assert sum(leaf["wanted"] for leaf in leaves.values()) == told["wanted_tokens"]
    for name, leaf in leaves.items():
        assert abs(leaf["wanted"] - tokens[name]) <= leaf["largest_record"]
        assert largest[name] <= leaf["largest_record"]
    # From the recipe itself, not from the manifest: the shares of the whole.
    whole = sum(tokens.values())
    if output == "completion":
        wanted = {"demo-help": 0.2 * 0.3, "demo-python": 0.8}
    else:
        wanted = {"mcq": 0.1, "reading": 0.3, "demo-queries": 0.25, "qa": 0.35}
    for name, share in wanted.items():
        slack = sum(leaf["largest_record"] for leaf in leaves.values())
        assert abs(tokens[name] - share * whole) <= slack, name


@pytest.mark.parametrize("output", ["completion", "instruct"])
def test_the_tokens_of_every_row_count_its_text_and_its_end(rows: dict[str, list[Row]], output: str) -> None:
    assert rows[output]
    for row in rows[output]:
        assert row["tokens"] == len(text_of(output, row).encode()) + 1


@pytest.mark.parametrize("output", ["completion", "instruct"])
def test_a_record_repeats_as_often_as_its_epochs_say(rows: dict[str, list[Row]], manifest: Row, output: str) -> None:
    """Whole passes and a prefix: no record twice as often as another, and none more than max_epochs."""
    times: dict[str, Counter[str]] = defaultdict(Counter)
    repeats: dict[str, list[int]] = defaultdict(list)
    for row in rows[output]:
        times[leaf_of(output, row)][row["id"]] += 1
        repeats[row["id"]].append(row["repeat"])
    assert all(sorted(found) == list(range(len(found))) for found in repeats.values())
    most = manifest["mix"][output]["max_epochs"]
    for leaf in manifest["mix"][output]["leaves"]:
        seen = times[leaf["path"][-1]]
        if not seen:
            continue
        assert max(seen.values()) <= most
        if leaf["epochs"] >= 1:
            assert max(seen.values()) - min(seen.values()) <= 1
            assert min(seen.values()) in (int(leaf["epochs"]), round(leaf["epochs"]) - 1, round(leaf["epochs"]))
        else:
            assert set(seen.values()) == {1}


def test_nothing_of_the_hold_out_is_in_the_mix(built: Path, rows: dict[str, list[Row]]) -> None:
    """Neither a held-out record, nor its child, nor anything of its group, by the files of the last step themselves."""
    records: dict[str, Row] = {}
    for path in sorted((built.parent / "steps" / "tokens").glob("*.parquet")):
        names = set(pq.read_schema(path).names)
        if {"id", "side", "group", "parents"} <= names and "reason" not in names:
            for row in pq.read_table(path, columns=["id", "side", "group", "parents", "source"]).to_pylist():
                records[row["id"]] = row
    held = {identity for identity, row in records.items() if row["side"] == "holdout"}
    groups = {records[identity]["group"] for identity in held}
    assert held
    used = {row["id"]: row for mixed in rows.values() for row in mixed}
    assert used
    for identity, row in used.items():
        assert identity not in held
        assert records[identity]["group"] not in groups
        assert not held.intersection(row["parents"])
    # What is exported as a benchmark is what was held out.
    for path in sorted((built / "eval").rglob("*.parquet")):
        assert {row["id"] for row in pq.read_table(path, columns=["id"]).to_pylist()} <= held


def test_the_order_is_no_order_of_sources_and_the_same_every_time(built: Path, rows: dict[str, list[Row]]) -> None:
    again = make(built.parents[2], "again")
    for path in sorted((*built.glob("completion/*"), *built.glob("instruct/*"))):
        other = again / path.relative_to(built)
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()
    for output, mixed in rows.items():
        halves = [Counter(leaf_of(output, row) for row in half) for half in (mixed[: len(mixed) // 2], mixed)]
        for name, count in halves[1].items():
            if count >= 100:
                assert 0.3 < halves[0][name] / count < 0.7, (output, name)


@pytest.mark.parametrize("output", ["completion", "instruct"])
def test_the_packed_sequences_are_the_rows_to_the_token(
    built: Path, rows: dict[str, list[Row]], manifest: Row, output: str
) -> None:
    """Joined from the packed files alone, in their order: each row once, whole, with nothing before or behind it."""
    told = manifest["packed"]["outputs"][output]
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    had: Counter[str] = Counter()
    sizes = {leaf["path"][-1]: leaf["got"] for leaf in manifest["mix"][output]["leaves"]}
    for file in told["files"]:
        path = built / file["path"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
        for row in pq.read_table(path).to_pylist():
            first = 0
            for identity, repeat, length in zip(row["ids"], row["repeats"], row["seq_lengths"], strict=True):
                found[identity, repeat] += row["input_ids"][first : first + length]
                first += length
            had[row["source"]] += first
            for name, size in sizes.items():
                assert abs(had[name] - size / sum(sizes.values()) * sum(had.values())) <= 256
    assert found == {(row["id"], row["repeat"]): [*text_of(output, row).encode(), 256] for row in rows[output]}
    assert had == {name: size for name, size in sizes.items() if size}
    assert manifest["recipe"]["mix"]["packed"]["length"] == 256


def test_preference_pairs_are_the_items_of_the_mix_and_of_nothing_else(
    built: Path, rows: dict[str, list[Row]], manifest: Row
) -> None:
    """A pair of a held-out item, or a wrong answer told as the right one, would teach what the build promises not to."""
    told = manifest["preference"]
    pairs = [row for file in told["files"] for row in pq.read_table(built / file["path"]).to_pylist()]
    items = {row["id"]: row for row in rows["instruct"] if row["task"] == "mcq"}
    assert items
    assert told["items"] == len(items) == len({row["id"] for row in pairs}) + sum(told["left_out"].values())
    assert told["pairs"] == len(pairs) == sum(told["sources"].values()) > 0
    for row in pairs:
        item = items[row["id"]]
        assert row["prompt"] + row["chosen"] == item["messages"]
        assert row["rejected"] != row["chosen"]
        assert row["rejected"][0]["content"] in row["prompt"][-1]["content"].splitlines()
        assert (row["source"], row["parents"], row["grade"]) == (item["source"], item["parents"], "near")
    files = {file["path"] for file in orjson.loads((built / "card.json").read_bytes())["files"]}
    assert {file["path"] for file in told["files"]} <= files
    readme = (built / "README.md").read_text()
    assert "path: preference/*.parquet" in readme
    assert f"{len(pairs)} preference pairs from {len(items)} multiple-choice rows" in readme
    assert "preference pairs" in (built / "card.html").read_text()
