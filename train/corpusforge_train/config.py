"""A training run's settings: one closed YAML file, wrong all at once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from corpusforge_train.errors import WrongUse

# What a run may change when it goes on.
_FREE = ("batch", "checkpoint", "holdout", "log", "device", "parallel")
_FREE_OF_MODEL = ("gradient_checkpointing", "compile")
Role = Literal["text", "system", "user", "assistant", "frame"]
Output = Literal["completion", "instruct"]


def _fraction(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip()[:-1]) / 100
    return value


def _which(value: Any) -> Any:
    return {True: "full", False: "none"}[value] if isinstance(value, bool) else value


Share = Annotated[float, BeforeValidator(_fraction), Field(ge=0, le=1)]


class Closed(BaseModel):
    """Base of the settings: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(Closed):
    """Which model is trained, and how it computes."""

    path: str | None = Field(None, description="A folder or Hub name with the model's weights.")
    random: dict[str, Any] | None = Field(
        None, description="Instead of `path`: a transformers config (`model_type` and sizes) with random weights."
    )
    attention: Literal["auto", "eager", "sdpa", "flex", "varlen"] = Field(
        "auto",
        description="varlen computes no pair of two documents and makes no mask; it knows no sliding windows. auto: on "
        "a processor, uncompiled, varlen where the model gives the same with it, else sdpa.",
    )
    gradient_checkpointing: Annotated[Literal["none", "selective", "full"], BeforeValidator(_which)] = Field(
        "none",
        description="What the backward pass does again: nothing, all but matrix products and attention (selective), or "
        "all (full, or true).",
    )
    compile: bool = Field(False, description="Compile each decoder layer; shapes are fixed, so once.")

    @model_validator(mode="after")
    def _one(self) -> Model:
        if (self.path is None) == (self.random is None):
            raise ValueError("give one of path and random")
        return self


class Lora(Closed):
    """Low-rank adapters on a frozen model; without this section all weights are trained."""

    rank: int = Field(32, ge=1, le=4096)
    alpha: float | None = Field(None, gt=0, description="Scale of the update; by default twice the rank.")
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    rslora: bool | None = Field(None, description="Scale by the root of the rank; by default from rank 64 on.")
    dora: bool = False
    base: Literal["full", "4bit"] = Field(
        "full", description="4bit: the frozen weights in 4 bits through bitsandbytes (QLoRA)."
    )
    merge: bool = Field(False, description="Also write the model with the adapters merged into its weights.")


class Prompt(Closed):
    """Virtual tokens learned in front of every document of a frozen model; peft measures far less from it than from
    `lora`, and more forgetting.
    """

    kind: Literal["prompt", "p-tuning"] = Field(
        "prompt", description="prompt: the embeddings themselves; p-tuning: a small network that makes them."
    )
    tokens: int = Field(20, ge=1, le=1000, description="Virtual tokens before each document.")
    hidden: int | None = Field(None, ge=1, description="Width of p-tuning's network; by default the model's.")


class Dpo(Closed):
    """Preference tuning of `lora` on a build's pairs through TRL (DPO, Rafailov et al. 2023); `batch` counts pairs."""

    beta: float = Field(0.1, gt=0, le=10, description="How strongly the model is held to the one it begins with.")
    epochs: int = Field(1, ge=1, le=10)


class Data(Closed):
    """Which packed outputs of the build are trained on; several are blended so that each keeps its share."""

    outputs: tuple[Output, ...] = Field(("completion",), min_length=1)

    @model_validator(mode="after")
    def _once(self) -> Data:
        if len(set(self.outputs)) < len(self.outputs):
            raise ValueError("an output is named twice")
        return self


class Batch(Closed):
    """Sequences of one optimiser step (over all processes), and of one forward pass of one process."""

    sequences: int = Field(64, ge=1)
    micro: int = Field(1, ge=1)


class Schedule(Closed):
    """The learning rate over the run. All parts are shares of the run's sequences, so the batch size moves nothing."""

    kind: Literal["constant", "cosine", "wsd"] = Field(
        "wsd", description="wsd: warm-up, stable, then decay by one minus the root."
    )
    peak: float = Field(1e-5, gt=0, le=1)
    warmup: Share = 0.02
    start: Share = Field(
        0.0, description="Where the warm-up begins, as a share of the peak; re-warming starts above 0."
    )
    decay: Share = Field(0.15, description="The decaying part of wsd.")
    final: Share = Field(0.0, description="Where the decay ends, as a share of the peak.")

    @model_validator(mode="after")
    def _fits(self) -> Schedule:
        if self.kind == "wsd" and self.warmup + self.decay > 1:
            raise ValueError("warmup and decay are more than the whole run")
        return self


class Optimizer(Closed):
    """AdamW."""

    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.95)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.1, ge=0)
    clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")


class Precision(Closed):
    """How weights are kept and computed with.

    fp32 weights are their own master copy; bf16 weights need stochastic rounding, or most updates of a small learning
    rate are rounded away.
    """

    weights: Literal["fp32", "bf16"] = "fp32"
    compute: Literal["fp32", "bf16"] = "fp32"
    rounding: Literal["stochastic", "nearest"] = "stochastic"
    states: Literal["fp32", "bf16"] = Field("fp32", description="The optimiser's two moments.")
    least_surviving: Share = Field(0.5, description="Refuse to train if less of an update survives rounding.")


class Loss(Closed):
    """What is learned: weights by source (or task) and role replace those of the build."""

    weights: dict[str, dict[Role, Annotated[float, Field(ge=0, le=100)]]] = Field(default_factory=dict)
    chunk: int = Field(2048, ge=1, description="Tokens whose logits are held at a time.")


class Checkpoint(Closed):
    """When the run is saved. A checkpoint is whole or not there."""

    every: int = Field(200, ge=0, description="Steps; 0 saves at the end alone.")
    keep: int = Field(2, ge=1, description="Newest checkpoints kept, beside the best.")


class Holdout(Closed):
    """Loss on held-out domain and public text, paired with the model before training; the forgetting alarm."""

    every: int = Field(200, ge=0, description="Steps; 0 measures at the beginning and end alone.")
    warn: float = Field(0.05, ge=0, description="Rise of the public loss in nats a token that is warned of.")
    stop: float | None = Field(0.15, ge=0, description="Rise that ends the run, after a checkpoint; null never does.")


class Log(Closed):
    """What is told while training."""

    every: int = Field(1, ge=1, description="Steps between lines.")
    tensorboard: bool = False
    also: tuple[Literal["wandb", "trackio", "mlflow"], ...] = Field(
        (), description="Other places for the figures, as they are set up on this machine; never text."
    )

    def places(self) -> tuple[Literal["tensorboard", "wandb", "trackio", "mlflow"], ...]:
        """Where figures go beside the terminal and `log.jsonl`."""
        return (*(("tensorboard",) if self.tensorboard else ()), *self.also)


class Parallel(Closed):
    """How several processes (torchrun) share a run; one alone has nothing to share."""

    kind: Literal["data", "fsdp"] = Field(
        "data",
        description="data: each holds the whole model. fsdp: each holds a part of every weight, gradient and state.",
    )


class Config(Closed):
    """A whole run."""

    model: Model
    lora: Lora | None = None
    prompt: Prompt | None = None
    dpo: Dpo | None = None
    data: Data = Data()
    batch: Batch = Batch()
    schedule: Schedule = Schedule()
    optimizer: Optimizer = Optimizer()
    precision: Precision = Precision()
    loss: Loss = Loss()
    checkpoint: Checkpoint = Checkpoint()
    holdout: Holdout = Holdout()
    parallel: Parallel = Parallel()
    log: Log = Log()
    seed: int = Field(17, ge=0, lt=2**31)
    device: str = Field("auto", description="auto, cpu or cuda.")

    @model_validator(mode="after")
    def _one_way(self) -> Config:
        if self.lora is not None and self.prompt is not None:
            raise ValueError("give one of lora and prompt")
        if self.lora is not None and self.lora.base == "4bit":
            if self.model.path is None:
                raise ValueError("lora.base 4bit needs model.path: random weights are nothing to keep")
            if self.lora.merge:
                raise ValueError("adapters merge into whole weights: merge them without lora.base 4bit")
            if self.parallel.kind == "fsdp":
                raise ValueError("weights of 4 bits are not parted: parallel.kind is data with lora.base 4bit")
        return self

    @model_validator(mode="after")
    def _preferring(self) -> Config:
        if self.dpo is None:
            return self
        if self.lora is None or self.lora.base == "4bit":
            raise ValueError("dpo needs lora on whole weights: the model without its adapters is the reference")
        if self.model.attention not in ("auto", "sdpa", "eager"):
            raise ValueError("dpo fills its batches up: model.attention is auto, sdpa or eager")
        if self.batch.sequences % self.batch.micro:
            raise ValueError("with dpo, batch.sequences is a multiple of batch.micro")
        kept = {"data": Data(), "loss": Loss(), "checkpoint": Checkpoint(), "holdout": Holdout()}
        unused = [name for name, default in {**kept, "parallel": Parallel()}.items() if getattr(self, name) != default]
        if unused:
            raise ValueError(f"dpo reads nothing of {', '.join(unused)}")
        return self

    def identity(self) -> dict[str, Any]:
        """What a resumed run must share with the run it goes on with: all but how it is fed, saved and told."""
        return self.model_dump(mode="json", exclude={**dict.fromkeys(_FREE, True), "model": set(_FREE_OF_MODEL)})


def load_config(path: Path, changes: tuple[str, ...] = ()) -> Config:
    """Read a config; `changes` are `a.b=value` (YAML values) that replace what it says.

    Raises WrongUse with every mistake at once.
    """
    try:
        value = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        hint = "corpusforge init . --training writes train/configs/."
        raise WrongUse("there is no such config.", where=str(path), hint=hint) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise WrongUse("is not YAML.", where=where) from None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"the config cannot be read ({type(error).__name__}).", where=str(path)) from None
    if not isinstance(value, dict):
        raise WrongUse("must be a mapping of settings.", where=str(path))
    for change in changes:
        _change(value, change)
    try:
        return Config.model_validate(value)
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(str(part) for part in one['loc'])}: {one['msg']}." for one in error.errors()]
        raise WrongUse("\n".join(lines)) from None


def _change(value: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise WrongUse(f"{change!r} changes nothing.", hint="Write --set schedule.peak=2e-5.")
    *parents, last = key.split(".")
    for name in parents:
        inner = value.setdefault(name, {})
        if not isinstance(inner, dict):
            raise WrongUse(f"{key}: {name} is no section.", hint="Write --set section.key=value.")
        value = inner
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        raise WrongUse(f"{change!r}: the value is not YAML.", hint="Write --set schedule.peak=2e-5.") from None
    # YAML reads 2e-5 as a word, because it lacks the point.
    if isinstance(found, str):
        with suppress(ValueError):
            found = float(found)
    value[last] = found
