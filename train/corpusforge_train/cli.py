"""The trainer's own command line, for `python -m corpusforge_train` and torchrun."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpusforge_train.errors import TrainError


def main(words: Sequence[str] | None = None) -> int:
    """Run it; errors become one line and an exit code."""
    parser = argparse.ArgumentParser(prog="corpusforge_train", description="Train a model on a build of corpusforge.")
    parser.add_argument("build", type=Path, metavar="BUILD", help="A build's folder.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="A config of train/configs/.")
    parser.add_argument("--out", type=Path, metavar="DIR", help="The run's folder; it is resumed if it holds one.")
    parser.add_argument("--cards", type=Path, default=Path("data_cards"), metavar="DIR", help="Where approvals lie.")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="Change one setting.")
    parser.add_argument("--unapproved", action="store_true", help="Train on a mix that nobody approved.")
    parser.add_argument("--dry-run", action="store_true", help="Say what would be done.")
    parser.add_argument("--no-probe", action="store_true", help="A dry run that makes no steps: no time is told.")
    given = parser.parse_args(words)
    try:
        told = start(
            given.build,
            given.config,
            given.out,
            given.cards,
            given.set,
            given.unapproved,
            given.dry_run,
            not given.no_probe,
        )
    except TrainError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"{place}{(error.strerror or type(error).__name__).lower()}.\n")
        return 1
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def start(
    folder: Path,
    config_file: Path,
    out: Path | None,
    cards: Path,
    changes: Sequence[str],
    unapproved: bool,
    dry: bool,
    probing: bool = True,
) -> dict[str, Any]:
    """Train, or say what training would do: the receipt, or the figures of the dry run with samples.

    Without `out` the run lies in `runs/<recipe>/<build>-<config's name>`. Raises TrainError.
    """
    from corpusforge_train.build_files import check_approval, read_build
    from corpusforge_train.config import load_config

    config = load_config(config_file, tuple(changes))
    build = read_build(folder)
    if dry and config.dpo is not None:
        from corpusforge_train.preference import dry_run as dry_tune

        return dry_tune(build, config)
    if dry:
        from corpusforge_train.dry_run import decoder, dry_run, samples

        figures = dry_run(build, config, probing)
        shown = samples(build, config, decoder(build, config), 3, sys.stdout.isatty())
        return {**figures, "samples": shown}
    who = check_approval(build, cards, unapproved)
    place = out or Path("runs") / str(build.manifest["name"]) / f"{folder.resolve().name}-{config_file.stem}"
    if config.dpo is not None:
        from corpusforge_train.preference import tune

        return {"out": str(place), **tune(build, config, place, who)}
    from corpusforge_train.loop import Run

    receipt = Run(build, config, place, who).train()
    return {"out": str(place), **receipt}
