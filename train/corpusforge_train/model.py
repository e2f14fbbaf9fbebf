"""The model that is trained: loaded or made, with adapters or without, and proven to keep packed documents apart.

Documents are kept apart by positions that restart, with no mask and no cache: every attention of transformers then
ends at a restart. A mask of ones, or the cache that is on by default in evaluation, silently undoes that
(transformers#46634), so every forward pass goes through `Trained.hidden`, in training and in evaluation.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from corpusforge_train.attention import VARLEN, has_kernel, looks_back_whole, register
from corpusforge_train.batch import Batch
from corpusforge_train.errors import TrainError, WrongUse
from corpusforge_train.loss import plain_loss, weighted_loss
from corpusforge_train.prompts import Prompted, add_prompt, prompted
from corpusforge_train.quantise import four_bits
from corpusforge_train.recompute import set_recompute
from corpusforge_train.shards import Whole, put, shard

if TYPE_CHECKING:
    from corpusforge_train.config import Config, Lora

T = TypeVar("T")
_ATTENTION = {"auto": "sdpa", "eager": "eager", "sdpa": "sdpa", "flex": "flex_attention", "varlen": VARLEN}
# Under 1e-3 of the logits' own spread is rounding of one and the same sum; a leak is of the spread's own size.
_LEAK = 1e-2
# Mean distance of the logits by two attentions, as a part of their spread, that is rounding: about a hundredth in bf16.
_ROUNDING, _COARSE_ROUNDING = 1e-3, 5e-2
_RSLORA_FROM = 64
# Names that transformers still takes, and puts elsewhere.
_OLDER = frozenset({"rope_theta", "torch_dtype"})


@dataclass(slots=True)
class Trained:
    """A causal language model `model`, its peft wrapper (or None), and how its loss is computed."""

    model: Any
    adapter: Any
    device: torch.device
    compute: torch.dtype
    chunk: int
    chunked: bool = True
    fused: bool = False
    root: Whole | None = None
    virtual_tokens: int = 0

    @property
    def attention(self) -> str:
        """Which attention it computes with, as `model.attention` names it."""
        taken = self.model.config._attn_implementation
        return next((name for name, its in _ATTENTION.items() if its == taken and name != "auto"), str(taken))

    def hidden(self, batch: Batch) -> Tensor:
        """The last hidden states of a batch, shape [b * length, h]; each document as if it were alone."""
        decoder = getattr(self.model, self.model.base_model_prefix)
        return self._forward(decoder, batch, "last_hidden_state")

    def logits(self, batch: Batch) -> Tensor:
        """The logits of a batch, shape [b * length, vocabulary]."""
        return self._forward(self.model, batch, "logits")

    def _forward(self, module: Any, batch: Batch, which: str) -> Tensor:
        lower = self.compute != torch.float32
        context = torch.autocast(self.device.type, self.compute) if lower else nullcontext()
        room = prompted(batch, self.virtual_tokens) if self.virtual_tokens else None
        given = batch if room is None else room.batch
        by_ends = self.model.config._attn_implementation == VARLEN
        ends = {"document_ends": self.tensor(given.ends)} if by_ends else {}
        with context:
            ids = self.tensor(given.input_ids)
            found: Tensor = getattr(
                module(
                    **({"input_ids": ids} if room is None else {"inputs_embeds": self._embedded(ids, room)}),
                    position_ids=self.tensor(given.position_ids),
                    attention_mask=None,
                    use_cache=False,
                    **ends,
                ),
                which,
            ).flatten(0, 1)
        return found if room is None else found[self.tensor(room.own)]

    def _embedded(self, ids: Tensor, room: Prompted) -> Tensor:
        """The embeddings of a batch's tokens, with the learned ones in the room before each piece."""
        plain = self.model.get_input_embeddings()(ids)
        learned = self.adapter.get_prompt(1)[0].to(plain.dtype)
        repeated = learned.repeat(len(room.virtual) // self.virtual_tokens, 1)
        whole = plain.flatten(0, 1).index_copy(0, self.tensor(room.virtual), repeated)
        return whole.view_as(plain)

    def within(self, compute: Callable[[], T]) -> T:
        """What a computation over the model gives; one over a parted model must go through here."""
        return compute() if self.root is None else self.root(compute)

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The sum of weight times loss over the predicted tokens, and each one's loss in nats (detached, shape [a])."""
        return self.within(lambda: self._loss(batch))

    def _loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        active = self.tensor(batch.active)
        targets, weights = self.tensor(batch.targets), self.tensor(batch.weights)
        if not self.chunked:
            return plain_loss(self.logits(batch).index_select(0, active), targets, weights)
        head = self.model.get_output_embeddings().weight
        hidden = self.hidden(batch).index_select(0, active).to(self.compute)
        return weighted_loss(hidden, head, targets, weights, self.chunk, self.fused)

    def tensor(self, array: Any) -> Tensor:
        """An array on the model's device, which is not waited for."""
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def parameters(self) -> list[tuple[str, nn.Parameter]]:
        """The parameters that are trained, by name."""
        named = list(self.model.named_parameters())
        if self.virtual_tokens:
            named += self.adapter.prompt_encoder.named_parameters(prefix="prompt_encoder")
        return [(name, one) for name, one in named if one.requires_grad]


def frozen_sample(trained: Trained, config: Config) -> str | None:
    """Stands for the weights that are not trained, by a thousand of each: a run of adapters that goes on on top of
    another model is another run. None where all are trained, or where 4 bits may differ from device to device.
    """
    if config.lora is not None and config.lora.base == "4bit":
        return None
    frozen = [(name, one.detach()) for name, one in trained.model.named_parameters() if not one.requires_grad]
    digest = hashlib.sha256()
    for name, one in frozen:
        part = one.flatten()[:: max(1, one.numel() // 1000)].float().cpu().numpy()
        digest.update(f"{name}{tuple(one.shape)}".encode() + part.tobytes())
    return digest.hexdigest() if frozen else None


def device_of(config: Config) -> torch.device:
    """Where this process computes: as the config says; the GPU that is this process's own, if there is one. Raises
    WrongUse for a device that is not there."""
    if config.device != "auto":
        try:
            device = torch.device(config.device)
        except RuntimeError:
            raise WrongUse(f"no device is named {config.device!r}.", where="device", hint="Use auto.") from None
        if device.type == "cuda" and not torch.cuda.is_available():
            raise WrongUse("there is no GPU here that torch can use.", where="device", hint="Use auto or cpu.")
        return device
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def load_model(config: Config, vocabulary: int, sharded: bool = False) -> Trained:
    """Load or make the config's model, put adapters in, and check what must hold before a step is made.

    `vocabulary` is the number of ids that the data can hold; `sharded` parts the model over the processes of the
    default group, each of which must call this. Raises WrongUse for a model that is not there or too
    small for the data, and TrainError for one that lets documents see each other.
    """
    device = device_of(config)
    weights = torch.bfloat16 if config.precision.weights == "bf16" else torch.float32
    torch.manual_seed(config.seed)
    # What is to be parted stays in memory until it is, a layer at a time.
    model = _made(config, weights, torch.device("cpu") if sharded else device)
    rows = model.get_input_embeddings().weight.shape[0]
    if rows < vocabulary:
        what = f"the model knows {rows} tokens, but the data has ids up to {vocabulary - 1}."
        raise WrongUse(what, hint="Build with the model's own tokenizer.")
    adapter = _wrapped(model, config)
    decoder = getattr(model, model.base_model_prefix)
    layers = [layer for part in decoder.children() if isinstance(part, nn.ModuleList) for layer in part]
    set_recompute(layers, config.model.gradient_checkpointing, bool(config.lora and config.lora.dropout))
    compute = _compute(config)
    has = compute == torch.bfloat16 and has_kernel()
    if config.model.attention == "varlen" and device.type == "cuda" and not has:
        hint = "Set precision.compute to bf16 with torch 2.10 or later, or model.attention to flex."
        raise WrongUse("attention by lengths has no kernel for this.", where="model.attention", hint=hint)
    trained = Trained(model, adapter, device, compute, config.loss.chunk)
    if config.prompt is not None:
        trained.virtual_tokens = config.prompt.tokens
    if sharded:
        trained.root = shard(model, (adapter.prompt_encoder,) if trained.virtual_tokens else (), device)
    whole = looks_back_whole(model.config.get_text_config())
    if config.model.attention == "varlen" and not whole:
        hint = "Set it to sdpa, or to flex on a GPU."
        raise WrongUse("attention by lengths knows no sliding windows.", where="model.attention", hint=hint)
    # A compiled layer on a processor is a graph without the calls for each document.
    plain = config.dpo is None and not config.model.compile and device.type == "cpu"
    if config.model.attention == "auto" and plain and whole:
        _take_lengths(trained, min(rows, vocabulary))
    leak = isolation_leak(trained, min(rows, vocabulary))
    if leak > _LEAK:
        what = f"packed documents see each other in this model (logits move by {leak:.2g} of their spread)."
        raise TrainError(what, hint="Try model.attention: eager, sdpa or flex; its own attention ignores positions.")
    trained.chunked = _plain_head(trained, min(rows, vocabulary))
    if config.model.compile:
        for layer in layers:
            layer.compile()
        trained.fused = True
    return trained


def whole_model(config: Config, parameters: Mapping[str, Tensor]) -> Trained:
    """The config's model in memory with these values of its trained parameters, for what takes no parted model."""
    torch.manual_seed(config.seed)
    kind = torch.bfloat16 if config.precision.weights == "bf16" else torch.float32
    model = _made(config, kind, torch.device("cpu"))
    trained = Trained(model, _wrapped(model, config), torch.device("cpu"), kind, config.loss.chunk)
    trained.virtual_tokens = 0 if config.prompt is None else config.prompt.tokens
    for name, parameter in trained.parameters():
        put(parameter, parameters[name])
    return trained


def _compute(config: Config) -> torch.dtype:
    return torch.bfloat16 if "bf16" in {config.precision.compute, config.precision.weights} else torch.float32


def _wrapped(model: Any, config: Config) -> Any:
    """The model's peft wrapper, or None where all its weights are trained."""
    if config.prompt is not None:
        return add_prompt(model, config.prompt, config.seed)
    return None if config.lora is None else _adapted(model, config.lora, config.seed)


def _made(config: Config, weights: torch.dtype, device: torch.device) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    register()
    attention = _ATTENTION[config.model.attention]
    if config.model.random is not None:
        own = architecture(config)
        # Made where it is trained: billions of random numbers take a processor minutes.
        with device:
            return AutoModelForCausalLM.from_config(own, attn_implementation=attention, dtype=weights)
    try:
        words: dict[str, Any] = {"attn_implementation": attention, "dtype": weights}
        if config.lora is not None and config.lora.base == "4bit":
            words |= four_bits(_compute(config), device)
        return AutoModelForCausalLM.from_pretrained(config.model.path, **words).to(device)
    except (OSError, ValueError) as error:
        raise _unloadable(config, error) from error


def architecture(config: Config) -> Any:
    """The transformers config of the model, without its weights. Raises WrongUse for a model that is not there, and for
    sizes that its type does not have (transformers takes them and makes another model than was meant)."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    if config.model.random is None:
        try:
            return AutoConfig.from_pretrained(config.model.path)
        except (OSError, ValueError) as error:
            raise _unloadable(config, error) from error
    sizes = dict(config.model.random)
    kind = sizes.pop("model_type", "llama")
    try:
        usual = AutoConfig.for_model(kind)
        made = AutoConfig.for_model(kind, **sizes)
    except (ValueError, TypeError, StrictDataclassError) as error:
        hint = " ".join(str(error.__cause__ or error).split())[:300]
        raise WrongUse(f"no model of the type {kind!r} can be made.", where="model.random", hint=hint) from error
    unknown = sorted(key for key in sizes if not hasattr(usual, key) and key not in _OLDER)
    if unknown:
        raise WrongUse(f"a model of the type {kind!r} has no {', '.join(unknown)}.", where="model.random")
    return made


def _unloadable(config: Config, error: Exception) -> WrongUse:
    hint = "Give model.path a folder with config.json and weights, or a name on the Hub."
    told = " ".join(str(error).split())[:300]
    return WrongUse(f"the model cannot be loaded ({told}).", where=str(config.model.path), hint=hint)


def _adapted(model: Any, settings: Lora, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    rooted = settings.rank >= _RSLORA_FROM if settings.rslora is None else settings.rslora
    targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    lora = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha or 2 * settings.rank,
        lora_dropout=settings.dropout,
        target_modules=targets,
        use_rslora=rooted,
        use_dora=settings.dora,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, lora)
    except ValueError as error:
        raise WrongUse(f"the adapters cannot be put in ({error}).", where="lora.targets") from error


def _probe(vocabulary: int, seed: int) -> tuple[Batch, int]:
    """Two documents in one sequence, and where the second begins; the first depends on the seed."""
    sizes = (7, 9)
    second = np.random.default_rng(0).integers(0, vocabulary, sizes[1])
    ids = np.concatenate([np.random.default_rng(seed).integers(0, vocabulary, sizes[0]), second])
    positions = np.concatenate([np.arange(size) for size in sizes])
    nothing = np.empty(0, dtype=np.int64)
    return Batch(ids[None], positions[None], nothing, nothing, nothing.astype(np.float32), nothing, nothing), sizes[0]


@torch.no_grad()
def probe_logits(trained: Trained) -> Tensor:
    """The logits of two made-up documents in one sequence, shape [tokens, vocabulary], in fp32."""
    batch, _ = _probe(trained.model.get_input_embeddings().weight.shape[0], 3)
    return trained.logits(batch).float()


@torch.no_grad()
def _take_lengths(trained: Trained, vocabulary: int) -> None:
    """Have the model attend by lengths if it then gives what it gives by masks, in training and in evaluation."""
    batch, _ = _probe(vocabulary, 1)
    was = trained.model.training

    def logits(mode: bool) -> Tensor:
        trained.model.train(mode)
        torch.manual_seed(0)
        return trained.within(partial(trained.logits, batch)).float()

    masked = [logits(mode) for mode in (True, False)]
    trained.model.set_attn_implementation(VARLEN)
    try:
        found = [logits(mode) for mode in (True, False)]
        apart = max(
            float((one - other).abs().mean()) / (float(other.std()) or 1.0)
            for one, other in zip(found, masked, strict=True)
        )
    except (WrongUse, RuntimeError, TypeError):
        # Dropout, soft caps, sinks, shapes of its own: what this attention does not know.
        apart = math.inf
    trained.model.train(was)
    # What both leave out of a sum is rounding: bf16 has 8 bits.
    if not apart <= (_ROUNDING if trained.compute == torch.float32 else _COARSE_ROUNDING):
        trained.model.set_attn_implementation(_ATTENTION["auto"])


@torch.no_grad()
def isolation_leak(trained: Trained, vocabulary: int) -> float:
    """How far the logits of a packed document move when the document before it changes, as a part of their spread.

    The larger of training and evaluation (dropout is off in neither, so chance is set to the same in both passes).
    """
    worst = 0.0
    was = trained.model.training
    for mode in (True, False):
        trained.model.train(mode)
        found = []
        for seed in (1, 2):
            batch, first = _probe(vocabulary, seed)
            torch.manual_seed(0)
            logits: Tensor = trained.within(partial(trained.logits, batch))
            found.append(logits[first:].float())
        spread = float(found[0].std()) or 1.0
        worst = max(worst, float((found[0] - found[1]).abs().max()) / spread)
    trained.model.train(was)
    return worst


@torch.no_grad()
def _plain_head(trained: Trained, vocabulary: int) -> bool:
    """Whether the head is one matrix: no bias, scale, cap or adapter, which the chunked loss would miss."""
    # An adapter on the head gives nothing at the beginning: its absence and its presence look the same.
    if hasattr(trained.model.get_output_embeddings(), "base_layer"):
        return False
    was = trained.model.training
    trained.model.eval()
    batch, _ = _probe(vocabulary, 1)

    def by_matrix() -> Tensor:
        head = trained.model.get_output_embeddings().weight
        return (trained.hidden(batch).to(trained.compute) @ head.to(trained.compute).T).float()

    ours = trained.within(by_matrix)
    theirs = trained.within(lambda: trained.logits(batch)).float()
    trained.model.train(was)
    return bool((ours - theirs).abs().max() <= 1e-2 * theirs.abs().max())
