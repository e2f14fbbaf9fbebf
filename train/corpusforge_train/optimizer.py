"""AdamW that says how much of an update survives rounding, with stochastic rounding for bf16 weights.

Rounded to the nearest, bf16 weights of a usual size take 9% of the updates that a learning rate of 1e-5 asks for:
weights have 8 bits, and most updates are less than half of the last one. Rounded up or down by chance, in proportion,
they take all of them in expectation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from corpusforge_train.errors import TrainError
from corpusforge_train.shards import first_row, local, put

if TYPE_CHECKING:
    from corpusforge_train.config import Optimizer, Precision

# Weights that are updated at a time, so that the fp32 copies of a large matrix are never all there.
_PART = 1 << 24
# 2^32 by the golden ratio, as a signed number: spreads neighbouring places over all bits.
_GOLDEN = 0x9E3779B1 - 2**32


def _alone(tensors: Sequence[Tensor]) -> None:
    """The sum over one process is what it has."""


class AdamW:
    """AdamW over named parameters (decoupled weight decay on matrices only). `seed` decides the stochastic rounding.

    Of parameters that are parted over processes each updates its own part; `sum_over` adds up what they find.
    `compiled` makes one kernel of what is done to a parameter, where rounding is not left to torch's fused one.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        settings: Optimizer,
        precision: Precision,
        seed: int,
        sum_over: Callable[[Sequence[Tensor]], None] = _alone,
        compiled: bool = False,
    ) -> None:
        self.parameters = [(name, parameter) for name, parameter in parameters if parameter.requires_grad]
        self.settings = settings
        self.stochastic = precision.rounding == "stochastic"
        self.seed = seed
        self.sum_over = sum_over
        self.steps = 0
        kind = torch.bfloat16 if precision.states == "bf16" else torch.float32
        self.fused = all(one.dtype == kind == torch.float32 for _, one in self.parameters)
        self.compiled = compiled
        self._ticks = {name: torch.zeros((), device=one.device) for name, one in self.parameters} if self.fused else {}
        self._state = {
            name: (torch.zeros_like(one, dtype=kind), torch.zeros_like(one, dtype=kind))
            for name, one in self.parameters
        }

    def norm(self) -> Tensor:
        """The norm of the whole gradient, on the device."""
        norms = [
            torch.linalg.vector_norm(local(one.grad), dtype=torch.float32)
            for _, one in self.parameters
            if one.grad is not None
        ]
        square = torch.stack(norms).square().sum() if norms else torch.zeros(())
        self.sum_over([square])
        return square.sqrt()

    @torch.no_grad()
    def step(self, rate: float, scale: Tensor | float = 1.0, measure: bool = False) -> float | None:
        """One update with a learning rate, of gradients times `scale`. With `measure`, the share of the intended update
        that the weights took (1 is all of it), which waits for the device.
        """
        self.steps += 1
        live = [index for index, (_, one) in enumerate(self.parameters) if one.grad is not None]
        if not live:
            return None
        device = self.parameters[live[0]][1].device
        factor = scale if isinstance(scale, Tensor) else torch.tensor(float(scale), device=device)
        advance = self._advance_fused if self.fused else self._advance
        if not measure:
            advance(live, rate, factor)
            return None
        sums = torch.zeros(2, dtype=torch.float64, device=device)
        for index in live:
            old = local(self.parameters[index][1]).detach().clone()
            advance([index], rate, factor)
            sums += self._taken(index, old, rate)
        self.sum_over([sums])
        return float(sums[0] / sums[1].clamp_min(1e-300))

    def _decay(self, parameter: Tensor) -> float:
        return self.settings.weight_decay if parameter.ndim > 1 else 0.0

    def _advance_fused(self, live: Sequence[int], rate: float, scale: Tensor) -> None:
        """One kernel for many parameters, where nothing is rounded."""
        first, second = self.settings.betas
        for decays in (True, False):
            own = [index for index in live if bool(self._decay(self.parameters[index][1])) == decays]
            if not own:
                continue
            names = [self.parameters[index][0] for index in own]
            weights = [self.parameters[index][1] for index in own]
            adamw(
                [local(one) for one in weights],
                [local(one.grad) for one in weights],
                [local(self._state[name][0]) for name in names],
                [local(self._state[name][1]) for name in names],
                [],
                [self._ticks[name] for name in names],
                fused=True,
                grad_scale=scale.float().reciprocal(),
                amsgrad=False,
                beta1=first,
                beta2=second,
                lr=rate,
                weight_decay=self._decay(weights[0]),
                eps=self.settings.eps,
                maximize=False,
            )

    def _advance(self, live: Sequence[int], rate: float, scale: Tensor) -> None:
        """A kernel for each parameter if it is compiled, else a part of some millions of weights after the other."""
        first, second = self.settings.betas
        terms = torch.tensor([rate, 1 - first**self.steps, 1 - second**self.steps], dtype=torch.float32)
        advance = _compiled_advance() if self.compiled else _advance
        for index in live:
            name, trained = self.parameters[index]
            mean, square = self._state[name]
            flat = [local(one).view(-1) for one in (trained, mean, square)]
            flat.append(local(trained.grad).reshape(-1))
            place = first_row(trained) * math.prod(trained.shape[1:])
            keys = self._keys(index)
            length = flat[0].numel() if self.compiled else _PART
            for begin in range(0, flat[0].numel(), length):
                own = [one[begin : begin + length] for one in flat]
                numbers = torch.tensor([*keys, _int32(place + begin)], dtype=torch.int32)
                numbers = _moved(numbers, scale.device)
                weights, means, squares, slopes = own
                constants = first, second, self.settings.eps, self._decay(trained), self.stochastic
                advance(weights, means, squares, slopes, scale, _moved(terms, scale.device), numbers, *constants)

    def _keys(self, index: int) -> tuple[int, int]:
        """Chance depends on the seed, the step, the parameter and the place in it alone: it is the same after a resume
        and under any number of processes.
        """
        key = hash_seed(self.seed, self.steps, index)
        return _int32(key), _int32(key >> 32)

    def _taken(self, index: int, old: Tensor, rate: float) -> Tensor:
        """What the weights took of the intended update along it, and the update's square; shape [2]."""
        name, trained = self.parameters[index]
        first, second = self.settings.betas
        found = torch.zeros(2, dtype=torch.float64, device=old.device)
        now, mean, square = (local(one).view(-1) for one in (trained, *self._state[name]))
        for begin in range(0, now.numel(), _PART):
            part = slice(begin, begin + _PART)
            before = old.view(-1)[part].double()
            slope = mean[part].double() / (1 - first**self.steps)
            change = slope / ((square[part].double() / (1 - second**self.steps)).sqrt() + self.settings.eps)
            change = -rate * (change + self._decay(trained) * before)
            found += torch.stack([((now[part].double() - before) * change).sum(), change.square().sum()])
        return found

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
            if self.fused:
                self._ticks[name].fill_(self.steps)


def hash_seed(*numbers: int) -> int:
    """One seed from some numbers (splitmix64); the same everywhere."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & (2**64 - 1)
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        state ^= state >> 31
    return state >> 1


def _int32(number: int) -> int:
    """The last 32 bits as a signed number."""
    return (number + 2**31) % 2**32 - 2**31


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A small tensor on the device, without waiting for it."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _advance(
    weight: Tensor,
    mean: Tensor,
    square: Tensor,
    slope: Tensor,
    scale: Tensor,
    terms: Tensor,
    keys: Tensor,
    first: float,
    second: float,
    eps: float,
    decay: float,
    stochastic: bool,
) -> None:
    """AdamW on flat tensors in place; `terms` are the rate and the two corrections of bias."""
    own = slope.float() * scale
    mean_now = torch.lerp(mean.float(), own, 1 - first)
    square_now = square.float() * second + own * own * (1 - second)
    before = weight.float()
    change = (mean_now / terms[1]) / ((square_now / terms[2]).sqrt() + eps)
    after = before - terms[0] * (change + decay * before)
    for number, (into, value) in enumerate(((weight, after), (mean, mean_now), (square, square_now))):
        if into.dtype == torch.bfloat16 and stochastic:
            into.copy_(_rounded(value, _noise(len(value), keys, number)))
        else:
            into.copy_(value)


@cache
def _compiled_advance() -> Any:
    return torch.compile(_advance, dynamic=True)


def _noise(count: int, keys: Tensor, draw: int) -> Tensor:
    """16 random bits for each of `count` places from `keys[2]` on, by hashing the place with two keys.

    A generator's chance cannot be compiled, and depends on how a tensor is parted; a hash's does not.
    """
    place = torch.arange(count, dtype=torch.int32, device=keys.device) + keys[2]
    return _mixed(_mixed(place * _GOLDEN + keys[0]) ^ (keys[1] + draw)) & 0xFFFF


def _mixed(bits: Tensor) -> Tensor:
    """A bijection of 32 bits in which each bit of the input moves half of the output's (Wellons' lowbias32)."""
    bits = (bits ^ (bits >> 16 & 0xFFFF)) * 0x7FEB352D
    bits = (bits ^ (bits >> 15 & 0x1FFFF)) * _int32(0x846CA68B)
    return bits ^ (bits >> 16 & 0xFFFF)


def _rounded(value: Tensor, noise: Tensor) -> Tensor:
    """fp32 values cut to bf16's 16 bits, up or down by 16 random bits."""
    # The lower 16 bits are what bf16 lacks: a carry out of them is rounding up, in proportion to their size.
    bits = (value.view(torch.int32) + noise) & -(1 << 16)
    return torch.where(value.isfinite(), bits.view(torch.float32), value)


def round_stochastically(into: Tensor, value: Tensor, seed: int) -> None:
    """Write fp32 values into a bf16 tensor, up or down by chance so that the mean is exact."""
    key = hash_seed(seed)
    keys = torch.tensor([_int32(key), _int32(key >> 32), 0], dtype=torch.int32, device=value.device)
    into.copy_(_rounded(value, _noise(value.numel(), keys, 0).view(value.shape)))


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
            if after.dtype == torch.bfloat16 and precision.rounding == "stochastic":
                round_stochastically(after, target, 1)
            else:
                after.copy_(target)
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
