"""What makes a step fast must change none of its figures: recomputation, compiling, attention by lengths, fused updates."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from torch.utils._python_dispatch import TorchDispatchMode

from corpusforge_train import optimizer as optimizers
from corpusforge_train.attention import varlen_attention
from corpusforge_train.build_files import Build
from corpusforge_train.config import Config, Optimizer, Precision
from corpusforge_train.data import Feed
from corpusforge_train.errors import WrongUse
from corpusforge_train.model import Trained, load_model
from corpusforge_train.optimizer import AdamW
from corpusforge_train.plan import make_plan
from corpusforge_train.step import add_gradients, update

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
REPOSITORY = Path(__file__).parents[2]
LOW = {"weights": "bf16", "compute": "bf16", "states": "bf16"}


class Calls(TorchDispatchMode):
    """Counts the operators that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found[str(operator)] += 1
        return operator(*args, **(kwargs or {}))


def gradients(trained: Trained, build: Build, outputs: tuple[str, ...] = ("completion",)) -> dict[str, torch.Tensor]:
    plan = make_plan(build, outputs)
    batches = [batch for _, batch in Feed(build, plan).batches(range(6), 2)]
    weight = torch.tensor(sum(batch.weight for batch in batches), dtype=torch.float64)
    trained.model.zero_grad()
    trained.model.train()
    torch.manual_seed(5)
    add_gradients(trained, batches, weight, torch.zeros(len(plan.sources), 2, dtype=torch.float64))
    return {name: one.grad.clone() for name, one in trained.parameters()}


def apart(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    assert one.keys() == two.keys()
    return max(float((one[name].float() - two[name].float()).abs().max()) for name in one)


def test_what_is_computed_twice_gives_the_same_gradient_and_selective_repeats_no_matrix_product(
    build: Build, configure: Callable[..., Config]
) -> None:
    found, products = {}, {}
    for which in ("none", "selective", "full"):
        trained = load_model(configure(model={"gradient_checkpointing": which}), 257)
        with Calls() as calls:
            found[which] = gradients(trained, build)
        products[which] = calls.found["aten.mm.default"]
    assert apart(found["none"], found["selective"]) == 0
    assert apart(found["none"], found["full"]) == 0
    assert products["selective"] == products["none"] < products["full"]
    assert configure(model={"gradient_checkpointing": True}).model.gradient_checkpointing == "full"


def test_dropout_of_adapters_is_the_same_when_it_is_computed_again(
    build: Build, configure: Callable[..., Config]
) -> None:
    lora = {"rank": 4, "dropout": 0.3}
    found = [
        gradients(load_model(configure(lora=lora, model={"gradient_checkpointing": which}), 257), build)
        for which in ("none", "selective", "full")
    ]
    assert apart(found[0], found[1]) == apart(found[0], found[2]) == 0
    assert max(float(one.abs().max()) for one in found[0].values()) > 0


@pytest.mark.parametrize("which", ["none", "selective", "full"])
def test_all_layers_are_compiled_as_one_and_learn_the_same(
    build: Build, configure: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """A layer that is compiled anew for its number costs minutes; one that is silently left out costs every step."""
    compiled = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled(module, backend="aot_eager"))
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    sizes = {**configure().model.random, "num_hidden_layers": 10}
    model = {"random": sizes, "gradient_checkpointing": which}
    plain = gradients(load_model(configure(model=model), 257), build)
    trained = load_model(configure(model={**model, "compile": True}), 257)
    assert trained.fused
    trained.fused = False
    assert apart(plain, gradients(trained, build)) < 1e-6
    # One for batches with a mask, one for those of which each row is one document.
    assert 1 <= torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 2


def test_attention_by_lengths_learns_what_attention_by_mask_does(
    build: Build, configure: Callable[..., Config]
) -> None:
    found = [gradients(load_model(configure(model={"attention": one}), 257), build) for one in ("sdpa", "varlen")]
    assert apart(found[0], found[1]) < 1e-6


@pytest.mark.parametrize("asked", [{"sliding_window": 16}, {"softcap": 30.0}, {"dropout": 0.1}])
def test_attention_by_lengths_refuses_what_it_would_leave_out(asked: dict[str, Any]) -> None:
    ends = torch.tensor([0, 8], dtype=torch.int32)
    heads = torch.randn(1, 2, 8, 4)
    with pytest.raises(WrongUse, match=r"model\.attention: attention by lengths cannot do"):
        varlen_attention(torch.nn.Module(), heads, heads, heads, None, document_ends=ends, **asked)


SIZES = {"vocab_size": 260, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
SIZES |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256}
KINDS = {
    "llama": ({"model_type": "llama"}, "varlen"),
    "qwen2": ({"model_type": "qwen2"}, "varlen"),
    "a window that attention is told of": ({"model_type": "mistral", "sliding_window": 64}, "sdpa"),
    "a window that is in the mask alone": (
        {"model_type": "phimoe", "sliding_window": 64, "num_local_experts": 2, "num_experts_per_tok": 1},
        "sdpa",
    ),
    "soft caps": ({"model_type": "gemma2", "head_dim": 8}, "sdpa"),
    "dropout": ({"model_type": "llama", "attention_dropout": 0.5}, "sdpa"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("saved", [False, True], ids=["made", "loaded"])
def test_the_fastest_attention_that_is_right_for_the_model_is_taken(
    configure: Callable[..., Config], tmp_path: Path, kind: str, saved: bool
) -> None:
    """A user who chooses nothing must neither lose speed nor a sliding window."""
    sizes, taken = KINDS[kind]
    trained = load_model(configure(model={"random": {**SIZES, **sizes}}), 257)
    if saved:
        trained.model.save_pretrained(tmp_path)
        trained = load_model(configure(model={"random": None, "path": str(tmp_path)}), 257)
    assert trained.attention == taken


def test_models_in_bf16_attend_by_lengths_too(configure: Callable[..., Config]) -> None:
    """Their rounding must not look like another attention."""
    for seed in range(6):
        assert load_model(configure(precision=LOW, seed=seed), 257).attention == "varlen"


def test_attention_by_lengths_is_refused_to_a_model_with_a_window(configure: Callable[..., Config]) -> None:
    model = {"random": {**SIZES, "model_type": "mistral", "sliding_window": 64}, "attention": "varlen"}
    with pytest.raises(WrongUse, match="knows no sliding windows"):
        load_model(configure(model=model), 257)


def test_trl_reads_eight_scalars_in_each_pass_and_transformers_three(
    build: Build, configure: Callable[..., Config]
) -> None:
    """Each makes the processor wait for the GPU (+14.3% without, by one report). Here no pass, loss or update has any."""
    for attention, most in (("varlen", 0), ("sdpa", 3)):
        trained = load_model(configure(model={"attention": attention}), 257)
        made = AdamW(trained.parameters(), Optimizer(), Precision(), 1)
        with Calls() as calls:
            gradients(trained, build)
            update(made, 1e-3, 1.0, measure=False)
        waits = sum(calls.found[f"aten.{name}.default"] for name in ("_local_scalar_dense", "nonzero", "is_nonzero"))
        # With masks, transformers looks once in each pass whether there are several documents.
        assert waits == most, attention


def matrices(kind: torch.dtype) -> list[tuple[str, torch.nn.Parameter]]:
    draw = torch.Generator().manual_seed(3)
    sizes = {"a": (60, 50), "b": (7,), "c": (40, 33)}
    return [(n, torch.nn.Parameter((torch.randn(size, generator=draw) * 0.02).to(kind))) for n, size in sizes.items()]


def trained_on(parameters: list[tuple[str, torch.nn.Parameter]], made: AdamW, steps: int = 4) -> list[torch.Tensor]:
    for number in range(steps):
        draw = torch.Generator().manual_seed(number)
        for _, one in parameters:
            one.grad = torch.randn(one.shape, generator=draw).to(one.dtype)
        update(made, 1e-3, 0.7, measure=number == 2)
    return [one.detach().clone() for _, one in parameters]


def test_the_fused_update_is_the_plain_one() -> None:
    one, two = matrices(torch.float32), matrices(torch.float32)
    plain = AdamW(two, Optimizer(), Precision(), 1)
    plain.fused = False
    made = AdamW(one, Optimizer(), Precision(), 1)
    assert made.fused
    for ours, theirs in zip(trained_on(one, made), trained_on(two, plain), strict=True):
        assert float((ours - theirs).abs().max()) < 1e-6


def test_rounding_does_not_depend_on_how_a_matrix_is_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that goes on over another number of processes, or in smaller parts, draws the same chance."""
    one, two = matrices(torch.bfloat16), matrices(torch.bfloat16)
    precision = Precision(**LOW)
    whole = trained_on(one, AdamW(one, Optimizer(), precision, 1))
    monkeypatch.setattr(optimizers, "_PART", 37)
    parts = trained_on(two, AdamW(two, Optimizer(), precision, 1))
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_chance_is_even_and_of_its_own_at_each_place_step_and_draw() -> None:
    def bits(low: int, high: int, place: int, draw: int) -> np.ndarray:
        keys = torch.tensor([low, high, place], dtype=torch.int32)
        return optimizers._noise(40_000, keys, draw).numpy()

    first = bits(11, 12, 0, 0)
    assert first.min() >= 0
    assert first.max() < 1 << 16
    counts = np.bincount(first >> 8, minlength=256)
    assert float(((counts - 156.25) ** 2 / 156.25).sum()) < 340, "chi-square of 255 degrees at 0.0003"
    assert bits(11, 12, 100, 0)[:1000].tolist() == first[100:1100].tolist()
    for other in (bits(12, 12, 0, 0), bits(11, 13, 0, 0), bits(11, 12, 0, 1), np.roll(first, 1)):
        assert abs(float(np.corrcoef(first, other)[0, 1])) < 0.02


def _benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("train_gpu", REPOSITORY / "benchmarks" / "train_gpu.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_settings_of_the_gpu_benchmark_are_settings_of_the_trainer() -> None:
    """It runs where pydantic may not be, so nothing else would notice a setting by another name."""
    benchmark = _benchmark()
    for name, setting in benchmark.SETTINGS.items():
        value = benchmark.config_of(setting, "tiny", "cpu")
        config = Config.model_validate(value)
        for section, words in value.items():
            if isinstance(words, dict):
                assert set(words) == set(getattr(config, section).model_dump()), f"{name}: {section}"


def test_the_gpu_benchmark_runs_with_torch_and_transformers_alone(tmp_path: Path) -> None:
    absent = "('pydantic', 'pyarrow', 'peft', 'corpusforge', 'polars', 'datasets')"
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({absent}))\n")
    name = "full, not compiled, full checkpoints, micro 4"
    command = [sys.executable, "benchmarks/train_gpu.py", "--one", name, "--steps", "1", "--accumulation", "1"]
    told = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    row = json.loads(told.stdout.splitlines()[-1])
    assert row["mfu"] is None
    assert row["device"] == "processor"
    assert row["loss"] == pytest.approx(np.log(512), abs=0.2)


def test_flops_of_a_token_are_those_of_the_published_formula() -> None:
    """48.2 GFLOP a token for all weights of Llama-3-8B at 4k, 33.2 for adapters; MFU stands and falls with them."""
    from types import SimpleNamespace

    from transformers import AutoConfig, AutoModelForCausalLM

    benchmark = _benchmark()
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **benchmark.SHAPES["llama-3-8b"]))
    for adapter, expected in ((None, 48.2e9), (object(), 33.2e9)):
        assert benchmark.work(SimpleNamespace(model=model, adapter=adapter), 4096) == pytest.approx(expected, rel=0.005)
