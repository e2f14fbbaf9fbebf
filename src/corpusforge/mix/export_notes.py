"""What lies beside an exported schedule: a README that says what is lost there, and the other trainer's own settings.

Columns and settings are from the trainers' own pages and code: TRL 1.16 (run in the tests), LLaMA-Factory
(`tokenized_path`, `neat_packing`, `disable_shuffling`) and axolotl (`docs/dataset-formats/tokenized`,
`curriculum_sampling`, `sample_packing_sequentially`), both read and not run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Exported:
    """One output as it was written: sequences and tokens of the schedule, rows of the files, labels that are learned
    from, tokens whose weight in the loss is neither 0 nor 1, and the files' names in their folder.
    """

    name: str
    sequences: int
    tokens: int
    rows: int
    labels: int
    fractions: int
    files: tuple[str, ...]


TRL = {
    "padding_free": True,
    "packing": False,
    "max_length": None,
    "train_sampling_strategy": "sequential",
    "shuffle_dataset": False,
    "dataset_kwargs": {"skip_prepare_dataset": True},
    "num_train_epochs": 1,
    "per_device_train_batch_size": 1,
    "dataloader_drop_last": False,
}


def notes(to: str, manifest: Mapping[str, Any], outputs: Sequence[Exported]) -> dict[str, str]:
    """The files of an export beside its data, by name."""
    made = {"README.md": _readme(to, manifest, outputs)}
    if to == "trl":
        made["sft_config.yaml"] = yaml.safe_dump(TRL, sort_keys=False)
    elif to == "llama-factory":
        made |= {f"{one.name}.yaml": _llama_factory(manifest, one) for one in outputs}
    elif to == "axolotl":
        made |= {f"{one.name}.yaml": _axolotl(manifest, one) for one in outputs}
    return made


def _readme(to: str, manifest: Mapping[str, Any], outputs: Sequence[Exported]) -> str:
    packed = manifest["packed"]
    lines = [
        f"# {manifest['name']}, build {manifest['build']}, for {to}",
        "",
        f"The packed schedule of the build: sequences of at most {packed['length']:,} tokens of the tokenizer "
        f"`{manifest['tokenizer']['name']}`, in the order of training. Repeats are in it, so one epoch is the whole "
        "run. `export.json` names the manifest that it was made from.",
        "",
        "| output | rows | sequences | tokens | learned from |",
        "|---|---:|---:|---:|---:|",
        *(f"| {one.name} | {one.rows:,} | {one.sequences:,} | {one.tokens:,} | {one.labels:,} |" for one in outputs),
        "",
        "## How to use it",
        "",
        *_USE[to],
        "",
        "## What is lost here",
        "",
    ]
    lines += [f"- {line}" for line in _losses(to, packed, outputs)]
    front = ""
    if to in ("datasets", "trl"):
        entries = [
            {"config_name": one.name, "data_files": [{"split": "train", "path": f"{one.name}/*.parquet"}]}
            for one in outputs
        ]
        front = f"---\n{yaml.safe_dump({'configs': entries}, sort_keys=False)}---\n\n"
    return front + "\n".join(lines) + "\n"


def _losses(to: str, packed: Mapping[str, Any], outputs: Sequence[Exported]) -> list[str]:
    between = sum(one.fractions for one in outputs)
    told = []
    if between:
        told.append(
            f"Loss weights: {between:,} tokens weigh something between 0 and 1, or more than 1. "
            + ("They stand in `loss_weights`; `labels` can only" if to == "datasets" else "Labels can only")
            + " say yes or no, and say yes to all of these."
        )
    else:
        told.append("Loss weights: nothing; each is 0 or 1 in this build, which labels can say.")
    worst = max((packed["outputs"][one.name]["largest_deviation"] for one in outputs), default=0.0)
    told.append(
        f"Shares: in this order each source is never further than {worst:.2f} sequences from its share. "
        "A step keeps that only while rows are read in order, over one process; over several, each step of all "
        "together does."
    )
    return [*told, *_LOST[to]]


_USE: Mapping[str, list[str]] = {
    "datasets": [
        "```python",
        "from datasets import load_dataset",
        "",
        'rows = load_dataset("DIR", "completion", split="train")  # input_ids, labels, position_ids, seq_lengths, …',
        "```",
        "",
        "`labels` are the ids, or -100; `position_ids` restart at each document, `seq_lengths` are their lengths, "
        "`ids` their records and `repeats` their epochs from 0. Give a model `position_ids`, no `attention_mask` "
        "and `use_cache=False`: then documents do not see each other.",
    ],
    "trl": [
        "```python",
        "import yaml",
        "from datasets import load_dataset",
        "from trl import SFTConfig, SFTTrainer",
        "",
        'rows = load_dataset("DIR", "completion", split="train")',
        'config = SFTConfig(output_dir="out", **yaml.safe_load(open("DIR/sft_config.yaml")))',
        "SFTTrainer(model, args=config, train_dataset=rows).train()",
        "```",
        "",
        "Every line of `sft_config.yaml` is needed: without `train_sampling_strategy: sequential` rows are shuffled, "
        "with a `max_length` they are cut, without `padding_free` documents see each other.",
    ],
    "llama-factory": [
        "`tokenized_path` takes the folder as `load_from_disk` finds it; put the model into `completion.yaml` (or "
        "`instruct.yaml`) and run `llamafactory-cli train completion.yaml` from here. `attention_mask` numbers the "
        "documents of a sequence, which is how neat packing keeps them apart.",
    ],
    "axolotl": [
        "Put the model into `completion.yaml` (or `instruct.yaml`) and run `axolotl train completion.yaml` from here. "
        "A row is one document, or a piece that fills a sequence; axolotl packs neighbours into sequences again, in "
        "this order, and keeps them apart.",
    ],
}
_LOST: Mapping[str, list[str]] = {
    "datasets": ["Isolation: nothing, if positions are given as above. A mask of ones undoes it."],
    "trl": [
        "Isolation: nothing with `padding_free` (sdpa, eager, flex and flash attention read the positions).",
        "Accounting: the trainer has no ledger; on a resume it counts batches, so keep the batch size.",
    ],
    "llama-factory": [
        "Isolation: nothing with `neat_packing` and its own attention; other attention may read the mask as plain.",
        "Rows are filled to the full length, and filling costs its computation.",
        "Accounting: the trainer has no ledger, and which source a row is of is not kept.",
        "Read from its code, not run: check the first batch.",
    ],
    "axolotl": [
        "Sequences: neighbours are packed again, so borders differ; the last ones may be dropped (`drop_last`), and "
        "rows from which nothing is learned are.",
        "Accounting: the trainer has no ledger, and which source a row is of is not kept.",
        "Read from its documentation and code, not run: check the first batch.",
    ],
}


def _llama_factory(manifest: Mapping[str, Any], one: Exported) -> str:
    settings = {
        "model_name_or_path": "MODEL",
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full" if one.name == "completion" else "lora",
        "template": "empty",
        "tokenized_path": one.name,
        "cutoff_len": manifest["packed"]["length"],
        "packing": True,
        "neat_packing": True,
        "disable_shuffling": True,
        "num_train_epochs": 1,
        "per_device_train_batch_size": 1,
        "output_dir": f"out-{one.name}",
    }
    return yaml.safe_dump(settings, sort_keys=False)


def _axolotl(manifest: Mapping[str, Any], one: Exported) -> str:
    settings = {
        "base_model": "MODEL",
        "datasets": [{"path": one.name, "ds_type": "parquet", "type": None}],
        "sequence_len": manifest["packed"]["length"],
        "shuffle_merged_datasets": False,
        "curriculum_sampling": True,
        "sample_packing": True,
        "sample_packing_sequentially": True,
        "flash_attention": True,
        "val_set_size": 0,
        "num_epochs": 1,
        "micro_batch_size": 1,
        "output_dir": f"out-{one.name}",
    }
    return yaml.safe_dump(settings, sort_keys=False)
