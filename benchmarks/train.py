"""Compares the trainer with TRL's SFTTrainer and transformers' Trainer: shares at every step, tokens lost, speed.

One mix, built here, one tiny Llama and one machine, side by side: the runs of a round follow each other in an order
that rotates, and speeds are medians over rounds of tokens a processor second. `make bench-train` makes the environment.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")

import numpy as np
import torch
from train_contenders import VOCABULARY, Account, Task, contenders

from corpusforge_train.build_files import Build, read_build
from corpusforge_train.data import Feed
from corpusforge_train.plan import make_plan

LENGTH, MICRO, ACCUMULATION = 2048, 1, 8
MODEL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 344,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": LENGTH,
}
PACKED = f"mix:\n  packed: {{length: {LENGTH}, holdout_tokens: 4096}}\n"


def built(folder: Path) -> Build:
    """The demo, built with 30% domain and packed."""
    tool = [sys.executable, "-m", "corpusforge.cli"]
    subprocess.run([*tool, "init", "."], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    recipe = folder / "recipes" / "demo.yaml"
    text = recipe.read_text("utf-8")
    for old, new in (("mix:\n", PACKED), ("share: 10%,", "share: 30%,"), ("reading: 20%, ", ""), ("90%}", "70%}")):
        assert old in text, f"the demo's recipe has no {old!r} any more"
        text = text.replace(old, new, 1)
    recipe.write_text(text, "utf-8")
    told = subprocess.run(
        [*tool, "build", "recipes/demo.yaml", "--json"], cwd=folder, check=True, stdout=subprocess.PIPE
    )
    return read_build((folder / json.loads(told.stdout)["manifest"]).parent)


def task_of(build: Build) -> Task:
    """Each source's distinct documents as ids with their end, and the share that the recipe asks for."""
    assert build.manifest["tokenizer"]["name"] == "bytes"
    leaves = build.manifest["mix"]["completion"]["leaves"]
    shares = {leaf["path"][-1]: float(leaf["share_wanted"]) for leaf in leaves if leaf["got"]}
    parts: dict[str, dict[str, dict[int, list[int]]]] = {source: {} for source in shares}
    plan = make_plan(build, ("completion",))
    feed = Feed(build, plan)
    for position in range(len(plan)):
        one = feed[position]
        ends = np.cumsum(one.lengths)
        for k in np.flatnonzero(one.epochs == 0).tolist():
            own = parts[one.source].setdefault(one.records[k], {})
            own[int(one.starts[k])] = one.ids[ends[k] - one.lengths[k] : ends[k]].tolist()
    whole = {
        source: [[one for _, piece in sorted(pieces.items()) for one in piece] for _, pieces in sorted(records.items())]
        for source, records in parts.items()
    }
    return Task(build, whole, shares, LENGTH, MICRO, ACCUMULATION, MODEL)


def judged(account: Account, task: Task) -> dict[str, Any]:
    """How far each step's shares, and all steps', are from what is wanted, in points; tokens that are never trained."""
    wanted = np.array([task.shares[source] for source in task.sources])
    steps = np.array(account.steps, dtype=float)
    # The last step is smaller for some; it is counted in all, but not as a step.
    full = steps[:-1] if len(steps) > 1 else steps
    apart = 100 * np.abs(full / full.sum(axis=1, keepdims=True) - wanted).max(axis=1)
    had = steps.cumsum(axis=0)
    # Against the shares that all its steps come to: what a mix of whole documents cannot give is the error in all.
    behind = np.abs(had - had[-1] / had[-1].sum() * had.sum(axis=1, keepdims=True)).max() / task.length
    trained = int(steps.sum())
    return {
        "steps": len(steps),
        "share_error_per_step_mean_points": round(float(apart.mean()), 2),
        "share_error_per_step_worst_points": round(float(apart.max()), 2),
        "share_error_in_all_points": round(float(100 * np.abs(had[-1] / trained - wanted).max()), 3),
        "worst_off_own_share_in_sequences": round(float(behind), 2),
        "tokens_given": account.given,
        "tokens_trained": trained,
        "tokens_never_trained": account.given - trained,
        "never_trained_percent": round(100 * (1 - trained / account.given), 2),
        "loss_tokens": account.learned,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6, help="Steps of a run; the first is not timed.")
    parser.add_argument("--build", type=Path, help="A packed build of the tokenizer `bytes` instead of the demo.")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with tempfile.TemporaryDirectory() as work:
        task = task_of(built(Path(work)) if given.build is None else read_build(given.build))
        sizes = sorted(len(row) for rows in task.documents.values() for row in rows)
        rivals = contenders(task)
        figures = {one.name: {"isolated": one.isolated, **judged(one.account(), task)} for one in rivals}
        rates: dict[str, list[tuple[float, float]]] = {one.name: [] for one in rivals}
        for number in range(given.rounds):
            turn = number % len(rivals)
            for one in [*rivals[turn:], *rivals[:turn]]:
                with tempfile.TemporaryDirectory() as folder:
                    rates[one.name].append(one.run(given.steps, Path(folder)).rates())
                print(f"round {number + 1}: {one.name:<30} {rates[one.name][-1][0]:>9,.0f} tokens/cpu-s", flush=True)
    for name, own in rates.items():
        figures[name]["tokens_per_cpu_s"] = round(statistics.median(cpu for cpu, _ in own))
        figures[name]["tokens_per_s"] = round(statistics.median(wall for _, wall in own))
    ours = figures[rivals[0].name]
    best = max(row["tokens_per_cpu_s"] for name, row in figures.items() if "corpusforge" not in name)
    for name, row in figures.items():
        print(
            f"{name:<30} step error {row['share_error_per_step_mean_points']:>6} (worst "
            f"{row['share_error_per_step_worst_points']:>6}) points, in all {row['share_error_in_all_points']:>7}, "
            f"never trained {row['never_trained_percent']:>6}%, {row['tokens_per_cpu_s']:>8,} tokens/cpu-s"
        )
    quantiles = {f"p{at}": sizes[min(len(sizes) - 1, len(sizes) * at // 100)] for at in (10, 50, 90, 99)}
    print(
        json.dumps(
            {
                "bench": "train",
                "shares_wanted": task.shares,
                "document_tokens": {**quantiles, "longest": sizes[-1]},
                "length": LENGTH,
                "batch_tokens": LENGTH * MICRO * ACCUMULATION,
                "threads": torch.get_num_threads(),
                "rounds": given.rounds,
                "contenders": figures,
                "ours_within_a_sequence": ours["worst_off_own_share_in_sequences"] <= 1,
                "ours_never_trained": ours["tokens_never_trained"],
                "ours_to_the_fastest_other": round(ours["tokens_per_cpu_s"] / best, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
