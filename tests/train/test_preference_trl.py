"""If TRL reads our pairs otherwise than we wrote them, its users tune their model away from the right answers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")
trl = pytest.importorskip("trl", reason="needs TRL, which is no dependency: pip install trl")

from corpusforge.mix.preference import write_preference
from corpusforge.mix.tokens import Tokens
from corpusforge.mix.tree import tree_from_mapping
from corpusforge.mix.write import MixSpec, write_mix
from corpusforge.mix_tree import OutputTree
from corpusforge.preference_settings import Preference
from corpusforge.record import Message, Origin, Record
from corpusforge.shards import write_records
from corpusforge.stage import StageContext
from corpusforge_train.byte_tokenizer import write_byte_tokenizer


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


@pytest.mark.filterwarnings("ignore")
def test_the_trainer_of_trl_learns_from_our_pairs_as_they_are(tmp_path: Path) -> None:
    """Every pair is met once, and afterwards the right answers are further above the wrong ones than before."""
    import datasets
    from peft import LoraConfig
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    context = StageContext(settings=Tokens.Settings(tokenizer="bytes"), seed=1, sources={})
    path = tmp_path / "kb-00000.parquet"
    write_records(path, list(Tokens().apply([_item(number) for number in range(48)], context)))  # type: ignore[arg-type]
    tree = OutputTree("instruct", None, "tokens", Fraction(1), tree_from_mapping({"mcq": "rest"}, "instruct"))
    mix = write_mix([path], MixSpec(None, tree, 7), tmp_path / "out")["instruct"].to_json()
    told = write_preference([path], Preference(), 7, mix, tmp_path / "out")
    assert told["pairs"] == 48
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
