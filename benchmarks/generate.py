"""Generation, measured: our path against a bare loop on one vLLM server, document first or last, JSON or tags, rules.

vLLM is looked for in this interpreter and where CORPUSFORGE_VLLM_PYTHON says; without it those parts are left out.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
from extractive_rows import ROOT, read, tier

sys.path.insert(0, str(ROOT / "tests" / "generate"))
from tiny_model import write_tiny_model

from corpusforge.generate.engines import local_server
from corpusforge.generate.engines.cache import ResponseCache
from corpusforge.generate.engines.door import GenerationRequest, Sampling
from corpusforge.generate.engines.registry import make_engine
from corpusforge.generate.engines.session import Session, in_order
from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.generate.write.output import Field, instructions, parse, schema
from corpusforge.record import Message, Record

ROUNDS = 9
CHUNKS, TASKS = 16, 6
IN_FLIGHT = 32
FIELDS = (Field("question", "the question"), Field("answer", "the answer"), Field("quote", "the quote"))
ASKS = (
    "Write one question that the document answers.",
    "Sum up the document in two sentences.",
    "List three facts of the document.",
    "Which word of the document matters most?",
    "Say the document in other words.",
    "What does the document not say?",
)


def documents(records: Sequence[Record]) -> list[str]:
    """Chunks of about 1,500 characters."""
    texts = [record.text[:1500] for record in records if len(record.text) >= 1500]
    return texts[:CHUNKS]


def requests(texts: Sequence[str], tokens: int, salt: str, *, first: bool = True) -> list[GenerationRequest]:
    """The tasks of each document, adjacent; `salt` keeps one round's prompts from another's prefix cache."""
    made = []
    for text in texts:
        document = f"[{salt}] Document:\n{text}"
        for at, ask in enumerate(ASKS[:TASKS]):
            prompt = f"{document}\n\n{ask}" if first else f"[{salt} {at}] {ask}\n\n{document}"
            made.append(GenerationRequest("qa", (Message("user", prompt),), Sampling(0.7, 0.95, tokens), seed=at))
    return made


async def bare(engine: Any, asked: Sequence[GenerationRequest]) -> int:
    """What anybody would write: a client, a semaphore, gather. Completion tokens."""
    address = f"{await engine.base()}/chat/completions"
    gate = asyncio.Semaphore(IN_FLIGHT)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as client:

        async def one(request: GenerationRequest) -> int:
            async with gate, client.post(address, json=engine.payload(request)) as reply:
                return int((await reply.json())["usage"]["completion_tokens"])

        return sum(await asyncio.gather(*(one(request) for request in asked)))


def ours(settings: EngineSettings, asked: Sequence[GenerationRequest]) -> int:
    """Engine, session, cache on disk, results in order. Completion tokens."""
    with tempfile.TemporaryDirectory() as folder, Session(make_engine(settings), ResponseCache(Path(folder))) as one:
        return sum(response.usage.completion_tokens for response in in_order(one, one.ask, asked))


def timed(work: Callable[[], int]) -> float:
    """Tokens a second."""
    started = time.perf_counter()
    tokens = work()
    return tokens / (time.perf_counter() - started)


def against_a_bare_loop(settings: EngineSettings, texts: Sequence[str]) -> dict[str, Any]:
    """Interleaved rounds; each with prompts of its own, as the server would answer repeated ones faster."""
    engine: Any = make_engine(settings)
    speeds: dict[str, list[float]] = {"bare": [], "ours": []}
    for turn in range(2 * ROUNDS + 1):
        order = ["bare", "ours"] if turn % 2 else ["ours", "bare"]
        for name in order:
            asked = requests(texts, 48, f"{name} {turn}")
            work = (
                (lambda a=asked: asyncio.run(bare(engine, a)))
                if name == "bare"
                else (lambda a=asked: ours(settings, a))
            )
            speed = timed(work)
            if turn:  # the first round warms both
                speeds[name].append(speed)
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    ratios = [one / other for one, other in zip(speeds["ours"], speeds["bare"], strict=True)]
    return {
        "bare_tokens_per_s": round(medians["bare"]),
        "ours_tokens_per_s": round(medians["ours"]),
        # Of each round's pair, as a shared machine is slower in one round than in another.
        "ratio": round(statistics.median(ratios), 3),
        "ratio_by_round": [round(ratio, 3) for ratio in ratios],
        "must": ">= 0.95",
    }


def document_first(settings: EngineSettings, texts: Sequence[str]) -> dict[str, Any]:
    """The same tasks with the document ahead of them and behind, eight tokens each, as a checker asks."""
    speeds: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(ROUNDS):
        for first in (True, False) if turn % 2 else (False, True):
            asked = requests(texts, 8, f"{turn} {first}", first=first)
            speeds[first].append(timed(lambda a=asked: ours(settings, a)))
    on, off = statistics.median(speeds[True]), statistics.median(speeds[False])
    return {"on_tokens_per_s": round(on), "off_tokens_per_s": round(off), "ratio": round(on / off, 2), "must": "> 1"}


def forms(settings: EngineSettings, texts: Sequence[str]) -> dict[str, Any]:
    """JSON by a schema against tagged text: answers that parse, and speed. A random model follows no instruction, so
    this shows what the grammar is worth where a model is weak, and what it costs."""
    found: dict[str, Any] = {}
    for form in ("json", "tagged"):
        asked = [
            replace(
                request,
                messages=(Message("user", f"{request.messages[0].content}\n{instructions(FIELDS, 1, form)}"),),  # type: ignore[arg-type]
                schema=schema(FIELDS, 1) if form == "json" else None,
            )
            for request in requests(texts, 200, form)
        ]
        started = time.perf_counter()
        with Session(make_engine(settings)) as one:
            answers = list(in_order(one, one.ask, asked))
        seconds = time.perf_counter() - started
        whole = sum(bool(a.texts and parse(a.texts[0], FIELDS, form).rows) for a in answers)  # type: ignore[arg-type]
        tokens = sum(answer.usage.completion_tokens for answer in answers)
        found[form] = {"parsed": f"{whole}/{len(asked)}", "tokens_per_s": round(tokens / seconds)}
    return found


def main() -> None:
    wanted = sys.argv[1:] or ["bare", "first", "forms", "rules"]
    told: dict[str, Any] = {"bench": "generate"}
    python = os.environ.get("CORPUSFORGE_VLLM_PYTHON") or (sys.executable if find_spec("vllm") else "")
    if {"bare", "first", "forms"} & set(wanted):
        if python:
            told |= with_vllm(python, wanted)
        else:
            told["vllm"] = "left out: vLLM is not here; see make test-vllm and CORPUSFORGE_VLLM_PYTHON"
            print(told["vllm"])
    if "rules" in wanted:
        told["extractive"] = tier("ubuntu-support")
        print("extractive", told["extractive"])
    print(json.dumps(told))


def with_vllm(python: str, wanted: Sequence[str]) -> dict[str, Any]:
    """The parts that need a server, on one server."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    found: dict[str, Any] = {}
    _, shards = read("ubuntu-support", 200, ["gnome-help", "debian-manuals"])
    texts = documents([record for records in shards.values() for record in records])
    with tempfile.TemporaryDirectory() as folder:
        settings = EngineSettings.model_validate(
            {
                "kind": "vllm",
                "model": str(write_tiny_model(Path(folder) / "model")),
                "python": python,
                "options": {"dtype": "float32", "enforce-eager": True, "kv-cache-memory-bytes": "512M"},
                "context_tokens": 4096,
                "max_in_flight": IN_FLIGHT,
            }
        )
        with Session(make_engine(settings)) as one:
            list(in_order(one, one.ask, requests(texts[:1], 8, "start")))
            for name, part in (("bare", against_a_bare_loop), ("first", document_first), ("forms", forms)):
                if name in wanted:
                    found[name] = part(settings, texts)
                    print(name, found[name])
        local_server.let_go_of_all()
    return found


if __name__ == "__main__":
    main()
