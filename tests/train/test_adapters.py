"""Adapters of every kind are what their papers say, and the preset for text and tasks at once runs from end to end."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train.build_files import Build
from corpusforge_train.config import Config, load_config
from corpusforge_train.loop import Run
from corpusforge_train.model import load_model
from corpusforge_train.verify import verify

CONFIGS = Path(__file__).parents[2] / "train" / "configs"


@pytest.mark.parametrize(
    ("rank", "rslora", "scale"),
    [(8, None, 16 / 8), (8, True, 16 / math.sqrt(8)), (64, None, 16 / 8), (64, False, 16 / 64)],
)
def test_the_scale_of_an_update_is_alpha_over_the_rank_or_over_its_root(
    configure: Callable[..., Config], rank: int, rslora: bool | None, scale: float
) -> None:
    """rsLoRA (Kalajdzievski 2023): over the rank, adapters of rank 256 hardly move; from rank 64 on it is the default."""
    config = configure(lora={"rank": rank, "alpha": 16, "rslora": rslora})
    layer = load_model(config, 257).model.model.layers[0].self_attn.q_proj
    assert layer.scaling["default"] == pytest.approx(scale)


@torch.no_grad()
def test_dora_is_a_magnitude_times_a_direction(configure: Callable[..., Config]) -> None:
    """DoRA (Liu et al. 2024): m * (W + s B A) / |W + s B A|, row by row; m begins as |W|."""
    trained = load_model(configure(lora={"rank": 4, "alpha": 8, "dora": True}), 257)
    layer = trained.model.model.layers[0].mlp.up_proj
    base = layer.base_layer.weight
    magnitude = layer.lora_magnitude_vector["default"].weight
    assert torch.allclose(magnitude, base.norm(dim=1), atol=1e-6)
    layer.lora_B["default"].weight.normal_()
    magnitude.mul_(1.5)
    moved = base + 2.0 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    wanted = magnitude[:, None] * moved / moved.norm(dim=1, keepdim=True)
    given = torch.randn(5, base.shape[1])
    assert torch.allclose(layer(given), given @ wanted.T, atol=1e-5)
    assert {"lora_A", "lora_B", "lora_magnitude_vector"} == {name.split(".")[-3] for name, _ in trained.parameters()}


def test_the_preset_for_text_and_tasks_at_once_runs_from_end_to_end(
    build: Build, configure: Callable[..., Config], tmp_path: Path
) -> None:
    """sft-only.yaml as it is shipped, but for the model, its rank and the number of steps between saves."""
    model = {**configure().model.model_dump(mode="json", exclude_none=True), "gradient_checkpointing": True}
    value = yaml.safe_load((CONFIGS / "sft-only.yaml").read_text("utf-8")) | {"model": model, "device": "cpu"}
    path = tmp_path / "sft-only.yaml"
    path.write_text(yaml.safe_dump(value))
    config = load_config(path, ("lora.rank=16", "schedule.peak=1e-3", "holdout.every=0"))
    assert config.lora is not None
    assert config.lora.rslora
    receipt: dict[str, Any] = Run(build, config, tmp_path / "run", None).train()
    mix = build.manifest["mix"]
    assert sum(row["tokens"] for row in receipt["ledger"]) == sum(one["got_tokens"] for one in mix.values())
    assert {row["source"] for row in receipt["ledger"]} == {"kb", "chats", "web", "qa", "intents"}
    assert verify(tmp_path / "run" / "final", build) == []
