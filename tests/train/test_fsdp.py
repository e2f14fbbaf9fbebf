"""Two processes that each hold a part of every weight learn, save and export what one process does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train.build_files import Build
from corpusforge_train.checkpoint import newest
from corpusforge_train.config import Config
from corpusforge_train.errors import Interrupted
from corpusforge_train.log import read_log
from corpusforge_train.loop import Run

# Eleven sequences in three passes fall to one process and ten in two to the other; the norm is always cut.
FEED: dict[str, Any] = {"batch": {"sequences": 21, "micro": 5}, "optimizer": {"clip": 0.05}}
LORA: dict[str, Any] = {**FEED, "lora": {"rank": 3, "merge": True}, "data": {"outputs": ["instruct"]}}
PRECISION = {"weights": "bf16", "compute": "bf16", "states": "bf16"}
LOW: dict[str, Any] = {**FEED, "precision": PRECISION}
# As lora.yaml and prompt.yaml are shipped: a frozen model in bf16 beside what is trained in fp32.
BESIDE: dict[str, Any] = {**FEED, "precision": {**PRECISION, "states": "fp32"}, "data": {"outputs": ["instruct"]}}


def stopped(build: Build, config: Config, out: Path, step: int) -> None:
    run = Run(build, config, out, None)
    tell = run._tell

    def stopping(*words: Any) -> None:
        tell(*words)
        run._asked_to_end |= run.progress.step == step

    run._tell = stopping  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        run.train()


@pytest.fixture(scope="module")
def runs(build: Build, configure: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs by name: `one-*` in one process and `two-*` in two with parted weights, all made once."""
    base = tmp_path_factory.mktemp("fsdp")
    tied = {"random": {**configure().model.random, "tie_word_embeddings": True}, "gradient_checkpointing": True}
    plain, lora, low = configure(**FEED), configure(**LORA), configure(**LOW, model=tied)
    low_lora = configure(**BESIDE, model=tied, lora={"rank": 3})
    low_prompt = configure(**BESIDE, prompt={"kind": "p-tuning", "tokens": 3, "hidden": 7})
    for name, config in (("all", plain), ("lora", lora), ("low", low), ("l-low", low_lora), ("p-low", low_prompt)):
        Run(build, config, base / f"one-{name}", None).train()
    stopped(build, plain, base / "two-begun-by-one", 2)
    plans = [
        ("all", plain, None),
        ("ended-by-one", plain, 3),
        ("begun-by-one", plain, None),
        ("lora", lora, 2),
        ("lora", lora, None),
        ("low", low, None),
        ("l-low", low_lora, None),
        ("p-low", low_prompt, None),
    ]
    told = [
        {
            "config": {**config.model_dump(mode="json"), "parallel": {"kind": "fsdp"}},
            "out": str(base / f"two-{name}"),
            "stop": stop,
        }
        for name, config, stop in plans
    ]
    (base / "plans.json").write_text(json.dumps(told))
    script = str(Path(__file__).with_name("several_runs.py"))
    words = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29517", script]
    done = subprocess.run(
        [sys.executable, *words, str(build.folder), str(base / "plans.json")],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, "\n".join(line for line in done.stderr.splitlines() if "rank" in line)[-3000:]
    Run(build, plain, base / "two-ended-by-one", None).train()
    return base


def lines(out: Path) -> list[dict[str, Any]]:
    return [line for line in read_log(out) if "loss" in line]


def weights(out: Path) -> dict[str, torch.Tensor]:
    saved = newest(out)
    assert saved is not None
    return saved.weights()


def apart(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    assert one.keys() == two.keys()
    assert all(one[name].shape == two[name].shape for name in one)
    return max(float((one[name] - two[name]).abs().max()) for name in one)


@pytest.mark.parametrize("name", ["all", "lora", "begun-by-one", "ended-by-one"])
def test_parted_weights_learn_what_whole_ones_do_also_when_resumed_in_another_number_of_processes(
    runs: Path, name: str
) -> None:
    """Losses, clipped norms, ledger, final weights and the optimiser's state, under 1e-5 in fp32."""
    one, two = runs / f"one-{'lora' if name == 'lora' else 'all'}", runs / f"two-{name}"
    before, after = lines(one), lines(two)
    assert [line["step"] for line in before] == [line["step"] for line in after]
    for first, second in zip(before, after, strict=True):
        assert abs(first["loss"] - second["loss"]) < 1e-5
        assert second["norm"] == pytest.approx(first["norm"], rel=1e-4)
        assert first["tokens_by_source"] == second["tokens_by_source"]
    assert before[0]["norm"] > 0.05, "otherwise nothing is clipped"
    assert apart(weights(one), weights(two)) < 1e-5
    saved = newest(one), newest(two)
    assert saved[0].state["ledger"] == saved[1].state["ledger"]  # type: ignore[union-attr]
    states = [found.optimizer()["state"] for found in saved]  # type: ignore[union-attr]
    for place in (0, 1):
        assert apart(*({key: pair[place] for key, pair in state.items()} for state in states)) < 1e-5


def test_accelerate_4206_resuming_adapters_keeps_every_processs_part(runs: Path) -> None:
    """FSDP2 with peft resumed with all but the first process's part of the adapter as it was at the beginning."""
    adapted = weights(runs / "two-lora")
    moved = {name: one for name, one in adapted.items() if "lora_B" in name}
    assert moved
    for name, one in moved.items():
        assert bool((one.abs().sum(1) > 0).all()), f"{name}: a row never left its zero"
    assert apart(weights(runs / "one-lora"), adapted) < 1e-5


@pytest.mark.parametrize(("name", "folder"), [("all", "final"), ("lora", "final"), ("lora", "merged")])
def test_what_is_exported_is_whole(runs: Path, name: str, folder: str) -> None:
    """Soup#352: 37 GB of a sharded model for an adapter of 131 MB; or a rank's part under the name of the whole."""
    from safetensors.torch import load_file

    found = [next((runs / f"{many}-{name}" / folder).glob("*.safetensors")) for many in ("one", "two")]
    assert found[0].name == found[1].name
    assert apart(*(load_file(path) for path in found)) < 1e-5
    told = "adapter_config.json" if (name, folder) == ("lora", "final") else "config.json"
    configs = [json.loads((path.parent / told).read_text()) for path in found]
    for config in configs:
        # peft writes a set as it comes.
        config["target_modules"] = sorted(config.get("target_modules", ()))
    assert configs[0] == configs[1]


def test_chance_rounds_every_part_as_it_rounds_a_whole(runs: Path) -> None:
    """bf16 weights with tied embeddings and recomputed layers: an update survives whole, on both sides of the cut."""
    one, two = lines(runs / "one-low"), lines(runs / "two-low")
    assert two[0]["surviving"] == pytest.approx(1, abs=0.1)
    assert two[0]["norm"] == pytest.approx(one[0]["norm"], rel=0.02)
    assert two[-1]["loss"] == pytest.approx(one[-1]["loss"], abs=0.02)
    assert two[-1]["loss"] < two[0]["loss"] - 0.2


@pytest.mark.parametrize("name", ["l-low", "p-low"])
def test_what_is_trained_beside_a_frozen_model_of_another_type_is_parted_too(runs: Path, name: str) -> None:
    """FSDP's first version refused frozen bf16 and trained fp32 weights in one layer."""
    one, two = lines(runs / f"one-{name}"), lines(runs / f"two-{name}")
    for first, second in zip(one, two, strict=True):
        assert second["loss"] == pytest.approx(first["loss"], abs=0.01)
        assert second["norm"] == pytest.approx(first["norm"], rel=0.05)
    found = weights(runs / f"two-{name}")
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: tensor.shape for name, tensor in weights(runs / f"one-{name}").items()
    }
