"""The gradient of a step must be that of its tokens, not of the way in which they are fed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed
from corpusforge_train.loss import plain_loss, weighted_loss
from corpusforge_train.model import Trained, load_model
from corpusforge_train.plan import make_plan

WEIGHTS = {"kb": {"text": 0.3}, "intents": {"user": 0.05, "assistant": 2.0}}


def gradient(trained: Trained, feed: Feed, positions: range, micro: int) -> dict[str, torch.Tensor]:
    trained.model.zero_grad()
    batches = [batch for _, batch in feed.batches(positions, micro)]
    weight = sum(batch.weight for batch in batches)
    for batch in batches:
        total, _ = trained.loss(batch)
        (total / weight).backward()
    return {name: one.grad.clone() for name, one in trained.parameters()}


def test_accumulation_over_unequal_parts_gives_the_gradient_of_one_large_batch(
    build: Build, configure: Callable[..., Config]
) -> None:
    """transformers#34191, torchtune#1875: a mean of means weighs a token by the length of what it was fed with."""
    trained = load_model(configure(), 257)
    feed = Feed(build, make_plan(build, ("completion", "instruct")), WEIGHTS)
    # The last sequences of a source are short: micro batches differ in tokens and in weight.
    positions = range(len(feed.plan) - 13, len(feed.plan))
    whole = gradient(trained, feed, positions, 13)
    weights = {batch.weight for _, batch in feed.batches(positions, 1)}
    assert len(weights) > 5
    for micro in (1, 2, 5):
        parts = gradient(trained, feed, positions, micro)
        for name, one in whole.items():
            assert float((one - parts[name]).abs().max()) < 1e-6, name


def test_chunks_of_the_head_give_the_gradient_of_all_logits(build: Build, configure: Callable[..., Config]) -> None:
    """Chunk products that are not summed in fp32 drift; a prompt without weight must not cost its logits."""
    feed = Feed(build, make_plan(build, ("completion", "instruct")), WEIGHTS)
    trained = load_model(configure(loss={"chunk": 7}), 257)
    assert trained.chunked
    chunked = gradient(trained, feed, range(10), 4)
    trained.chunked = False
    plain = gradient(trained, feed, range(10), 4)
    for name, one in plain.items():
        assert float((one - chunked[name]).abs().max()) < 1e-6, name


def test_the_loss_of_every_token_is_the_cross_entropy_of_torch() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(50, 16, dtype=torch.float64, requires_grad=True).float().detach().requires_grad_()
    head = torch.randn(40, 16, requires_grad=True)
    targets, weights = torch.randint(0, 40, (50,)), torch.rand(50)
    total, losses = weighted_loss(hidden, head, targets, weights, 8)
    (3 * total).backward()
    ours = hidden.grad.clone(), head.grad.clone()
    hidden.grad = head.grad = None
    expected, each = plain_loss(hidden @ head.T, targets, weights)
    (3 * expected).backward()
    assert torch.allclose(losses, each, atol=1e-5)
    assert float((ours[0] - hidden.grad).abs().max()) < 1e-5
    assert float((ours[1] - head.grad).abs().max()) < 1e-5


def test_tied_embeddings_learn_from_both_ends(build: Build, configure: Callable[..., Config]) -> None:
    """transformers#45127: a head that is tied to the embeddings gets its gradient from both, or collapses later."""
    sizes = configure().model.random
    tied = configure(model={"random": {**sizes, "tie_word_embeddings": True}})
    feed = Feed(build, make_plan(build, ("completion",)))
    trained = load_model(tied, 257)
    chunked = gradient(trained, feed, range(4), 2)
    assert not [name for name in chunked if "lm_head" in name]
    trained.chunked = False
    plain = gradient(trained, feed, range(4), 2)
    assert float((chunked["model.embed_tokens.weight"] - plain["model.embed_tokens.weight"]).abs().max()) < 1e-6


def test_a_head_that_is_more_than_a_matrix_is_not_chunked(configure: Callable[..., Config]) -> None:
    sizes = {"vocab_size": 260, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "head_dim": 8}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256}
    capped = {"model_type": "gemma2", **sizes, **heads, "final_logit_softcapping": 0.05}
    assert not load_model(configure(model={"random": capped, "attention": "eager"}), 257).chunked
