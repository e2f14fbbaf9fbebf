"""The engine door and its cache: a crash or a second writer must never give a wrong or half-written answer."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.errors import UsageError
from corpusforge.generate.engines.cache import ResponseCache, read_segment
from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse, Identity, Sampling, Usage
from corpusforge.generate.engines.registry import find_engine
from corpusforge.record import Message, stable_hash

from .pages import manuals

REQUEST = GenerationRequest("qa", (Message("user", "text", "title"),))
IDENTITY = Identity("vllm", "model", "rev1")


def response(name: str, text: str) -> GenerationResponse:
    return GenerationResponse(stable_hash(name, size=16), (text,), "stop", Usage(3, 4))


def test_whatever_changes_the_answer_changes_the_key() -> None:
    """A key that forgets the model, the schema or the seed serves stale answers."""
    others = [
        replace(REQUEST, task="mcq"),
        replace(REQUEST, messages=(Message("user", "texu", "title"),)),
        replace(REQUEST, messages=(Message("system", "text", "title"),)),
        replace(REQUEST, sampling=Sampling(temperature=0.1)),
        replace(REQUEST, schema={"type": "object"}),
        replace(REQUEST, seed=1),
        replace(REQUEST, n=2),
    ]
    keys = {request.key(IDENTITY) for request in [REQUEST, *others]}
    keys |= {REQUEST.key(other) for other in (Identity("vllm", "model", "rev2"), Identity("vllm", "other", "rev1"))}
    assert len(keys) == len(others) + 3
    assert REQUEST.key(IDENTITY) == replace(REQUEST).key(IDENTITY)


def test_an_engine_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="only endpoint, extractive, transformers, vllm") as caught:
        find_engine("extractiv")
    assert "extractive" in caught.value.problem.hint


def test_the_extractive_engine_answers_with_spans_of_the_passage() -> None:
    engine = find_engine("extractive")()
    text = manuals(1)[0].text
    good = GenerationRequest("qa", (Message("user", text, "Manual"),), n=5)
    requests = (good, replace(good, task="poem"), replace(good, messages=()))
    answered, refused, broken = (asyncio.run(engine.answer(request)) for request in requests)
    rows = orjson.loads(answered.texts[0])
    assert 1 <= len(rows) <= 5
    for row in rows:
        joined = "".join("".join(text[start:end].split()) for start, end in row["spans"])
        assert "".join(row["answer"].split()) == joined
    assert (refused.finish, refused.error) == ("error", "unsupported")
    assert (broken.finish, broken.error) == ("error", "bad-request")


def test_answers_survive_and_errors_are_tried_again(tmp_path: Path) -> None:
    kept = response("a", "answer é \x00 \n")
    failed = replace(response("b", ""), finish="error", error="timeout")
    with ResponseCache(tmp_path) as cache:
        cache.put(kept)
        cache.put(failed)
        assert cache.get(kept.key) == kept
    again = ResponseCache(tmp_path)
    assert again.get(kept.key) == kept
    assert again.get(failed.key) is None
    with pytest.raises(ValueError, match="hex"):
        again.get("../../etc/passwd")


@settings(max_examples=60)
@given(texts=st.lists(st.text(max_size=30), min_size=1, max_size=6), data=st.data())
def test_a_segment_torn_or_damaged_anywhere_gives_whole_answers_only(
    texts: list[str], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    written = [replace(response("x", text), key=f"00{at:030x}") for at, text in enumerate(texts)]
    with ResponseCache(folder) as cache:
        for answer in written:
            cache.put(answer)
    (segment,) = folder.rglob("*.log")
    raw = bytearray(segment.read_bytes())
    cut = data.draw(st.integers(0, len(raw)))
    torn = raw[:cut]
    if torn and data.draw(st.booleans()):
        torn[data.draw(st.integers(0, len(torn) - 1))] ^= data.draw(st.integers(1, 255))
    segment.write_bytes(torn)
    found = read_segment(segment)
    assert found == written[: len(found)]
    # A new writer goes on beside the torn segment and everything is there again.
    with ResponseCache(folder) as cache:
        for answer in written:
            cache.put(answer)
    reread = ResponseCache(folder)
    assert [reread.get(answer.key) for answer in written] == written


def test_two_writers_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    first, second = ResponseCache(tmp_path), ResponseCache(tmp_path)
    for at in range(50):
        first.put(response(f"a{at}", "one"))
        second.put(response(f"b{at}", "two"))
    first.close()
    second.close()
    reader = ResponseCache(tmp_path)
    assert all(reader.get(response(f"a{at}", "").key) for at in range(50))
    assert all(reader.get(response(f"b{at}", "").key) for at in range(50))


WRITER = """
import sys
from pathlib import Path
from corpusforge.generate.engines.cache import ResponseCache
from corpusforge.generate.engines.door import GenerationResponse
cache = ResponseCache(Path(sys.argv[1]))
at = 0
while True:
    cache.put(GenerationResponse(f"{at % 256:02x}{at:030x}", ("x" * (at % 5000) + str(at),)))
    print(at, flush=True)
    at += 1
"""


def test_nothing_that_was_put_is_lost_by_kill_9(tmp_path: Path) -> None:
    """Hours of model time must survive the machine's worst moment."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    told = process.stdout.read().split("\n")
    process.stdout.close()
    process.wait()
    last = max(int(line) for line in told[:-1] if line)
    assert last > 10
    cache = ResponseCache(tmp_path)
    for at in range(last + 1):
        answer = cache.get(f"{at % 256:02x}{at:030x}")
        assert answer is not None
        assert answer.texts == ("x" * (at % 5000) + str(at),)
