"""Words in for training: `train`, `report`, `verify`, `export`, `tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpusforge.cli_words import BuildArgument, BuildsOption, CardsOption, JsonOption, QuietOption, RecipeArgument

ConfigOption = Annotated[Path, typer.Option("--config", metavar="FILE", help="The run's settings: train/configs/.")]
ChangeOption = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting.")]


def add(app: typer.Typer) -> None:
    """Add the commands to the command line, in the order of its help."""
    for command in (train, report, verify, export, tune):
        app.command()(command)


def train(
    build: BuildArgument,
    config: ConfigOption,
    builds: BuildsOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The run's folder, resumed if it holds one.")
    ] = None,
    cards: CardsOption = None,
    change: ChangeOption = None,
    unapproved: Annotated[bool, typer.Option("--unapproved", help="Train on a mix that nobody approved.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, with samples.")] = False,
    no_probe: Annotated[bool, typer.Option("--no-probe", help="A dry run without steps: no time is told.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model on a build's packed mix, with a ledger of what it consumed; resumes by default."""
    from corpusforge import train_command

    train_command.train(build, config, builds, out, cards, change or [], unapproved, dry_run, as_json, not no_probe)


def report(
    run: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of training runs.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the page goes that shows runs side by side.")
    ] = None,
    builds: BuildsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what training runs did: plan and ledger, losses by source, domain and public text, tasks before and after."""
    from corpusforge import report_command

    report_command.report(run, builds, out, as_json)


def verify(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A checkpoint's folder, or final/ of a finished run.")
    ],
    build: Annotated[
        str | None, typer.Option("--build", help="The build's folder, where its id is not enough to find it.")
    ] = None,
    builds: BuildsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recount from the build's files what a model was trained on, to the token."""
    from corpusforge import train_command

    train_command.verify(checkpoint, build, builds, as_json)


def export(
    build: BuildArgument,
    to: Annotated[str, typer.Option("--to", help="datasets, trl, llama-factory or axolotl.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The new folder.")],
    output: Annotated[
        list[str] | None, typer.Option("--output", help="completion or instruct; by default all that is packed.")
    ] = None,
    builds: BuildsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a build's packed schedule for another trainer, in its order, with a README of what is lost there."""
    from corpusforge import export_command

    export_command.export(build, to, out, output or [], builds, as_json)


def tune(
    recipe: RecipeArgument,
    config: ConfigOption,
    shares: Annotated[
        str, typer.Option("--shares", metavar="SHARES", help="The domain's shares to try, in one line.")
    ] = "1%,2%,5%,10%",
    budget: Annotated[
        float, typer.Option("--budget", min=0, help="What public text may lose, in nats a token.")
    ] = 0.05,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, help="Runs of each share; by default 2 where seeds matter, else 1."),
    ] = None,
    tokens: Annotated[
        str | None,
        typer.Option("--tokens", metavar="N", help="Tokens of the run the share is for; by default the proxies'."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="For report and runs; by default runs/RECIPE/tune.")
    ] = None,
    builds: BuildsOption = None,
    change: ChangeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a small proxy on each of several mixes, fit a law to their losses, and propose the domain's share."""
    from corpusforge import tune_command

    tune_command.tune(recipe, config, shares, budget, seeds, tokens, out, builds, change or [], as_json, quiet)
