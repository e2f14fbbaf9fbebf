"""Runs TRL's DPOTrainer over pairs in the build's order, and counts what it is really given."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback

from corpusforge_train.build_files import Build
from corpusforge_train.config import Config, Dpo, Schedule
from corpusforge_train.export import export
from corpusforge_train.log import Log
from corpusforge_train.model import load_model
from corpusforge_train.model_card import models_before
from corpusforge_train.preference import Pair, card, check_ledger, count_pairs
from corpusforge_train.schedule import rate


class Counting:
    """A collator that counts the pairs and tokens of each batch, by source and epoch, before it hands them on."""

    def __init__(self, collate: Any, pairs: int) -> None:
        self._collate, self._pairs, self._seen = collate, pairs, 0
        self.ledger: dict[tuple[str, int], list[int]] = {}

    def __call__(self, examples: list[dict[str, Any]]) -> Any:
        """The batch of some tokenised pairs."""
        for one in examples:
            entry = self.ledger.setdefault((one["source"], self._seen // self._pairs), [0, 0])
            entry[0] += 1
            entry[1] += 2 * len(one["prompt_ids"]) + len(one["chosen_ids"]) + len(one["rejected_ids"])
            self._seen += 1
        return self._collate(examples)


class Telling(TrainerCallback):
    """Hands the figures of TRL's log to the run's own."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.last: dict[str, float] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """One line of figures; the summary at the end has none of them."""
        if logs is None or "rewards/margins" not in logs:
            return
        names = {"loss": "loss", "rewards/margins": "margin", "rewards/accuracies": "accuracy", "learning_rate": "rate"}
        self.last = {ours: float(logs[theirs]) for theirs, ours in names.items() if theirs in logs}
        self._log.line(state.global_step, **self.last)
        self._log.say(f"step {state.global_step:>6,}  " + "  ".join(f"{k} {v:.4g}" for k, v in self.last.items()))


def run_dpo(
    build: Build,
    config: Config,
    settings: Dpo,
    out: Path,
    pairs: Sequence[Pair],
    tokenizer: Any,
    wanted: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Train to the end and write `out/final`; the receipt: `about`, and what was consumed. See `preference.tune`."""
    from datasets import Dataset, disable_progress_bars
    from trl import DPOConfig, DPOTrainer
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    disable_progress_bars()
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    trained = load_model(config, int(build.packed["vocabulary"]))
    counting = Counting(DataCollatorForPreference(pad_token_id=tokenizer.pad_token_id), len(pairs))
    steps = settings.epochs * -(-len(pairs) // config.batch.sequences)
    own = [one for _, one in trained.parameters()]
    way = config.optimizer
    optimizer = torch.optim.AdamW(
        own, lr=config.schedule.peak, betas=way.betas, eps=way.eps, weight_decay=way.weight_decay
    )
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_factor, config.schedule, steps))
    log = Log(out, -1, config.log.places())
    telling = Telling(log)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            trainer = DPOTrainer(
                trained.adapter,
                args=DPOConfig(
                    output_dir=scratch,
                    beta=settings.beta,
                    num_train_epochs=settings.epochs,
                    per_device_train_batch_size=config.batch.micro,
                    gradient_accumulation_steps=config.batch.sequences // config.batch.micro,
                    max_grad_norm=way.clip,
                    logging_steps=config.log.every,
                    train_sampling_strategy="sequential",
                    remove_unused_columns=False,
                    max_length=None,
                    gradient_checkpointing=False,
                    bf16=trained.compute == torch.bfloat16,
                    use_cpu=trained.device.type == "cpu",
                    save_strategy="no",
                    report_to="none",
                    disable_tqdm=True,
                    seed=config.seed,
                ),
                train_dataset=Dataset.from_list([dict(pair) for pair in pairs]),
                processing_class=tokenizer,
                data_collator=counting,
                optimizers=(optimizer, rates),
                callbacks=[telling],
            )
            # Standard output is data: TRL's figures go where the run's own do.
            trainer.remove_callback(PrinterCallback)
            trainer.train()
            done = int(trainer.state.global_step)
    finally:
        log.close()
    ledger = count_pairs(counting.ledger)
    check_ledger(ledger, wanted, out)
    # The frozen copy of the adapters that TRL compares with is no part of the result.
    for name in [name for name in trained.adapter.peft_config if name != "default"]:
        trained.adapter.delete_adapter(name)
    receipt = {
        **about,
        "step": done,
        "position": len(pairs) * settings.epochs,
        "ledger": ledger,
        "margin": telling.last["margin"],
        "accuracy": telling.last["accuracy"],
        "before": models_before(config),
        "torch": str(torch.__version__),
    }
    template = (build.folder / "packed" / "chat_template.jinja").read_text("utf-8")
    export(trained, config, receipt, out, {"README.md": card(build, receipt), "chat_template.jinja": template})
    return receipt


def _factor(schedule: Schedule, steps: int, step: int) -> float:
    return rate(schedule, min(step, steps - 1) / steps, min(step + 1, steps) / steps) / schedule.peak
