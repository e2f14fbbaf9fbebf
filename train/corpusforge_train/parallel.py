"""Several processes as torchrun starts them: each takes its part of a step's sequences, gradients are summed.

Each holds the whole model, or a part of every weight (`sharded`): then all must make the same passes at the same time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a run; one alone without torchrun."""

    rank: int
    size: int
    sharded: bool = False

    @property
    def main(self) -> bool:
        """Whether this process writes and tells."""
        return self.rank == 0

    def part(self, positions: Sequence[int]) -> Sequence[int]:
        """This process's part of a step's positions; every position has one owner, whatever the number of processes."""
        return positions[self.rank :: self.size]

    def passes(self, count: int, micro: int) -> int:
        """The forward passes that the process with the largest part of `count` sequences makes."""
        own = math.ceil(count / self.size)
        return math.ceil(own / micro)

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.size > 1:
            import torch

            works = [torch.distributed.all_reduce(one, async_op=True) for one in tensors]
            for work in works:
                work.wait()

    def gather(self, value: Any) -> list[Any]:
        """Every process's value, by rank."""
        if self.size == 1:
            return [value]
        import torch

        found: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(found, value)
        return found

    def close(self) -> None:
        """Leave the group."""
        if self.size > 1:
            import torch

            torch.distributed.destroy_process_group()


def join(sharded: bool = False, device: str = "auto") -> Group:
    """The group that torchrun's variables describe; joins it if there are others. One alone is never sharded."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Group(0, 1)
    import torch

    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
    return Group(torch.distributed.get_rank(), size, sharded)
