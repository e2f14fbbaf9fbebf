"""A Llama of 0.8 million random weights with a tokenizer of its own: real to vLLM, made in a second without torch.

All weights are random but two: each embedding has the same first number, and the quotation mark listens to it, so that a
string in a JSON answer ends after some ten tokens. Else nothing that it writes would ever end.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 2048
HIDDEN, LAYERS, HEADS, INNER = 128, 2, 4, 256
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ("<|end|>", "<|user|>", "<|assistant|>", "<|system|>")
TEXT = "The router restarts when the power button is held for ten seconds and the lamp turns green. " * 50


def write_tiny_model(folder: Path, *, seed: int = 1, context: int = 4096) -> Path:
    """The folder of a model as Hugging Face lays it out."""
    folder.mkdir(parents=True, exist_ok=True)
    _tokenizer(folder)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HIDDEN // HEADS,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": context,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 0}))
    quote = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]['"']
    _weights(folder / "model.safetensors", np.random.default_rng(seed), quote)
    return folder


def _tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=list(SPECIAL), initial_alphabet=alphabet)
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "chat_template": CHAT_TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))


def _weights(path: Path, random: np.random.Generator, quote: int) -> None:
    """safetensors: the length of a JSON header (8 bytes), the header, the bytes of the tensors."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"{at}.self_attn.{name}.weight"] = (HIDDEN, HIDDEN)
        shapes[f"{at}.mlp.gate_proj.weight"] = (INNER, HIDDEN)
        shapes[f"{at}.mlp.up_proj.weight"] = (INNER, HIDDEN)
        shapes[f"{at}.mlp.down_proj.weight"] = (HIDDEN, INNER)
        shapes[f"{at}.input_layernorm.weight"] = (HIDDEN,)
        shapes[f"{at}.post_attention_layernorm.weight"] = (HIDDEN,)
    shapes["model.norm.weight"] = (HIDDEN,)
    shapes["lm_head.weight"] = (VOCABULARY, HIDDEN)
    header: dict[str, object] = {}
    raw: list[bytes] = []
    position = 0
    for name, shape in shapes.items():
        tensor = np.ones(shape) if "norm" in name else random.normal(0, 0.05, shape)
        if name == "model.embed_tokens.weight":
            tensor[:, 0] = 2.0
        if name == "lm_head.weight":
            tensor[:, 0] = 0.0
            tensor[quote, 0] = 1.75
        data = tensor.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [position, position + len(data)]}
        raw.append(data)
        position += len(data)
    told = json.dumps(header).encode()
    path.write_bytes(len(told).to_bytes(8, "little") + told + b"".join(raw))
