"""An update that rounding swallows is a run that trains nothing, and no curve says so."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train.config import Optimizer, Precision
from corpusforge_train.errors import TrainError
from corpusforge_train.optimizer import AdamW, check_surviving, hash_seed, round_stochastically, surviving_share


def weights(kind: torch.dtype = torch.float32) -> torch.nn.Parameter:
    return torch.nn.Parameter((torch.randn(300, 200, generator=torch.Generator().manual_seed(3)) * 0.02).to(kind))


def test_bf16_rounded_to_the_nearest_is_refused_and_by_chance_is_whole() -> None:
    """torchtune#2254: bf16 weights at the rates of continued pre-training; 5e-6 applies 5% of what Adam asks for."""
    nearest, stochastic = Precision(weights="bf16", rounding="nearest"), Precision(weights="bf16")
    low = weights(torch.bfloat16)
    assert surviving_share([low], 5e-6, nearest) < 0.1
    assert surviving_share([low], 1e-5, nearest) < 0.2
    assert surviving_share([low], 2e-4, nearest) > 0.8
    assert surviving_share([low], 5e-6, stochastic) == pytest.approx(1, abs=0.05)
    assert surviving_share([weights()], 5e-6, Precision()) == pytest.approx(1, abs=0.01)
    with pytest.raises(TrainError, match=r"hardly train.*stochastic"):
        check_surviving([low], 1e-5, nearest)


def test_stochastic_rounding_is_exact_in_the_mean_and_never_further_than_the_neighbours() -> None:
    values = torch.linspace(-3, 3, 997)
    mean = torch.zeros_like(values)
    for seed in range(400):
        into = torch.empty_like(values, dtype=torch.bfloat16)
        round_stochastically(into, values, seed)
        assert float(((into.float() - values).abs() / values.abs().clamp_min(1e-2)).max()) < 2**-7
        mean += into.float() / 400
    assert float((mean - values).abs().max()) < 2e-3
    odd = torch.tensor([float("inf"), float("nan"), 0.0])
    into = torch.empty(3, dtype=torch.bfloat16)
    round_stochastically(into, odd, 1)
    assert into.isinf().tolist() == [True, False, False]
    assert into.isnan().tolist() == [False, True, False]


def test_it_is_adamw() -> None:
    ours, theirs = weights(), weights()
    settings = Optimizer(weight_decay=0.1)
    one = AdamW([("w", ours)], settings, Precision(), 1)
    two = torch.optim.AdamW([theirs], lr=1e-3, betas=settings.betas, eps=settings.eps, weight_decay=0.1)
    for step in range(5):
        slope = torch.randn(ours.shape, generator=torch.Generator().manual_seed(step))
        ours.grad, theirs.grad = slope.clone(), slope.clone()
        share = one.step(1e-3, measure=True)
        two.step()
        assert share == pytest.approx(1, abs=1e-3)
    assert float((ours - theirs).detach().abs().max()) < 1e-6


def test_bf16_weights_follow_fp32_weights_when_chance_rounds() -> None:
    exact, rounded = weights(), weights(torch.bfloat16)
    start = rounded.detach().float()
    one = AdamW([("w", exact)], Optimizer(weight_decay=0), Precision(), 1)
    two = AdamW([("w", rounded)], Optimizer(weight_decay=0), Precision(weights="bf16", states="bf16"), 1)
    slope = torch.randn(exact.shape, generator=torch.Generator().manual_seed(9))
    begun = exact.detach().clone()
    for _ in range(40):
        exact.grad, rounded.grad = slope.clone(), slope.bfloat16()
        one.step(1e-5)
        two.step(1e-5)
    wanted, got = exact.detach() - begun, rounded.detach().float() - start
    assert float((wanted * got).sum() / wanted.square().sum()) == pytest.approx(1, abs=0.1)


def test_chance_is_the_same_after_a_resume() -> None:
    def run(stop: int | None) -> torch.Tensor:
        parameter = weights(torch.bfloat16)
        optimizer = AdamW([("w", parameter)], Optimizer(), Precision(weights="bf16", states="bf16"), 5)
        for step in range(6):
            if step == stop:
                state = {
                    "steps": optimizer.steps,
                    "state": {k: [t.clone() for t in v] for k, v in optimizer.state()["state"].items()},
                }
                optimizer = AdamW([("w", parameter)], Optimizer(), Precision(weights="bf16", states="bf16"), 5)
                optimizer.load(state)
            parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step)).bfloat16()
            optimizer.step(1e-4)
        return parameter.detach()

    assert torch.equal(run(None), run(3))
    assert len({hash_seed(1, a, b) for a in range(50) for b in range(50)}) == 2500
