"""What a finished run leaves: the model or its adapter for transformers and peft, and a receipt of what went in."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from corpusforge_train.byte_tokenizer import end_at_bytes_eos, write_byte_tokenizer
from corpusforge_train.config import Config
from corpusforge_train.errors import TrainError
from corpusforge_train.ledger import RECEIPT
from corpusforge_train.model import Trained, probe_logits

# Merging sums the same products in another order; in bf16 the merged weights are rounded once more.
_MERGED, _MERGED_LOW = 1e-3, 0.25
_TOKENIZER = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template*")


def export(
    trained: Trained,
    config: Config,
    receipt: Mapping[str, Any],
    folder: Path,
    files: Mapping[str, str] | None = None,
    merged_files: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write `folder/final` (the model, or its adapter) and, for adapters that are to be merged, `folder/merged`.

    Each has the receipt beside it, the base model's tokenizer files, and `files` or `merged_files` (their text by
    name); each appears whole or not at all. Raises TrainError where the merged model says
    something else than the adapter on its own.
    """
    beside = dict(files or {})
    if config.model.random is not None and dict(receipt["recipe"]).get("tokenizer") == "bytes":
        end_at_bytes_eos(trained.model)
    made = [_publish(trained.adapter or trained.model, config, receipt, folder / "final", beside)]
    if config.lora is not None and config.lora.merge:
        made.append(_publish(_merged(trained), config, receipt, folder / "merged", dict(merged_files or beside)))
    return made


def _merged(trained: Trained) -> Any:
    """The model with its adapters in its weights, shown to give the same logits."""
    trained.model.eval()
    apart = probe_logits(trained)
    _untie(trained.model)
    merged = trained.adapter.merge_and_unload()
    together = probe_logits(replace(trained, model=merged, adapter=None))
    spread = float(apart.std()) or 1.0
    differs = float((apart - together).abs().max()) / spread
    if differs > (_MERGED_LOW if trained.compute == torch.bfloat16 else _MERGED):
        what = f"the merged model is not the trained one: logits differ by {differs:.2g} of their spread."
        raise TrainError(
            what, where="lora.merge", hint="Use the adapter in final/, and report this with the model's name."
        )
    return merged


def _untie(model: Any) -> None:
    """Give head and embedding weights of their own where they share them and one has an adapter, which would otherwise
    be merged into both (peft merges in place)."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    adapted = [one for one in (head, embedding) if hasattr(one, "base_layer")]
    bare = getattr(head, "base_layer", head)
    if adapted and bare.weight is getattr(embedding, "base_layer", embedding).weight:
        bare.weight = torch.nn.Parameter(bare.weight.detach().clone(), requires_grad=False)
        model.config.tie_word_embeddings = False


def _publish(model: Any, config: Config, receipt: Mapping[str, Any], final: Path, files: Mapping[str, str]) -> Path:
    work = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        model.save_pretrained(work)
        if config.model.path is not None:
            for path in (path for pattern in _TOKENIZER for path in Path(config.model.path).glob(pattern)):
                shutil.copy2(path, work / path.name)
        elif dict(receipt["recipe"]).get("tokenizer") == "bytes":
            write_byte_tokenizer(work)
        for name, text in files.items():
            (work / name).write_text(text, "utf-8")
        (work / RECEIPT).write_text(json.dumps(receipt, indent=1, sort_keys=True) + "\n", "utf-8")
        shutil.rmtree(final, ignore_errors=True)
        os.replace(work, final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final
