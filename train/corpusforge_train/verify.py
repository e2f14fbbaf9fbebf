"""Recounts what a checkpoint or a finished model says that it consumed, from the build's files alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed
from corpusforge_train.errors import WrongUse
from corpusforge_train.ledger import RECEIPT, Ledger
from corpusforge_train.plan import make_plan, stages_differ


def read_receipt(folder: Path) -> dict[str, Any]:
    """What a checkpoint or a finished model says of itself. Raises WrongUse for a folder that is neither."""
    for name in (RECEIPT, "state.json"):
        if (folder / name).is_file():
            found: dict[str, Any] = json.loads((folder / name).read_text("utf-8"))
            return found
    raise WrongUse("is no checkpoint: it has neither receipt.json nor state.json.", where=str(folder))


def verify(folder: Path, build: Build) -> list[str]:
    """What does not hold; empty where the build's bytes, the data plan and every figure of the ledger are confirmed."""
    receipt = read_receipt(folder)
    config = Config.model_validate(receipt["config"])
    wrong: list[str] = []
    if receipt["manifest_sha256"] != build.sha256:
        wrong.append("the manifest is another: this is not the build that was trained on.")
    build.check()
    plan = make_plan(build, config.data.outputs)
    if receipt["plan_hash"] != plan.hash:
        wrong.append("the data plan is another: other sequences, or another order.")
        return wrong
    wrong += [f"the stages of {name} are not those of the manifest." for name in stages_differ(build, plan)]
    feed = Feed(build, plan, config.loss.weights)
    ledger = Ledger()
    for position in range(receipt["position"]):
        ledger.add(feed[position].ledger())
    if ledger.to_json() != receipt["ledger"]:
        wrong.append("the ledger differs: it says one thing and the build's files another.")
    return wrong
