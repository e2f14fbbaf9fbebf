"""Whether the key of the engine is where the recipe says, told before anything runs that would need it."""

from __future__ import annotations

import os
from collections.abc import Iterable

from corpusforge.errors import Problem
from corpusforge.recipe import Recipe
from corpusforge.yaml_file import load_yaml


def missing_key(recipe: Recipe, tasks: Iterable[str]) -> Problem | None:
    """What is wrong with the environment for those of the tasks that a model writes, at the line of `key_env`."""
    wanted = set(tasks)
    for use in recipe.generate:
        name = getattr(getattr(use.settings, "engine", None), "key_env", "")
        if name and use.name in wanted and not os.environ.get(name, "").strip():
            what = f"the environment variable {name}, which holds the endpoint's key, is not set."
            return load_yaml(recipe.path).problem(("generate", "engine", "key_env"), what, f"Set {name} here.")
    return None
