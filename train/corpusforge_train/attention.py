"""Attention over packed documents by where they end: no mask is made, and no pair of two documents is computed."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from corpusforge_train.errors import WrongUse

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:
    varlen_attn = None

VARLEN = "corpusforge_varlen"
# What an attention of transformers may be asked for beside plain causal attention, and would be wrong to leave out.
_UNKNOWN = ("sliding_window", "softcap", "s_aux")
# Causal is a window in newer versions of torch and a flag in the first; sharing heads came between.
_DOORS = {"window_size": (-1, 0), "is_causal": True, "enable_gqa": True}
_KNOWN = inspect.signature(varlen_attn).parameters if varlen_attn is not None else {}
_ASKED = {name: value for name, value in _DOORS.items() if name in _KNOWN}


def varlen_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    document_ends: Tensor | None = None,
    **asked: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each document, as an attention of transformers.

    `query`, `key` and `value` have shape [b, heads, n, d] (fewer heads of keys and values are shared), `document_ends`
    [documents + 1] holds 0 and the end of each document in the flattened batch. The result has shape [b, n, heads, d].
    On a GPU it is torch's kernel for variable lengths (torch 2.10 or later, bf16), elsewhere one call a document.
    Raises WrongUse for what it cannot do, such as sliding windows.
    """
    wrong = [name for name in _UNKNOWN if asked.get(name) is not None]
    if document_ends is None or attention_mask is not None or dropout or wrong:
        what = f"attention by lengths cannot do {', '.join(wrong) or 'a mask, a cache or dropout'}."
        raise WrongUse(what, where="model.attention", hint="Set it to sdpa, or to flex on a GPU.")
    shape = query.transpose(1, 2).shape
    flat = [one.transpose(1, 2).flatten(0, 1) for one in (query, key, value)]
    attend = _by_kernel if query.is_cuda else _one_by_one
    found = attend(flat[0], flat[1], flat[2], document_ends, shape[1], scaling)
    return found.view(*shape[:3], value.shape[-1]), None


def _by_kernel(query: Tensor, key: Tensor, value: Tensor, ends: Tensor, longest: int, scaling: float | None) -> Tensor:
    if "enable_gqa" not in _ASKED:
        key, value = _repeated(query, key, value)
    found: Tensor = varlen_attn(query, key, value, ends, ends, longest, longest, scale=scaling, **_ASKED)
    return found


def _repeated(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values with as many heads as the query."""
    groups = query.shape[1] // key.shape[1]
    return (key, value) if groups == 1 else (key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1))


# Its loop over lengths that each batch has anew would be compiled anew for each.
@torch.compiler.disable
def _one_by_one(query: Tensor, key: Tensor, value: Tensor, ends: Tensor, longest: int, scaling: float | None) -> Tensor:
    key, value = _repeated(query, key, value)
    # Splitting has one gradient for all parts; slicing makes a whole tensor of zeros for each.
    sizes = ends.diff().tolist()
    parts = [one.transpose(0, 1)[None].split(sizes, dim=2) for one in (query, key, value)]
    found = [
        scaled_dot_product_attention(own_query, own_key, own_value, is_causal=True, scale=scaling)
        for own_query, own_key, own_value in zip(*parts, strict=True)
    ]
    return torch.cat(found, dim=2)[0].transpose(0, 1).contiguous()


def looks_back_whole(sizes: Any) -> bool:
    """Whether a model's configuration has every token see all before it in its document.

    Some models put a sliding window into their mask alone: attention that is given no mask cannot know of it.
    """
    window = getattr(sizes, "sliding_window", None) if getattr(sizes, "use_sliding_window", True) else None
    kinds = getattr(sizes, "layer_types", None) or ()
    chunk = getattr(sizes, "attention_chunk_size", None)
    # Where layers are told apart, a window is that of the layers that say so.
    windowed = any(kind != "full_attention" for kind in kinds) if kinds else window is not None
    return not windowed and chunk is None


def has_kernel() -> bool:
    """Whether this torch has the kernel for variable lengths."""
    return varlen_attn is not None


def register() -> None:
    """Make it known to transformers under its name."""
    from transformers import AttentionInterface

    AttentionInterface.register(VARLEN, varlen_attention)
