"""Words in, one function called, nothing else."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from corpusforge import cli_train
from corpusforge.cli_words import BuildArgument, BuildsOption, CardsOption, JsonOption, QuietOption, RecipeArgument
from corpusforge.errors import CorpusforgeError

app = typer.Typer(
    name="corpusforge",
    help="Turn raw chats, articles and docs into a token-exact training mix with a card that a person can sign.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
fit = typer.Typer(
    help="Train a model of the project's on your own labels: names, quality.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(fit, name="fit")
INTERRUPTED = 130


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The workspace to make or complete.")] = Path("."),
    training: Annotated[
        bool,
        typer.Option("--training", help="Also the trainer's configs, the recipes and public text of make train-demo."),
    ] = False,
) -> None:
    """Make a workspace: sources/, recipes/ with the demo, its data, and editor schemas. Overwrites nothing."""
    from corpusforge import commands

    commands.init(folder, training)


@app.command()
def check(recipe: RecipeArgument, as_json: JsonOption = False) -> None:
    """Check a recipe and its sources without reading data."""
    from corpusforge import commands

    commands.check(recipe, as_json)


@app.command()
def plan(recipe: RecipeArgument, builds: BuildsOption = None, as_json: JsonOption = False) -> None:
    """Say for each step whether it is reused or run, why, how many records, and how long."""
    from corpusforge import plan_commands

    plan_commands.plan(recipe, builds, as_json)


@app.command()
def build(
    recipe: RecipeArgument,
    builds: BuildsOption = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes at a time.")] = None,
    executor: Annotated[str | None, typer.Option("--executor", help="local, slurm or ray.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Build a recipe: run what is stale, check every count, write the mix and its card."""
    from corpusforge import commands

    commands.build(recipe, builds, workers, executor, as_json, quiet)


@app.command()
def generate(
    recipe: RecipeArgument,
    preview: Annotated[int, typer.Option("--preview", min=1, max=1000, help="Records to show, chosen by a hash.")] = 5,
    task: Annotated[str | None, typer.Option("--task", help="Only this task, such as qa.")] = None,
    builds: BuildsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what the generators make of a few records: passage, prompts, rows, and what the checks say of them."""
    from corpusforge import plan_commands

    plan_commands.generate(recipe, preview, task, builds, as_json, quiet)


@app.command()
def mix(
    recipe: RecipeArgument,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Try mix.completion.domain.share=3%; repeats."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Keep what --set tries in the recipe; comments stay.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show again at every save, until Ctrl-C.")] = False,
    peek: Annotated[
        int | None, typer.Option("--peek", min=1, max=1000, help="Show so many packed sequences, chosen by a hash.")
    ] = None,
    sweep: Annotated[
        str | None, typer.Option("--sweep", metavar="PART=SHARES", help="Build siblings: domain=1%,2%,5%,10%.")
    ] = None,
    builds: BuildsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show the mix: shares asked and realised, tokens had and taken, epochs, what binds; try others without a build."""
    from corpusforge import mix_commands

    mix_commands.mix(recipe, change or [], write, watch, peek, sweep, builds, as_json, quiet)


@app.command()
def show(
    build: BuildArgument,
    builds: BuildsOption = None,
    step: Annotated[str | None, typer.Option("--step", help="Only this step.")] = None,
    near_threshold: Annotated[bool, typer.Option("--near-threshold", help="Records closest to a rule's line.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List per step and source what was read, kept, dropped and quarantined."""
    from corpusforge import commands

    commands.show(build, builds, step, near_threshold, as_json)


@app.command()
def trace(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="A record's id, from any shard of a build.")],
    build: Annotated[str, typer.Option("--build", help="A build's folder, or a recipe's name.")],
    builds: BuildsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Walk a record back to the bytes it came from."""
    from corpusforge import commands

    commands.trace(record, build, builds, as_json)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A build's folder, or a recipe's name.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The build to compare with it.")],
    builds: BuildsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what changed from build A to build B."""
    from corpusforge import commands

    commands.diff(before, after, builds, as_json)


@app.command()
def card(
    build: BuildArgument, builds: BuildsOption = None, cards: CardsOption = None, as_json: JsonOption = False
) -> None:
    """Render a build's card again from its manifest, and say where it is and whether it is approved."""
    from corpusforge import commands

    commands.card(build, builds, cards, as_json)


@app.command()
def approve(
    build: BuildArgument,
    builds: BuildsOption = None,
    cards: CardsOption = None,
    reviewer: Annotated[str | None, typer.Option("--reviewer", help="Who signs.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Answer yes to every question.")] = False,
    waive: Annotated[list[str] | None, typer.Option("--waive", help="GATE=REASON for a gate that fails.")] = None,
) -> None:
    """Check the gates, ask the reviewer's questions, and write the approval bound to the manifest."""
    from corpusforge import commands

    commands.approve(build, builds, cards, reviewer, yes, waive or [])


@app.command()
def audit(
    build: BuildArgument,
    builds: BuildsOption = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="RECIPE", help="The build's recipe, where its name is not enough."),
    ] = None,
    canaries: Annotated[
        int | None, typer.Option("--canaries", min=1, max=20_000, help="Values planted; by default one of each form.")
    ] = None,
    rate: Annotated[float, typer.Option("--rate", min=0.01, max=4, help="Values planted in one record.")] = 1.0,
    sample: Annotated[int, typer.Option("--sample", min=1, help="Records for the second detector.")] = 300,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Plant invented personal data, run the build's pipeline over it, and look for it in everything written."""
    from corpusforge import commands

    commands.audit(build, builds, recipe, canaries, rate, sample, as_json, quiet)


@app.command()
def evaluate(
    build: BuildArgument,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="ENGINE", help="kind=endpoint,model=NAME,address=URL, a YAML or a folder."),
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="ENGINE", help="A second model; differences are paired.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="A training run: its model, against the one that it began with."),
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", metavar="ENGINE", help="The model that grades open answers.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="SHEET", help="calibration.csv, labelled by hand.")
    ] = None,
    task: Annotated[list[str] | None, typer.Option("--task", help="Only this task or kind; may be repeated.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Items of each task at most.")] = None,
    rotations: Annotated[bool, typer.Option("--rotations", help="Ask options in every cyclic order.")] = False,
    likelihoods: Annotated[
        bool, typer.Option("--likelihoods", help="Also what needs log-probabilities, which vLLM gives.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the report goes; by default beside the build.")
    ] = None,
    builds: BuildsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Ask a model the build's held-out benchmark; with intervals, against another model, with a judge."""
    from corpusforge import evaluation

    models = (model, against, run, judge)
    evaluation.evaluate(build, builds, models, labels, task or [], limit, rotations, likelihoods, out, as_json, quiet)


cli_train.add(app)


@app.command("ls")
def list_(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="builds, recipes, sources, stages, readers, or one stage's or reader's name."
        ),
    ] = "builds",
    builds: BuildsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List builds, recipes, sources, stages or readers; or the settings of one stage or reader."""
    from corpusforge import commands

    commands.list_(what, builds, as_json)


@app.command()
def schema(
    write: Annotated[bool, typer.Option("--write", help="Write .schema.json into recipes/ and sources/.")] = False,
    of: Annotated[str, typer.Option("--of", help="recipe or source.")] = "recipe",
) -> None:
    """Print the JSON Schema of recipes, or write both schemas for editors."""
    from corpusforge import commands

    commands.schema(write, of)


@fit.command("names")
def fit_names(
    labelled: Annotated[
        list[Path],
        typer.Argument(metavar="LABELLED...", help='JSON Lines: {"text", "spans": [{"start", "end", "label"}]}.'),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The new folder for the pipeline.")],
    base: Annotated[str, typer.Option("--base", help="embedded, or a folder that this command wrote.")] = "embedded",
    held_out: Annotated[
        float, typer.Option("--held-out", min=0.05, max=0.5, help="Share of the conversations to measure on.")
    ] = 0.2,
    epochs: Annotated[int, typer.Option("--epochs", min=1, max=50, help="Passes over the text.")] = 4,
    as_json: JsonOption = False,
) -> None:
    """Train the name tagger on your own labelled text, for `ner: DIR` of the stage `redact`."""
    from corpusforge import commands

    commands.fit_names(labelled, out, base, held_out, epochs, as_json)


@fit.command("quality")
def fit_quality(
    labelled: Annotated[
        list[Path],
        typer.Argument(metavar="LABELLED...", help='JSON Lines: {"text", "label"}, labels keep or drop.'),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file for the model.")],
    as_json: JsonOption = False,
) -> None:
    """Train the quality model on texts labelled keep or drop, for `model: FILE` of the stage `quality`."""
    from corpusforge import fit as fitting

    fitting.fit_quality(labelled, out, as_json)


def main() -> None:
    """Run the command line; errors become one line and an exit code, never a traceback."""
    try:
        code = app(standalone_mode=False)  # an interruption comes back as the number 130
    except CorpusforgeError as error:
        sys.stderr.write(f"{error}\n")
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough, as `| head` does; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"{place}{(error.strerror or type(error).__name__).lower()}. {_remedy(error)}\n")
        code = 1
    except Exception as error:
        show_usage = getattr(error, "show", None)
        if show_usage is not None:
            show_usage()
            code = getattr(error, "exit_code", 2)
        else:
            sys.stderr.write(_defect(error))
            code = 1
    if code == INTERRUPTED:
        sys.stderr.write("\nInterrupted. What was finished is kept: run the same command again to go on.\n")
    sys.exit(code if isinstance(code, int) else 0)


def _defect(error: Exception) -> str:
    """A defect of ours in one line. What a library says in its error may quote a record, so only type and place are
    told."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    place = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__} at {place}. This is a defect of corpusforge; report it with the recipe.\n"


def _remedy(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "Make room, then run the same command again to go on."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Name another folder with --builds or --cards, or get leave to write there."
    return "Check that the path is there and of the right kind."


if __name__ == "__main__":
    main()
