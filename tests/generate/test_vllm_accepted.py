"""Real vLLM with a model that was trained to answer: each kind of row is accepted, of vLLM itself and of its endpoint.

The model has learnt a scripted one's answers to the prompts of this corpus by heart. So rows of a model go the whole
way: prompt, grammar, parser, quotes, the model's own check, wrong options, proof, near-duplicates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from corpusforge.build import Built
from corpusforge.generate.engines import local_server
from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse
from corpusforge.generate.engines.registry import make_engine
from corpusforge.generate.engines.session import Session
from corpusforge.generate.engines.settings import EngineSettings

from .factory import ENGINE, built, counted, records_of, workspace
from .scripted import Scripted, plugged, told, written
from .test_vllm import OPTIONS, PYTHON, answers, endpoint_of, prompts, pytestmark, rows
from .trained_model import write_trained_model

__all__ = ["pytestmark"]
TASKS = {
    "qa": {"per_passage": 1, "reverse": 1, "unanswerable": 0},
    "mcq": {},
    "reading": {"chunk_tokens": 200},
}
DOCUMENTS = dict.fromkeys((0, 11, 22, 33), 0)


class Teacher(Scripted):
    """A scripted model whose answers are short, and who remembers what was asked and answered."""

    def __init__(self) -> None:
        super().__init__(self._say, output="json")
        self.pairs: dict[str, str] = {}

    async def answer(self, request: GenerationRequest) -> GenerationResponse:
        response = await super().answer(request)
        self.pairs[request.messages[-1].content] = response.texts[0]
        return response

    def _say(self, kind: str, document: str, n: int) -> str | None:
        name, first, second = document.partition("\n")[0].removeprefix("# "), *told(document)[:2]
        if kind == "qa":
            answer = re.findall(r"\d+ minutes", first)[0]
            row = {"question": f"How long is the rest of {name} at button 0?", "answer": answer, "quote": [first]}
        elif kind == "qa-reverse":
            weight, part = re.findall(r"\d+ grams", second)[0], re.findall(r"part \w+", second)[0]
            row = {"question": f"Which piece of {name} has {weight}?", "answer": part, "quote": [second]}
        elif kind == "mcq-near":
            right = re.findall(r"Right answer: (.*)", self.prompts[-1])[0]
            wrong = re.sub(r"\d+", lambda number: str(int(number[0]) + 6), right)
            row = {"wrong": [wrong], "changed": "number"}
        else:
            return None
        return written([row], "json")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineSettings]:
    """A model that knows the answers, and how it is served; the server stays until the last test of this file."""
    teacher = Teacher()
    folder = tmp_path_factory.mktemp("taught")
    with pytest.MonkeyPatch.context() as patch:
        plugged(patch, teacher)
        workspace(folder, DOCUMENTS, engine={**ENGINE, "output": "json"}, **TASKS)
        built(folder)
    model = write_trained_model(tmp_path_factory.mktemp("model") / "trained", teacher.pairs, PYTHON)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        settings = {"model": str(model), "python": PYTHON, "options": OPTIONS, "linger": 1, "output": "json"}
        more = {"context_tokens": 4096, "max_tokens": 300, "timeout": 300, "temperature": 0}
        yield EngineSettings.model_validate({"kind": "vllm", **settings, **more})
        local_server.let_go_of_all()


@pytest.fixture(scope="module")
def by_vllm(trained: EngineSettings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Built]:
    folder = tmp_path_factory.mktemp("accepted")
    unset = {"address", "key_env", "revision"}
    engine = trained.model_dump(mode="json", include={*EngineSettings.model_fields} - unset)
    workspace(folder, DOCUMENTS, engine=engine, **TASKS)
    return folder, built(folder)


def accepted(done: Built, task: str, engine: str) -> int:
    """Rows of a task that a model wrote and that every check has let through."""
    found = records_of(done, "alike").values()
    return sum(row.meta.get("task") == task and row.meta.get("engine") == engine for row in found)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_rows_of_each_kind_are_accepted_through_the_grammar(by_vllm: tuple[Path, Built], task: str) -> None:
    done = by_vllm[1]
    counts = counted(done, task)
    assert counts["asked"] == counts["written"] + sum(n for key, n in counts.items() if key.startswith("missing."))
    assert accepted(done, task, "vllm") > 0
    assert accepted(done, task, "vllm") >= 0.75 * counts["asked"]
    for row in records_of(done, "alike").values():
        if row.meta.get("task") == task and row.meta.get("engine") == "vllm":
            assert row.meta["verdict"] == "yes"
            assert task != "mcq" or len(row.meta["options"]) == 4


def test_the_endpoint_engine_has_the_same_rows_accepted(trained: EngineSettings, by_vllm: tuple[Path, Built]) -> None:
    folder, first = by_vllm
    with Session(make_engine(trained)) as one:
        answers(one, prompts(1))  # holds the server
        engine = orjson.loads(endpoint_of(trained).model_dump_json(exclude_unset=True))
        workspace(folder, DOCUMENTS, engine=engine, **TASKS)
        second = built(folder, "by-endpoint")
    for task in TASKS:
        assert accepted(second, task, "endpoint") == accepted(first, task, "vllm") > 0
        assert rows(second, task) == rows(first, task)
