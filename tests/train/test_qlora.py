"""Adapters on a base of 4 bits: they train where bitsandbytes is installed, and it is said where it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train import quantise
from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.dry_run import memory
from corpusforge_train.errors import WrongUse
from corpusforge_train.log import read_log
from corpusforge_train.loop import Run

LORA: dict[str, Any] = {"rank": 4, "base": "4bit"}


@pytest.fixture
def on_disk(configure: Callable[..., Config], tmp_path: Path) -> dict[str, Any]:
    """The tiny model as a folder, which is what is quantised."""
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {**configure().model.random, "hidden_size": 64, "intermediate_size": 128}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(sizes.pop("model_type"), **sizes))
    model.save_pretrained(tmp_path / "model")
    return {"random": None, "path": str(tmp_path / "model")}


def test_what_cannot_be_quantised_is_said(
    configure: Callable[..., Config], on_disk: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, told in (
        ({}, "needs model.path"),
        ({"model": on_disk, "lora": {**LORA, "merge": True}}, "merge into whole weights"),
        ({"model": on_disk, "parallel": {"kind": "fsdp"}}, "not parted"),
    ):
        with pytest.raises(ValidationError, match=told):
            configure(**{"lora": LORA, **words})
    monkeypatch.setattr(quantise, "find_spec", lambda name: None)
    with pytest.raises(WrongUse, match="bitsandbytes is not installed"):
        quantise.four_bits(torch.float32, torch.device("cpu"))


def test_the_plan_knows_how_little_it_takes(configure: Callable[..., Config], on_disk: dict[str, Any]) -> None:
    """The reason for 4 bits is memory; a plan that reckons whole weights sends people to a larger machine."""
    low = {"weights": "bf16", "compute": "bf16"}
    whole = memory(configure(model=on_disk, precision=low, lora={"rank": 4}))
    small = memory(configure(model=on_disk, precision=low, lora=LORA))
    linear = whole["parameters"] - 2 * 260 * 64 - 5 * 64
    assert whole["bytes"] - small["bytes"] == pytest.approx(linear * (2 - 0.516), rel=0.01)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_base_of_4_bits_stays_as_it_is_and_its_adapters_learn(
    build: Build, configure: Callable[..., Config], on_disk: dict[str, Any], tmp_path: Path
) -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes", reason="pip install bitsandbytes trains on a base of 4 bits")
    config = configure(model=on_disk, lora=LORA, schedule={"kind": "constant", "peak": 1e-2})
    run = Run(build, config, tmp_path / "run", None)
    layer = run.trained.model.model.layers[0].mlp.up_proj
    assert isinstance(layer.base_layer, bitsandbytes.nn.Linear4bit)
    assert layer.base_layer.weight.dtype == torch.uint8
    assert {one.dtype for _, one in run.trained.parameters()} == {torch.float32}
    before = layer.base_layer.weight.clone()
    run.train()
    assert torch.equal(before, layer.base_layer.weight)
    told = [line["loss"] for line in read_log(tmp_path / "run") if "loss" in line]
    assert told[-1] < told[0] - 0.3
    assert (tmp_path / "run" / "final" / "adapter_config.json").is_file()
