"""If our rendering differs from transformers', a model is asked otherwise than it was taught, by every server there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra [train]: make test-train")

from corpusforge.mix.chat_template import PLAIN_TEMPLATE, load_template
from corpusforge.mix.packed_tokens import Encoder
from corpusforge.packed_settings import ROLES
from corpusforge.record import Message

GENERATION = (
    "{%- for message in messages %}\n    {{- '<|im_start|>' + message['role'] + '\\n' }}\n"
    "    {%- if message['role'] == 'assistant' %}\n        {%- generation %}\n"
    "            {{- message['content'] | trim + '<|im_end|>' }}\n        {%- endgeneration %}\n    {%- else %}\n"
    "        {{- message['content'] | trim + '<|im_end|>' }}\n    {%- endif %}\n    {{- '\\n' }}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
TALKS = [
    [Message("user", "Is it full?"), Message("assistant", " Yes,\nsince «today» 🙂. ")],
    [
        Message("system", "Be brief."),
        Message("user", "a  b\n"),
        Message("assistant", "c"),
        Message("user", "d"),
        Message("assistant", "e\n\nf"),
    ],
]


@pytest.mark.parametrize(
    "text",
    [
        GENERATION,
        GENERATION.replace("generation %}", "if true %}", 1).replace("endgeneration", "endif"),
        PLAIN_TEMPLATE,
    ],
)
def test_a_conversation_is_what_transformers_makes_of_it(tmp_path: Path, text: str) -> None:
    """Tokens and, where the template marks them, the assistant's: to the token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["</s>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        ["assistant Yes, since today"] * 9,
        trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet),
    )
    PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>", chat_template=text).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["eos_token"] == "</s>"
    theirs = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    encoder = Encoder(str(tmp_path), None)
    template = load_template(str(tmp_path), "auto")
    assert template is not None
    for talk, tokens in zip(TALKS, encoder.conversations([tuple(talk) for talk in TALKS]), strict=True):
        rows = [{"role": one.role, "content": one.content} for one in talk]
        assert template.render(talk) == theirs.apply_chat_template(rows, tokenize=False)
        marked = theirs.apply_chat_template(
            rows, return_dict=True, return_assistant_tokens_mask="endgeneration" in text
        )
        assert tokens.ids.tolist() == marked["input_ids"]
        if "endgeneration" in text:
            assert (tokens.roles == ROLES.index("assistant")).astype(int).tolist() == marked["assistant_masks"]
