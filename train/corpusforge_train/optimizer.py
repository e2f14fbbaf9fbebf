"""AdamW that says how much of an update survives rounding, with stochastic rounding for bf16 weights.

Rounded to the nearest, bf16 weights of a usual size take 9% of the updates that a learning rate of 1e-5 asks for:
weights have 8 bits, and most updates are less than half of the last one. Rounded up or down by chance, in proportion,
they take all of them in expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from corpusforge_train.config import Optimizer, Precision
from corpusforge_train.errors import TrainError
from corpusforge_train.shards import first_row, local, put


def _alone(tensors: Sequence[Tensor]) -> None:
    """The sum over one process is what it has."""


class AdamW:
    """AdamW over named parameters (decoupled weight decay on matrices only). `seed` decides the stochastic rounding.

    Of parameters that are parted over processes each updates its own part; `sum_over` adds up what they find.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        settings: Optimizer,
        precision: Precision,
        seed: int,
        sum_over: Callable[[Sequence[Tensor]], None] = _alone,
    ) -> None:
        self.parameters = [(name, parameter) for name, parameter in parameters if parameter.requires_grad]
        self.settings = settings
        self.stochastic = precision.rounding == "stochastic"
        self.seed = seed
        self.sum_over = sum_over
        self.steps = 0
        kind = torch.bfloat16 if precision.states == "bf16" else torch.float32
        self._state = {
            name: (torch.zeros_like(one, dtype=kind), torch.zeros_like(one, dtype=kind))
            for name, one in self.parameters
        }

    def norm(self) -> Tensor:
        """The norm of the whole gradient, on the device."""
        squares = [local(one.grad).float().square().sum() for _, one in self.parameters if one.grad is not None]
        square = torch.stack(squares).sum() if squares else torch.zeros(())
        self.sum_over([square])
        return square.sqrt()

    @torch.no_grad()
    def step(self, rate: float, scale: Tensor | float = 1.0, measure: bool = False) -> float | None:
        """One update with a learning rate, of gradients times `scale`. With `measure`, the share of the intended update
        that the weights took (1 is all of it), which waits for the device.
        """
        self.steps += 1
        settings = self.settings
        first, second = settings.betas
        one, two = 1 - first**self.steps, 1 - second**self.steps
        taken: list[Tensor] = []
        wanted: list[Tensor] = []
        for index, (name, trained) in enumerate(self.parameters):
            if trained.grad is None:
                continue
            slope = local(trained.grad).float() * scale
            draw = self._draw(index, first_row(trained), trained.device) if self.stochastic else None
            parameter = local(trained)
            mean, square = (local(one) for one in self._state[name])
            mean_now = mean.float().lerp_(slope, 1 - first)
            square_now = square.float().mul_(second).addcmul_(slope, slope, value=1 - second)
            _put(mean, mean_now, draw)
            _put(square, square_now, draw)
            before = parameter.float()
            change = (mean_now / one).div_((square_now / two).sqrt_().add_(settings.eps))
            if parameter.ndim > 1 and settings.weight_decay:
                change.add_(before, alpha=settings.weight_decay)
            change.mul_(-rate)
            old = parameter.detach().clone() if measure else None
            _put(parameter, before + change, draw)
            if old is not None:
                taken.append(((parameter.double() - old.double()) * change.double()).sum())
                wanted.append(change.double().square().sum())
        if not measure or not wanted:
            return None
        sums = torch.stack([torch.stack(taken).sum(), torch.stack(wanted).sum()])
        self.sum_over([sums])
        return float(sums[0] / sums[1].clamp_min(1e-300))

    def _draw(self, index: int, row: int, device: torch.device) -> torch.Generator:
        """Chance that depends on the seed, the step, the parameter and where a part of it begins alone, so that a
        resumed run has the same, and no two parts of a matrix round alike.
        """
        generator = torch.Generator(device)
        return generator.manual_seed(hash_seed(self.seed, self.steps, index, *((row,) if row else ())))

    def clear(self) -> None:
        """Forget the gradients."""
        for _, parameter in self.parameters:
            parameter.grad = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds; the tensors are the living ones."""
        return {"steps": self.steps, "state": {name: list(pair) for name, pair in self._state.items()}}

    def load(self, state: dict[str, Any]) -> None:
        """Take up the state of a checkpoint. Raises TrainError if it is of other parameters."""
        if state["state"].keys() != self._state.keys():
            raise TrainError("the checkpoint's optimiser is of other parameters.", hint="Name another --out.")
        self.steps = int(state["steps"])
        for name, pair in state["state"].items():
            for mine, saved in zip(self._state[name], pair, strict=True):
                put(mine, saved)


def hash_seed(*numbers: int) -> int:
    """One seed from some numbers (splitmix64); the same everywhere."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & (2**64 - 1)
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        state ^= state >> 31
    return state >> 1


def _put(into: Tensor, value: Tensor, draw: torch.Generator | None) -> None:
    if into.dtype == torch.bfloat16 and draw is not None:
        round_stochastically(into, value, draw)
    else:
        into.copy_(value)


def round_stochastically(into: Tensor, value: Tensor, draw: torch.Generator) -> None:
    """Write fp32 values into a bf16 tensor, up or down by chance so that the mean is exact."""
    bits = value.contiguous().view(torch.int32)
    noise = torch.randint(0, 1 << 16, bits.shape, dtype=torch.int32, device=bits.device, generator=draw)
    # The lower 16 bits are what bf16 lacks: a carry out of them is rounding up, in proportion to their size.
    rounded = bits.add(noise).bitwise_and_(-(1 << 16)).view(torch.float32)
    into.copy_(torch.where(value.isfinite(), rounded, value))


@torch.no_grad()
def surviving_share(parameters: Iterable[Tensor], rate: float, precision: Precision, sample: int = 65_536) -> float:
    """The share of an update of `rate` (Adam's usual step) that survives rounding, on a sample of the weights.

    The mean of what is taken over what is wanted; stochastic rounding loses nothing in expectation.
    """
    taken = wanted = 0.0
    for parameter in parameters:
        own = local(parameter).detach()
        weights = own.flatten()[:: max(1, own.numel() // sample)].cpu()
        for sign in (-1.0, 1.0):
            target = weights.float() + sign * rate
            after = torch.empty_like(weights)
            draw = torch.Generator().manual_seed(1) if precision.rounding == "stochastic" else None
            _put(after, target, draw)
            taken += sign * float((after.double() - weights.double()).sum())
            wanted += rate * len(weights)
    return taken / wanted if wanted else 1.0


def check_surviving(parameters: Iterable[Tensor], rate: float, precision: Precision) -> float:
    """The surviving share at a peak rate. Raises TrainError if it is less than the config allows."""
    share = surviving_share(parameters, rate, precision)
    if share < precision.least_surviving:
        what = (
            f"{share:.0%} of an update at the peak rate {rate:g} would survive rounding: the model would hardly train."
        )
        raise TrainError(what, hint="Set precision.rounding to stochastic, or precision.weights to fp32.")
    return share
