"""What other trainers do wrong in a run, each shown with its figure, and that it does not happen here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train import loop
from corpusforge_train.build_files import Build
from corpusforge_train.checkpoint import newest
from corpusforge_train.config import Config
from corpusforge_train.data import Feed, Reader
from corpusforge_train.log import read_log
from corpusforge_train.loop import Run
from corpusforge_train.model import load_model
from corpusforge_train.plan import make_plan


class Killed(BaseException):
    """Stands for SIGKILL: nothing may catch it, nothing is saved after it."""


@pytest.fixture(scope="module")
def resumed(build: Build, configure: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of half as many sequences a step after it was killed at its third."""
    out = tmp_path_factory.mktemp("resumed")
    saving = Run._save_and_measure

    def dying(self: Run, ends: bool, norm: torch.Tensor) -> None:
        saving(self, ends, norm)
        if self.progress.step == 3:
            assert self.checkpointer is not None
            self.checkpointer.wait()
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Run, "_save_and_measure", dying)
        with pytest.raises(Killed):
            Run(build, configure(checkpoint={"every": 1}), out, None).train()
    saved = newest(out)
    assert saved is not None
    assert saved.state["step"] == 3
    Run(build, configure(batch={"sequences": 4, "micro": 4}), out, None).train()
    return out


def steps(out: Path) -> list[dict[str, Any]]:
    return [line for line in read_log(out) if "loss" in line]


def test_transformers_skips_samples_when_the_global_batch_changes(build: Build, resumed: Path) -> None:
    """It goes on at steps x new batch: from 4x2 to 8x2, samples 80 to 159 were never trained. Here, 24 to 28 comes next."""
    assert [line["position"] for line in steps(resumed)][:5] == [8, 16, 24, 28, 32]
    assert steps(resumed)[-1]["position"] == len(make_plan(build, ("completion",)))


def test_trl_counts_tokens_from_zero_after_a_resume(build: Build, resumed: Path) -> None:
    """Its `num_tokens` said 640 at a step where 2,560 had been trained."""
    plan = make_plan(build, ("completion",))
    for line in steps(resumed):
        assert line["tokens"] == int(plan.tokens[: line["position"]].sum()) == sum(line["tokens_by_source"].values())


def test_torchtune_resumes_at_an_epoch_alone_and_litgpt_not_at_all(build: Build, resumed: Path) -> None:
    """ "Mid-epoch checkpointing is currently not supported"; litgpt's finetune/lora.py keeps no place in the data."""
    plan = make_plan(build, ("completion",))
    feed = Feed(build, plan)
    whole = {int(epoch) for position in range(24, len(plan)) for epoch in feed[position].epochs}
    assert 0 in whole, "the run was killed within the first epoch"
    assert len(steps(resumed)) == 3 + -(-(len(plan) - 24) // 4)


def test_transformers_reads_every_sample_that_a_resumed_stream_skips(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """164 samples were collated where 84 were wanted; "around an hour for 200k batches" (transformers#18649)."""
    read: list[int] = []
    reading = Reader._read

    def counting(self: Reader, group: int) -> Any:
        read.append(group)
        return reading(self, group)

    monkeypatch.setattr(Reader, "_read", counting)
    plan = make_plan(build, ("completion",))
    feed = Feed(build, plan)
    last = len(plan) - 1
    assert feed[last].ids.tolist() == Feed(build, plan)[last].ids.tolist()
    assert len(read) == 2, "each feed reads the one row group in which the place is"


def test_no_other_trainer_tells_the_training_loss_of_each_source(build: Build, resumed: Path) -> None:
    """None of nine does; a mix cannot be steered by one number. The sources' losses make up the whole."""
    plan = make_plan(build, ("completion",))
    feed = Feed(build, plan)
    first = 0
    for line in steps(resumed)[:3]:
        weights = dict.fromkeys(plan.sources, 0.0)
        for position in range(first, line["position"]):
            weights[feed[position].source] += float(feed[position].weights.sum())
        first = line["position"]
        learned = {name: weight for name, weight in weights.items() if weight}
        assert line["losses"].keys() == learned.keys()
        mean = sum(line["losses"][name] * weight for name, weight in learned.items()) / sum(learned.values())
        assert line["loss"] == pytest.approx(mean, abs=1e-5)


def test_axolotl_evaluates_all_sources_as_one(resumed: Path) -> None:
    """axolotl#3108: one concatenated set, in which what is forgotten and what is learned add up to nothing."""
    held = [line["holdout"] for line in read_log(resumed) if "holdout" in line]
    assert len(held) == 2
    assert all(set(one) == {"domain", "public"} for one in held)
    assert held[-1]["domain"]["change"] != held[-1]["public"]["change"]


def test_trl_refuses_an_adapter_on_the_head(build: Build, configure: Callable[..., Config]) -> None:
    """TRL raises; a loss that multiplies by the head's own matrix would train the rest and leave this adapter as it was."""
    config = configure(lora={"rank": 3, "targets": ["lm_head", "q_proj"]})
    trained = load_model(config, 257)
    assert not trained.chunked
    trained.model.train()
    plan = make_plan(build, ("completion",))
    batch = next(iter(Feed(build, plan).batches(range(2), 2)))[1]
    total, _ = trained.loss(batch)
    total.backward()
    own = [one for name, one in trained.parameters() if "lm_head" in name and "lora_B" in name]
    assert own
    assert all(float(one.grad.abs().max()) > 0 for one in own)


def test_transformers_counts_a_padded_token_or_a_second_document_s_first(
    build: Build, configure: Callable[..., Config]
) -> None:
    """transformers#34191 and trl's `wrapped`: what is divided by is not what was learned from. Here both are counted."""
    plan = make_plan(build, ("completion", "instruct"))
    for sequences, batch in Feed(build, plan).batches(range(20), 5):
        told = sum(float(one.weights.sum(dtype=np.float64)) for one in sequences)
        assert batch.weight == pytest.approx(told, abs=1e-9)
        firsts = np.flatnonzero(batch.position_ids.ravel() == 0)
        assert not set((batch.active + 1).tolist()) & set(firsts.tolist())
