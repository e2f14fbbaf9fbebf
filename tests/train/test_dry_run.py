"""A run that turns out too long or too large after an hour of waiting has cost the hour and the queue."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge import train_command
from corpusforge_train.build_files import Build, read_build
from corpusforge_train.config import Config, Model
from corpusforge_train.data import Feed
from corpusforge_train.dry_run import dry_run
from corpusforge_train.errors import TrainError, WrongUse
from corpusforge_train.model import architecture, load_model
from corpusforge_train.plan import make_plan
from corpusforge_train.probe import activation_bytes

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
    reckoned = activation_bytes(config, architecture(config), feed.plan.length) - head
    assert 0.8 * measured < reckoned < 1.3 * measured


def test_recomputing_keeps_less(configure: Callable[..., Config]) -> None:
    sizes = {**WIDE, **HEADS, "num_hidden_layers": 32}
    plain = configure(model={"random": sizes})
    again = configure(model={"random": sizes, "gradient_checkpointing": True})
    assert activation_bytes(again, architecture(again), 64) < activation_bytes(plain, architecture(plain), 64) / 5


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


def test_a_dry_run_refuses_what_the_run_would(build: Build, configure: Callable[..., Config], tmp_path: Path) -> None:
    """A misspelt size made a model of eight billion parameters; a folder that is none was an error of the library's."""
    none = configure().model_copy(update={"model": Model(path=str(tmp_path / "none"))})
    with pytest.raises(WrongUse, match="cannot be loaded"):
        dry_run(build, none)
    for sizes, told in (
        ({"hidden_sise": 32}, "has no hidden_sise"),
        ({"hidden_size": 33}, "multiple of"),
        ({"model_type": "lama"}, "no model of the type 'lama'"),
    ):
        random = {**(configure().model.random or {}), **sizes}
        with pytest.raises(WrongUse, match=told):
            dry_run(build, configure(model={"random": random}))
    with pytest.raises(WrongUse, match="no device is named 'gpux'"):
        dry_run(build, configure(device="gpux"))
    damaged = Path(shutil.copytree(build.folder, tmp_path / "build"))
    next((damaged / "packed" / "completion").iterdir()).write_bytes(b"PAR1")
    with pytest.raises(TrainError, match="missing or damaged"):
        dry_run(read_build(damaged), configure())
    (damaged / "manifest.json").write_text("[")
    with pytest.raises(WrongUse, match="is damaged"):
        read_build(damaged)
