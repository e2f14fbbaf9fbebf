"""Which engines there are: a name in a recipe becomes an engine, loaded only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from corpusforge.errors import UsageError
from corpusforge.generate.engines.door import Engine

ENGINES: Mapping[str, str] = {"extractive": "corpusforge.generate.engines.extractive:Extractive"}


def find_engine(name: str) -> type[Engine]:
    """The engine of that name. Raises UsageError, with the engines that this version has, for any other name."""
    path = ENGINES.get(name)
    if path is None:
        raise UsageError(
            f"this version has no engine {name!r}, only {', '.join(sorted(ENGINES))}.",
            hint="Write `engine: {kind: extractive}`: rows are taken from the text by rules, without a model.",
        )
    module, _, attribute = path.partition(":")
    found: type[Engine] = getattr(importlib.import_module(module), attribute)
    return found
