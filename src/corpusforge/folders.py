"""Where builds and approved cards lie: as asked, else in the workspace around the recipe or the current folder."""

from __future__ import annotations

from pathlib import Path


def builds_folder(builds: Path | None, recipe: Path | None = None) -> Path:
    """Where builds lie: as asked, else `builds/` of the recipe's workspace or of the one around the current folder."""
    from corpusforge.recipe import find_workspace, nearest_workspace
    from corpusforge.yaml_file import shown_path

    if builds is not None:
        return builds
    workspace = nearest_workspace(Path()) if recipe is None else find_workspace(recipe)
    return Path(shown_path((workspace or Path()).resolve() / "builds"))


def cards_folder(cards: Path | None, build: Path) -> Path:
    """Where approved cards lie: as asked, else `data_cards/` of the build's workspace or of the one around us."""
    from corpusforge.recipe import nearest_workspace
    from corpusforge.yaml_file import shown_path

    if cards is not None:
        return cards
    workspace = nearest_workspace(build) or nearest_workspace(Path()) or Path().resolve()
    return Path(shown_path(workspace / "data_cards"))
