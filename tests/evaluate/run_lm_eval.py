"""Runs lm-evaluation-harness on an exported folder with a model of `knowing.py`: `run_lm_eval.py FOLDER OUT WHO TAG KEYS`.

It is a program of its own: the harness warns, patches and caches, and must see the exported folder alone, offline.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path


def offline() -> None:
    """Any connection to elsewhere ends the run."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX:
            raise SystemExit(f"the export wanted the network: {address}")
        connect(self, address)  # type: ignore[arg-type]

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]


def main(folder: str, out: str, who: str, tag: str, keys: str) -> None:
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(Path(out) / "hf")}
    offline()
    os.chdir(folder)
    sys.path.insert(0, str(Path(__file__).parent))
    from knowing import Guessing, Knowing
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    told = json.loads(Path(keys).read_text())
    model = Knowing(told["answers"]) if who == "oracle" else Guessing(told["guesses"])

    class Told(LM):
        def loglikelihood(self, requests):  # type: ignore[no-untyped-def]
            return [(model.likelihood(*request.args), False) for request in requests]

        def loglikelihood_rolling(self, requests):  # type: ignore[no-untyped-def]
            return [model.text_likelihood(request.args[0]) for request in requests]

        def generate_until(self, requests):  # type: ignore[no-untyped-def]
            # Models write a blank after "Answer:"; a perfect one must not lose by it.
            return [" " + model.said(request.args[0]) for request in requests]

    found = simple_evaluate(
        Told(), tasks=[tag], task_manager=TaskManager(include_path="lm_eval"), log_samples=True, bootstrap_iters=0
    )
    samples = {
        task: [[row["doc"]["id"], row["doc_hash"], row["prompt_hash"], row["target_hash"]] for row in rows]
        for task, rows in found["samples"].items()
    }
    Path(out, f"lm-{who}.json").write_text(json.dumps({"results": found["results"], "samples": samples}))


if __name__ == "__main__":
    main(*sys.argv[1:])
