"""What other trainers do wrong with a mix, each shown with its figure, and that it does not happen here.

What shows only in a run is in `test_peers_run.py` (resuming, counters, losses by source, adapters on the head); leaks
between documents are in `test_isolation.py`, means of means and tied heads in `test_gradient.py`, updates lost in bf16
in `test_optimizer.py`, waits for the device in `test_step.py`, merged heads in `test_run.py`, ranks' parts of adapters in
`test_fsdp.py`, masks on the wrong turn in `test_data.py`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest

from corpusforge_train.batch import PackedSequence
from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed
from corpusforge_train.plan import DataPlan, make_plan

EOS = 256


@pytest.fixture(scope="module")
def plan(build: Build) -> DataPlan:
    return make_plan(build, ("completion",))


@pytest.fixture(scope="module")
def sequences(build: Build, plan: DataPlan) -> list[PackedSequence]:
    feed = Feed(build, plan)
    return [feed[position] for position in range(len(plan))]


def shares(plan: DataPlan, first: int, last: int) -> dict[str, float]:
    tokens = plan.tokens[first:last]
    own = plan.source[first:last]
    return {name: float(tokens[own == k].sum() / tokens.sum()) for k, name in enumerate(plan.sources)}


def test_trl_fraction_and_interleave_datasets_ratios_of_rows_are_no_ratios_of_tokens(
    build: Build, plan: DataPlan
) -> None:
    """30% of rows were 9.6% of tokens (TRL `fraction`, `interleave_datasets`)."""
    leaves = {leaf["path"][-1]: leaf for leaf in build.manifest["mix"]["completion"]["leaves"]}
    rows = sum(leaf["records"] for leaf in leaves.values())
    apart = [abs(leaf["records"] / rows - leaf["share_got"]) for leaf in leaves.values()]
    assert max(apart) > 0.05, "here, too, rows would say something else"
    got = shares(plan, 0, len(plan))
    wanted = {"kb": 0.15, "chats": 0.15, "web": 0.7}
    for name, share in wanted.items():
        assert got[name] == pytest.approx(share, abs=leaves[name]["largest_record"] / plan.total)


def test_trl_bfd_packing_threw_a_quarter_of_the_tokens_away(build: Build, sequences: list[PackedSequence]) -> None:
    """25.8% of the tokens of a mix with a long tail, 99.8% of one user's (trl#5076, #4554, #4632, #5075)."""
    length = build.packed["length"]
    long = {record for one in sequences for record, size in zip(one.records, one.sizes, strict=True) if size > length}
    assert long, "some documents are longer than a sequence"
    assert sum(len(one.ids) for one in sequences) == build.manifest["mix"]["completion"]["got_tokens"]


def test_trl_random_order_gives_a_batch_1_to_36_percent_of_a_source_that_has_13(plan: DataPlan) -> None:
    def spread(order: list[int], batch: int) -> float:
        kb = plan.sources.index("kb")
        got = [
            np.mean([plan.source[k] == kb for k in order[a : a + batch]]) for a in range(0, len(order) - batch, batch)
        ]
        return float(max(got) - min(got))

    shuffled = list(range(len(plan)))
    random.Random(1).shuffle(shuffled)
    assert spread(list(range(len(plan))), 16) <= 2 / 16 + 1e-9
    assert spread(shuffled, 16) > 2 / 16, "nanotron builds such a schedule and then shuffles it"


def test_trl_bfd_packs_the_longest_first(sequences: list[PackedSequence]) -> None:
    """The first pack's documents had 383 tokens, the last one's 168."""
    counts = [len(one.lengths) for one in sequences if one.source == "web" and len(one.ids) > 32]
    quarter = len(counts) // 4
    first, last = counts[:quarter], counts[-quarter:]
    assert abs(np.mean(first) - np.mean(last)) < 1.0


def test_llama_factory_drops_the_remainder_of_every_thousand_rows(plan: DataPlan) -> None:
    """No batch, group or file has a remainder that is lost: the last step is smaller, and is there."""
    for batch in (1, 7, 64, 1000):
        steps = plan.steps(batch)
        assert sum(min(batch, len(plan) - k * batch) for k in range(steps)) == len(plan)


def test_llama_factory_overwrites_first_tokens_with_bos(build: Build, sequences: list[PackedSequence]) -> None:
    texts: dict[str, bytes] = {}
    for file in build.manifest["mix"]["completion"]["files"]:
        table = pq.read_table(build.folder / file["path"], columns=["id", "text"])
        texts |= {i: text.encode() for i, text in zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True)}
    for one in sequences:
        firsts = np.concatenate([[0], np.cumsum(one.lengths)[:-1]])
        for record, first, start in zip(one.records, firsts.tolist(), one.starts.tolist(), strict=True):
            assert one.ids[first] == (*texts[record], EOS)[start]


def test_llama_factory_draws_with_replacement_and_never_sees_a_third(
    build: Build, sequences: list[PackedSequence]
) -> None:
    """36.8% of the rows were never drawn; others came three times before a second came once."""
    seen: Counter[tuple[str, int]] = Counter()
    for one in sequences:
        for record, epoch, start in zip(one.records, one.epochs.tolist(), one.starts.tolist(), strict=True):
            seen[record, epoch] += start == 0
    assert set(seen.values()) == {1}
    for leaf in build.manifest["mix"]["completion"]["leaves"]:
        if leaf["epochs"] >= 1:
            first = {record for record, epoch in seen if epoch == 0 and record.startswith(leaf["path"][-1])}
            assert len(first) == round(leaf["records"] / leaf["epochs"]) or leaf["epochs"] % 1


def test_axolotl_truncates_tails_and_trains_overlaps_twice(sequences: list[PackedSequence]) -> None:
    """A stride of 256 is 14% more tokens at 2048; without packing the tail of every long document is lost."""
    spans: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
    for one in sequences:
        columns = zip(
            one.records, one.epochs.tolist(), one.starts.tolist(), one.lengths.tolist(), one.sizes.tolist(), strict=True
        )
        for record, epoch, start, length, size in columns:
            spans.setdefault((record, epoch), []).append((start, start + length, size))
    for own in spans.values():
        assert own[0][0] == 0
        assert own[-1][1] == own[-1][2]
        assert all(before[1] == after[0] for before, after in pairwise(own))


def test_axolotl_samples_in_a_random_order_without_a_seed(build: Build, plan: DataPlan) -> None:
    again = make_plan(build, ("completion",))
    assert again.hash == plan.hash
    assert again.row.tolist() == plan.row.tolist()


def test_transformers_trains_pure_bf16_and_trl_asks_for_128_gb(configure: Callable[..., Config]) -> None:
    """transformers 5 loads bf16 and rounds updates away; TRL loads fp32. Here it is said, and bf16 rounds by chance."""
    from pathlib import Path

    from corpusforge_train.config import load_config

    dapt = load_config(Path(__file__).parents[2] / "train" / "configs" / "dapt.yaml")
    assert (dapt.precision.weights, dapt.precision.rounding) == ("bf16", "stochastic")
    assert configure().precision.weights == "fp32"
