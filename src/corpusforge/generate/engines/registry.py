"""Which engines there are: a name in a recipe becomes an engine, loaded only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from corpusforge.errors import UsageError
from corpusforge.generate.engines.door import Engine
from corpusforge.generate.engines.settings import EngineSettings

ENGINES: Mapping[str, str] = {
    "extractive": "corpusforge.generate.engines.extractive:Extractive",
    "vllm": "corpusforge.generate.engines.vllm:Vllm",
    "transformers": "corpusforge.generate.engines.transformers:Transformers",
    "endpoint": "corpusforge.generate.engines.endpoint:Endpoint",
}


def find_engine(name: str) -> Any:
    """The engine's class. Raises UsageError, with the engines that this version has, for any other name."""
    path = ENGINES.get(name)
    if path is None:
        raise UsageError(
            f"this version has no engine {name!r}, only {', '.join(sorted(ENGINES))}.",
            hint="Write `engine: {kind: extractive}`: rows are taken from the text by rules, without a model.",
        )
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def make_engine(settings: EngineSettings) -> Engine:
    """The engine that the settings describe. Nothing is started or connected before its first call."""
    found = find_engine(settings.kind)
    made: Engine = found() if settings.kind == "extractive" else found(settings)
    return made
