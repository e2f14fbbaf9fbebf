"""The training loop: from a plan and a model to checkpoints, a ledger and a log."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corpusforge_train.batch import Batch, PackedSequence
from corpusforge_train.build_files import Build
from corpusforge_train.checkpoint import Checkpointer, Saved, newest
from corpusforge_train.claim import Claim
from corpusforge_train.config import Config
from corpusforge_train.data import Feed, check_learnable
from corpusforge_train.errors import Interrupted, TrainError, WrongUse
from corpusforge_train.export import export
from corpusforge_train.holdout import Figures, Losses, compare, keep_base, measure, read_base
from corpusforge_train.ledger import Ledger
from corpusforge_train.log import Log
from corpusforge_train.model import Trained, device_of, frozen_sample, load_model, whole_model
from corpusforge_train.model_card import beside_the_model, models_before
from corpusforge_train.optimizer import AdamW, check_surviving, hash_seed
from corpusforge_train.parallel import Group, join
from corpusforge_train.plan import DataPlan, make_plan
from corpusforge_train.prompts import WARNING
from corpusforge_train.schedule import rate
from corpusforge_train.shards import gathered, put
from corpusforge_train.step import add_gradients, update

FORMAT = 1
_MEASURED_STEPS = (1, 10)


@dataclass(slots=True)
class Progress:
    """Where a run stands: steps done, sequences consumed, the ledger, the best checkpoint under the budget, and the
    last figures on held-out text.
    """

    step: int = 0
    position: int = 0
    ledger: Ledger = field(default_factory=Ledger)
    best: dict[str, Any] | None = None
    holdout: dict[str, Any] | None = None


class Run:
    """One training run over a build, in its own folder `out`; it goes on from the newest checkpoint there."""

    def __init__(self, build: Build, config: Config, out: Path, approved_by: str | None) -> None:
        build.check()
        self.group: Group = join(config.parallel.kind == "fsdp", config.device)
        self.build, self.config, self.out, self.approved_by = build, config, out, approved_by
        self.plan: DataPlan = make_plan(build, config.data.outputs)
        unknown = sorted(config.loss.weights.keys() - set(self.plan.sources))
        if unknown:
            hint = f"The plan has {', '.join(self.plan.sources)}."
            raise WrongUse(f"no source or task named {unknown[0]!r}.", where="loss.weights", hint=hint)
        if config.model.attention == "flex" and device_of(config).type == "cpu":
            hint = "Set model.attention to sdpa, or train on a GPU."
            raise WrongUse("flex attention has no gradient on a processor.", where="model.attention", hint=hint)
        self.feed = Feed(build, self.plan, config.loss.weights)
        check_learnable(self.feed)
        saved = newest(out)
        if len(set(self.group.gather(None if saved is None else saved.folder.name))) > 1:
            hint = "Name an --out that all of them share."
            raise TrainError("the processes see different checkpoints.", where=str(out), hint=hint)
        if saved is not None:
            self._check_same(saved)
        # Before anything is written or tidied up there.
        self.claim = Claim(out) if self.group.main else None
        self.trained: Trained = load_model(config, int(build.packed["vocabulary"]), self.group.sharded)
        self.before = models_before(config)
        self.frozen = None if self.group.sharded else frozen_sample(self.trained, config)
        self.optimizer = AdamW(
            self.trained.parameters(),
            config.optimizer,
            config.precision,
            config.seed,
            **({"sum_over": self.group.sum} if self.group.sharded else {}),
            compiled=config.model.compile,
        )
        self.progress = Progress()
        if saved is not None:
            self._take_up(saved)
        # A run that begins, begins its log: what an attempt left there that saved nothing is no part of it.
        self.log = Log(out, self.progress.step if saved is not None else -1, config.log.places(), self.group.main)
        self.checkpointer = Checkpointer(out, config.checkpoint.keep) if self.group.main else None
        self._asked_to_end = False
        self._ahead: list[tuple[list[PackedSequence], Batch]] | None = None
        self._base: dict[str, Losses] = {}

    def _check_same(self, saved: Saved) -> None:
        state = saved.state
        if state["plan_hash"] != self.plan.hash:
            what = "the checkpoint is of another data plan: other sequences, or another order."
            raise TrainError(
                what, where=str(saved.folder), hint="Train the build it was begun with, or name another --out."
            )
        if state.get("holdout_files", held := self._held_files()) != held:
            what = "the held-out texts are others than those of the losses before training."
            hint = "Train the build it was begun with, or name another --out."
            raise TrainError(what, where=str(saved.folder), hint=hint)
        mine = self.config.identity()
        other = [key for key in mine if mine[key] != state["identity"].get(key)]
        if other:
            what = f"the checkpoint was made with another {', '.join(other)}."
            hint = (
                "Only batch, parallel, checkpoint, holdout, log, device, model.compile and "
                "model.gradient_checkpointing may change."
            )
            raise TrainError(what, where=str(saved.folder), hint=hint)

    def _held_files(self) -> list[str]:
        return [file["sha256"] for file in self.build.packed["holdout"]["files"]]

    def _take_up(self, saved: Saved) -> None:
        before = saved.state.get("frozen")
        if None not in (before, self.frozen) and before != self.frozen:
            what = "the frozen weights are others than those that the run began with."
            hint = "Give model.path the model that it was begun on, or name another --out."
            raise TrainError(what, where=str(self.config.model.path), hint=hint)
        weights = saved.weights()
        for name, parameter in self.trained.parameters():
            put(parameter, weights[name])
        self.optimizer.load(saved.optimizer())
        state = saved.state
        ledger = Ledger.from_json(state["ledger"])
        self.progress = Progress(state["step"], state["position"], ledger, state["best"], state.get("holdout"))

    def train(self) -> dict[str, Any]:
        """Train to the end of the plan, and export; the receipt.

        Raises Interrupted after SIGTERM or SIGINT, once a checkpoint is saved, and TrainError where the public loss
        rose beyond its limit or the loss is no number.
        """
        handlers = {one: signal.signal(one, self._end) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._begin()
            while self.progress.position < len(self.plan):
                self._step()
            self._check_ledger()
            receipt = self.state()
            weights = gathered(dict(self.trained.parameters()), self.group.main) if self.group.sharded else {}
            if self.group.main:
                whole = whole_model(self.config, weights) if self.group.sharded else self.trained
                files = [beside_the_model(self.build, receipt, merged) for merged in (False, True)]
                export(whole, self.config, receipt, self.out, *files)
            return receipt
        finally:
            for one, handler in handlers.items():
                signal.signal(one, handler)
            try:
                if self.checkpointer is not None:
                    self.checkpointer.wait()
            finally:
                self.log.close()
                self.group.close()
                if self.claim is not None:
                    self.claim.close()

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_end = True

    def _begin(self) -> None:
        config, plan, progress = self.config, self.plan, self.progress
        parameters = [one for _, one in self.trained.parameters()]
        share = check_surviving(parameters, config.schedule.peak, config.precision)
        steps = progress.step + plan.steps(config.batch.sequences, progress.position)
        self.log.say(
            f"{sum(one.numel() for one in parameters):,} parameters, {len(plan):,} sequences with {plan.total:,} "
            f"tokens, {steps:,} steps; at the peak rate {share:.0%} of an update survives rounding"
        )
        if config.prompt is not None:
            self.log.say(f"WARNING: {WARNING}")
        if progress.step:
            self.log.say(f"going on after step {progress.step} at sequence {progress.position:,}")
            self._check_remembered((progress.holdout or {}).get("public", {}).get("change", 0.0))
        path = self.out / "base_holdout.json"
        # What an attempt left that saved nothing may be of another model.
        kept = read_base(path) if progress.step else None
        if kept is None and progress.step:
            raise TrainError("the losses before training are gone.", where=str(path), hint="Name another --out.")
        self._base = measure(self.trained, self.build, config.batch.micro) if kept is None else kept
        if "public" not in self._base:
            self.log.say(
                "no public text is held out, so forgetting is not watched: holdout: {public: true} in the recipe"
            )
        if not all(math.isfinite(float(one.nats.sum())) for one in self._base.values()):
            raise TrainError("the model's loss is no number before training.", hint="Its weights are damaged.")
        if kept is None and self.group.main:
            keep_base(path, self._base)
            self.log.line(0, holdout={side: compare(one, one).to_json() for side, one in self._base.items()})

    def _step(self) -> None:
        config, plan, progress = self.config, self.plan, self.progress
        began = time.perf_counter()
        first, last = progress.position, self._after(progress.position)
        torch.manual_seed(hash_seed(config.seed, first, self.group.rank))
        made = self._batches(first) if self._ahead is None else self._ahead
        batches = [batch for _, batch in made]
        weight = self.trained.tensor(np.array(sum(batch.weight for batch in batches)))
        # A step of which nothing is learned divides nothing by it.
        self.group.sum([weight.clamp_(min=1e-30)])
        sums = torch.zeros(len(plan.sources), 2, dtype=torch.float64, device=self.trained.device)
        self.trained.model.train()
        if self.group.sharded:
            # Parts of gradients come as the mean over processes, whole ones are summed below.
            add_gradients(self.trained, batches, weight / self.group.size, sums, idle=True)
        else:
            add_gradients(self.trained, batches, weight, sums)
        ledger = Ledger()
        for sequences, _ in made:
            for sequence in sequences:
                ledger.add(sequence.ledger())
        self.group.sum([sums, *self._gradients()])
        for part in self.group.gather(ledger):
            progress.ledger.add(part)
        lr = rate(config.schedule, first / len(plan), last / len(plan))
        measured = progress.step + 1 in _MEASURED_STEPS
        norm, share = update(self.optimizer, lr, config.optimizer.clip, measured)
        # Read while the device still computes, which the figures below wait for.
        self._ahead = self._batches(last) if last < len(plan) else None
        progress.step, progress.position = progress.step + 1, last
        ends = last == len(plan)
        if ends or progress.step % config.log.every == 0:
            self._tell(sums, lr, norm, share, sum(plan.tokens[first:last].tolist()) / (time.perf_counter() - began))
        self._save_and_measure(ends, norm)

    def _after(self, position: int) -> int:
        return min(position + self.config.batch.sequences, len(self.plan))

    def _batches(self, position: int) -> list[tuple[list[PackedSequence], Batch]]:
        """This process's part of the step that begins at a position."""
        last, micro = self._after(position), self.config.batch.micro
        passes = self.group.passes(last - position, micro) if self.group.sharded else 0
        return list(self.feed.batches(self.group.part(range(position, last)), micro, passes))

    def _gradients(self) -> list[Tensor]:
        if self.group.size == 1 or self.group.sharded:
            return []
        parameters = [one for _, one in self.trained.parameters()]
        for one in parameters:
            if one.grad is None:
                one.grad = torch.zeros_like(one)
        return [one.grad for one in parameters if one.grad is not None]

    def _tell(self, sums: Tensor, lr: float, norm: Tensor, share: float | None, speed: float) -> None:
        progress = self.progress
        totals = sums.cpu()
        loss = float(totals[:, 0].sum() / totals[:, 1].sum().clamp_min(1e-30))
        self._check_number(loss + float(norm))
        by_source = {
            name: float(totals[number, 0] / totals[number, 1])
            for number, name in enumerate(self.plan.sources)
            if totals[number, 1] > 0
        }
        told = {} if share is None else {"surviving": share}
        self.log.line(
            progress.step,
            position=progress.position,
            stage=self.plan.stage_of(progress.position),
            loss=loss,
            losses=by_source,
            rate=lr,
            norm=float(norm),
            tokens=progress.ledger.tokens,
            tokens_by_source=progress.ledger.by_source(),
            ledger=progress.ledger.brief(),
            tokens_per_second=speed,
            **told,
        )
        done = progress.position / len(self.plan)
        each = "  ".join(f"{name} {value:.3f}" for name, value in by_source.items())
        self.log.say(
            f"step {progress.step:>6,}  {done:>6.1%}  loss {loss:.4f}  rate {lr:.2e}  {speed:>9,.0f} tok/s  {each}"
        )

    def _save_and_measure(self, ends: bool, norm: Tensor) -> None:
        config, progress = self.config, self.progress
        ended = self._anyone_asked_to_end()
        due = ends or (config.holdout.every and progress.step % config.holdout.every == 0)
        # The first process decides for all: each measures the same, but may round otherwise.
        figures = self.group.gather(self._measured() if due and self._base else {})[0]
        rise = figures["public"].change if "public" in figures else 0.0
        better = self._note_best(figures, rise)
        forgot = self._forgot(rise)
        regular = config.checkpoint.every and progress.step % config.checkpoint.every == 0
        if ends or ended or forgot or regular or better:
            # A checkpoint of damaged weights would push out the last good one.
            self._check_number(float(norm))
            self._save()
        if forgot:
            self._check_remembered(rise)
        if ended and not ends:
            raise Interrupted(f"stopped after step {progress.step}; the same command goes on.", where=str(self.out))

    def _forgot(self, rise: float) -> bool:
        return self.config.holdout.stop is not None and rise > self.config.holdout.stop

    def _check_remembered(self, rise: float) -> None:
        """Raises TrainError where the public loss rose beyond the limit, also for a run that would go on after that."""
        if self._forgot(rise):
            what = f"the public loss rose by {rise:.3f} nats a token, more than {self.config.holdout.stop:g}."
            hint = "Lower schedule.peak or the domain's share under another --out, or raise holdout.stop and go on."
            raise TrainError(what, where=str(self.out), hint=hint)

    def _save(self) -> None:
        held = dict(self.trained.parameters()), self.optimizer.state()
        weights, optimizer = (gathered(one, self.group.main) for one in held) if self.group.sharded else held
        if self.checkpointer is not None:
            self.checkpointer.save(self.state(), weights, optimizer)

    def _check_number(self, value: float) -> None:
        if not math.isfinite(value):
            what = f"the loss or its gradient is no number at step {self.progress.step}."
            raise TrainError(what, where=str(self.out), hint="Lower schedule.peak, or lengthen its warmup.")

    def _anyone_asked_to_end(self) -> bool:
        return any(self.group.gather(self._asked_to_end))

    def _measured(self) -> dict[str, Figures]:
        now = measure(self.trained, self.build, self.config.batch.micro)
        figures = {side: compare(losses, self._base[side]) for side, losses in now.items()}
        self._check_number(sum(one.loss for one in figures.values()))
        self.progress.holdout = {side: one.to_json() for side, one in figures.items()}
        self.log.line(self.progress.step, holdout=self.progress.holdout)
        for side, one in figures.items():
            change = f"{one.change:+.4f} nats a token ({one.low:+.4f} to {one.high:+.4f})"
            self.log.say(f"  held-out {side}: loss {one.loss:.4f}, {one.bits_per_byte:.4f} bits a byte, {change}")
        if "public" in figures and figures["public"].change > self.config.holdout.warn:
            self.log.say(f"  FORGETTING: the public loss rose by more than {self.config.holdout.warn:g} nats a token")
        return figures

    def _note_best(self, figures: Mapping[str, Figures], rise: float) -> bool:
        """Whether this is the lowest domain loss so far with the public loss within its budget."""
        if "domain" not in figures or rise > self.config.holdout.warn:
            return False
        progress = self.progress
        loss = figures["domain"].loss
        if progress.best is not None and progress.best["domain_loss"] <= loss:
            return False
        progress.best = {"step": progress.step, "domain_loss": loss, "public_change": rise}
        return True

    def state(self) -> dict[str, Any]:
        """What a checkpoint and a receipt say: position, ledger, and whose data and which settings these are."""
        progress = self.progress
        return {
            "format": FORMAT,
            "step": progress.step,
            "position": progress.position,
            "sequences": len(self.plan),
            "ledger": progress.ledger.to_json(),
            "best": progress.best,
            "holdout": progress.holdout,
            "plan_hash": self.plan.hash,
            **self.build.named(),
            "before": self.before,
            "approved_by": self.approved_by,
            "holdout_files": self._held_files(),
            "frozen": self.frozen,
            "attention": self.trained.attention,
            "identity": self.config.identity(),
            "config": self.config.model_dump(mode="json"),
            "random": "torch.manual_seed of a hash of seed, position and rank at each step",
            "torch": str(torch.__version__),
        }

    def _check_ledger(self) -> None:
        """What was consumed is what the build packed, to the token and document. Raises TrainError if it is not."""
        wanted: dict[str, int] = {}
        documents = 0
        for name in self.plan.outputs:
            output = self.build.packed["outputs"][name]
            documents += output["documents"]
            for source, told in output["sources"].items():
                wanted[source] = wanted.get(source, 0) + told["tokens"]
        ledger = self.progress.ledger
        read = sum(entry.documents for entry in ledger.entries.values())
        if ledger.by_source() != {name: count for name, count in wanted.items() if count} or read != documents:
            raise TrainError(
                "the ledger differs from the mix.", where=str(self.out), hint="Report this with the ledger."
            )
