"""Whole builds over a faulty endpoint: rows as from a faultless one, each asked for or missing with a reason, no key."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from corpusforge.errors import StepFailed
from corpusforge.generate.engines.cache import ResponseCache, read_segment
from corpusforge.generate.engines.door import GenerationRequest
from corpusforge.generate.engines.endpoint import Endpoint
from corpusforge.record import Message

from .factory import built, counted, records_of, rows_of, workspace
from .fault_server import FaultServer
from .scripted import Scripted

KEY = "sk-of-the-whole-build-987654321"
TASKS: dict[str, Any] = {"qa": {"per_passage": 3, "reverse": 2}, "mcq": {}, "reading": {"chunk_tokens": 200}}
BUILD = "import sys; from corpusforge.generate.engines.endpoint import Endpoint; Endpoint.first_pause = 0.01\nfrom corpusforge.cli import main; sys.exit(main())"


def model() -> Callable[[str], str]:
    """The scripted model as what stands behind a server."""
    scripted = Scripted(output="json")

    def answer(prompt: str) -> str:
        return asyncio.run(scripted.answer(GenerationRequest("qa", (Message("user", prompt),)))).texts[0]

    found: dict[str, str] = {}

    def kept(prompt: str) -> str:
        if prompt not in found:
            # The server has a loop of its own running in this thread.
            with ThreadPoolExecutor(1) as pool:
                found[prompt] = pool.submit(answer, prompt).result()
        return found[prompt]

    return kept


def engine(server: FaultServer, **more: Any) -> dict[str, Any]:
    told = {"kind": "endpoint", "model": "scripted", "revision": "1", "address": server.address, "output": "json"}
    return {**told, "timeout": 2, "max_in_flight": 32, **more}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Endpoint, "first_pause", 0.01)
    monkeypatch.setattr(ResponseCache, "sync", lambda self: None)  # power cuts are no part of this


def test_a_build_at_30_percent_faults_has_the_rows_of_a_faultless_one(tmp_path: Path) -> None:
    documents = dict.fromkeys(range(20), 0)
    made = []
    for name, passing in (("faultless", 0.0), ("faulty", 0.3)):
        with FaultServer(passing=passing, model_of=model()) as server:
            workspace(tmp_path / name, documents, engine=engine(server), **TASKS)
            made.append(built(tmp_path / name))
    assert server.faults.total() > 25
    assert max(server.answered.values()) == 1, "an answer was paid for twice"
    faultless, faulty = made
    assert rows_of(faulty) == rows_of(faultless)
    assert len(rows_of(faulty)) > 100
    for task in TASKS:
        assert counted(faulty, task) == counted(faultless, task)


def test_what_fails_for_good_is_missing_with_its_reason(tmp_path: Path) -> None:
    with FaultServer(passing=0.2, lasting=0.25, model_of=model()) as server:
        workspace(tmp_path, dict.fromkeys(range(20), 0), engine=engine(server, max_failed="10%"), **TASKS)
        done = built(tmp_path)
    reasons: Counter[str] = Counter()
    for task in TASKS:
        counts = counted(done, task)
        missing = {key.removeprefix("missing."): n for key, n in counts.items() if key.startswith("missing.")}
        assert counts["asked"] == counts["written"] + sum(missing.values())
        reasons.update(missing)
    assert {"refused", "context", "bad-request"} <= set(reasons)
    assert "call-failed" not in reasons
    ids = [identity for task in TASKS for identity in records_of(done, task)]
    assert len(ids) == len(set(ids))


def test_the_key_is_in_no_file_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_KEY", KEY)
    with FaultServer(key=KEY, model_of=model(), passing=0.2) as server:
        told = engine(server, key_env="FACTORY_KEY")
        workspace(tmp_path, dict.fromkeys(range(10), 0), engine=told, **TASKS)
        assert rows_of(built(tmp_path))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    with FaultServer(key="another") as server:
        told = engine(server, key_env="FACTORY_KEY")
        workspace(tmp_path, dict.fromkeys(range(11), 1), engine=told, **TASKS)
        with pytest.raises(StepFailed, match="does not accept the key in FACTORY_KEY"):
            built(tmp_path)


def answered(folder: Path) -> set[str]:
    return {response.key for path in folder.rglob("responses/*.log") for response in read_segment(path)}


@pytest.mark.slow
def test_a_build_killed_at_20_moments_and_resumed_has_the_same_rows_and_pays_no_answer_twice(tmp_path: Path) -> None:
    chosen, kills = dict.fromkeys(range(100), 0), 20
    choose = random.Random(7)
    with FaultServer(passing=0.3, model_of=model()) as server:
        workspace(tmp_path / "clean", chosen, engine=engine(server), **TASKS)
        clean = built(tmp_path / "clean")
        paid = server.answered.total()
    with FaultServer(passing=0.3, model_of=model(), delay=0.02) as server:
        folder = workspace(tmp_path / "killed", chosen, engine=engine(server), **TASKS)
        command = [sys.executable, "-c", BUILD, "build", "recipes/written.yaml", "--workers", "2"]
        for _ in range(kills):
            child = subprocess.Popen(command, cwd=folder, start_new_session=True, stdout=-3, stderr=-3)
            wanted = server.answered.total() + choose.randint(1, max(2, paid // kills))
            while server.answered.total() < wanted and child.poll() is None:
                time.sleep(0.005)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        time.sleep(3)  # the last call on its way has come in
        kept, mark = answered(folder), len(server.asked)
        last = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        assert last.returncode == 0, last.stderr.decode()[-2000:]
        assert len(answered(folder)) == paid
        # Each answer that was kept stays paid for: what is asked now are the others, with their failed attempts.
        assert len(set(server.asked[mark:])) == paid - len(kept)
        # An answer on its way while its reader is killed must be asked for again: at most what was in flight.
        assert server.answered.total() <= paid + kills * 64
    assert rows_of(built(tmp_path / "killed")) == rows_of(clean)
