"""The engine `transformers`: what it says and how likely it holds a text is what the model itself says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge.errors import Problems, StepFailed, UsageError
from corpusforge.evaluation import read_model
from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse, Sampling
from corpusforge.generate.engines.likelihood import TASK, make_scorer
from corpusforge.generate.engines.registry import make_engine
from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.record import Message
from corpusforge_train.byte_tokenizer import BYTES_EOS, end_at_bytes_eos, write_byte_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama of bytes with random weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(3)
    sizes = {"vocab_size": 257, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 256}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **sizes, **heads, initializer_range=0.2))
    end_at_bytes_eos(model)
    made = tmp_path_factory.mktemp("bytes")
    model.save_pretrained(made)
    write_byte_tokenizer(made)
    return made


def ask(settings: EngineSettings, *requests: GenerationRequest, likely: bool = False) -> list[GenerationResponse]:
    async def all_of_them() -> list[GenerationResponse]:
        engine = make_scorer(settings) if likely else make_engine(settings)
        answers = await asyncio.gather(*(engine.answer(request) for request in requests))
        await engine.drain()
        await engine.aclose()
        return list(answers)

    return asyncio.run(all_of_them())


def question(text: str, task: str = "evaluate", **sampling: object) -> GenerationRequest:
    return GenerationRequest(task, (Message("user", text),), Sampling(**sampling))  # type: ignore[arg-type]


def test_bytes_are_ids_for_whatever_loads_the_model(folder: Path) -> None:
    """A tokenizer that reads other ids than were packed makes a trained model speak nonsense."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text in ("Grüße, 你好\n\tuser: x", "  \x00\x7f\xa0\xad two  spaces ", ""):
        assert tokenizer(text)["input_ids"] == list(text.encode())
        assert tokenizer.decode(list(text.encode())) == text
    assert tokenizer.eos_token_id == BYTES_EOS
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes."}]
    assert tokenizer.apply_chat_template(turns, tokenize=False) == "user: Hi\nassistant: Yes.\n"


def test_answers_and_likelihoods_are_the_models_own(folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    settings = EngineSettings(kind="transformers", model=str(folder), context_tokens=256, max_tokens=16)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    prompt = list(b"user: Why?\nassistant: ")
    with torch.no_grad():
        for _ in range(12):
            prompt.append(int(model(input_ids=torch.tensor([prompt])).logits[0, -1].argmax()))
        text = "a line of text"
        ids = torch.tensor([list(text.encode())])
        logs = model(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None]).sum()
    answered, stopped = ask(settings, question("Why?", max_tokens=12), question("Why?", max_tokens=12, stop=("\n",)))
    assert answered.texts[0] == bytes(one for one in prompt[22:] if one < 256).decode("utf-8", "replace")
    assert answered.usage.prompt_tokens == 22
    assert "\n" not in "".join(stopped.texts)
    likely = ask(settings, question(text, TASK), likely=True)[0]
    assert float(likely.texts[0]) == pytest.approx(float(logs), abs=1e-3)


def test_what_it_cannot_do_is_an_error_and_no_guess(folder: Path, tmp_path: Path) -> None:
    settings = EngineSettings(kind="transformers", model=str(folder), context_tokens=256, max_tokens=16)
    schema = GenerationRequest("qa", (Message("user", "x"),), schema={"type": "object"})
    long, many = question("x" * 230, max_tokens=16), GenerationRequest("qa", (Message("user", "x"),), n=2)
    told = ask(settings, schema, many, long, question("x" * 300, TASK))
    assert [one.error for one in told] == ["unsupported", "unsupported", "context", "context"]
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(StepFailed, match="cannot be loaded"):
        ask(EngineSettings(kind="transformers", model=str(tmp_path)), question("x"))


def test_a_model_is_known_by_its_content(folder: Path) -> None:
    """Two runs' models lie in folders called final: by name one would get the other's answers."""
    read = read_model(f"kind=transformers,model={folder},context_tokens=256,max_tokens=16", "--model")
    assert read.is_folder
    first = make_engine(read).identity()
    assert (first.engine, first.model, len(first.revision)) == ("transformers", "llama", 32)
    with pytest.raises(Problems, match="no setting of the engine 'transformers'"):
        read_model(f"kind=transformers,model={folder},address=http://x/v1", "--model")
    with pytest.raises(UsageError, match="no setting"):
        read_model("kind", "--model")
