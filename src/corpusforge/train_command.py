"""What `corpusforge train` does: finds the build and its approval, and starts the trainer on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corpusforge import console
from corpusforge.commands import find_build
from corpusforge.errors import CorpusforgeError, NeedsApproval, StepFailed, UsageError
from corpusforge.folders import cards_folder
from corpusforge.report_command import write_report


def train(
    name: str,
    config: Path,
    builds: Path | None,
    out: Path | None,
    cards: Path | None,
    changes: Sequence[str],
    unapproved: bool,
    dry_run: bool,
    as_json: bool,
    probe: bool = True,
) -> None:
    """Train on a build, or say what training would do.

    Raises UsageError where the extra is not installed, NeedsApproval for a mix that nobody signed, and what the
    trainer raises as an error of ours.
    """
    folder = find_build(name, builds)
    try:
        from corpusforge_train.cli import start
        from corpusforge_train.errors import TrainError

        told = start(folder, config, out, cards_folder(cards, folder), changes, unapproved, dry_run, probe)
    except ImportError as error:
        hint = "Run pip install 'corpusforge[train]'."
        raise UsageError(f"the trainer's libraries are not installed ({error.name}).", hint=hint) from error
    except TrainError as error:
        raise as_ours(error) from error
    on_pairs = told.get("method") == "dpo"
    if not dry_run and not on_pairs:
        write_report(Path(told["out"]), folder, builds)
    if as_json:
        console.data_json(told)
    elif on_pairs:
        _print_pairs(told, dry_run)
    elif dry_run:
        _print_plan(told)
    else:
        tokens = sum(row["tokens"] for row in told["ledger"])
        console.data(f"trained {told['step']:,} steps on {tokens:,} tokens: {told['out']}/report.html")


def verify(checkpoint: Path, build: str | None, builds: Path | None, as_json: bool) -> None:
    """Recount what a model was trained on. Raises StepFailed, after everything was said, where something differs."""
    from corpusforge_train.build_files import read_build
    from corpusforge_train.errors import TrainError
    from corpusforge_train.verify import read_receipt
    from corpusforge_train.verify import verify as recount

    try:
        receipt = read_receipt(checkpoint)
        wrong = recount(checkpoint, read_build(find_build(build or receipt["build"], builds)))
    except TrainError as error:
        raise as_ours(error) from error
    tokens = sum(row["tokens"] for row in receipt["ledger"])
    if as_json:
        told = {
            "build": receipt["build"],
            "step": receipt["step"],
            "tokens": tokens,
            "approved_by": receipt["approved_by"],
        }
        console.data_json({**told, "wrong": wrong})
    elif not wrong:
        console.data(
            f"{receipt['name']}, build {receipt['build']}: {tokens:,} tokens in {receipt['step']:,} steps, "
            "as the ledger says"
        )
    if wrong:
        raise StepFailed(" ".join(wrong), where=str(checkpoint), hint="Ask for the build that it was trained on.")


def as_ours(error: Any) -> CorpusforgeError:
    """The trainer's error as one of ours, with its exit code."""
    kinds: dict[int, type[CorpusforgeError]] = {2: UsageError, 3: NeedsApproval}
    made = kinds.get(error.exit_code, StepFailed)(error.what, where=error.where, hint=error.hint)
    # 130 is an interruption, which has saved a checkpoint: the shell must see it as one.
    made.exit_code = error.exit_code
    return made


def _probed(probe: Mapping[str, Any] | None) -> str:
    """What a few steps on this device told of time and memory."""
    if probe is None:
        return "no step was made, so no time is told"
    if not probe["fits"]:
        return f"it does NOT fit {probe['device']}: lower batch.micro, or set model.gradient_checkpointing"
    peak = "" if probe["peak_bytes"] is None else f", {probe['peak_bytes'] / 1e9:,.1f} GB at most"
    took, step = console.duration(probe["seconds"]), probe["seconds_per_step"]
    return f"about {took} on {probe['device']}: {step:,.2f} s a step, {probe['tokens_per_second']:,.0f} tok/s{peak}"


def _print_pairs(told: Mapping[str, Any], dry_run: bool) -> None:
    if not dry_run:
        pairs = sum(row["pairs"] for row in told["ledger"])
        console.data(f"tuned on {pairs:,} preference pairs in {told['step']:,} steps: {told['out']}/final")
        return
    console.data(f"{told['steps']:,} steps over {told['pairs']:,} preference pairs, {told['epochs']} times\n")
    rows = [(row["source"], row["epoch"] + 1, f"{row['pairs']:,}", f"{row['tokens']:,}") for row in told["sources"]]
    console.table(("source", "epoch", "pairs", "tokens"), rows, right=(1, 2, 3))


def _print_plan(told: Mapping[str, Any]) -> None:
    console.data(
        f"{told['steps']:,} steps over {told['sequences']:,} sequences with {told['tokens']:,} tokens; "
        f"no source is ever further than {told['largest_deviation']:.2f} sequences from its share"
    )
    memory = told["memory"]
    console.data(
        f"{memory['parameters']:,} parameters, {memory['trained']:,} of them trained: {memory['bytes'] / 1e9:,.1f} GB "
        f"for weights, gradients and optimiser, and about {memory['activations'] / 1e9:,.1f} GB for activations"
    )
    console.data(f"{_probed(told.get('probe'))}\n")
    if "warning" in told:
        console.data(f"WARNING: {told['warning']}\n")
    rows = [
        (one["source"], f"{one['tokens']:,}", f"{one['share']:.2%}", one["epochs"], f"{one['loss_weight']:,.1f}")
        for one in told["sources"]
    ]
    console.table(("source", "tokens", "share", "epochs", "loss weight"), rows, right=(1, 2, 3, 4))
    for number, stage in enumerate(told["stages"] if len(told["stages"]) > 1 else (), start=1):
        shares = ", ".join(f"{name} {count / stage['tokens']:.2%}" for name, count in stage["sources"].items())
        console.data(f"stage {number}: {stage['sequences']:,} sequences, {shares}")
    for sample in told["samples"]:
        console.data(f"\n{sample}")
