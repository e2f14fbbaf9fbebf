"""Real vLLM on this machine, with a model of random weights: rows are junk, but each is accounted for, and none is free.

Runs where vLLM is: in this interpreter, or in the one that CORPUSFORGE_VLLM_PYTHON names (make test-vllm makes one).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusforge.build import Built
from corpusforge.errors import StepFailed
from corpusforge.generate.engines import local_server
from corpusforge.generate.engines.cache import ResponseCache
from corpusforge.generate.engines.door import GenerationRequest
from corpusforge.generate.engines.registry import make_engine
from corpusforge.generate.engines.session import Session, in_order
from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.generate.write.mcq import WrittenMCQ
from corpusforge.record import Message
from corpusforge.shards import write_table
from corpusforge.stage import SourceFacts, StageContext, Survey

from .factory import built, counted, records_of, workspace
from .scripted import Scripted, plugged
from .tiny_model import write_tiny_model

PYTHON = os.environ.get("CORPUSFORGE_VLLM_PYTHON") or (sys.executable if find_spec("vllm") else "")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not PYTHON, reason="vLLM is not installed here; make test-vllm installs and runs it"),
]
OPTIONS = {"dtype": "float32", "enforce-eager": True, "kv-cache-memory-bytes": "256M"}
SCHEMA = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "minLength": 1},
        "sure": {"type": "boolean"},
        "minutes": {"type": "string", "pattern": "^[0-9]{1,3}$"},
    },
    "required": ["question", "sure", "minutes"],
    "additionalProperties": False,
}
SECRET = "zanzibar-marmalade"  # stands for what prompts hold; no log may
TASKS = {"qa": {"per_passage": 2, "reverse": 1}, "mcq": {}, "reading": {"chunk_tokens": 200}}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineSettings]:
    """A model and how it is served; the server stays until the last test of this file."""
    model = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        settings = {"model": str(model), "python": PYTHON, "options": OPTIONS, "linger": 1, "output": "json"}
        more = {"context_tokens": 4096, "max_tokens": 300, "timeout": 300}
        yield EngineSettings.model_validate({"kind": "vllm", **settings, **more})
        local_server.let_go_of_all()


def prompts(n: int) -> list[GenerationRequest]:
    texts = [f"Text {at} on {SECRET}: the lamp turns green after {at} minutes." for at in range(n)]
    return [GenerationRequest("qa", (Message("user", text),), schema=SCHEMA, seed=at) for at, text in enumerate(texts)]


def answers(one: Session, requests: list[GenerationRequest]) -> list[tuple[str, ...]]:
    return [response.texts for response in in_order(one, one.ask, requests)]


def test_answers_obey_their_schema_and_are_the_same_by_the_endpoint_engine(
    told: EngineSettings, tmp_path: Path
) -> None:
    asked = [replace(request, sampling=told.sampling(temperature=0.8)) for request in prompts(60)]
    with Session(make_engine(told), ResponseCache(tmp_path / "a")) as one:
        first = answers(one, asked)
        assert one.paid["calls"] == 60
        assert one.paid["completion_tokens"] > 60
    for (text,) in first:
        row = orjson.loads(text)
        assert sorted(row) == ["minutes", "question", "sure"]
        assert row["question"]
        assert row["sure"] in (True, False)
        assert 1 <= len(row["minutes"]) <= 3
    assert len({text for (text,) in first}) > 50
    server = local_server.server_of(told, make_engine(told).identity().revision)
    with Session(make_engine(endpoint_of(told))) as other:
        assert answers(other, asked) == first
    with Session(make_engine(told), ResponseCache(tmp_path / "a")) as again:
        assert answers(again, asked) == first
        assert again.paid == {"cached": 60}
    assert SECRET not in (server_folder(told) / "log").read_text("utf-8", "replace")
    assert server.served


def server_folder(told: EngineSettings) -> Path:
    engine: Any = make_engine(told)
    folder: Path = engine.server().folder
    return folder


def endpoint_of(told: EngineSettings) -> EngineSettings:
    """The same server, as somebody who only knows its address has it."""
    engine: Any = make_engine(told)
    state = orjson.loads((engine.server().folder / "server.json").read_bytes())
    shared = {name: getattr(told, name) for name in ("output", "temperature", "top_p", "max_tokens", "context_tokens")}
    address = f"http://127.0.0.1:{state['port']}/v1"
    return EngineSettings.model_validate(
        {"kind": "endpoint", "model": engine.server().served, "address": address, **shared}
    )


def test_a_prompt_too_long_is_a_reason_and_not_the_end(told: EngineSettings) -> None:
    long = GenerationRequest("qa", (Message("user", f"{SECRET} one two three " * 3000),))
    with Session(make_engine(told)) as one:
        found = list(in_order(one, one.ask, [long, *prompts(2)]))
    assert [response.error for response in found] == ["context", "", ""]
    assert SECRET not in (server_folder(told) / "log").read_text("utf-8", "replace")


def test_a_model_that_is_none_is_told_with_the_servers_own_words(told: EngineSettings, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama", "architectures": ["NoSuchModel"]}')
    settings = told.model_copy(update={"model": str(tmp_path)})
    with Session(make_engine(settings)) as one, pytest.raises(StepFailed) as caught:
        answers(one, prompts(1))
    assert "ended before it answered. The end of its log: " in str(caught.value)
    assert "rror" in str(caught.value)


def rows(done: Built, task: str) -> list[dict[str, Any]]:
    """The rows of a task as they were written, apart from what names the engine."""
    made = [record.meta | {"text": record.text, "id": record.id} for record in records_of(done, task).values()]
    return [{k: v for k, v in row.items() if k not in ("engine", "model", "revision")} for row in made]


@pytest.fixture(scope="module")
def by_vllm(told: EngineSettings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Built]:
    folder = tmp_path_factory.mktemp("written")
    engine = told.model_dump(mode="json", include={*EngineSettings.model_fields} - {"address", "key_env", "revision"})
    workspace(folder, dict.fromkeys(range(6), 0), engine=engine, **TASKS)
    return folder, built(folder)


@pytest.mark.parametrize("task", ["qa", "reading"])
def test_a_recipe_with_vllm_accounts_for_every_row_it_asked_for(by_vllm: tuple[Path, Built], task: str) -> None:
    done = by_vllm[1]
    counts = counted(done, task)
    missing = sum(n for key, n in counts.items() if key.startswith("missing."))
    assert counts["calls"] > 0
    assert counts["asked"] > 0
    assert counts["asked"] == counts.get("written", 0) + missing
    # What a model wrote is in the answer's form: a grammar held it, so nothing is unparsable but what was cut short.
    assert counts.get("missing.unparsable", 0) == 0
    written = [row for row in records_of(done, task).values() if row.meta["engine"] == "vllm"]
    assert all(row.meta["model"] == "llama" and len(row.meta["revision"]) >= 32 for row in written)


def test_multiple_choice_is_written_through_the_grammar(told: EngineSettings, tmp_path: Path) -> None:
    """No question of a random model is accepted, so the questions are a scripted one's; the wrong options are vLLM's."""
    with pytest.MonkeyPatch.context() as patch:
        plugged(patch, Scripted())
        workspace(tmp_path, dict.fromkeys(range(6), 0), **TASKS)
        questions = list(records_of(built(tmp_path), "qa").values())
    settings = WrittenMCQ.Settings(engine=told)
    facts = {"notes": SourceFacts("notes", "doc", "domain")}
    path = tmp_path / "survey.parquet"
    write_table(path, WrittenMCQ().survey(questions, StageContext(settings, 1, facts)))
    decision = WrittenMCQ().decide([Survey("notes-00000", "notes", path, path)], StageContext(settings, 1, facts))
    ctx = StageContext(settings, 1, facts, shared=decision.shared, mine=decision.per_shard["notes-00000"])
    made = list(WrittenMCQ().apply(questions, ctx))
    counts = ctx.counts["notes"]
    missing = {key: n for key, n in counts.items() if key.startswith("missing.")}
    assert counts["asked"] == len(questions) == counts.get("written", 0) + sum(missing.values())
    assert not {"missing.unparsable", "missing.call-failed", "missing.too-few"} & set(missing)
    assert len(made) >= len(questions)


def test_junk_that_a_random_model_writes_is_rejected_with_reasons(by_vllm: tuple[Path, Built]) -> None:
    step = next(one for one in by_vllm[1].manifest["steps"] if one["name"] == "verify")
    for counts in step["counts"].values():
        assert counts["read"] == counts["kept"] + sum(counts["dropped"].values())
    assert sum(sum(counts["dropped"].values()) for counts in step["counts"].values()) > 0


def test_the_endpoint_engine_builds_the_same_rows_from_the_same_server(
    told: EngineSettings, by_vllm: tuple[Path, Built]
) -> None:
    folder, first = by_vllm
    with Session(make_engine(told)) as one:
        answers(one, prompts(1))  # holds the server
        engine = endpoint_of(told).model_dump(mode="json", exclude_unset=True)
        workspace(folder, dict.fromkeys(range(6), 0), engine=engine, **TASKS)
        second = built(folder, "by-endpoint")
    for task in TASKS:
        assert rows(second, task) == rows(first, task)
