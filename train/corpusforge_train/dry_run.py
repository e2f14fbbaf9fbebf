"""What a run would do, without doing it: steps, tokens and epochs by source, memory, and samples by loss weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from corpusforge_train.batch import PackedSequence
from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed, check_learnable
from corpusforge_train.errors import WrongUse
from corpusforge_train.ledger import Ledger
from corpusforge_train.model import architecture, device_of
from corpusforge_train.plan import make_plan
from corpusforge_train.probe import activation_bytes, probe
from corpusforge_train.prompts import WARNING, prompt_parameters
from corpusforge_train.quantise import BYTES

Decode = Callable[[list[int]], str]
_SAMPLE_TOKENS = 400
_COLOURS = ((0.0, "\x1b[2m"), (0.5, "\x1b[33m"), (1.0, "\x1b[32m"))
_END = "\x1b[0m"


def dry_run(build: Build, config: Config, probing: bool = False) -> dict[str, Any]:
    """The figures of a run: its steps, each source's tokens, epochs and loss weight, and the memory it needs at least.

    With `probing` a few steps are made on this device, for the time and the memory that they take. Raises WrongUse for
    what would stop the run, such as documents without any token to learn from, and TrainError for damaged files.
    """
    build.check()
    device_of(config)
    plan = make_plan(build, config.data.outputs)
    feed = Feed(build, plan, config.loss.weights)
    weights = check_learnable(feed)
    ledger = Ledger()
    for position in range(len(plan)):
        ledger.add(feed[position].ledger())
    epochs: dict[str, int] = {}
    for source, epoch in ledger.entries:
        epochs[source] = max(epochs.get(source, 0), epoch + 1)
    tokens = ledger.by_source()
    return {
        "steps": plan.steps(config.batch.sequences),
        "sequences": len(plan),
        "tokens": plan.total,
        "tokens_per_step": config.batch.sequences * plan.length,
        "largest_deviation": plan.largest_deviation(),
        "sources": [
            {
                "source": name,
                "tokens": tokens[name],
                "share": tokens[name] / plan.total,
                "epochs": epochs[name],
                "loss_weight": weights[name],
            }
            for name in plan.sources
        ],
        "stages": [
            {"sequences": end - begin, "tokens": sum(own.values()), "sources": own}
            for begin, end in plan.bounds()
            for own in [plan.tokens_of(begin, end)]
        ],
        "memory": {**memory(config), "activations": activation_bytes(config, architecture(config), plan.length)},
        **({"probe": probe(build, config, plan, feed)} if probing else {}),
        **({} if config.prompt is None else {"warning": WARNING}),
    }


def memory(config: Config) -> dict[str, Any]:
    """Bytes that weights, gradients and optimiser states need; activations come on top.

    The model is made without its weights, so that this takes no memory itself.
    """
    from transformers import AutoModelForCausalLM

    own = architecture(config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(own)
    total = sum(one.numel() for one in model.parameters())
    if config.prompt is not None:
        trained = prompt_parameters(config.prompt, model.config.hidden_size)
    else:
        trained = total if config.lora is None else _adapters(model, config.lora.rank)
    beside = config.lora is not None or config.prompt is not None
    width = 2 if config.precision.weights == "bf16" else 4
    states = 2 * (2 if config.precision.states == "bf16" else 4)
    own_width = 4 if beside else width
    held = total * width
    if config.lora is not None and config.lora.base == "4bit":
        held -= round(sum(one.weight.numel() for one in _linear(model)) * (width - BYTES))
    needed = held + trained * (own_width + states) + (trained * own_width if beside else 0)
    return {"parameters": total, "trained": trained, "bytes": needed}


def _adapters(model: Any, rank: int) -> int:
    return sum(rank * (one.in_features + one.out_features) for one in _linear(model))


def _linear(model: Any) -> list[Any]:
    """The linear layers but the head: what adapters are put on, and what 4 bits are kept of."""
    head = model.get_output_embeddings()
    return [one for one in model.modules() if isinstance(one, torch.nn.Linear) and one is not head]


def samples(build: Build, config: Config, decode: Decode, count: int, colour: bool) -> list[str]:
    """The beginnings of the first `count` sequences, each token shown by its weight in the loss: faint 0, yellow below
    1, green 1; without colours, learned stretches stand in brackets.
    """
    plan = make_plan(build, config.data.outputs)
    feed = Feed(build, plan, config.loss.weights)
    return [_shown(feed[position], decode, colour) for position in range(min(count, len(plan)))]


def _shown(sequence: PackedSequence, decode: Decode, colour: bool) -> str:
    ids, weights = sequence.ids[:_SAMPLE_TOKENS].tolist(), sequence.weights[:_SAMPLE_TOKENS].tolist()
    parts: list[str] = []
    begin = 0
    for place in range(1, len(ids) + 1):
        if place == len(ids) or weights[place] != weights[begin]:
            text = decode(ids[begin:place])
            mark = next((code for limit, code in reversed(_COLOURS) if weights[begin] >= limit), "")
            if colour:
                parts.append(f"{mark}{text}{_END}")
            else:
                parts.append(f"[{text}]" if weights[begin] else text)
            begin = place
    return f"{sequence.source} ({len(sequence.lengths)} documents, {len(sequence.ids)} tokens)\n{''.join(parts)}"


def decoder(build: Build, config: Config) -> Decode:
    """From ids to text: bytes where the build counts bytes, else the model's own tokenizer."""
    if build.manifest["tokenizer"]["name"] == "bytes":
        return lambda ids: bytes(one for one in ids if one < 256).decode("utf-8", "replace")
    if config.model.path is None:
        return lambda ids: " ".join(str(one) for one in ids)
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(config.model.path)
    except (OSError, ValueError, KeyError) as error:
        what = f"the model's tokenizer cannot be loaded ({type(error).__name__})."
        hint = "Put the tokenizer that the recipe names beside its weights."
        raise WrongUse(what, where=config.model.path, hint=hint) from error
    return lambda ids: str(loaded.decode(ids))
