"""If pairs are read otherwise than they were written, a model is tuned away from the right answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")
trl = pytest.importorskip("trl", reason="needs TRL, which is no dependency: pip install trl")

from corpusforge import report_command, train_command
from corpusforge.errors import UsageError
from corpusforge.mix.preference import write_preference
from corpusforge.mix.tokens import Tokens
from corpusforge.mix.tree import tree_from_mapping
from corpusforge.mix.write import MixSpec, write_mix
from corpusforge.mix_tree import OutputTree
from corpusforge.preference_settings import Preference
from corpusforge.record import Message, Origin, Record
from corpusforge.shards import write_records
from corpusforge.stage import StageContext
from corpusforge_train.build_files import Build, read_build
from corpusforge_train.byte_tokenizer import write_byte_tokenizer
from corpusforge_train.config import Config
from corpusforge_train.errors import TrainError, WrongUse
from corpusforge_train.log import read_log
from corpusforge_train.preference import tune
from corpusforge_train.verify import verify


def _item(number: int) -> Record:
    """One right answer, which a model can learn to tell by its words, and two wrong ones."""
    gold = number % 3
    options = ["off", "off", "off"]
    options[gold] = "on"
    options = [f"turn {number} {text}" for text in options]
    wrong = [place for place in range(3) if place != gold]
    listed = "\n".join(f"{'ABC'[place]}. {text}" for place, text in enumerate(options))
    turns = (Message("user", f"What now?\n{listed}"), Message("assistant", f"{'ABC'[gold]}. {options[gold]}"))
    meta = {"task": "mcq", "options": options, "gold": gold, "near": wrong[:1], "far": wrong[1:]}
    record = Record(
        f"kb:{number:03d}", "kb", "mcq", "-", Origin("f", 0, 1), group=f"g{number}", side="train", meta=meta
    )
    return record.with_messages(turns)


def _pairs(folder: Path) -> dict[str, Any]:
    """48 pairs in `folder/out/preference`; what the manifest says of them."""
    context = StageContext(settings=Tokens.Settings(tokenizer="bytes"), seed=1, sources={})
    path = folder / "kb-00000.parquet"
    write_records(path, list(Tokens().apply([_item(number) for number in range(48)], context)))  # type: ignore[arg-type]
    tree = OutputTree("instruct", None, "tokens", Fraction(1), tree_from_mapping({"mcq": "rest"}, "instruct"))
    mix = write_mix([path], MixSpec(None, tree, 7), folder / "out")["instruct"].to_json()
    told = write_preference([path], Preference(), 7, mix, folder / "out")
    assert told["pairs"] == 48
    return told


@pytest.fixture
def tuned_build(build: Build, tmp_path: Path) -> Build:
    """The tiny build with preference pairs."""
    told = _pairs(tmp_path)
    shutil.copytree(build.folder, tmp_path / "build")
    shutil.copytree(tmp_path / "out" / "preference", tmp_path / "build" / "preference")
    (tmp_path / "build" / "manifest.json").write_text(json.dumps({**build.manifest, "preference": told}))
    return read_build(tmp_path / "build")


def _config(configure: Callable[..., Config], **sections: Any) -> Config:
    given = {"batch": {"sequences": 8, "micro": 4}, "schedule": {"kind": "cosine", "peak": 5e-3}, "lora": {"rank": 16}}
    return configure(
        **{**given, "checkpoint": {}, "holdout": {}, "dpo": {"epochs": 6, "beta": 0.5}, "log": {"every": 6}, **sections}
    )


@pytest.mark.filterwarnings("ignore")
def test_preference_tuning_sets_right_answers_above_wrong_ones_and_tells_what_it_consumed(
    tuned_build: Build, configure: Callable[..., Config], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every pair once an epoch, the same adapters from the same seed, and a receipt that is verified from the files."""
    from safetensors.torch import load_file

    config = _config(configure)
    (tmp_path / "dpo.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    given = {"builds": None, "cards": tmp_path, "changes": [], "unapproved": True, "as_json": True}

    def train(out: str, **words: Any) -> dict[str, Any]:
        words = {**given, "out": tmp_path / out, "dry_run": False, **words}
        train_command.train(str(tuned_build.folder), tmp_path / "dpo.yaml", **words)
        return json.loads(capsys.readouterr().out) if words["as_json"] else {}

    planned = train("none", dry_run=True)
    assert (planned["pairs"], planned["steps"]) == (48, 36)
    told = train("one")
    assert told["ledger"] == planned["sources"]
    assert sum(row["pairs"] for row in told["ledger"]) == 6 * 48
    assert told["step"] == 36
    lines = read_log(tmp_path / "one")
    assert lines[-1]["margin"] > lines[0]["margin"] + 0.2
    assert lines[-1]["accuracy"] > 0.8
    assert verify(tmp_path / "one" / "final", tuned_build) == []
    train("two")
    weights = [load_file(tmp_path / name / "final" / "adapter_model.safetensors") for name in ("one", "two")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not any("ref" in path.name for path in (tmp_path / "one" / "final").iterdir())
    with pytest.raises(UsageError, match="holds a run already"):
        train("one")
    train("none", dry_run=True, as_json=False)
    assert "48 preference pairs" in capsys.readouterr().out
    path = tmp_path / "one" / "final" / "receipt.json"
    receipt = json.loads(path.read_text())
    receipt["ledger"][0]["pairs"] -= 1
    path.write_text(json.dumps(receipt))
    assert verify(tmp_path / "one" / "final", tuned_build)
    with pytest.raises(UsageError, match="no report"):
        report_command.write_report(tmp_path / "one", tuned_build.folder, None)


def test_what_preference_tuning_cannot_do_is_refused_in_a_line(
    build: Build, tuned_build: Build, configure: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that is read by nobody, or a run without its data, costs a night."""
    for sections in (
        {"lora": None},
        {"data": {"outputs": ["instruct"]}},
        {"holdout": {"every": 3}},
        {"batch": {"sequences": 7, "micro": 2}},
        {"model": {"attention": "varlen"}},
    ):
        with pytest.raises(ValidationError, match=r"dpo|multiple"):
            _config(configure, **sections)
    with pytest.raises(WrongUse, match="no preference pairs"):
        tune(build, _config(configure), tmp_path / "run", None)
    sizes = dict(_config(configure).model.random or {}, max_position_embeddings=32)
    with pytest.raises(WrongUse, match="room for 32"):
        tune(tuned_build, _config(configure, model={"random": sizes}), tmp_path / "run", None)
    file = tuned_build.folder / tuned_build.manifest["preference"]["files"][0]["path"]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(TrainError, match="damaged"):
        tune(tuned_build, _config(configure), tmp_path / "run", None)
    monkeypatch.setattr("corpusforge_train.preference.find_spec", lambda name: None)
    with pytest.raises(WrongUse, match="align"):
        tune(tuned_build, _config(configure), tmp_path / "run", None)
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore")
def test_the_trainer_of_trl_learns_from_our_pairs_as_they_are(tmp_path: Path) -> None:
    """Every pair is met once, and afterwards the right answers are further above the wrong ones than before."""
    import datasets
    from peft import LoraConfig
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    told = _pairs(tmp_path)
    datasets.disable_progress_bars()
    files = [str(tmp_path / "out" / file["path"]) for file in told["files"]]
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    write_byte_tokenizer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=260, max_position_embeddings=256, **sizes))
    config = trl.DPOConfig(
        output_dir=str(tmp_path / "run"), num_train_epochs=6, per_device_train_batch_size=8, learning_rate=5e-3,
        logging_steps=6, max_length=None, gradient_checkpointing=False, bf16=False, use_cpu=True, disable_tqdm=True,
        report_to="none", save_strategy="no", train_sampling_strategy="sequential", seed=7,
    )  # fmt: skip
    adapters = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = trl.DPOTrainer(model, args=config, train_dataset=rows, processing_class=tokenizer, peft_config=adapters)
    first = trainer.train_dataset[0]
    prompt = tokenizer.decode(first["prompt_ids"])
    assert prompt == f"user: {rows[0]['prompt'][0]['content']}\nassistant: "
    assert tokenizer.decode(first["chosen_ids"]) == rows[0]["chosen"][0]["content"] + "\n"
    assert tokenizer.decode(first["rejected_ids"]) == rows[0]["rejected"][0]["content"] + "\n"
    trainer.train()
    log = [line for line in trainer.state.log_history if "rewards/margins" in line]
    assert len(trainer.train_dataset) == 48
    assert log[-1]["rewards/margins"] > log[0]["rewards/margins"] + 0.2
    assert log[-1]["rewards/accuracies"] > 0.8
