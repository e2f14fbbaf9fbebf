"""The engine of a small local model: transformers in this process, one request at a time, no server and no GPU needed.

It is for models that a run of the trainer leaves and that a person evaluates at once; what many requests of a large
model want is the engine `vllm`.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, ClassVar

from corpusforge.errors import StepFailed
from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse, Identity, Usage
from corpusforge.generate.engines.likelihood import TASK
from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.generate.engines.weights import folder_content, kind_of_model


class Transformers:
    """Answers with the model's own chat template, or with the bare prompt where its tokenizer has none.

    A request with a schema or for several answers is `unsupported`; one of the task `likelihood` gets the natural
    logarithm of its only message's probability, as text (the first token has none).
    """

    name: ClassVar[str] = "transformers"

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        folder = Path(settings.model) if settings.is_folder else None
        model = settings.model if folder is None else kind_of_model(folder)
        revision = settings.revision if folder is None else folder_content(folder)
        self._named = Identity(self.name, model, revision)
        self._loaded: tuple[Any, Any] | None = None
        self._ending = False
        self._turn = threading.Lock()

    def identity(self) -> Identity:
        """A Hub model's name and commit; of a folder its architecture and content, wherever it lies."""
        return self._named

    async def answer(self, request: GenerationRequest) -> GenerationResponse:
        """Answer one request, after those before it. Raises StepFailed where the model cannot be loaded."""
        return await asyncio.get_running_loop().run_in_executor(None, self._answer, request)

    async def drain(self) -> None:
        """What waits for its turn is answered as `unreachable`."""
        self._ending = True

    async def aclose(self) -> None:
        """Let go of the model."""
        self._ending = True
        with self._turn:
            self._loaded = None

    def _answer(self, request: GenerationRequest) -> GenerationResponse:
        key = request.key(self._named)
        if request.schema is not None or request.n != 1:
            return GenerationResponse(key, (), "error", error="unsupported")
        with self._turn:
            if self._ending:
                return GenerationResponse(key, (), "error", error="unreachable")
            model, tokenizer = self._loaded or self._load()
            if request.task == TASK:
                return _likelihood(model, tokenizer, request, key, self.settings.context_tokens)
            return _written(model, tokenizer, request, key, self.settings.context_tokens)

    def _load(self) -> tuple[Any, Any]:
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            what = f"the libraries of the engine 'transformers' are not installed ({error.name})."
            hint = "Run pip install 'corpusforge[train]'."
            raise StepFailed(what, where="generate.engine", hint=hint) from error
        disable_progress_bar()
        settings = self.settings
        revision = None if settings.is_folder else settings.revision
        try:
            tokenizer = AutoTokenizer.from_pretrained(settings.model, revision=revision)
            model = AutoModelForCausalLM.from_pretrained(settings.model, revision=revision, dtype="auto")
        except (OSError, ValueError) as error:
            # What the library says may quote files at length; its kind and the folder are enough to go on.
            what = f"the model cannot be loaded ({type(error).__name__})."
            hint = "Name a folder with config.json, weights and tokenizer.json."
            raise StepFailed(what, where=settings.model, hint=hint) from error
        model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        self._loaded = model, tokenizer
        return self._loaded


def _fits(model: Any, tokens: int, limit: int) -> bool:
    most = getattr(model.config, "max_position_embeddings", None) or limit
    return 0 < tokens <= min(limit, most)


def _likelihood(model: Any, tokenizer: Any, request: GenerationRequest, key: str, limit: int) -> GenerationResponse:
    import torch

    ids = tokenizer(request.messages[0].content, return_tensors="pt")["input_ids"].to(model.device)
    if not _fits(model, ids.shape[1], limit):
        return GenerationResponse(key, (), "error", error="context")
    with torch.inference_mode():
        logits = model(input_ids=ids, use_cache=False).logits[0, :-1].float()
        total = float(logits.log_softmax(-1).gather(1, ids[0, 1:, None]).sum())
    return GenerationResponse(key, (repr(total),), "stop", Usage(ids.shape[1], 0))


def _written(model: Any, tokenizer: Any, request: GenerationRequest, key: str, limit: int) -> GenerationResponse:
    import torch

    prompt = _prompt(tokenizer, request)
    ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=tokenizer.chat_template is None)["input_ids"]
    sampling, read = request.sampling, ids.shape[1]
    if not _fits(model, read + sampling.max_tokens, limit):
        return GenerationResponse(key, (), "error", error="context")
    drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p} if sampling.temperature else {}
    torch.manual_seed(request.seed)
    ids = ids.to(model.device)
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else model.generation_config.eos_token_id
    with torch.inference_mode():
        made = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=sampling.max_tokens,
            do_sample=bool(drawn),
            eos_token_id=end,
            pad_token_id=end if isinstance(end, int) else 0,
            **drawn,
        )[0, read:]
    text = str(tokenizer.decode(made, skip_special_tokens=True))
    places = [at for stop in sampling.stop if (at := text.find(stop)) >= 0]
    cut = len(made) == sampling.max_tokens and not places
    text = text[: min(places)] if places else text
    if not text.strip():
        return GenerationResponse(key, (), "error", Usage(read, len(made)), "empty")
    return GenerationResponse(key, (text,), "length" if cut else "stop", Usage(read, len(made)))


def _prompt(tokenizer: Any, request: GenerationRequest) -> str:
    if tokenizer.chat_template is None:
        return "\n\n".join(message.content for message in request.messages)
    turns = [{"role": message.role, "content": message.content} for message in request.messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
