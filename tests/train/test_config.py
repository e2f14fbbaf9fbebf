"""A setting that is misread, or read silently, costs a whole run."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corpusforge_train.config import Config, Schedule, load_config
from corpusforge_train.errors import WrongUse
from corpusforge_train.schedule import rate

CONFIGS = Path(__file__).parents[2] / "train" / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configs_that_are_shipped_are_right(path: Path) -> None:
    random = "random" in yaml.safe_load(path.read_text("utf-8"))["model"]
    config = load_config(path, ("schedule.peak=2e-5", *(() if random else ("model.path=here",))))
    assert config.model.path == (None if random else "here")
    assert config.schedule.peak == 2e-5
    assert (config.lora is not None) == (path.stem in {"dpo", "lora", "demo-lora", "sft-only"})


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


def test_what_cannot_be_read_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"seed: \xe9")
    for path in (tmp_path, tmp_path / "latin.yaml"):
        with pytest.raises(WrongUse, match="cannot be read"):
            load_config(path)
    with pytest.raises(WrongUse, match="the value is not YAML"):
        load_config(CONFIGS / "dapt.yaml", ("schedule.peak=[",))


def test_a_resumed_run_may_be_fed_otherwise_but_not_learn_otherwise(configure: Callable[..., Config]) -> None:
    one = configure()
    assert one.identity() == configure(batch={"sequences": 8, "micro": 1}, log={"every": 5}).identity()
    assert one.identity() == configure(holdout={"every": 3, "stop": 0.3}).identity(), "an alarm's limit may be raised"
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


# Steps of a run in shares of it, against the formulas of the papers written out again.
GRID = [(k + 0.5) / 40 for k in range(40)]


def test_cosine_is_that_of_loshchilov_and_hutter() -> None:
    schedule = Schedule(kind="cosine", peak=3e-4, warmup=0.1, final=0.1)
    for at in GRID:
        wanted = at / 0.1 if at < 0.1 else 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (at - 0.1) / 0.9))
        assert rate(schedule, at, at) == pytest.approx(3e-4 * wanted, rel=1e-12)
    assert rate(schedule, 0.55, 0.55) == pytest.approx(3e-4 * 0.55)


def test_wsd_is_stable_and_then_decays_by_one_minus_the_root() -> None:
    """Hägele et al. 2024: 1 - sqrt beats a straight line and a cosine at the same length of decay."""
    schedule = Schedule(kind="wsd", peak=2e-4, warmup=0.05, decay=0.2, final=0.0)
    for at in GRID:
        wanted = at / 0.05 if at < 0.05 else 1.0 if at <= 0.8 else 1 - ((at - 0.8) / 0.2) ** 0.5
        assert rate(schedule, at, at) == pytest.approx(2e-4 * wanted, rel=1e-12)


def test_runs_of_two_lengths_share_their_stable_part() -> None:
    """What wsd is for: a longer run goes on from the same stable checkpoint, and only its decay is its own."""
    short, long = ({"peak": 1.0, "warmup": 10 / n, "decay": 20 / n} for n in (100, 200))
    for step in range(80):
        rates = [rate(Schedule(**one), step / n, (step + 1) / n) for one, n in ((short, 100), (long, 200))]
        assert rates[0] == pytest.approx(rates[1], rel=1e-12)


@pytest.mark.parametrize("kind", ["constant", "cosine", "wsd"])
def test_warming_up_again_rises_in_a_line_from_the_old_runs_last_rate(kind: str) -> None:
    """Ibrahim et al. 2024: re-warm from where the last decay ended, then decay again."""
    old = Schedule(kind="cosine", peak=1e-4, warmup=0.01, final=0.1)
    schedule = Schedule.model_validate({"kind": kind, "peak": 1e-4, "warmup": 0.2, "start": 0.1})
    assert rate(schedule, 0, 0) == pytest.approx(rate(old, 1, 1))
    for at in (one for one in GRID if one < 0.2):
        assert rate(schedule, at, at) == pytest.approx(1e-4 * (0.1 + 0.9 * at / 0.2), rel=1e-12)
