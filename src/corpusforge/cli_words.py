"""Arguments and options that several commands share, in one wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, such as recipes/demo.yaml.")]
BuildArgument = Annotated[
    str, typer.Argument(metavar="BUILD", help="A build's folder, or a recipe's name for its latest.")
]
BuildsOption = Annotated[
    Path | None, typer.Option("--builds", metavar="DIR", help="Where builds lie; by default builds/ of the workspace.")
]
CardsOption = Annotated[
    Path | None,
    typer.Option("--cards", metavar="DIR", help="Where approved cards lie; by default data_cards/ of the workspace."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on stderr but errors.")]
