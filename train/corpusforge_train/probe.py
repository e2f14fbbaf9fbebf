"""How long a run takes and how much memory it needs: reckoned from the sizes, and measured by a few steps of it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed, Reader
from corpusforge_train.model import Trained, load_model
from corpusforge_train.optimizer import AdamW
from corpusforge_train.plan import DataPlan

_PASSES = 3
# Evaluation has no backward pass, which is two thirds of the work.
_FORWARD = 1 / 3


def activation_bytes(config: Config, sizes: Any, length: int) -> int:
    """Bytes that one forward pass of one process keeps for its backward pass, logits included; about a fifth off.

    `sizes` is the model's configuration. For each token a decoder layer keeps eight vectors of its width, keys and
    values, four vectors of its feed-forward width, and its norms' inputs in fp32; attention by `eager` keeps its
    probabilities too. With gradient checkpointing each layer's input stays (if selective, also what matrix products
    give), and one layer is made anew. After Korthikanti et al. 2022, with the constants counted on Llama's layers.
    """
    tokens = config.batch.micro * length
    width = 2 if "bf16" in (config.precision.compute, config.precision.weights) else 4
    hidden, layers = sizes.hidden_size, sizes.num_hidden_layers
    heads = sizes.num_attention_heads
    keys = (getattr(sizes, "num_key_value_heads", None) or heads) * (
        getattr(sizes, "head_dim", None) or hidden // heads
    )
    inner = getattr(sizes, "intermediate_size", None) or 4 * hidden
    layer = width * (8 * hidden + 2 * keys + 4 * inner) + 8 * hidden
    if config.model.attention == "eager":
        layer += heads * length * (4 if width == 4 else 6)
    mode = config.model.gradient_checkpointing
    again = {"selective": width * (5 * hidden + 2 * keys + 2 * inner), "full": width * hidden, True: width * hidden}
    kept = tokens * (layers * again[mode] + layer if mode in again else layers * layer)
    chunk = min(config.loss.chunk, tokens)
    logits = chunk * sizes.vocab_size * (4 + 2 * width)
    head = 4 * sizes.vocab_size * hidden if config.lora is None else 0
    return int(kept + logits + head)


def probe(build: Build, config: Config, plan: DataPlan, feed: Feed) -> dict[str, Any]:
    """Time and memory of the run, from three forward and backward passes and one update on this device.

    `fits` is False where the device has too little memory, and nothing else is told then. `peak_bytes` is what the
    device's allocator held at most, or on a processor how much the process grew; None where that is not told.
    """
    trained = load_model(config, int(build.packed["vocabulary"]))
    on_gpu = trained.device.type == "cuda"
    before = _reset(on_gpu)
    try:
        a_pass, an_update = _measured(trained, config, plan, feed)
    except torch.cuda.OutOfMemoryError:
        return {"fits": False, "device": str(trained.device)}
    peak = torch.cuda.max_memory_allocated() if on_gpu else _grown(before)
    weights = 0 if on_gpu else sum(one.numel() * one.element_size() for one in trained.model.parameters())
    batch, steps = config.batch, plan.steps(config.batch.sequences)
    a_step = -(-batch.sequences // batch.micro) * a_pass + an_update
    held = -(-len(Reader(build, "holdout")) // batch.micro)
    times = 2 + (steps // config.holdout.every if config.holdout.every else 0)
    seconds = len(plan) / batch.micro * a_pass + steps * an_update + times * held * a_pass * _FORWARD
    return {
        "fits": True,
        "device": str(trained.device),
        "seconds": seconds,
        "seconds_per_step": a_step,
        "tokens_per_second": plan.total / max(1e-9, len(plan) / batch.micro * a_pass + steps * an_update),
        "peak_bytes": None if peak is None else peak + weights,
    }


def _measured(trained: Trained, config: Config, plan: DataPlan, feed: Feed) -> tuple[float, float]:
    """Seconds of a forward and backward pass, and of an update; the first pass, which warms up, is not counted."""
    optimizer = AdamW(trained.parameters(), config.optimizer, config.precision, config.seed)
    trained.model.train()
    taken = []
    places = range(min(len(plan), config.batch.micro))
    for _ in range(_PASSES):
        began = _now(trained)
        _, batch = next(iter(feed.batches(places, config.batch.micro)))
        total, _ = trained.loss(batch)
        (total / max(1e-9, batch.weight)).backward()
        taken.append(_now(trained) - began)
    began = _now(trained)
    # A rate of nothing: the model is thrown away, but a step must do all that a step does.
    optimizer.step(0.0, 1.0 / float(optimizer.norm().clamp_min(1e-12)))
    optimizer.clear()
    return min(taken[1:]), _now(trained) - began


def _now(trained: Trained) -> float:
    if trained.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _reset(on_gpu: bool) -> int | None:
    """Begin to watch memory; what this process holds now, on Linux."""
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
        return None
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    return _status("VmRSS")


def _grown(before: int | None) -> int | None:
    peak = _status("VmHWM")
    return None if before is None or peak is None else max(0, peak - before)


def _status(key: str) -> int | None:
    """A figure of /proc/self/status in bytes; None where there is no such file."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return None
