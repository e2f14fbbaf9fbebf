"""Stands for `python -m vllm.entrypoints.openai.api_server`: the same flags, a scripted server behind them."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from fault_server import FaultServer


def interpreter(folder: Path) -> Path:
    """An executable that takes the place of an interpreter that has vLLM."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} "$@"\n')
    path.chmod(0o755)
    return path


def main() -> None:
    flags = dict(zip(sys.argv[1:], sys.argv[2:], strict=False))
    assert flags["-m"] == "vllm.entrypoints.openai.api_server"
    assert flags["--host"] == "127.0.0.1"
    if "--fail-to-start" in flags:
        print("INFO loading weights", "ValueError: the flag --fail-to-start was given", sep="\n", flush=True)
        sys.exit(3)
    with FaultServer(model=flags["--served-model-name"], port=int(flags["--port"])):
        threading.Event().wait()


if __name__ == "__main__":
    main()
