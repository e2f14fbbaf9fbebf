"""Weights that several processes hold in parts (FSDP2): how a model is parted, and how parts and whole tensors meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from corpusforge_train.errors import WrongUse

T = TypeVar("T")


class Whole(nn.Module):
    """The model as FSDP2's root: a computation over it is one forward pass, around which its parameters are gathered.

    The loss multiplies by the head's matrix itself, outside of the model's own forward pass, where that matrix would be
    a part.
    """

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.held = nn.ModuleList(modules)

    def forward(self, compute: Callable[[], T]) -> T:
        """What `compute` gives while everything outside of the layers is whole."""
        return compute()


def shard(model: Any, others: Iterable[nn.Module], device: torch.device) -> Whole:
    """Part a model by its layers over all processes, moving a layer at a time to the device; its root.

    Gradients come out as the mean over processes, reduced in fp32. Raises WrongUse for a model without a list of layers
    or a torch that has no FSDP2.
    """
    try:
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
    except ImportError as error:
        raise WrongUse("this torch has no fully_shard.", where="parallel.kind", hint="Install torch 2.6.") from error
    decoder = getattr(model, model.base_model_prefix)
    layers = [layer for part in decoder.children() if isinstance(part, nn.ModuleList) for layer in part]
    if not layers:
        raise WrongUse("the model has no list of layers to part.", where="parallel.kind", hint="Set it to data.")
    mesh = torch.distributed.init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
    whole = Whole(model, *others)
    # Also the root gives its parameters back after a forward pass: measuring has no backward pass that would.
    for module in (*layers, whole):
        fully_shard(module, mesh=mesh, reshard_after_forward=True, mp_policy=policy)
    return whole


def local(tensor: Tensor) -> Tensor:
    """This process's part of a tensor, for reading and writing in place; the tensor itself where it is whole."""
    if not isinstance(tensor, DTensor):
        return tensor
    with torch.no_grad():
        return tensor.to_local()


def first_row(tensor: Tensor) -> int:
    """Where this process's part begins, in rows of the whole tensor."""
    if not isinstance(tensor, DTensor) or tensor.ndim == 0:
        return 0
    rows, parts = tensor.shape[0], tensor.device_mesh.size()
    return min(rows, -(-rows // parts) * tensor.device_mesh.get_local_rank())


@torch.no_grad()
def put(into: Tensor, whole: Tensor) -> None:
    """Write a whole tensor, which every process has, into a tensor that may be parted."""
    if isinstance(into, DTensor):
        moved = whole.to(into.device, into.dtype)
        parted = distribute_tensor(moved, into.device_mesh, into.placements, src_data_rank=None)
        into.to_local().copy_(parted.to_local())
    else:
        into.copy_(whole)


@torch.no_grad()
def gathered(value: Any, keep: bool) -> Any:
    """Parted tensors within dictionaries and lists as whole ones in memory, one after the other; the rest as it is.

    Every process must take part; only one with `keep` holds what it gets, others hold nothing in a tensor's place.
    """
    if isinstance(value, DTensor):
        whole = value.full_tensor()
        return whole.cpu() if keep else None
    if isinstance(value, dict):
        return {key: gathered(one, keep) for key, one in value.items()}
    if isinstance(value, list):
        return [gathered(one, keep) for one in value]
    return value
