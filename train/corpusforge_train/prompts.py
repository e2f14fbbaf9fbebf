"""Virtual tokens that are learned in front of every document while the model stays as it is: prompt tuning, p-tuning.

peft's own forward pass puts them in front of a whole sequence and drops its positions, so that packed documents would
see each other and only the first would have them. Here every piece has its own copy and restarts at it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from corpusforge_train.batch import Batch

if TYPE_CHECKING:
    from corpusforge_train.config import Prompt

# peft's method comparison (MetaMathQA on Llama-3.2-3B): accuracy, and the rise of the loss on Wikipedia.
WARNING = (
    "virtual tokens learn little and forget much: in peft's own comparison prompt tuning and p-tuning reach 34 to 35% "
    "where LoRA reaches 48%, and the loss on other text rises by 0.13 to 0.74 nats where LoRA's rises by 0.05; "
    "train/configs/lora.yaml is the better start"
)


def add_prompt(model: Any, settings: Prompt, seed: int) -> Any:
    """The model's peft wrapper with virtual tokens; the model itself is frozen. Prompt tuning begins at the embeddings
    of random tokens, which peft found to matter much."""
    from peft import PromptEncoderConfig, PromptTuningConfig, get_peft_model

    torch.manual_seed(seed)
    if settings.kind == "p-tuning":
        width = settings.hidden or model.config.hidden_size
        own = PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=settings.tokens, encoder_hidden_size=width)
    else:
        own = PromptTuningConfig(
            task_type="CAUSAL_LM", num_virtual_tokens=settings.tokens, prompt_tuning_init="SAMPLE_VOCAB"
        )
    return get_peft_model(model, own)


def prompt_parameters(settings: Prompt, hidden: int) -> int:
    """How many parameters are trained, in a model with that hidden size."""
    found = settings.tokens * hidden
    if settings.kind == "p-tuning":
        width = settings.hidden or hidden
        found += hidden * width + width + width * width + width + width * hidden + hidden
    return found


@dataclass(frozen=True, slots=True)
class Prompted:
    """A batch with room for n virtual tokens before each piece: where these stand in its flattened ids (piece by piece,
    shape [pieces * n]), and where the batch's own tokens stand (shape [b * length])."""

    batch: Batch
    virtual: npt.NDArray[np.int64]
    own: npt.NDArray[np.int64]


def prompted(batch: Batch, tokens: int) -> Prompted:
    """Make room before every piece (and filling) of a batch; positions restart at the first virtual token."""
    starts = batch.position_ids == 0
    ordinal = starts.cumsum(axis=1)
    rows, length = starts.shape
    used = length + tokens * ordinal[:, -1]
    width = int(used.max())
    at = np.arange(length) + tokens * ordinal
    ids = np.zeros((rows, width), dtype=np.int64)
    np.put_along_axis(ids, at, batch.input_ids, axis=1)
    # What is behind the end of a row with fewer pieces than another is a piece of its own.
    positions = np.maximum(np.arange(width) - used[:, None], 0)
    np.put_along_axis(positions, at, batch.position_ids + tokens, axis=1)
    row, start = np.nonzero(starts)
    first = start + tokens * (ordinal[row, start] - 1)
    virtual = (row * width + first)[:, None] + np.arange(tokens)
    positions.reshape(-1)[virtual] = np.arange(tokens)
    made = replace(batch, input_ids=ids, position_ids=positions)
    return Prompted(made, virtual.reshape(-1), (np.arange(rows)[:, None] * width + at).reshape(-1))
