"""Recounts what a checkpoint or a finished model says that it consumed, from the build's files alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from corpusforge_train.build_files import Build
from corpusforge_train.config import Config
from corpusforge_train.data import Feed
from corpusforge_train.errors import TrainError, WrongUse
from corpusforge_train.ledger import RECEIPT, Ledger
from corpusforge_train.plan import make_plan, stages_differ
from corpusforge_train.preference import recount

_CLAIMED = {"config", "manifest_sha256", "build", "name", "recipe", "licences", "plan_hash", "position", "ledger"} | {
    "step",
    "approved_by",
}


def read_receipt(folder: Path) -> dict[str, Any]:
    """What a checkpoint or a finished model says of itself. Raises WrongUse for a folder that is neither, and
    TrainError where it cannot be read."""
    for name in (RECEIPT, "state.json"):
        path = folder / name
        if path.is_file():
            try:
                found = json.loads(path.read_text("utf-8"))
            except ValueError:
                found = None
            if not isinstance(found, dict) or not found.keys() >= _CLAIMED:
                raise TrainError("is damaged: it lacks what a run says of itself.", where=str(path))
            return found
    raise WrongUse("is no checkpoint: it has neither receipt.json nor state.json.", where=str(folder))


def verify(folder: Path, build: Build) -> list[str]:
    """What does not hold; empty where the build's bytes, the data plan, every figure of the ledger, and what is said of
    the build and its licences are confirmed. Raises TrainError for a damaged build or checkpoint."""
    receipt = read_receipt(folder)
    try:
        config = Config.model_validate(receipt["config"])
    except ValidationError:
        raise TrainError("its config is none of this version's.", where=str(folder)) from None
    wrong: list[str] = []
    if receipt["manifest_sha256"] != build.sha256:
        wrong.append("the manifest is another: this is not the build that was trained on.")
    else:
        own = {key: build.manifest[key] for key in ("build", "name", "recipe")} | {"licences": build.licences()}
        wrong += [f"what it says of the {key} is not in the manifest." for key in own if receipt[key] != own[key]]
    build.check()
    if config.dpo is not None:
        return wrong + recount(folder, build, config, receipt)
    plan = make_plan(build, config.data.outputs)
    if receipt["plan_hash"] != plan.hash:
        wrong.append("the data plan is another: other sequences, or another order.")
        return wrong
    wrong += [f"the stages of {name} are not those of the manifest." for name in stages_differ(build, plan)]
    position = receipt["position"]
    finished = (folder / RECEIPT).is_file()
    if not isinstance(position, int) or not 0 <= position <= len(plan) or (finished and position < len(plan)):
        wrong.append(f"it stands at sequence {position} of {len(plan)}, which is not where it can.")
        return wrong
    feed = Feed(build, plan, config.loss.weights)
    ledger = Ledger()
    for place in range(position):
        ledger.add(feed[place].ledger())
    if ledger.to_json() != receipt["ledger"]:
        wrong.append("the ledger differs: it says one thing and the build's files another.")
    return wrong
