"""Finds names and other personal data in free text with a small tagger that is trained here and shipped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge.curate.redaction.ner.labels import LABELS, kind
from corpusforge.errors import UsageError

if TYPE_CHECKING:
    from spacy.language import Language

__all__ = ["EMBEDDED", "LABELS", "NO_NER", "embedded_folder", "kind", "knows", "model_card", "pipeline"]

# How a recipe names the shipped model, and how it asks for none.
EMBEDDED = "embedded"
NO_NER = "none"


def pipeline(name: str | None = None) -> Language:
    """The spaCy pipeline of that name in this process: None or `embedded` for the shipped one, else an installed
    package or a folder. Its `doc.ents` carry labels for `kind`. Raises UsageError where there is no such pipeline.
    """
    return _loaded(name or EMBEDDED)


@lru_cache(maxsize=4)
def _loaded(name: str) -> Language:
    import spacy

    from corpusforge.curate.redaction.ner import component  # noqa: F401 - registers the parts that a folder names

    try:
        return spacy.load(embedded_folder() if name == EMBEDDED else name)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"the spaCy pipeline {name!r} "
            + ("is not installed." if isinstance(error, OSError) else f"cannot be loaded ({type(error).__name__})."),
            where="curate.redact.ner",
            hint="Install it, give the path of a pipeline, or leave `ner` out: the embedded one is then used.",
        ) from None


def knows(name: str | None, languages: Iterable[str]) -> bool:
    """Whether the pipeline was made for one of these languages (ISO 639-1, a region may follow); none told is English.

    Multi-language pipelines (`xx`) know all. Raises UsageError where there is no such pipeline.
    """
    made_for = pipeline(name).lang
    return made_for == "xx" or made_for in {language.split("-")[0].casefold() for language in (*languages,) or ("en",)}


def is_package(name: str) -> bool:
    """Whether a Python package of that name is installed, as spaCy's own pipelines are; nothing is imported."""
    found = find_spec(name) if name.isidentifier() else None
    return found is not None and found.origin is not None


def embedded_folder() -> Path:
    """Where the shipped pipeline lies."""
    return Path(str(files(__package__) / "model"))


def model_card(name: str | None = None) -> Mapping[str, Any] | None:
    """What is known of a pipeline made here: its data with licences and attribution, and its figures on unseen text.

    None for a pipeline that was made elsewhere.
    """
    folder = embedded_folder() if name in (None, EMBEDDED) else Path(str(name))
    path = folder / "card.json"
    if not path.is_file():
        return None
    made: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return made
