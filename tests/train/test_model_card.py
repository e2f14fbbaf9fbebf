"""Without its card a model on the Hub is a file of numbers: nobody may use it, and nobody can say what is in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge_train import loop
from corpusforge_train.build_files import Build, read_build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed
from corpusforge_train.loop import Run
from corpusforge_train.verify import verify

FRONT = "---\nlanguage: [en]\nlicense: cc0-1.0\nconfigs: []\n---\n\n# tiny\n"


def test_the_card_says_what_went_in_what_came_out_and_how_to_check_it(
    build: Build, configure: Callable[..., Config], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(build.folder, tmp_path / "build"))
    (folder / "README.md").write_text(FRONT)
    own = read_build(folder)
    own.manifest["recipe"]["about"] = {"purpose": "To answer questions.", "unsuitable": "Advice.", "limits": ""}
    config = configure(data={"outputs": ["completion", "instruct"]}, lora={"rank": 2, "merge": True})
    receipt = Run(own, config, tmp_path / "run", "Ana Example").train()
    for name in ("final", "merged"):
        text = (tmp_path / "run" / name / "README.md").read_text()
        _, front, body = text.split("---\n", 2)
        told = yaml.safe_load(front)
        assert (told["license"], told["language"]) == ("cc0-1.0", ["en"])
        assert "datasets" not in told, "the corpus's name may be another's on the Hub"
        assert told["library_name"] == ("peft" if name == "final" else "transformers")
        assert ("merged into the weights" in body) == (name == "merged")
        assert "base_model" not in told, "a folder of this machine is no model on the Hub"
        assert "To answer questions." in body
        assert "Not suitable for: Advice." in body
        assert "Known limits" not in body
        for source in ("kb", "web", "qa"):
            tokens = sum(row["tokens"] for row in receipt["ledger"] if row["source"] == source)
            assert f"| {source} | {tokens:,} |" in body
        assert (
            f"| public | {receipt['holdout']['public']['loss'] - receipt['holdout']['public']['change']:.4f} |" in body
        )
        assert receipt["manifest_sha256"] in body
        assert "approved by a person" in body
        assert "Ana" not in text
        assert str(tmp_path) not in text
        template = (tmp_path / "run" / name / "chat_template.jinja").read_text()
        assert template == (folder / "packed" / "chat_template.jinja").read_text()
        assert verify(tmp_path / "run" / name, own) == []


def _run(build: Build, config: Config, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """A run, and the logits of its adapter on two sequences of the mix before anything was merged."""
    made = Run(build, config, out, None)
    batch = next(iter(Feed(build, made.plan).batches(range(2), 2)))[1]
    found: dict[str, Any] = {}
    exported = loop.export

    def export(trained: Any, *words: Any) -> None:
        trained.model.eval()
        found["logits"] = trained.logits(batch).detach()
        exported(trained, *words)

    monkeypatch.setattr(loop, "export", export)
    made.train()
    return batch, found["logits"]


def test_a_tied_model_is_merged_to_what_was_trained(
    build: Build, configure: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """unsloth#9331: with head and embedding in one, what is loaded again was not what had been trained."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    sizes = {**configure().model.random, "tie_word_embeddings": True}
    adapted = {"rank": 4, "merge": True, "alpha": 64.0}
    config = configure(model={"random": sizes}, lora=adapted, schedule={"peak": 1e-2, "warmup": 0.1})
    batch, before = _run(build, config, tmp_path, monkeypatch)
    ids, positions = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.position_ids)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert merged.get_input_embeddings().weight is merged.get_output_embeddings().weight
    with torch.no_grad():
        after = merged(input_ids=ids, position_ids=positions, use_cache=False).logits.flatten(0, 1)
    assert float((before - after).abs().max()) < 1e-4
    torch.manual_seed(config.seed)
    base = AutoModelForCausalLM.from_config(merged.config)
    alone = PeftModel.from_pretrained(base, tmp_path / "final").eval()
    with torch.no_grad():
        again = alone(input_ids=ids, position_ids=positions, use_cache=False).logits.flatten(0, 1)
    assert float((before - again).abs().max()) < 1e-4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", ["lm_head", "embed_tokens"])
def test_an_adapter_on_a_tied_head_is_trained_and_merged_into_the_head_alone(
    build: Build, configure: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """Merged in place, it would land in the other as well: another model, and no error."""
    from transformers import AutoModelForCausalLM

    sizes = {**configure().model.random, "tie_word_embeddings": True, "num_hidden_layers": 1}
    adapted = {"rank": 4, "merge": True, "alpha": 64.0, "targets": ["q_proj", target]}
    config = configure(model={"random": sizes}, lora=adapted, schedule={"peak": 1e-2, "warmup": 0.1})
    batch, before = _run(build, config, tmp_path, monkeypatch)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    head, embedding = merged.get_output_embeddings().weight, merged.get_input_embeddings().weight
    assert float((head - embedding).abs().max()) > 1e-3, "the adapter was not trained, or went into both"
    ids, positions = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.position_ids)
    with torch.no_grad():
        after = merged(input_ids=ids, position_ids=positions, use_cache=False).logits.flatten(0, 1)
    assert float((before - after).abs().max()) < 1e-4


def test_a_card_says_what_the_weights_were_trained_on_before(
    build: Build, configure: Callable[..., Config], tmp_path: Path
) -> None:
    """The data's licence stood there as the model's own, and what the base model had learned from was not told."""
    base = tmp_path / "base"
    Run(build, configure(), base, None).train()
    own = replace(build, sha256="f" * 64)
    path = str(base / "final")
    for kind in ("lora", "prompt"):
        section = {"lora": {"rank": 2}} if kind == "lora" else {"prompt": {"tokens": 2}}
        config = Config.model_validate(
            {**configure(data={"outputs": ["instruct"]}, **section).model_dump(), "model": {"path": path}}
        )
        receipt = Run(own, config, tmp_path / kind, None).train()
        assert [one["manifest_sha256"] for one in receipt["before"]] == [build.sha256]
        _, front, body = (tmp_path / kind / "final" / "README.md").read_text().split("---\n", 2)
        told = yaml.safe_load(front)
        assert (told["license"], told["library_name"]) == ("other", "peft")
        assert kind in told["tags"]
        assert ("Virtual tokens" in body) == (kind == "prompt")
        assert f"was trained on build `0123456789ab` of the corpus `tiny` (manifest `{build.sha256}`)" in body
        assert "CC0-1.0" in body
