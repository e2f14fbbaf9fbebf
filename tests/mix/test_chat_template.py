"""A mask that is off by a turn trains the question instead of the answer, and the loss looks as good as ever."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.errors import Problems, UsageError
from corpusforge.mix.chat_template import PLAIN_TEMPLATE, ChatTemplate, Part, Unrenderable, load_template, spans
from corpusforge.mix.packed import PackSpec, write_packed
from corpusforge.mix.packed_tokens import BYTES_EOS, Encoder
from corpusforge.mix.tokens import Tokens
from corpusforge.mix.write import MixSpec, write_mix
from corpusforge.packed_settings import ROLES, Packed
from corpusforge.plan import make_plan
from corpusforge.recipe import read_recipe
from corpusforge.record import Dropped, Message, render
from corpusforge.stage import StageContext

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
INST = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + message['content'] + "
    "' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + ' ' + eos_token }}"
    "{% else %}{{ raise_exception('no system turns here') }}{% endif %}{% endfor %}"
)
TRIMMED = (
    "{{ bos_token }}{% for message in messages %}{{ '<|header|>' + message['role'] + '<|end_header|>\\n\\n' + "
    "message['content'] | trim + '<|eot|>' }}{% endfor %}"
)
MODEL = (
    "{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] + '\\n\\n' %}"
    "{% set rest = messages[1:] %}{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    "{% for message in rest %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<turn>' + role + '\\n' + (first if loop.first else '') + message['content'] + '<end>\\n' }}{% endfor %}"
)
THINKING = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}{% if message['role'] == 'assistant' "
    "and loop.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{{ message['content'].split('</think>')[-1] + "
    "'<|im_end|>\\n' }}{% endfor %}"
)
GENERATION = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{% else %}{{ message['content'] + "
    "'<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
)
NAMES = (("bos_token", "<s>"), ("eos_token", "</s>"))
ALL = {
    "chatml": (CHATML, "<|im_end|>"),
    "inst": (INST, " </s>"),
    "trimmed": (TRIMMED, "<|eot|>"),
    "model": (MODEL, "<end>"),
    "thinking": (THINKING, "<|im_end|>"),
    "generation": (GENERATION, "<|im_end|>"),
    "plain": (PLAIN_TEMPLATE, ""),
}
contents = st.text(st.characters(codec="utf-8", exclude_characters="<|"), min_size=1, max_size=30)
exchanges = st.lists(st.tuples(contents, contents), min_size=1, max_size=4)


def conversation(pairs: list[tuple[str, str]], system: str | None = None) -> tuple[Message, ...]:
    turns = [turn for asked, said in pairs for turn in (Message("user", asked), Message("assistant", said))]
    return tuple([Message("system", system)] if system is not None else []) + tuple(turns)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=40)
@given(exchanges, st.none() | contents)
def test_spans_are_the_contents_to_the_letter_and_nothing_is_lost(
    name: str, pairs: list[tuple[str, str]], system: str | None
) -> None:
    """Whatever is said, the parts are the template's text, and the assistant's are its contents and the end of a turn."""
    text, close = ALL[name]
    template = ChatTemplate(text, NAMES)
    messages = conversation(pairs, None if name == "inst" else system)
    try:
        parts = template.parts(messages)
    except Unrenderable:
        assert any(c >= "\U000f0000" for one in messages for c in one.content), "only private characters are refused"
        return
    assert "".join(part.text for part in parts) == template.render(messages)
    for begin, end, role in spans(parts):
        assert role in ROLES
        assert begin < end or not messages
    learned = "".join(part.text for part in parts if part.role == "assistant")
    form = str.strip if name == "trimmed" else str
    assert learned == "".join(form(said) + close for _, said in pairs)
    asked = "".join(part.text for part in parts if part.role == "user")
    assert asked == "".join(form(one) for one, _ in pairs)


def test_a_template_that_changes_or_refuses_what_is_said_drops_the_row_with_its_reason(make: SimpleNamespace) -> None:
    """transformers' templates cut earlier thoughts; a mask by lengths would then fall on the wrong tokens."""
    template = ChatTemplate(THINKING)
    with pytest.raises(Unrenderable):
        template.parts(conversation([("a", "<think>hm</think> b"), ("c", "d")]))
    with pytest.raises(Unrenderable):
        ChatTemplate(INST, NAMES).parts(conversation([("a", "b")], system="be kind"))
    with pytest.raises(Unrenderable):
        ChatTemplate(CHATML, special=("<|im_end|>",)).parts(conversation([("a<|im_end|>\n<|im_start|>system", "b")]))
    with pytest.raises(Unrenderable):
        ChatTemplate("{{ messages[0]['content'] }}").parts(conversation([("a", "b")]))
    with pytest.raises(Unrenderable, match="Undefined"):
        ChatTemplate("{{ strftime_now('%d') }}" + CHATML).parts(conversation([("a", "b")]))


@pytest.fixture
def template_file(tmp_path: Path) -> Path:
    path = tmp_path / "chat.jinja"
    path.write_text(CHATML)
    return path


def test_rows_are_counted_and_packed_as_the_template_writes_them(
    tmp_path: Path, make: SimpleNamespace, template_file: Path
) -> None:
    """Shares are of the tokens that are trained, markers included."""
    talks = [make.talk("kb", k, "qa", answer=f"Answer {k}.") for k in range(12)]
    odd = make.talk("kb", 99, "qa").with_messages((Message("user", "a"), Message("assistant", "b\U000f0001")))
    chosen = Tokens.Settings(tokenizer="bytes", chat_template=str(template_file))
    items = list(Tokens().apply([*talks, odd], StageContext(settings=chosen, seed=1, sources={})))
    assert [item.reason for item in items if isinstance(item, Dropped)] == ["chat-template"]
    records = [item for item in items if not isinstance(item, Dropped)]
    template = load_template("bytes", str(template_file))
    assert template is not None
    for record in records:
        assert record.tokens == len(template.render(record.messages).encode())
    paths = make.sharded(tmp_path / "in", records)
    report = write_mix(paths, MixSpec(None, make.output("instruct", {"qa": "rest"}, epochs=1), 7), tmp_path)[
        "instruct"
    ].to_json()
    spec = PackSpec(Packed(length=128), "bytes", 7, {"kb": "domain"}, str(template_file))
    told = write_packed(paths, spec, {"instruct": report}, tmp_path)
    assert told["conversations"] == "template"
    assert (tmp_path / "packed/chat_template.jinja").read_text() == CHATML
    assert told["outputs"]["instruct"]["tokens"] == sum(record.tokens for record in records)
    import pyarrow.parquet as pq

    rows = pq.read_table(tmp_path / told["outputs"]["instruct"]["files"][0]["path"]).to_pylist()
    learned = b"".join(
        bytes([token])
        for row in rows
        for token, weight in zip(row["input_ids"], row["loss_weights"], strict=True)
        if weight
    )
    assert sorted(learned.decode().split("<|im_end|>")[:-1]) == sorted(f"Answer {k}." for k in range(12))
    assert not any(BYTES_EOS in row["input_ids"] for row in rows)


def test_a_tokenizer_without_a_template_keeps_the_plain_form(tmp_path: Path, make: SimpleNamespace) -> None:
    talk = conversation([("Is it?", "Yes."), ("Sure?", "No.")])
    assert ChatTemplate(PLAIN_TEMPLATE).render(talk) == render(talk)
    assert load_template("bytes", "auto") is None
    (tmp_path / "tokenizer.json").write_text("{}")
    assert load_template(str(tmp_path), "auto") is None
    (tmp_path / "own").mkdir()
    named = [{"name": "tool_use", "template": INST}, {"name": "default", "template": CHATML}]
    (tmp_path / "own/tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    found = load_template(str(tmp_path / "own"), "auto")
    assert found is not None
    assert found.text == CHATML
    assert load_template(str(tmp_path / "own"), "plain") is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{% for %}", "no Jinja2"),
        ("{{ messages[0]['content'] }}", "leaves out"),
        ("{% generation %}x{% endgeneration %}" + CHATML, "no answer as the assistant's"),
        ("{{ strftime_now('%Y') }}" + CHATML, "cannot be used"),
    ],
)
def test_a_template_that_cannot_be_used_is_told_before_anything_runs(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "bad.jinja"
    path.write_text(text)
    with pytest.raises(UsageError, match=what):
        Tokens.check(Tokens.Settings(tokenizer="bytes", chat_template=str(path)))


@pytest.mark.data
@pytest.mark.parametrize("name", ["gpt2", "gpt-neox-20b"])
def test_roles_follow_a_real_tokenizer_through_a_template(real_data: Path, tmp_path: Path, name: str) -> None:
    """The tokens that are learned decode to what the assistant said, and to nothing of anybody else."""
    folder = Path(shutil.copytree(real_data / "tokenizers" / name, tmp_path / name))
    os.chmod(folder, 0o755)
    (folder / "chat_template.jinja").write_text(CHATML)
    encoder = Encoder(str(folder), None)
    talks = [
        conversation([("Où est l'été ?", "Là-bas 🙂"), ("Répète\n", " oui, encore")], system="Be brief."),
        conversation([("mount: /dev/sdb1", "sudo mount /dev/sdb1 /mnt\n\n# done")]),
    ]
    template = load_template(str(folder), "auto")
    assert template is not None
    from corpusforge.mix.tokenizer import load_tokenizer

    loaded = load_tokenizer(str(folder))
    for talk, tokens in zip(talks, encoder.conversations(talks), strict=True):
        assert loaded.decode(tokens.ids.tolist(), skip_special_tokens=False) == template.render(talk)
        said = [int(i) for i, role in zip(tokens.ids, tokens.roles, strict=True) if ROLES[role] == "assistant"]
        got = loaded.decode(said, skip_special_tokens=False)
        # A token may begin in the marker before an answer, or end in the white space behind a turn.
        for message in talk:
            if message.role == "assistant":
                assert message.content.strip() in got
            else:
                assert message.content.strip() not in got
        assert np.count_nonzero(tokens.roles == ROLES.index("assistant")) < len(tokens.ids)


def test_parts_join(tmp_path: Path) -> None:
    made: list[Any] = [Part("ab", "user"), Part("c", "frame")]
    assert spans(made) == [(0, 2, "user"), (2, 3, "frame")]


def test_a_recipe_names_its_template_and_another_one_counts_anew(workspace: Path) -> None:
    """A changed template changes every share of the conversations; an unread one would only look as if it did not."""
    recipe = workspace / "recipes" / "demo.yaml"
    written = recipe.read_text()
    with_template = written.replace("tokenizer: bytes", "chat_template: chat.jinja\ntokenizer: bytes", 1)
    recipe.write_text(with_template)
    with pytest.raises(Problems, match=r"demo\.yaml:\d+:\d+: no chat template at chat\.jinja"):
        read_recipe(recipe)
    identities = []
    for text in (CHATML, CHATML + "\n"):
        (workspace / "chat.jinja").write_text(text)
        plan = make_plan(read_recipe(recipe), workspace / "builds")
        identities.append(next(step.identity for step in plan.steps if step.name == "tokens"))
    assert identities[0] != identities[1]
    assert str(workspace) not in str(identities)
    (workspace / "chat.jinja").write_text("{{ strftime_now('%Y') }}" + CHATML)
    with pytest.raises(UsageError, match="cannot be used"):
        make_plan(read_recipe(recipe), workspace / "builds")
