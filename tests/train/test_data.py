"""If the trainer reads something else than the mix, the card that was signed is not of this model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from corpusforge_train.batch import collate
from corpusforge_train.build_files import Build, approval, check_approval, read_build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed, check_learnable
from corpusforge_train.errors import NotApproved, TrainError, WrongUse
from corpusforge_train.ledger import Ledger
from corpusforge_train.plan import make_plan

EOS = 256


def documents_of_the_mix(build: Build, name: str) -> Counter[tuple[int, ...]]:
    """How often each document's tokens stand in the rows of the mix, by the rows' own text."""
    found: Counter[tuple[int, ...]] = Counter()
    for file in build.manifest["mix"][name]["files"]:
        for row in pq.read_table(build.folder / file["path"]).to_pylist():
            turns = row.get("messages")
            text = row["text"] if turns is None else "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)
            found[(*text.encode(), EOS)] += 1
    return found


def pieces_of(ids: np.ndarray, positions: np.ndarray) -> list[tuple[int, ...]]:
    """The documents and pieces in rows of a batch, by their positions alone; what fills a row up is left out."""
    found = []
    for row, places in zip(ids.tolist(), positions, strict=True):
        starts = [*np.flatnonzero(places == 0).tolist(), len(row)]
        parts = [tuple(row[a:b]) for a, b in pairwise(starts)]
        if len(parts) > 1 and set(parts[-1]) == {EOS}:
            parts.pop()
        found += parts
    return found


def cut(documents: Counter[tuple[int, ...]], length: int) -> Counter[tuple[int, ...]]:
    """The pieces in which documents must come: whole if they fit, else by whole sequences and a rest."""
    pieces: Counter[tuple[int, ...]] = Counter()
    for tokens, times in documents.items():
        for first in range(0, len(tokens), length):
            pieces[tokens[first : first + length]] += times
    return pieces


@pytest.mark.parametrize("outputs", [("completion",), ("instruct",), ("completion", "instruct")])
def test_every_record_comes_exactly_once_in_each_epoch_none_cut_none_doubled(
    build: Build, outputs: tuple[str, ...]
) -> None:
    """axolotl trains overlaps twice and LLaMA-Factory overwrites first tokens; a draw with replacement misses 37%."""
    feed = Feed(build, make_plan(build, outputs))
    seen: Counter[tuple[int, ...]] = Counter()
    for _, batch in feed.batches(range(len(feed.plan)), 3):
        seen.update(pieces_of(batch.input_ids, batch.position_ids))
    wanted = sum((cut(documents_of_the_mix(build, name), feed.plan.length) for name in outputs), Counter())
    assert seen == wanted


def test_the_ledger_of_all_batches_is_the_mix_to_the_token(build: Build) -> None:
    plan = make_plan(build, ("completion",))
    feed = Feed(build, plan)
    ledger = Ledger()
    for position in range(len(plan)):
        ledger.add(feed[position].ledger())
    mix = build.manifest["mix"]["completion"]
    assert ledger.by_source() == {leaf["path"][-1]: leaf["got"] for leaf in mix["leaves"]}
    for leaf in mix["leaves"]:
        own = {epoch: entry for (source, epoch), entry in ledger.entries.items() if source == leaf["path"][-1]}
        assert sum(entry.documents for entry in own.values()) == leaf["records"]
        assert len(own) == -(-leaf["got"] // leaf["have"])
    assert Ledger.from_json(json.loads(json.dumps(ledger.to_json()))) == ledger


@pytest.mark.parametrize(("outputs", "limit"), [(("completion",), 1.0), (("completion", "instruct"), 1.5)])
def test_at_every_step_each_source_is_within_a_sequence_of_its_share(
    build: Build, outputs: tuple[str, ...], limit: float
) -> None:
    """Shares of rows are no shares of tokens: 30% of rows were 9.6% of tokens (axolotl#1508, TRL `fraction`)."""
    plan = make_plan(build, outputs)
    totals = dict.fromkeys(plan.sources, 0)
    for position in range(len(plan)):
        totals[plan.sources[plan.source[position]]] += int(plan.tokens[position])
    had = dict.fromkeys(plan.sources, 0)
    for position in range(len(plan)):
        had[plan.sources[plan.source[position]]] += int(plan.tokens[position])
        sofar = sum(had.values())
        for name, total in totals.items():
            assert abs(had[name] - total / plan.total * sofar) <= limit * plan.length
    assert plan.largest_deviation() <= limit


def test_positions_restart_at_every_document_and_no_first_token_is_predicted(build: Build) -> None:
    feed = Feed(build, make_plan(build, ("completion",)))
    for sequences, batch in feed.batches(range(16), 4):
        for row, sequence in enumerate(sequences):
            firsts = np.concatenate([[0], np.cumsum(sequence.lengths)])
            assert (
                np.flatnonzero(batch.position_ids[row] == 0).tolist()[: len(sequence.lengths)] == firsts[:-1].tolist()
            )
            own = batch.active[batch.active // feed.plan.length == row] % feed.plan.length
            targets = batch.targets[batch.active // feed.plan.length == row]
            assert targets.tolist() == batch.input_ids[row][own + 1].tolist()
            assert not set((own + 1).tolist()) & set(firsts.tolist())
            assert len(own) == len(sequence.ids) - len(sequence.lengths)


def test_a_step_consumes_the_same_sequences_under_any_batch_and_number_of_processes(build: Build) -> None:
    """transformers counts batches: after a change of 4x2 to 8x2, 80 samples were never seen."""
    from corpusforge_train.parallel import Group

    plan = make_plan(build, ("completion",))
    for size in (1, 2, 3):
        owned = [position for rank in range(size) for position in Group(rank, size).part(range(5, 29))]
        assert sorted(owned) == list(range(5, 29))
    assert plan.steps(8) == -(-len(plan) // 8), "the last batch is smaller, not dropped"


def test_loss_weights_of_the_config_replace_those_of_the_build(build: Build) -> None:
    """A weight between none and all of the prompt's loss: TRL and axolotl know only on and off."""
    plan = make_plan(build, ("instruct",))
    plain, weighted = Feed(build, plan), Feed(build, plan, {"intents": {"user": 0.25, "assistant": 2.0}})
    for position in range(len(plan)):
        before, after = plain[position].weights, weighted[position].weights
        if plain[position].source == "intents":
            assert set(before.tolist()) == {0.0, 1.0}
            assert set(after.tolist()) == {0.0, 0.25, 2.0}
            assert after[before == 1].tolist() == [2.0] * int(before.sum())
        else:
            assert before.tolist() == after.tolist()


def test_a_document_of_which_nothing_is_learned_is_refused(build: Build) -> None:
    """Megatron-Bridge#3359 and trl#3927: a mask that is silently wrong trains nothing, or the wrong turn."""
    plan = make_plan(build, ("instruct",))
    assert all(weight > 0 for weight in check_learnable(Feed(build, plan)).values())
    with pytest.raises(WrongUse, match=r"without any token to learn from: [0-9]+ of intents"):
        check_learnable(Feed(build, plan, {"intents": {"assistant": 0.0}}))


def test_another_order_is_another_plan(build: Build, another_build: Build) -> None:
    one = make_plan(build, ("completion",))
    assert one.hash == make_plan(read_build(build.folder), ("completion",)).hash
    assert one.hash != make_plan(another_build, ("completion",)).hash
    assert one.hash != make_plan(build, ("completion", "instruct")).hash


def test_a_batch_is_the_same_however_row_groups_are_held(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(build, ("completion",))
    whole = [Feed(build, plan)[position].ids.tolist() for position in range(len(plan))]
    monkeypatch.setattr("corpusforge_train.data._HELD_GROUPS", 1)
    feed = Feed(build, plan)
    backwards = [feed[position].ids.tolist() for position in reversed(range(len(plan)))]
    assert backwards[::-1] == whole


def test_a_damaged_packed_file_is_told_before_training(build: Build, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(build.folder, tmp_path / "copy")
    copy = read_build(tmp_path / "copy")
    copy.check()
    path = copy.files("completion")[0]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(TrainError, match="damaged"):
        copy.check()
    manifest = {key: value for key, value in build.manifest.items() if key != "packed"}
    (tmp_path / "copy" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(WrongUse, match="no packed sequences"):
        read_build(tmp_path / "copy")
    with pytest.raises(WrongUse, match="not a build"):
        read_build(tmp_path)


def test_an_unapproved_mix_is_refused(build: Build, tmp_path: Path) -> None:
    import hashlib

    with pytest.raises(NotApproved, match="--unapproved"):
        check_approval(build, tmp_path, unapproved=False)
    assert check_approval(build, tmp_path, unapproved=True) is None
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "card.json").write_text("{}")
    card = hashlib.sha256(b"{}").hexdigest()
    text = f"reviewer: Ana\nmanifest_sha256: {build.sha256}\ncard_sha256: {card}\n"
    (folder / "approval.yaml").write_text(text)
    assert check_approval(build, tmp_path, unapproved=False) == "Ana"
    assert approval(replace(build, sha256="0" * 64), tmp_path) is None, "a rebuild voids it"
    (folder / "card.json").write_text("{ }")
    assert approval(build, tmp_path) is None, "another card was signed"


def test_a_batch_of_sequences_without_targets_is_possible(build: Build, configure: Callable[..., Config]) -> None:
    feed = Feed(build, make_plan(build, ("instruct",)), {"qa": {"assistant": 0.0}})
    silent = [feed[position] for position in range(len(feed.plan)) if feed[position].source == "qa"]
    batch = collate(silent[:1], feed.plan.length, EOS, {"qa": 0})
    assert batch.weight == 0
    assert batch.active.shape == batch.targets.shape == (0,)
