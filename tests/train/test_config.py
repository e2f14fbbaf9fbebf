"""A setting that is misread, or read silently, costs a whole run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge_train.config import Config, Schedule, load_config
from corpusforge_train.errors import WrongUse
from corpusforge_train.schedule import rate

CONFIGS = Path(__file__).parents[2] / "train" / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configs_that_are_shipped_are_right(path: Path) -> None:
    config = load_config(path, ("model.path=here", "schedule.peak=2e-5"))
    assert config.model.path == "here"
    assert config.schedule.peak == 2e-5
    assert (config.lora is not None) == (path.stem in {"lora", "demo-lora", "sft-only"})


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "model: {path: x, random: {}}\nbatch: {sequences: 0, size: 3}\nschedule: {warmup: 70%, decay: 60%}\n"
    )
    with pytest.raises(WrongUse) as told:
        load_config(path, ("loss.weights.qa.users=1",))
    for word in ("model", "batch.sequences", "batch.size", "schedule", "loss.weights.qa.users"):
        assert word in str(told.value)
    with pytest.raises(WrongUse, match="no such config"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    with pytest.raises(WrongUse, match=r"broken\.yaml:2:1: is not YAML"):
        load_config(tmp_path / "broken.yaml")
    for change in ("batch", "model.path.x=1"):
        with pytest.raises(WrongUse, match="--set"):
            load_config(CONFIGS / "dapt.yaml", (change,))


def test_a_resumed_run_may_be_fed_otherwise_but_not_learn_otherwise(configure: Callable[..., Config]) -> None:
    one = configure()
    assert one.identity() == configure(batch={"sequences": 8, "micro": 1}, log={"every": 5}).identity()
    assert one.identity() != configure(schedule={"peak": 1e-4}).identity()


KINDS = st.sampled_from(["constant", "cosine", "wsd"])


@given(KINDS, st.floats(0, 0.4), st.floats(0, 0.5), st.floats(0, 1), st.floats(0, 1), st.integers(1, 50))
def test_the_rate_stays_within_its_bounds_and_every_step_moves(
    kind: str, warmup: float, decay: float, start: float, final: float, steps: int
) -> None:
    schedule = Schedule.model_validate(
        {"kind": kind, "peak": 0.5, "warmup": warmup, "decay": decay, "start": start, "final": final}
    )
    rates = [rate(schedule, k / steps, (k + 1) / steps) for k in range(steps)]
    assert all(0 < one <= 0.5 + 1e-12 for one in rates)
    assert rate(schedule, 1, 1) == pytest.approx(
        0.5 if kind == "constant" or (kind == "wsd" and decay < 1e-9) else 0.5 * final, abs=1e-4
    )


def test_another_batch_follows_the_same_curve() -> None:
    schedule = Schedule(kind="cosine", peak=1.0, warmup=0.1)
    fine = [rate(schedule, k / 400, (k + 1) / 400) for k in range(400)]
    coarse = [rate(schedule, k / 100, (k + 1) / 100) for k in range(100)]
    for k, value in enumerate(coarse):
        assert value == pytest.approx(sum(fine[4 * k : 4 * k + 4]) / 4, abs=0.02)


def test_warming_up_again_begins_at_the_rate_that_the_old_run_ended_with() -> None:
    schedule = Schedule(kind="wsd", peak=1.0, warmup=0.5, start=0.2, decay=0.2)
    assert rate(schedule, 0, 0) == pytest.approx(0.2)
    assert rate(schedule, 0.5, 0.5) == 1.0
    assert rate(schedule, 0.95, 0.95) == pytest.approx(1 - 0.75**0.5)
