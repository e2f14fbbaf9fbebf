"""The frozen base of adapters in 4 bits (QLoRA), through bitsandbytes where that is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch

from corpusforge_train.errors import WrongUse

# NF4 holds 4 bits a weight, an 8-bit scale for 64 of them and a scale of these for 256 (Dettmers et al. 2023).
BYTES = (4 + 8 / 64 + 32 / (64 * 256)) / 8


def four_bits(compute: torch.dtype, device: torch.device) -> dict[str, Any]:
    """What `from_pretrained` is told so that all linear layers but the head are kept as NF4 with double quantisation.

    Raises WrongUse where bitsandbytes is not installed.
    """
    if find_spec("bitsandbytes") is None:
        hint = "Run pip install 'corpusforge[qlora]', or leave lora.base out."
        raise WrongUse("bitsandbytes is not installed.", where="lora.base", hint=hint)
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )
    return {"quantization_config": settings, "device_map": {"": device}}
