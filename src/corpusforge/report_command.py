"""The command `report`: what training runs did, alone and side by side; and the models before and after a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from corpusforge import console
from corpusforge.errors import UsageError

# The trainer's own names of what a run leaves; merged adapters come first, as no engine reads adapters alone.
MODELS = ("merged", "final")
# Tokens of an answer, as a part of a small model's context: the rest is the question's.
_ANSWER = 4


def report(runs: Sequence[Path], builds: Path | None, out: Path | None, as_json: bool) -> None:
    """Write the report of each run into its folder; of several, also a page side by side into `out`.

    Raises UsageError for a folder without a run, or one whose build is not found.
    """
    from corpusforge.run_report.page import runs_table
    from corpusforge.run_report.write import write_runs

    reports = [write_report(run, None, builds) for run in runs]
    place = out or (runs[0] if len(runs) == 1 else None)
    if len(runs) > 1 or out is not None:
        place = out or runs[0].resolve().parent / "report"
        write_runs(reports, place)
    if as_json:
        console.data_json({"runs": reports, "report": str(place)})
        return
    table = runs_table(reports)
    console.table(table.columns, table.rows, right=table.right)
    console.data(f"report: {place}/report.html")


def write_report(run: Path, build: Path | None, builds: Path | None) -> dict[str, object]:
    """Write a run's report over its build's folder, or the build that its receipt names. Raises UsageError."""
    from corpusforge.commands import find_build
    from corpusforge.manifest import read_manifest
    from corpusforge.run_report.read import read_receipt
    from corpusforge.run_report.write import write_run

    folder = build or find_build(str(read_receipt(run)["build"]), builds)
    return write_run(run, read_manifest(folder))


def models_of(run: Path) -> tuple[str, str | None]:
    """Engines for the model that a run left and for the one it began with, as `--model` takes them.

    None in place of the second for a run from random weights. Raises UsageError where no whole model lies there.
    """
    from corpusforge.run_report.read import read_receipt

    receipt = read_receipt(run)
    found = next((run / name for name in MODELS if (run / name / "config.json").is_file()), None)
    if found is None:
        what, hint = "holds no whole model.", "Train to the end; adapters with `lora: {merge: true}`."
        raise UsageError(what, where=str(run), hint=hint)
    before = receipt["config"]["model"]["path"]
    return _engine(found), None if before is None else _engine(Path(before))


def engine_of(folder: Path) -> str:
    """The engine for a model's folder, or for the model that a run left, as `--model` takes it.

    Raises UsageError where neither lies there.
    """
    return _engine(folder) if (folder / "config.json").is_file() else models_of(folder)[0]


def _engine(model: Path) -> str:
    """The engine `transformers` with as much context as the model has."""
    import orjson

    path = model / "config.json"
    most = orjson.loads(path.read_bytes()).get("max_position_embeddings") if path.is_file() else None
    sizes = f",context_tokens={max(256, most)},max_tokens={max(1, most // _ANSWER)}" if most else ""
    return f"kind=transformers,model={model.resolve() if path.is_file() else model}{sizes}"
