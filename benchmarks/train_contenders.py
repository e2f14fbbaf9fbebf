"""The trainers that `train.py` compares, each fed as its own documentation says, on the rows of one mix."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed
from corpusforge_train.loop import Run
from corpusforge_train.plan import make_plan

VOCABULARY, PADDING, SEED = 260, 259, 17
ADAMW = {"rate": 3e-4, "betas": (0.9, 0.95), "decay": 0.1, "clip": 1.0}


@dataclass(frozen=True)
class Task:
    """What every contender gets: the distinct documents of each source with its wanted share, sizes and the model."""

    build: Build
    documents: Mapping[str, Sequence[Sequence[int]]]
    shares: Mapping[str, float]
    length: int
    micro: int
    accumulation: int
    model: Mapping[str, Any]

    @property
    def sources(self) -> list[str]:
        return list(self.documents)


@dataclass
class Account:
    """What a contender would train on over its whole run: tokens by step and source, and what it was given."""

    given: int
    steps: list[np.ndarray] = field(default_factory=list)
    learned: int = 0


@dataclass
class Clock:
    """Tokens, processor seconds and wall seconds of each step but the first."""

    marks: list[tuple[float, float]] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def mark(self) -> None:
        self.marks.append((time.process_time(), time.perf_counter()))

    def rates(self) -> tuple[float, float]:
        """Tokens a processor second, and a second, from the end of the first step to that of the last."""
        tokens = sum(self.tokens[1 : len(self.marks)])
        (cpu, wall), (last_cpu, last_wall) = self.marks[0], self.marks[-1]
        return tokens / (last_cpu - cpu), tokens / (last_wall - wall)


class Ours:
    """corpusforge's trainer on the packed sequences of the build, with one of its attentions.

    All call torch's scaled_dot_product_attention, as all others here do: `sdpa` once with a mask, `auto`, the default,
    once a document.
    """

    isolated = True

    def __init__(self, task: Task, attention: str) -> None:
        self.task, self.name = task, f"corpusforge {attention}"
        self.config = Config.model_validate(
            {
                "model": {"random": {"model_type": "llama", **task.model}, "attention": attention},
                "batch": {"sequences": task.micro * task.accumulation, "micro": task.micro},
                "schedule": {"kind": "constant", "peak": ADAMW["rate"], "warmup": 0},
                "optimizer": {"betas": ADAMW["betas"], "weight_decay": ADAMW["decay"], "clip": ADAMW["clip"]},
                "checkpoint": {"every": 0},
                "holdout": {"every": 0, "stop": None},
                "seed": SEED,
                "device": "cpu",
            }
        )

    def account(self) -> Account:
        plan = make_plan(self.task.build, ("completion",))
        feed = Feed(self.task.build, plan)
        account = Account(self.task.build.manifest["mix"]["completion"]["got_tokens"])
        each = self.config.batch.sequences
        for first in range(0, len(plan), each):
            tokens = np.zeros(len(self.task.sources), dtype=np.int64)
            for sequences, batch in feed.batches(range(first, min(first + each, len(plan))), self.config.batch.micro):
                account.learned += len(batch.active)
                for one in sequences:
                    tokens[self.task.sources.index(one.source)] += len(one.ids)
            account.steps.append(tokens)
        return account

    def run(self, steps: int, folder: Path) -> Clock:
        clock = Clock()

        class Ended(Exception):
            pass

        class Timed(Run):
            def _step(self) -> None:
                first = self.progress.position
                super()._step()
                clock.mark()
                clock.tokens.append(int(self.plan.tokens[first : self.progress.position].sum()))
                if len(clock.marks) == steps:
                    raise Ended

        with suppress(Ended):
            Timed(self.task.build, self.config, folder, None).train()
        return clock


def _model(task: Task) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(SEED)
    config = AutoConfig.for_model("llama", **task.model, pad_token_id=PADDING)
    return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa", dtype=torch.float32)


def _interleaved(task: Task, tagged: bool) -> Any:
    """Rows of all sources drawn with the shares as probabilities, until each source has been gone through.

    `tagged` adds a multiple of the vocabulary to every id, by which the token's source is known in any batch.
    """
    from datasets import Dataset, interleave_datasets

    parts = []
    for number, source in enumerate(task.sources):
        base = VOCABULARY * (number + 1) if tagged else 0
        parts.append(Dataset.from_dict({"input_ids": [[one + base for one in row] for row in task.documents[source]]}))
    shares = [task.shares[source] for source in task.sources]
    return interleave_datasets(parts, probabilities=shares, seed=SEED, stopping_strategy="all_exhausted")


def _arguments(task: Task, folder: Path, steps: int) -> dict[str, Any]:
    """Settings that are the same for both: like ours, and no more work than ours."""
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": task.micro,
        "gradient_accumulation_steps": task.accumulation,
        "max_steps": steps,
        "num_train_epochs": 1,
        "learning_rate": ADAMW["rate"],
        "lr_scheduler_type": "constant",
        "adam_beta1": ADAMW["betas"][0],
        "adam_beta2": ADAMW["betas"][1],
        "weight_decay": ADAMW["decay"],
        "max_grad_norm": ADAMW["clip"],
        "gradient_checkpointing": False,
        "bf16": False,
        "fp16": False,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "seed": SEED,
    }


class Theirs:
    """What TRL's and transformers' trainers share: rows by probability, their own packing, their own loop."""

    name: str
    isolated: bool

    def __init__(self, task: Task) -> None:
        self.task = task

    def trainer(self, rows: Any, folder: Path, steps: int) -> Any:
        raise NotImplementedError

    def _batches(self, trainer: Any) -> Iterator[dict[str, Any]]:
        yield from trainer.get_train_dataloader()

    def account(self) -> Account:
        import tempfile

        rows = _interleaved(self.task, tagged=True)
        account = Account(sum(len(row) for row in rows["input_ids"]))
        with tempfile.TemporaryDirectory() as folder:
            for number, batch in enumerate(self._batches(self.trainer(rows, Path(folder), -1))):
                if number % self.task.accumulation == 0:
                    account.steps.append(np.zeros(len(self.task.sources), dtype=np.int64))
                owner = batch["input_ids"].numpy().ravel() // VOCABULARY
                account.steps[-1] += np.bincount(owner, minlength=len(self.task.sources) + 1)[1:]
                account.learned += int((batch["labels"][:, 1:] != -100).sum())
        return account

    def run(self, steps: int, folder: Path) -> Clock:
        from transformers import TrainerCallback

        clock = Clock()
        trainer = self.trainer(_interleaved(self.task, tagged=False), folder, steps)
        collate: Callable[[Any], Any] = trainer.data_collator
        seen: list[int] = []

        def counting(rows: Any) -> Any:
            batch = collate(rows)
            seen.append(int((batch["input_ids"] != PADDING).sum()))
            return batch

        class Ticks(TrainerCallback):
            def on_step_end(self, *words: Any, **named: Any) -> None:
                clock.mark()

        trainer.data_collator = counting
        trainer.add_callback(Ticks())
        trainer.train()
        each = self.task.accumulation
        clock.tokens = [sum(seen[first : first + each]) for first in range(0, len(seen), each)]
        return clock


class Trl(Theirs):
    """TRL's SFTTrainer with one of its ways to pack."""

    def __init__(self, task: Task, strategy: str) -> None:
        super().__init__(task)
        self.strategy, self.name, self.isolated = strategy, f"trl {strategy}", strategy != "wrapped"

    def trainer(self, rows: Any, folder: Path, steps: int) -> Any:
        from trl import SFTConfig, SFTTrainer

        settings = _arguments(self.task, folder, steps)
        packing = {"packing": True, "packing_strategy": self.strategy, "max_length": self.task.length}
        return SFTTrainer(
            model=_model(self.task),
            args=SFTConfig(**settings, **packing),
            train_dataset=rows,
            processing_class=_tokenizer(),
        )


class ConcatAndChunk(Theirs):
    """transformers' Trainer on rows joined and cut as its own `run_clm.py` does."""

    name, isolated = "transformers concat-and-chunk", False

    def trainer(self, rows: Any, folder: Path, steps: int) -> Any:
        from transformers import Trainer, TrainingArguments, default_data_collator

        length = self.task.length

        def chunks(examples: dict[str, list[list[int]]]) -> dict[str, list[list[int]]]:
            joined = [one for row in examples["input_ids"] for one in row]
            whole = len(joined) // length * length
            parts = [joined[first : first + length] for first in range(0, whole, length)]
            return {"input_ids": parts, "labels": [list(part) for part in parts]}

        return Trainer(
            model=_model(self.task),
            args=TrainingArguments(**_arguments(self.task, folder, steps)),
            train_dataset=rows.map(chunks, batched=True),
            data_collator=default_data_collator,
        )


def _tokenizer() -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = {f"<{number}>": number for number in range(VOCABULARY)}
    made = Tokenizer(WordLevel(words, unk_token="<258>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<256>", pad_token=f"<{PADDING}>", unk_token="<258>"
    )


def contenders(task: Task) -> list[Any]:
    """All of them; ours first."""
    ours = [Ours(task, "auto"), Ours(task, "sdpa")]
    return [*ours, Trl(task, "bfd"), Trl(task, "bfd_split"), Trl(task, "wrapped"), ConcatAndChunk(task)]
