"""Runs the server of a local model for as long as somebody uses it: `python -m corpusforge.generate.engines.supervise`.

It starts the command that lies in the folder, on a free port of this machine alone, and ends it when no process has
held the lock `users` for a while. If the supervisor itself is killed, the system ends the server (Linux).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

POLL = 0.2
POLITE_SECONDS = 15.0
SERVER_ENDED = 3  # an exit code that Python gives no failure of its own
_PR_SET_PDEATHSIG = 1


def main(folder: Path) -> int:
    """Start the server of a folder and stay with it: 0 if nobody used it any more, SERVER_ENDED if it ended itself."""
    alive = os.open(folder / "alive", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(alive, fcntl.LOCK_EX)
    told: Any = orjson.loads((folder / "command.json").read_bytes())
    port = free_port()
    with (folder / "log").open("wb") as log:
        os.chmod(folder / "log", 0o600)
        server = subprocess.Popen(
            [*told["command"], "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **told["environment"]},
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  # this process has one thread
        )
    told_of = {"port": port, "server": server.pid, "supervisor": os.getpid()}
    (folder / "server.new").write_bytes(orjson.dumps(told_of))
    os.replace(folder / "server.new", folder / "server.json")
    users = os.open(folder / "users", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # Holds `users` from here to the end, so that whoever comes now waits and then starts a new server.
        unused = _until_unused(server, users, float(told["linger"]))
        (folder / "server.json").unlink(missing_ok=True)
        return 0 if unused else SERVER_ENDED
    finally:
        end(server)


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def end(server: subprocess.Popen[bytes]) -> None:
    """End a server and all its processes: politely, then for good."""
    for how, seconds in ((signal.SIGINT, POLITE_SECONDS), (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, how)
        try:
            server.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):  # what the server started and left behind
        os.killpg(server.pid, signal.SIGKILL)


def _until_unused(server: subprocess.Popen[bytes], users: int, linger: float) -> bool:
    since: float | None = None
    while server.poll() is None:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            since = None
        else:
            since = since or time.monotonic()
            if time.monotonic() - since >= linger:
                return True
            fcntl.flock(users, fcntl.LOCK_UN)
        time.sleep(POLL)
    return False


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
