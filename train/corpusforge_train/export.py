"""What a finished run leaves: the model or its adapter for transformers and peft, and a receipt of what went in."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpusforge_train.config import Config
from corpusforge_train.ledger import RECEIPT
from corpusforge_train.model import Trained

_TOKENIZER = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template*")


def export(trained: Trained, config: Config, receipt: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write `folder/final` (the model, or its adapter) and, for adapters that are to be merged, `folder/merged`.

    Each has the receipt beside it and the base model's tokenizer files; each appears whole or not at all.
    """
    made = [_publish(trained.adapter or trained.model, config, receipt, folder / "final")]
    if config.lora is not None and config.lora.merge:
        made.append(_publish(trained.adapter.merge_and_unload(), config, receipt, folder / "merged"))
    return made


def _publish(model: Any, config: Config, receipt: Mapping[str, Any], final: Path) -> Path:
    work = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        model.save_pretrained(work)
        if config.model.path is not None:
            for path in (path for pattern in _TOKENIZER for path in Path(config.model.path).glob(pattern)):
                shutil.copy2(path, work / path.name)
        (work / RECEIPT).write_text(json.dumps(receipt, indent=1, sort_keys=True) + "\n", "utf-8")
        shutil.rmtree(final, ignore_errors=True)
        os.replace(work, final)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final
