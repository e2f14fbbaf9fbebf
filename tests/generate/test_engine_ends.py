"""When an engine ends a build: not for a few bad calls, for all workers at once, and with what was paid for kept."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from corpusforge import ending
from corpusforge.errors import StepFailed
from corpusforge.generate.engines.cache import ResponseCache, read_segment
from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse, Identity, Usage
from corpusforge.generate.engines.endpoint import read_answer
from corpusforge.generate.engines.local_server import let_go_of_all, server_of
from corpusforge.generate.engines.session import Session
from corpusforge.generate.engines.settings import EngineSettings

from .asking import ask_all, request, session
from .fault_server import FaultServer


class Quick:
    """Turns some calls away at once and answers the others a little later."""

    name = "endpoint"

    def __init__(self, dead: dict[str, str]) -> None:
        self.dead, self.asked, self.drained = dead, 0, 0

    def identity(self) -> Identity:
        return Identity("endpoint", "m", "1")

    async def answer(self, request: GenerationRequest) -> GenerationResponse:
        self.asked += 1
        key, item = request.key(self.identity()), request.messages[0].content
        if item in self.dead:
            return GenerationResponse(key, (), "error", error=self.dead[item])
        await asyncio.sleep(0.2)
        return GenerationResponse(key, ("[]",))

    async def drain(self) -> None:
        self.drained += 1

    async def aclose(self) -> None:
        """Nothing is held."""


def items(count: int) -> list[str]:
    return [f"item {n}" for n in range(count)]


@pytest.mark.parametrize(
    ("count", "every", "kind"), [(500, 50, "server"), (500, 10, "bad-request"), (12, 12, "server")]
)
def test_a_few_dead_calls_that_come_back_first_end_nothing(count: int, every: int, kind: str) -> None:
    """Failures are faster than answers: a build with 2% of them would end before its first answer."""
    dead = dict.fromkeys(items(count)[::every], kind)
    with Session(Quick(dead)) as one:
        made = ask_all(one, items(count))
        one.verdict()
    assert sum(entry.get("reason") == kind for entry in made) == len(dead)


@pytest.mark.parametrize(("count", "dead", "kind"), [(12, 4, "server"), (12, 7, "bad-request"), (2, 2, "bad-request")])
def test_a_small_shard_in_which_many_calls_died_ends_the_build(count: int, dead: int, kind: str) -> None:
    with Session(Quick(dict.fromkeys(items(dead), kind))) as one:
        ask_all(one, items(count))
        with pytest.raises(StepFailed, match=f"{dead} of {count} calls to the engine died"):
            one.verdict()


def test_a_shard_of_one_request_that_the_server_will_not_have_does_not_stop_every_rerun(tmp_path: Path) -> None:
    with ResponseCache(tmp_path) as cache:
        with Session(Quick({}), cache) as one:
            ask_all(one, ["fine"])
        with Session(Quick({"bad": "bad-request"}), cache) as one:
            assert ask_all(one, ["bad"]) == [{"item": "bad", "reason": "bad-request"}]
            one.verdict()


def test_answers_under_way_when_a_build_ends_are_kept(tmp_path: Path) -> None:
    """They are billed: asking for them again is paying twice."""

    class Dying(FaultServer):
        async def _reply(self, headers, body, writer):  # type: ignore[no-untyped-def]
            if int(body["messages"][-1]["content"].split()[1]) < 30:
                return self._send(writer, 401, {"error": {"message": "spent"}})
            await asyncio.sleep(0.5)
            return await super()._reply(headers, body, writer)

    order = [*items(60)[32:36], "item 1", *items(60)[36:]]
    with Dying() as server, ResponseCache(tmp_path) as cache:
        one = session(server.address, cache, timeout=20)
        with pytest.raises(StepFailed, match="status 401"):
            ask_all(one, order)
        one.close()
        (segment,) = tmp_path.glob("*.log")
        assert len(read_segment(segment)) == server.answered.total() >= 4


def test_an_engine_that_is_dead_for_one_worker_is_asked_by_none(tmp_path: Path) -> None:
    """Each shard of a long build would wait for a dead server, or pay until its own limit."""
    try:
        for run, asked in (("a", 3), ("a", 0), ("b", 3)):
            ending.begin(tmp_path / run)
            engine = Quick(dict.fromkeys(items(3), "server"))
            with Session(engine) as one, pytest.raises(StepFailed, match="3 of 3 calls"):  # noqa: PT012
                ask_all(one, items(3))
                one.verdict()
            assert engine.asked == asked
    finally:
        ending.begin(None)


class Unseen(subprocess.Popen[bytes]):
    """A process that has ended before who started it looks: a server can fail at once, and a machine can be busy."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if "corpusforge.generate.engines.supervise" in self.args:  # type: ignore[operator]
            self.wait(30)


@pytest.mark.parametrize("starter", [subprocess.Popen, Unseen])
def test_a_server_that_did_not_start_is_started_by_no_other_shard_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starter: type[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(subprocess, "Popen", starter)
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    starts = tmp_path / "starts"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$1" in -c) echo False;; *) env >> {starts}; exit 1;; esac\n')
    python.chmod(0o755)
    settings = EngineSettings(kind="vllm", model=str(tmp_path), python=str(python), start_timeout=30, linger=0)
    try:
        for run, begun in (("a", 1), ("a", 1), ("b", 2)):
            ending.begin(tmp_path / run)
            with pytest.raises(StepFailed, match="ended before it answered"):
                asyncio.run(server_of(settings, "r").address())
            let_go_of_all()
            assert starts.read_text().count("\nPATH=") + starts.read_text().startswith("PATH=") == begun
    finally:
        ending.begin(None)
    assert "API_KEY" not in starts.read_text()


def test_no_login_of_the_user_reaches_the_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~/.netrc is for other programs; with a key it made every call fail."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password word\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("SOME_KEY", "right")
    with FaultServer(key="right") as server, session(server.address, key_env="SOME_KEY") as one:
        assert "rows" in ask_all(one, ["item 1"])[0]


def test_a_proxy_that_the_environment_names_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FaultServer() as server:
        monkeypatch.setenv("http_proxy", server.address.removesuffix("/v1"))
        with session("http://model.invalid/v1") as one:
            assert "rows" in ask_all(one, ["item 1"])[0]
        monkeypatch.setenv("no_proxy", "model.invalid")
        with session("http://model.invalid/v1", attempts=1, start_timeout=0.01) as one:
            assert ask_all(one, ["item 2"])[0]["reason"] == "unreachable"


@pytest.mark.parametrize(("told", "tokens"), [("1e30", 2**31 - 1), ("-7", 0), ('"abc"', 0), ("null", 0), ("3.0", 3)])
def test_numbers_that_a_server_makes_up_end_no_build(told: str, tokens: int) -> None:
    body = '{"choices":[{"index":0,"message":{"content":"x"}}],"usage":{"prompt_tokens":' + told + "}}"
    answer = read_answer(body.encode(), request("x"), "k")
    assert answer == GenerationResponse("k", ("x",), "stop", Usage(tokens, 0))


def test_an_answer_in_parts_is_their_text() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "reasoning", "text": "hm"}, {"type": "text", "text": "two"}]
    body = json.dumps({"choices": [{"index": 0, "message": {"content": parts}}]})
    assert read_answer(body.encode(), request("x"), "k") == GenerationResponse("k", ("one two",))


def test_a_web_page_at_the_address_is_told_at_once_and_not_quoted() -> None:
    """A portal or a wrong port answered every call with a page; six tries and a minute later nothing said so."""

    class Portal(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            page = b"<html>Sign in, Ana Diaz</html>"
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    started = time.monotonic()
    address = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        with session(address) as one, pytest.raises(StepFailed) as caught:
            ask_all(one, ["item 1"])
    finally:
        server.shutdown()
        server.server_close()
    assert f"at {address}/chat/completions a web page came back (text/html, status 200)" in str(caught.value)
    assert "Ana" not in str(caught.value)
    assert time.monotonic() - started < 20


def test_an_address_where_nobody_answers_is_named() -> None:
    told = pytest.raises(StepFailed, match=r"Nobody answers at http://127.0.0.1:9/v1\.")
    with session("http://127.0.0.1:9/v1", attempts=1, start_timeout=0.01, max_failed=0) as one, told:
        ask_all(one, ["item 1", "item 2"])
        one.verdict()
