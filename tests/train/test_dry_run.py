"""A run that turns out too long or too large after an hour of waiting has cost the hour and the queue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge import train_command
from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed
from corpusforge_train.dry_run import dry_run
from corpusforge_train.model import load_model
from corpusforge_train.plan import make_plan
from corpusforge_train.probe import activation_bytes, model_sizes

WIDE = {"vocab_size": 260, "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 4, "model_type": "llama"}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("compute", ["fp32", "bf16"])
def test_activations_are_reckoned_to_a_fifth_of_what_is_kept(
    build: Build, configure: Callable[..., Config], attention: str, compute: str
) -> None:
    """Every tensor that autograd keeps of a forward pass, weighed once."""
    model = {"random": {**WIDE, **HEADS}, "attention": attention}
    precision = {"weights": compute, "compute": compute}
    config = configure(model=model, precision=precision, batch={"sequences": 8, "micro": 4}, loss={"chunk": 1})
    trained = load_model(config, 257)
    feed = Feed(build, make_plan(build, ["completion"]))
    _, batch = next(iter(feed.batches(range(4), 4)))
    own = {one.untyped_storage().data_ptr() for one in trained.model.parameters()}
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden = trained.hidden(batch)
    measured = sum(one.untyped_storage().nbytes() for one in kept.values())
    assert hidden.requires_grad
    head = 4 * 260 * 128
    reckoned = activation_bytes(config, model_sizes(config), feed.plan.length) - head
    assert 0.8 * measured < reckoned < 1.3 * measured


def test_recomputing_keeps_less(configure: Callable[..., Config]) -> None:
    sizes = {**WIDE, **HEADS, "num_hidden_layers": 32}
    plain = configure(model={"random": sizes})
    again = configure(model={"random": sizes, "gradient_checkpointing": True})
    assert activation_bytes(again, model_sizes(again), 64) < activation_bytes(plain, model_sizes(plain), 64) / 5


def test_a_probe_tells_time_and_memory_and_changes_nothing(
    build: Build, configure: Callable[..., Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure()
    figures = dry_run(build, config, probing=True)
    probe = figures["probe"]
    assert probe["fits"]
    assert probe["seconds"] > figures["steps"] * probe["seconds_per_step"] * 0.5
    assert probe["tokens_per_second"] > 0
    assert probe["peak_bytes"] is None or probe["peak_bytes"] >= 4 * figures["memory"]["parameters"]
    assert "probe" not in dry_run(build, config)
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    for probing, words in ((True, "tok/s"), (False, "no step was made")):
        given: dict[str, Any] = {"builds": None, "out": None, "cards": tmp_path, "changes": [], "unapproved": False}
        train_command.train(str(build.folder), path, **given, dry_run=True, as_json=False, probe=probing)
        shown = capsys.readouterr().out
        assert words in shown
        assert "GB for activations" in shown
    assert sorted(one.name for one in tmp_path.iterdir()) == ["tiny.yaml"]
