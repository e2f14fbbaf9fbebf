"""Measures the trainer on one GPU: tokens/s, MFU and peak memory of a random Llama-3-8B at 4k, all weights and LoRA.

It runs the trainer's own model, loss, optimiser and step, one setting after the other, each in a process of its own,
and needs torch and transformers alone (LoRA: peft too). Without a GPU it runs a tiny shape on the processor, which
shows that it runs and measures nothing. Documents have a long tail and fill sequences; MFU counts the attention within
documents alone, and no recomputation: (6 N + 3 A) a token for all weights, (4 N + 3 A) for adapters, N the parameters
of matrix products and A the two products of attention in a forward pass.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))

import numpy as np
import torch

from corpusforge_train.batch import Batch, PackedSequence, collate
from corpusforge_train.model import Trained, load_model
from corpusforge_train.optimizer import AdamW
from corpusforge_train.step import add_gradients, update

GOAL = 0.5
SHAPES: dict[str, dict[str, Any]] = {
    "llama-3-8b": {
        "vocab_size": 128256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
    },
    "tiny": {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
    },
}
# Dense bf16, TFLOP/s, by the vendors' datasheets; the first name that the device's name contains.
PEAKS = (
    ("H100 PCIe", 756.0),
    ("H100 NVL", 835.0),
    ("GH200", 989.4),
    ("H100", 989.4),
    ("H200", 989.4),
    ("B200", 2250.0),
    ("A100", 311.9),
    ("L40S", 362.0),
    ("RTX 4090", 165.2),
    ("RTX 5090", 209.5),
    ("A10G", 70.0),
    ("L4", 121.0),
)
FULL: dict[str, Any] = {"lora": None, "attention": "varlen", "compile": True, "recompute": "none", "micro": 2}
LORA: dict[str, Any] = {**FULL, "lora": {"rank": 32}}
SETTINGS: dict[str, dict[str, Any]] = {
    "full, compiled, micro 2": FULL,
    "full, compiled, micro 1": {**FULL, "micro": 1},
    "full, compiled, selective checkpoints, micro 4": {**FULL, "recompute": "selective", "micro": 4},
    "full, compiled, full checkpoints, micro 4": {**FULL, "recompute": "full", "micro": 4},
    "full, compiled, flex, micro 2": {**FULL, "attention": "flex"},
    "full, compiled, sdpa, micro 2": {**FULL, "attention": "sdpa"},
    "full, not compiled, full checkpoints, micro 4": {**FULL, "compile": False, "recompute": "full", "micro": 4},
    "lora, compiled, micro 2": LORA,
    "lora, compiled, micro 4": {**LORA, "micro": 4},
    "lora, compiled, selective checkpoints, micro 8": {**LORA, "recompute": "selective", "micro": 8},
}


def config_of(setting: dict[str, Any], shape: str, device: str) -> dict[str, Any]:
    """The trainer's config of a setting, as its YAML would say it: bf16 throughout, rounded by chance."""
    model = {
        "random": {"model_type": "llama", **SHAPES[shape]},
        "path": None,
        "attention": setting["attention"],
        "gradient_checkpointing": setting["recompute"],
        "compile": setting["compile"],
    }
    lora = {
        "base": "full",
        "alpha": None,
        "dropout": 0.0,
        "targets": "all-linear",
        "rslora": None,
        "dora": False,
        "merge": False,
    }
    bf16 = {"weights": "bf16", "compute": "bf16", "states": "bf16", "rounding": "stochastic", "least_surviving": 0.5}
    return {
        "model": model,
        "prompt": None,
        "dpo": None,
        "lora": None if setting["lora"] is None else {**lora, **setting["lora"]},
        "optimizer": {"betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0},
        "precision": bf16,
        "loss": {"weights": {}, "chunk": 4096},
        "seed": 17,
        "device": device,
    }


def as_settings(value: Any) -> Any:
    """A config's sections with their keys as attributes, where pydantic is not there to check it."""
    if not isinstance(value, dict):
        return value
    return SimpleNamespace(**{key: one if key == "random" else as_settings(one) for key, one in value.items()})


def batches(count: int, micro: int, length: int, vocabulary: int, seed: int) -> tuple[list[Batch], float]:
    """`count` micro batches of full sequences of documents with a long tail; and the mean of the square of a document's
    tokens over its tokens, which is the n of its attention.
    """
    chance = np.random.default_rng(seed)
    made, tokens, squares = [], 0, 0
    for _ in range(count):
        sequences = []
        for _ in range(micro):
            lengths: list[int] = []
            while sum(lengths) < length:
                size = int(np.clip(chance.lognormal(np.log(length / 6), 1.2), 8, length))
                lengths.append(min(size, length - sum(lengths)))
            sizes = np.array(lengths)
            tokens, squares = tokens + length, squares + int((sizes**2).sum())
            weights = np.ones(length, dtype=np.float32)
            weights[np.concatenate([[0], np.cumsum(sizes)[:-1]])] = 0
            ids = chance.integers(0, vocabulary, length).astype(np.int32)
            none = np.zeros_like(sizes)
            sequences.append(PackedSequence("text", ids, weights, sizes, none, none, sizes, sizes, [""] * len(sizes)))
        made.append(collate(sequences, length, 0, {"text": 0}))
    return made, squares / tokens


def work(trained: Trained, documents: float) -> float:
    """FLOPs a token, forward and backward, without recomputation; `documents` is the n of attention."""
    own = trained.model.config
    embedding = trained.model.get_input_embeddings().weight
    matrices = [one for name, one in trained.model.named_parameters() if one.ndim == 2 and "lora_" not in name]
    # A tied head is multiplied by as any head is; embeddings that are looked up are not.
    product = sum(one.numel() for one in matrices) - (0 if own.tie_word_embeddings else embedding.numel())
    attention = 2 * own.num_hidden_layers * own.hidden_size * documents
    return (4 if trained.adapter is not None else 6) * product + 3 * attention


def measured(
    setting: dict[str, Any], shape: str, device: str, steps: int, accumulation: int, length: int
) -> dict[str, Any]:
    """One setting: the figures of `steps` optimiser steps after two that compile and warm up."""
    on_gpu = device == "cuda"
    config = as_settings(config_of(setting, shape, device))
    vocabulary = SHAPES[shape]["vocab_size"]
    trained = load_model(config, vocabulary)
    optimizer = AdamW(
        trained.parameters(), config.optimizer, config.precision, config.seed, compiled=setting["compile"]
    )
    made, documents = batches(accumulation, setting["micro"], length, vocabulary, 1)
    sums = torch.zeros(1, 2, dtype=torch.float64, device=trained.device)
    trained.model.train()

    def step() -> None:
        weight = trained.tensor(np.array(sum(batch.weight for batch in made)))
        add_gradients(trained, made, weight, sums)
        update(optimizer, 1e-5, config.optimizer.clip, measure=False)

    for _ in range(2):
        step()
    syncs = 0
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("warn")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            step()
        torch.cuda.set_sync_debug_mode("default")
        syncs = sum("synchroniz" in str(one.message) for one in told)
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    if on_gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    speed = steps * accumulation * setting["micro"] * length / seconds
    each = work(trained, documents)
    name = torch.cuda.get_device_name() if on_gpu else "processor"
    peak = next((value for part, value in PEAKS if part in name), None) if on_gpu else None
    loss = sums[0, 0] / sums[0, 1]
    return {
        **setting,
        "tokens_per_s": round(speed, 1),
        "mfu": None if peak is None else round(speed * each / peak / 1e12, 4),
        "tflops": round(speed * each / 1e12, 3),
        "gflop_a_token": round(each / 1e9, 4),
        "peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2) if on_gpu else None,
        "host_syncs_a_step": syncs if on_gpu else None,
        "tokens_a_step": accumulation * setting["micro"] * length,
        "document_n": round(documents),
        "loss": round(float(loss), 3),
        "parameters": sum(one.numel() for one in trained.model.parameters()),
        "trained": sum(one.numel() for _, one in trained.parameters()),
        "device": name,
        "peak_tflops": peak,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", metavar="TEXT", help="Settings whose name contains it.")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--accumulation", type=int, default=4, help="Micro batches of a step.")
    parser.add_argument("--one", metavar="NAME", help="Measure one setting in this process.")
    given = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    shape, device, length = ("llama-3-8b", "cuda", 4096) if on_gpu else ("tiny", "cpu", 128)
    if given.one:
        setting = dict(SETTINGS[given.one])
        if not on_gpu and setting["attention"] == "flex":
            setting["attention"] = "sdpa"
        print(json.dumps(measured(setting, shape, device, given.steps, given.accumulation, length)))
        return
    found: dict[str, Any] = {}
    for name in SETTINGS:
        if given.only and not any(text in name for text in given.only):
            continue
        words = ["--one", name, "--steps", str(given.steps), "--accumulation", str(given.accumulation)]
        ended = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=False)
        if ended.returncode:
            # A setting that does not fit, or an adapter without peft, says so, and the others are measured.
            found[name] = {"failed": ended.stderr.strip().splitlines()[-1][:300] if ended.stderr.strip() else "?"}
            print(f"{name:<48} {found[name]['failed']}", flush=True)
            continue
        row = found[name] = json.loads(ended.stdout.splitlines()[-1])
        told = f"MFU {row['mfu']:.1%}, {row['peak_gb']} GB" if row["mfu"] is not None else "unmeasured: no known GPU"
        print(f"{name:<48} {row['tokens_per_s']:>10,.0f} tokens/s, {told}", flush=True)
    full = [row["mfu"] for name, row in found.items() if name.startswith("full") and row.get("mfu") is not None]
    print(
        json.dumps(
            {
                "bench": "train-gpu",
                "measured": on_gpu,
                "shape": shape,
                "length": length,
                "torch": str(torch.__version__),
                "goal_mfu": GOAL,
                "best_full_mfu": max(full, default=None),
                "goal_met": max(full) >= GOAL if full else None,
                "settings": found,
            }
        )
    )
    if not on_gpu:
        print(
            "unmeasured: there is no GPU here; the tiny shape on the processor shows only that it runs", file=sys.stderr
        )


if __name__ == "__main__":
    main()
