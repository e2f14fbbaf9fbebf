"""Whole runs of a tiny model: what was consumed, what was saved, and what a run refuses."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

import pyarrow.parquet as pq

from corpusforge_train import loop
from corpusforge_train.build_files import Build
from corpusforge_train.checkpoint import newest
from corpusforge_train.config import Config
from corpusforge_train.errors import Interrupted, TrainError, WrongUse
from corpusforge_train.log import read_log
from corpusforge_train.loop import Run
from corpusforge_train.plan import make_plan

EOS = 256


class Killed(BaseException):
    """Stands for SIGKILL: nothing may catch it, nothing is saved after it."""


def run(build: Build, config: Config, out: Path) -> Run:
    return Run(build, config, out, None)


def final(out: Path) -> dict[str, torch.Tensor]:
    saved = newest(out)
    assert saved is not None
    return saved.weights()


def lines(out: Path) -> list[dict[str, Any]]:
    return [line for line in read_log(out) if "loss" in line]


@pytest.fixture(scope="module")
def undisturbed(build: Build, configure: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from beginning to end."""
    out = tmp_path_factory.mktemp("undisturbed")
    run(build, configure(), out).train()
    return out


def test_the_model_is_given_every_record_exactly_once_an_epoch_and_the_ledger_says_so(
    build: Build, configure: Callable[..., Config], tmp_path: Path
) -> None:
    """Token ids read back from the model's own inputs, against the rows of the mix."""
    made = run(build, configure(data={"outputs": ["completion", "instruct"]}), tmp_path)
    seen: Counter[tuple[int, ...]] = Counter()

    def look(module: Any, words: Any, named: dict[str, Any]) -> None:
        assert named.get("attention_mask") is None
        assert named["use_cache"] is False
        if not module.training:
            return
        for row, places in zip(named["input_ids"].tolist(), named["position_ids"].tolist(), strict=True):
            starts = [place for place, position in enumerate(places) if position == 0]
            parts = [tuple(row[a:b]) for a, b in zip(starts, [*starts[1:], len(row)], strict=True)]
            if len(parts) > 1 and set(parts[-1]) == {EOS}:
                parts.pop()
            seen.update(parts)

    made.trained.model.model.register_forward_pre_hook(look, with_kwargs=True)
    receipt = made.train()
    wanted: Counter[tuple[int, ...]] = Counter()
    tokens: Counter[str] = Counter()
    for one in build.manifest["mix"].values():
        for leaf in one["leaves"]:
            tokens[leaf["path"][-1]] += leaf["got"]
        for file in one["files"]:
            for row in pq.read_table(build.folder / file["path"]).to_pylist():
                turns = row.get("messages")
                text = row["text"] if turns is None else "\n".join(f"{t['role']}: {t['content']}" for t in turns)
                ids = (*text.encode(), EOS)
                for first in range(0, len(ids), made.plan.length):
                    wanted[ids[first : first + made.plan.length]] += 1
    assert seen == wanted
    ledger = Counter()
    for row in receipt["ledger"]:
        ledger[row["source"]] += row["tokens"]
    assert ledger == tokens
    assert json.loads((tmp_path / "final" / "receipt.json").read_text())["ledger"] == receipt["ledger"]
    # Whoever loads the model finds it as transformers would have made it.
    assert json.loads((tmp_path / "final" / "config.json").read_text())["use_cache"] is True


def test_at_every_step_the_log_shows_each_source_within_a_sequence_of_its_share(
    build: Build, undisturbed: Path
) -> None:
    """TRL's token count starts again at 0 on resume, and no trainer tells tokens by source."""
    leaves = build.manifest["mix"]["completion"]["leaves"]
    total = sum(leaf["got"] for leaf in leaves)
    told = lines(undisturbed)
    assert [line["step"] for line in told] == list(range(1, len(told) + 1))
    for line in told:
        assert line["tokens"] == sum(line["tokens_by_source"].values())
        for leaf in leaves:
            had = line["tokens_by_source"].get(leaf["path"][-1], 0)
            assert abs(had - leaf["got"] / total * line["tokens"]) <= build.packed["length"]
        assert set(line["losses"]) <= {"kb", "chats", "web"}
    assert told[-1]["tokens"] == total


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps at which the process dies, right after the optimiser has moved the weights; the first is next."""
    steps: list[int] = []
    before = loop.Run._save_and_measure

    def dying(self: Run, ends: bool, norm: torch.Tensor) -> None:
        before(self, ends, norm)
        if steps and self.progress.step == steps[0]:
            steps.pop(0)
            assert self.checkpointer is not None
            self.checkpointer.wait()
            raise Killed

    monkeypatch.setattr(loop.Run, "_save_and_measure", dying)
    return steps


def test_a_run_killed_at_ten_random_steps_and_fed_otherwise_ends_as_the_undisturbed_one(
    build: Build, configure: Callable[..., Config], undisturbed: Path, tmp_path: Path, kills: list[int]
) -> None:
    """torchtune resumes at an epoch, transformers at a batch: another micro batch loses or repeats data."""
    whole = lines(undisturbed)
    chance = random.Random(4)
    died = sorted(chance.sample(range(1, len(whole)), min(10, len(whole) - 1)))
    kills.extend(died)
    seen = []
    for micro in [1, 3, 8, 2, 5, 4, 7, 6, 1, 2, 3]:
        # Checkpoints are sparser than kills, so that steps are done again.
        config = configure(batch={"sequences": 8, "micro": micro}, checkpoint={"every": 2, "keep": 1})
        try:
            run(build, config, tmp_path).train()
            break
        except Killed:
            seen.append(micro)
    assert len(seen) == len(died)
    resumed = lines(tmp_path)
    assert [line["step"] for line in resumed] == [line["step"] for line in whole]
    for one, two in zip(whole, resumed, strict=True):
        assert abs(one["loss"] - two["loss"]) < 1e-5
        assert one["tokens_by_source"] == two["tokens_by_source"]
        assert one["rate"] == two["rate"]
    weights = final(undisturbed)
    for name, tensor in final(tmp_path).items():
        assert float((tensor - weights[name]).abs().max()) < 1e-5, name
    receipts = [json.loads((out / "final" / "receipt.json").read_text()) for out in (undisturbed, tmp_path)]
    assert receipts[0]["ledger"] == receipts[1]["ledger"]


def test_the_same_feed_resumes_to_the_bit(
    build: Build, configure: Callable[..., Config], undisturbed: Path, tmp_path: Path, kills: list[int]
) -> None:
    kills.append(3)
    config = configure(checkpoint={"every": 2})
    with pytest.raises(Killed):
        run(build, config, tmp_path).train()
    run(build, config, tmp_path).train()
    weights = final(undisturbed)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in final(tmp_path).items())


def test_another_global_batch_goes_on_where_the_data_stopped(
    build: Build, configure: Callable[..., Config], tmp_path: Path, kills: list[int]
) -> None:
    """transformers multiplies the step by the new batch: 80 samples were never trained on (0 of 80 seen)."""
    kills.append(2)
    with pytest.raises(Killed):
        run(build, configure(checkpoint={"every": 2}), tmp_path).train()
    receipt = run(build, configure(batch={"sequences": 5, "micro": 5}), tmp_path).train()
    assert [line["position"] for line in lines(tmp_path)][:4] == [8, 16, 21, 26]
    assert receipt["position"] == len(make_plan(build, ("completion",)))
    assert sum(row["tokens"] for row in receipt["ledger"]) == build.manifest["mix"]["completion"]["got_tokens"]


def test_another_data_plan_or_another_run_is_refused(
    build: Build, another_build: Build, configure: Callable[..., Config], undisturbed: Path
) -> None:
    with pytest.raises(TrainError, match="another data plan"):
        run(another_build, configure(), undisturbed)
    with pytest.raises(TrainError, match="another data plan"):
        run(build, configure(data={"outputs": ["instruct"]}), undisturbed)
    with pytest.raises(TrainError, match="another schedule"):
        run(build, configure(schedule={"peak": 2e-3}), undisturbed)
    with pytest.raises(WrongUse, match="no source or task named 'kbb'"):
        run(build, configure(loss={"weights": {"kbb": {"text": 1}}}), undisturbed)


def test_sigterm_saves_and_the_same_command_goes_on(
    build: Build, configure: Callable[..., Config], undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = loop.Run._tell

    def tell(self: Run, *words: Any) -> None:
        before(self, *words)
        if self.progress.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(loop.Run, "_tell", tell)
    with pytest.raises(Interrupted) as told:
        run(build, configure(), tmp_path).train()
    assert told.value.exit_code == 130
    saved = newest(tmp_path)
    assert saved is not None
    assert saved.state["step"] == 2
    monkeypatch.setattr(loop.Run, "_tell", before)
    run(build, configure(), tmp_path).train()
    weights = final(undisturbed)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in final(tmp_path).items())


def test_a_checkpoint_says_whose_data_and_licences_it_holds(build: Build, undisturbed: Path) -> None:
    saved = newest(undisturbed)
    assert saved is not None
    state = saved.state
    assert state["manifest_sha256"] == build.sha256
    assert state["plan_hash"] == make_plan(build, ("completion",)).hash
    assert state["licences"]["web"] == "CC0-1.0"
    assert state["position"] == state["sequences"]
    assert state["approved_by"] is None


def test_a_half_written_checkpoint_is_not_there(build: Build, configure: Callable[..., Config], tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / ".step-00000009.abc.tmp"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text("{")
    assert newest(tmp_path) is None
    run(build, configure(checkpoint={"every": 1, "keep": 1}), tmp_path).train()
    assert not folder.exists()
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    best = newest(tmp_path).state["best"]["step"]  # type: ignore[union-attr]
    assert set(kept) == {f"step-{best:08d}", kept[-1]}


def test_forgetting_is_told_and_stops_the_run(
    build: Build,
    configure: Callable[..., Config],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No trainer looks at a frozen public hold-out beside the model that it began with."""
    from corpusforge_train import holdout

    before = holdout.compare

    def worse(now: Any, base: Any) -> Any:
        figures = before(now, base)
        return holdout.Figures(figures.loss, figures.bits_per_byte, 0.2, 0.19, 0.21)

    monkeypatch.setattr(loop, "compare", worse)
    with pytest.raises(TrainError, match=r"rose by 0\.200 nats"):
        run(build, configure(holdout={"every": 2, "stop": 0.15}), tmp_path).train()
    assert "FORGETTING" in capsys.readouterr().err
    assert newest(tmp_path) is not None, "what was trained is kept"


def test_the_held_out_loss_is_paired_and_falls_on_what_is_trained(undisturbed: Path) -> None:
    held = [line["holdout"] for line in read_log(undisturbed) if "holdout" in line]
    assert held[0]["domain"]["change"] == 0
    last = held[-1]["domain"]
    assert last["low"] < last["change"] < last["high"] < 0
    assert last["bits_per_byte"] == pytest.approx(last["loss"] / 0.6931, rel=0.05), (
        "a token is a byte here, but for ends"
    )


def test_a_held_out_loss_does_not_depend_on_how_it_is_packed(build: Build, configure: Callable[..., Config]) -> None:
    """axolotl#3478, LlamaFactory#4574: evaluation with packing gave another loss than without."""
    from corpusforge_train.holdout import measure
    from corpusforge_train.model import load_model

    trained = load_model(configure(), 257)
    one, eight = measure(trained, build, 1), measure(trained, build, 8)
    for side in ("domain", "public"):
        assert one[side].nats == pytest.approx(eight[side].nats, abs=1e-4)
        assert one[side].tokens.tolist() == eight[side].tokens.tolist()


@pytest.mark.parametrize("dora", [False, True])
def test_adapters_train_alone_and_come_out_merged(
    build: Build, configure: Callable[..., Config], tmp_path: Path, dora: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """unsloth#9331: the merged head was not the trained one; accelerate#4206: resuming reverted half of the adapter."""
    from transformers import AutoModelForCausalLM

    from corpusforge_train.data import Feed

    config = configure(lora={"rank": 4, "merge": True, "dora": dora}, data={"outputs": ["instruct"]})
    made = run(build, config, tmp_path)
    frozen = {name: one.clone() for name, one in made.trained.model.named_parameters() if not one.requires_grad}
    assert {one.dtype for _, one in made.trained.parameters()} == {torch.float32}
    batch = next(iter(Feed(build, made.plan).batches(range(2), 2)))[1]
    made.trained.model.eval()
    before = made.trained.logits(batch).detach()
    found: dict[str, torch.Tensor] = {}
    exported = loop.export

    def export(trained: Any, *words: Any) -> None:
        trained.model.eval()
        found["logits"] = trained.logits(batch).detach()
        own = dict(trained.model.named_parameters())
        assert all(torch.equal(own[name], one) for name, one in frozen.items())
        exported(trained, *words)

    monkeypatch.setattr(loop, "export", export)
    made.train()
    assert float((found["logits"] - before).abs().max()) > 1e-3
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    ids, positions = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.position_ids)
    with torch.no_grad():
        after = merged(input_ids=ids, position_ids=positions, use_cache=False).logits.flatten(0, 1)
    assert float((found["logits"] - after).abs().max()) < 1e-4
    assert (tmp_path / "final" / "adapter_config.json").is_file()


def test_a_model_too_small_for_the_data_is_refused(
    build: Build, configure: Callable[..., Config], tmp_path: Path
) -> None:
    sizes = configure().model.random
    with pytest.raises(WrongUse, match="knows 200 tokens"):
        run(build, configure(model={"random": {**sizes, "vocab_size": 200}}), tmp_path)


@pytest.mark.parametrize("lora", [None, {"rank": 4, "dropout": 0.1}], ids=["all weights", "adapters"])
def test_bf16_weights_learn_as_fp32_weights_do(
    build: Build, configure: Callable[..., Config], tmp_path: Path, lora: dict[str, Any] | None
) -> None:
    """The precision of the shipped configs, with gradient checkpointing; torchtune#2254 did not converge in it."""
    plain = {"schedule": {"peak": 3e-3, "warmup": 0.1}, "lora": lora}
    low = {"weights": "bf16", "compute": "bf16", "states": "bf16"}
    run(build, configure(**plain), tmp_path / "fp32").train()
    checkpointed = configure(**plain, precision=low, model={"gradient_checkpointing": True})
    receipt = run(build, checkpointed, tmp_path / "bf16").train()
    assert sum(row["tokens"] for row in receipt["ledger"]) == build.manifest["mix"]["completion"]["got_tokens"]
    fp32, bf16 = lines(tmp_path / "fp32"), lines(tmp_path / "bf16")
    assert fp32[-1]["loss"] < fp32[0]["loss"] - (0.5 if lora is None else 0.005)
    assert bf16[-1]["loss"] == pytest.approx(fp32[-1]["loss"], abs=0.05)
    assert bf16[0]["surviving"] == pytest.approx(1, abs=0.1)


def test_what_cannot_be_trained_is_said_before_anything_is_loaded(
    build: Build, configure: Callable[..., Config], tmp_path: Path
) -> None:
    with pytest.raises(WrongUse, match="flex attention has no gradient on a processor"):
        run(build, configure(model={"attention": "flex"}), tmp_path)


def test_a_loss_that_is_no_number_stops_the_run(build: Build, configure: Callable[..., Config], tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no number at step"):
        run(
            build,
            configure(
                schedule={"kind": "constant", "peak": 1.0, "warmup": 0}, optimizer={"clip": 1e30, "weight_decay": 1e30}
            ),
            tmp_path,
        ).train()
    made = run(build, configure(), tmp_path / "damaged")
    with torch.no_grad():
        made.trained.parameters()[0][1].fill_(float("nan"))
    with pytest.raises(TrainError, match="no number before training"):
        made.train()
