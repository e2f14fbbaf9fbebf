"""A Llama of half a million weights that has learnt the answers to a few prompts by heart, so that its rows are accepted.

`python trained_model.py FOLDER` in an interpreter with torch and transformers trains it on FOLDER/pairs.json, a list of
[prompt, answer], until greedy reading repeats each answer; on one CPU core this takes half a minute.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

VOCABULARY = 1200
HIDDEN, LAYERS, HEADS, INNER = 128, 2, 4, 256
MOST_STEPS, BATCH, RATE = 900, 12, 3e-3
SURE = 0.02
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ("<|end|>", "<|user|>", "<|assistant|>", "<|system|>")


def write_trained_model(folder: Path, pairs: dict[str, str], python: str) -> Path:
    """The folder of a model that answers these prompts so, trained by another interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pairs.json").write_text(json.dumps(sorted(pairs.items())))
    environment = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run([python, __file__, str(folder)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def _tokenizer(folder: Path, pairs: list[list[str]]) -> Any:
    """Byte-pair encoding over whole texts: what all prompts share becomes a few tokens, which makes training short."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=400,
        show_progress=False,
    )
    # Line by line: a token over a line's end would be another in every document.
    lines = [line for pair in pairs for text in pair for line in text.splitlines(keepends=True)]
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "chat_template": CHAT_TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    return tokenizer


def _train(folder: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    pairs = json.loads((folder / "pairs.json").read_text())
    tokenizer = _tokenizer(folder, pairs)
    rows = []
    for prompt, answer in pairs:
        asked = tokenizer.encode(f"<|user|>{prompt}<|assistant|>").ids
        said = [*tokenizer.encode(answer).ids, 0]
        rows.append((asked + said, [-100] * len(asked) + said))
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in rows])
    labels = torch.tensor([row + [-100] * (width - len(row)) for _, row in rows])
    config = LlamaConfig(
        hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        num_key_value_heads=HEADS, vocab_size=VOCABULARY, max_position_embeddings=4096, tie_word_embeddings=False,
        bos_token_id=0, eos_token_id=0, pad_token_id=0, attn_implementation="sdpa",
    )  # fmt: skip
    model = LlamaForCausalLM(config).float()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 20) * max(0.05, 1 - step / MOST_STEPS)
    )
    random = torch.Generator().manual_seed(1)
    for step in range(MOST_STEPS):
        chosen = torch.randperm(len(ids), generator=random)[:BATCH]
        longest = int((labels[chosen] != -100).nonzero()[:, 1].max()) + 1
        loss = model(input_ids=ids[chosen, :longest], labels=labels[chosen, :longest]).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 19 and loss.item() < SURE and _knows(model, ids, labels):
            break
    print(json.dumps({"pairs": len(pairs), "tokens": width, "steps": step + 1, "loss": loss.item()}))
    model.save_pretrained(folder, safe_serialization=True)


def _knows(model: Any, ids: Any, labels: Any) -> bool:
    """Whether each answer is read off word for word, with room for sums in another order."""
    import torch

    with torch.no_grad():
        scores = model(input_ids=ids).logits[:, :-1]
    best = scores.topk(2, dim=-1)
    wanted = labels[:, 1:]
    told = wanted != -100
    right = best.indices[..., 0] == wanted
    clear = best.values[..., 0] - best.values[..., 1] > 1.0
    return bool((right & clear)[told].all())


if __name__ == "__main__":
    _train(Path(sys.argv[1]))
