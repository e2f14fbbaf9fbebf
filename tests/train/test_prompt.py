"""Virtual tokens before every document of a frozen model: they learn, stay apart, and load where peft loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train.batch import Batch
from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed
from corpusforge_train.dry_run import dry_run
from corpusforge_train.log import read_log
from corpusforge_train.loop import Run
from corpusforge_train.model import load_model
from corpusforge_train.plan import make_plan
from corpusforge_train.prompts import WARNING, prompt_parameters

KINDS = [{"kind": "prompt", "tokens": 5}, {"kind": "p-tuning", "tokens": 3, "hidden": 16}]


@pytest.mark.parametrize("prompt", KINDS, ids=lambda one: one["kind"])
@torch.no_grad()
def test_each_packed_document_has_the_logits_that_peft_gives_it_alone(
    build: Build, configure: Callable[..., Config], prompt: dict[str, Any]
) -> None:
    """peft ignores positions and prepends once a sequence: packed documents see each other, and all but one lack the
    prompt. Ours against peft's own forward pass over one document."""
    trained = load_model(configure(prompt=prompt, model={"attention": "sdpa"}), 257)
    trained.model.eval()
    feed = Feed(build, make_plan(build, ("completion", "instruct")))
    shared = [position for position in range(len(feed.plan)) if len(feed[position].lengths) > 1][:6]
    worst, checked = 0.0, 0
    for sequences, batch in feed.batches(shared, 3):
        packed = trained.logits(batch).reshape(len(sequences), feed.plan.length, -1)
        for row, sequence in enumerate(sequences):
            ends = np.cumsum(sequence.lengths)
            for end, length in zip(ends.tolist(), sequence.lengths.tolist(), strict=True):
                ids = torch.from_numpy(sequence.ids[end - length : end].astype(np.int64))[None]
                alone = trained.adapter(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
                worst = max(worst, float((packed[row, end - length : end] - alone[0, -length:]).abs().max()))
                checked += 1
    assert checked >= 12
    assert worst < 1e-5


@pytest.mark.parametrize("prompt", KINDS, ids=lambda one: one["kind"])
def test_they_alone_are_trained_and_peft_loads_what_comes_out(
    build: Build,
    configure: Callable[..., Config],
    prompt: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from peft import PeftModel
    from transformers import AutoConfig, AutoModelForCausalLM

    config = configure(prompt=prompt, data={"outputs": ["instruct"]}, schedule={"kind": "constant", "peak": 1e-2})
    run = Run(build, config, tmp_path, None)
    assert sum(one.numel() for _, one in run.trained.parameters()) == prompt_parameters(config.prompt, 32)
    assert all(name.startswith("prompt_encoder.") for name, _ in run.trained.parameters())
    frozen = {name: one.clone() for name, one in run.trained.model.named_parameters()}
    receipt = run.train()
    assert capsys.readouterr().err.count(WARNING) == 1
    assert all(torch.equal(frozen[name], one) for name, one in run.trained.model.named_parameters())
    assert sum(row["tokens"] for row in receipt["ledger"]) == build.manifest["mix"]["instruct"]["got_tokens"]
    told = [line["loss"] for line in read_log(tmp_path) if "loss" in line]
    assert min(told[-3:]) < told[0]
    sizes = dict(config.model.random)
    base = AutoModelForCausalLM.from_config(AutoConfig.for_model(sizes.pop("model_type"), **sizes))
    base.load_state_dict(run.trained.model.state_dict())
    loaded = PeftModel.from_pretrained(base, tmp_path / "final").eval()
    ids = torch.arange(40, 60)[None]
    run.trained.model.eval()
    nothing = np.empty(0, dtype=np.int64)
    batch = Batch(ids.numpy(), np.arange(20)[None], nothing, nothing, nothing.astype(np.float32), nothing, nothing)
    with torch.no_grad():
        theirs = loaded(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0, -20:]
        assert float((theirs - run.trained.logits(batch)).abs().max()) < 1e-5


def test_the_plan_says_what_the_numbers_say(build: Build, configure: Callable[..., Config]) -> None:
    """peft's own comparison, before anybody has spent a day on it."""
    told = dry_run(build, configure(prompt={"kind": "prompt", "tokens": 5}))
    assert "34 to 35%" in told["warning"]
    assert told["memory"]["trained"] == 5 * 32
    assert "warning" not in dry_run(build, configure())
    with pytest.raises(ValidationError, match="one of lora and prompt"):
        configure(prompt={"kind": "prompt"}, lora={"rank": 4})
