"""The tokenizer of builds that count bytes, as files beside a model, so that whatever loads the model can read text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BYTES_EOS = 256
_END = "<|endoftext|>"
_TURNS = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def end_at_bytes_eos(model: Any) -> None:
    """Let a model that was made from random weights end its texts where the packed documents end."""
    # A configuration of a model type carries the ids of that type's own tokenizer.
    for one in (model.config, model.generation_config):
        one.eos_token_id, one.bos_token_id, one.pad_token_id = BYTES_EOS, None, None


def write_byte_tokenizer(folder: Path) -> None:
    """Write the tokenizer of builds that count bytes, for whatever loads the model: an id is a byte, 256 ends a
    document, and a conversation is the line of `role: content` a turn that is packed.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    # The letters that ByteLevel gives to bytes (GPT-2): printable ones themselves, the others by turn from 256 on.
    hidden = [byte for byte in range(256) if byte not in shown]
    letters = {chr(byte): byte for byte in shown} | {chr(256 + turn): byte for turn, byte in enumerate(hidden)}
    made = Tokenizer(models.BPE(vocab=letters, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(_END, special=True, normalized=False)])
    made.save(str(folder / "tokenizer.json"))
    told = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": _END,
        "chat_template": _TURNS,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
