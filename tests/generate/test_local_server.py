"""One server a machine for a local model: found by every worker, started again when it dies, gone with its last user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import orjson
import psutil
import pytest

from corpusforge.errors import StepFailed
from corpusforge.generate.engines import local_server
from corpusforge.generate.engines.cache import ResponseCache
from corpusforge.generate.engines.endpoint import Endpoint
from corpusforge.generate.engines.registry import make_engine
from corpusforge.generate.engines.session import Session
from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.generate.engines.weights import downloaded_commit, engine_identity, folder_content

from .asking import ask_all, request
from .fake_vllm import interpreter

ITEMS = [f"item {n}" for n in range(20)]
USER = """
import sys, time
from pathlib import Path
from corpusforge.generate.engines.registry import make_engine
from corpusforge.generate.engines.session import Session
from corpusforge.generate.engines.settings import EngineSettings
sys.path.insert(0, sys.argv[1])
from asking import ask_all
one = Session(make_engine(EngineSettings.model_validate_json(sys.argv[2])))
print(ask_all(one, ["item 1"])[0]["item"], flush=True)
time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def told(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineSettings]:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    yield EngineSettings(
        kind="vllm", model=str(model), python=str(interpreter(tmp_path)), linger=0.5, timeout=20, start_timeout=60
    )
    local_server.let_go_of_all()
    assert gone(tmp_path)


def states(tmp_path: Path) -> list[dict[str, int]]:
    return [orjson.loads(path.read_bytes()) for path in (tmp_path / "tmp").rglob("server.json")]


def gone(tmp_path: Path, *processes: int, seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not states(tmp_path) and not any(psutil.pid_exists(one) and running(one) for one in processes):
            return True
        time.sleep(0.1)
    return False


def running(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def a_session(told: EngineSettings, cache: Path | None = None) -> Session:
    return Session(make_engine(told), None if cache is None else ResponseCache(cache))


def another_user(told: EngineSettings, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", USER, str(Path(__file__).parent), told.model_dump_json(), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_build_that_the_cache_answers_starts_no_server(told: EngineSettings, tmp_path: Path) -> None:
    with a_session(told, tmp_path / "cache") as one:
        first = ask_all(one, ITEMS)
    assert len(states(tmp_path)) == 1
    local_server.let_go_of_all()
    assert gone(tmp_path)
    with a_session(told, tmp_path / "cache") as again:
        assert ask_all(again, ITEMS) == first
    assert not states(tmp_path)


def test_workers_share_one_server_and_kill_9_of_the_last_ends_it(told: EngineSettings, tmp_path: Path) -> None:
    """A server that outlives a killed build holds the GPU until somebody looks for it."""
    children = [another_user(told, 600) for _ in range(3)]
    assert [child.stdout.readline().strip() for child in children] == ["item 1"] * 3
    (state,) = states(tmp_path)
    # It listens on this machine alone.
    found = [c.laddr for c in psutil.Process(state["server"]).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in found] == [("127.0.0.1", state["port"])]
    children[0].kill()
    time.sleep(1.5)
    assert running(state["server"])
    for child in children[1:]:
        child.kill()
    for child in children:
        child.communicate()
    assert gone(tmp_path, state["server"], state["supervisor"])


def test_a_server_that_dies_is_started_again_and_no_call_is_lost(told: EngineSettings, tmp_path: Path) -> None:
    with a_session(told) as one:
        assert len(ask_all(one, ITEMS[:2])) == 2
        (before,) = states(tmp_path)
        os.kill(before["server"], signal.SIGKILL)
        assert all("rows" in entry for entry in ask_all(one, ITEMS[2:]))
        (after,) = states(tmp_path)
        assert after["server"] != before["server"]


def test_a_killed_supervisor_takes_the_server_with_it(told: EngineSettings, tmp_path: Path) -> None:
    with a_session(told) as one:
        ask_all(one, ITEMS[:1])
        (state,) = states(tmp_path)
        os.kill(state["supervisor"], signal.SIGKILL)
        until = time.monotonic() + 10
        while running(state["server"]) and time.monotonic() < until:
            time.sleep(0.1)
        assert not running(state["server"])
        assert "rows" in ask_all(one, ITEMS[1:2])[0]


def test_a_server_that_cannot_start_is_told_with_the_end_of_its_log(told: EngineSettings) -> None:
    with (
        a_session(told.model_copy(update={"options": {"fail-to-start": True}})) as one,
        pytest.raises(StepFailed, match=r"ended before it answered.*ValueError: the flag --fail-to-start was given"),
    ):
        ask_all(one, ITEMS)


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is here")
def test_vllm_that_is_not_installed_is_told_with_what_to_do(told: EngineSettings) -> None:
    with a_session(told.model_copy(update={"python": sys.executable})) as one, pytest.raises(StepFailed) as caught:
        ask_all(one, ITEMS)
    assert "corpusforge[vllm]" in caught.value.problem.hint


def test_a_model_is_known_by_its_content_wherever_it_lies(told: EngineSettings, model: Path, tmp_path: Path) -> None:
    """Weights replaced under the same name must write anew; a folder that moved must not."""

    def key(settings: EngineSettings) -> str:
        return request("x").key(make_engine(settings).identity())

    first, known = key(told), engine_identity(told)
    (model / "README.md").write_text("words about it")
    (model / ".cache").mkdir()
    (model / ".cache" / "x").write_text("y")
    assert (key(told), engine_identity(told)) == (first, known)
    moved = told.model_copy(update={"model": str(model.rename(tmp_path / "moved"))})
    assert (key(moved), engine_identity(moved)) == (first, known)
    assert moved.identity_json() == told.identity_json()
    times = os.stat(tmp_path / "moved" / "model.safetensors")
    (tmp_path / "moved" / "model.safetensors").write_bytes(b"WEIGHTS")
    os.utime(tmp_path / "moved" / "model.safetensors", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert key(moved) != first
    assert folder_content(tmp_path / "moved") != known["model"]


def test_how_it_runs_is_no_part_of_what_it_writes(told: EngineSettings) -> None:
    """Two GPUs instead of one, or another price, must not pay for every answer again."""

    def key(**more: object) -> tuple[str, object]:
        settings = told.model_copy(update=more)
        return request("x").key(make_engine(settings).identity()), settings.identity_json()

    same = key()
    assert key(options={"tensor-parallel-size": 2, "max-num-seqs": 8}) == same
    assert key(timeout=5, attempts=2, max_in_flight=3, max_failed=1, linger=3, prompt_price=2, python="x") == same
    assert key(options={"quantization": "fp8"})[0] != same[0]
    assert key(options={"quantization": "fp8"})[1] != same[1]
    endpoint = {"kind": "endpoint", "model": "m"}
    first, second = (
        EngineSettings.model_validate({**endpoint, **more})
        for more in ({"address": "http://a/v1"}, {"address": "http://b/v1", "key_env": "K"})
    )
    assert first.identity_json() == second.identity_json()
    assert request("x").key(Endpoint(first).identity()) == request("x").key(Endpoint(second).identity())


def test_a_model_of_the_hub_is_its_downloaded_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert downloaded_commit("some/model") == ""
    refs = tmp_path / "models--some--model" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("0123abcd")
    assert downloaded_commit("some/model") == "0123abcd"


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    """Another user could leave a server there that reads the prompts."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"corpusforge-{os.getuid()}").mkdir(mode=0o777)
    (tmp_path / f"corpusforge-{os.getuid()}").chmod(0o777)
    with pytest.raises(StepFailed, match="not a folder of this user alone"):
        local_server.server_of(EngineSettings(kind="vllm", model=str(model)), "r")
