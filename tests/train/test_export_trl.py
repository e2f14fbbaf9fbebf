"""If TRL reads our export otherwise than we wrote it, its users train on another mix and believe that it is ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")
trl = pytest.importorskip("trl", reason="needs TRL, which is no dependency: pip install trl")

from corpusforge.mix.export import export
from corpusforge_train.build_files import Build


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {f"t{k}": k for k in range(257)} | {"<pad>": 257}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="t0"))
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="t256", pad_token="<pad>", unk_token="t0")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["completion", "instruct"])
def test_the_trainer_of_trl_sees_our_tokens_in_our_order(build: Build, tmp_path: Path, name: str) -> None:
    """Positions restart at each document, nothing is cut, dropped, shuffled or masked: read at the model's own door."""
    import datasets
    from transformers import LlamaConfig, LlamaForCausalLM

    export(build.folder, json.loads((build.folder / "manifest.json").read_text()), "trl", [name], tmp_path / "out")
    datasets.disable_progress_bars()
    rows = datasets.load_dataset(str(tmp_path / "out"), name, split="train", cache_dir=str(tmp_path / "cache"))
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=258, max_position_embeddings=256, **sizes))
    seen: list[dict[str, Any]] = []

    def keep(module: Any, words: tuple[Any, ...], named: dict[str, Any]) -> None:
        assert named.get("attention_mask") is None
        seen.append({key: named[key].clone() for key in ("input_ids", "position_ids", "labels")})

    model.register_forward_pre_hook(keep, with_kwargs=True)
    settings = yaml.safe_load((tmp_path / "out" / "sft_config.yaml").read_text())
    steps = {"gradient_accumulation_steps": 8, "learning_rate": 1e-3, "report_to": "none", "save_strategy": "no"}
    config = trl.SFTConfig(
        output_dir=str(tmp_path / "run"), bf16=False, use_cpu=True, disable_tqdm=True, **steps, **settings
    )
    trainer = trl.SFTTrainer(model, args=config, train_dataset=rows, processing_class=_tokenizer())
    trainer.train()
    wanted = [row for file in build.files(name) for row in pq.read_table(file).to_pylist()]
    assert len(seen) == len(wanted)
    for ours, theirs in zip(wanted, seen, strict=True):
        assert theirs["input_ids"][0].tolist() == ours["input_ids"]
        assert theirs["position_ids"][0].tolist() == [place for size in ours["seq_lengths"] for place in range(size)]
        pairs = zip(ours["input_ids"], ours["loss_weights"], strict=True)
        assert theirs["labels"][0].tolist() == [token if weight else -100 for token, weight in pairs]
    assert sum(len(one["input_ids"][0]) for one in seen) == build.packed["outputs"][name]["tokens"]
