"""Prompt templates: versioned Jinja2 files in `prompts/`, run in a sandbox, overridable by a recipe's own folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge.errors import UsageError
from corpusforge.generate.phrasings import FOLDER
from corpusforge.record import stable_hash

if TYPE_CHECKING:
    from jinja2 import Template as Compiled

DOCUMENT = "document"
REPAIR = "repair"
_CLOSING = re.compile(r"</([A-Za-z][\w-]*)")
_HEADER = re.compile(r"\A\{#-? version: (\d{1,4}) -?#\}")
# What a template must say, and what it may say beside that. A prompt that does not pass on what it is given writes
# rows that look right and are not what the recipe asked for.
_NEEDS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    name: (frozenset(needs.split()), frozenset(may.split()))
    for name, needs, may in (
        ("document", "text", "source title section tone"),
        ("repair", "problems", "n language"),
        ("qa", "n format", "language"),
        ("qa-reverse", "n format", "language"),
        ("qa-chat", "n format", "language"),
        ("qa-unanswerable", "n format", "language"),
        ("qa-check", "question answer format", "quotes"),
        ("qa-unanswerable-check", "question format", ""),
        ("mcq-near", "question answer n format", "language"),
        ("mcq-check", "question answer option format", "quotes"),
        ("reading-summary", "n format", "language"),
        ("reading-check", "answer format", ""),
        ("rewrite-faq", "n format", "language"),
        ("rewrite-table", "n format", "language"),
        ("rewrite-tutorial", "n format", "language"),
        ("rewrite-facts", "n format", "language"),
        ("rewrite-check", "answer format", ""),
        ("turns", "n format", "language"),
        ("turns-check", "answer format", ""),
    )
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One template: its name, version, and the hash of its bytes (12 hex digits)."""

    name: str
    version: int
    hash: str
    text: str

    def render(self, **values: Any) -> str:
        """The prompt with its placeholders filled; values are never read as templates."""
        return _compiled(self.text).render(**values).strip()

    def guarded(self, value: str) -> str:
        """A value that cannot close a tag of this template: one space is put into each such mark of its own."""
        return re.sub(f"<(?={_ends(self.text)})", "< ", value)

    def unguarded(self, value: str) -> str:
        """What `guarded` was given, or a piece of it, as it stood before."""
        return re.sub(f"< (?={_ends(self.text)})", "<", value)


def file_of(name: str) -> Path:
    """The shipped file of a template."""
    return FOLDER / f"{name}.j2"


def find_prompts(names: Sequence[str], folder: str | None) -> dict[str, Prompt]:
    """The templates of those names: the recipe's own where `folder` has `NAME.j2`, else the shipped ones.

    Raises UsageError for one that cannot be read as a template, has no version, lacks a placeholder that it needs, or
    has one that nothing fills.
    """
    return {name: _read(name, _place(name, folder)) for name in names}


def check_folder(folder: str) -> None:
    """Raises UsageError for a file in a recipe's folder of templates that no task would ever read."""
    for path in sorted(Path(folder).iterdir()):
        if path.suffix == ".j2" and path.stem not in _NEEDS:
            what = f"{path.name} is no template of any task."
            raise UsageError(what, where="prompts", hint=f"Known: {', '.join(sorted(_NEEDS))}.")


def _place(name: str, folder: str | None) -> Path:
    own = Path(folder) / f"{name}.j2" if folder else None
    return own if own is not None and own.is_file() else file_of(name)


def _read(name: str, path: Path) -> Prompt:
    from jinja2 import TemplateError, meta

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{path.name} cannot be read.", where="prompts", hint="Is it UTF-8?") from None
    header = _HEADER.match(text)
    if header is None:
        what = f"{path.name} does not say its version."
        raise UsageError(what, where="prompts", hint="Open it with {# version: 1 #}.")
    try:
        there = meta.find_undeclared_variables(_environment().parse(text))
        _compiled(text)
    except TemplateError as error:
        what = f"{path.name} is no template: {error.message or type(error).__name__}."
        raise UsageError(what, where="prompts", hint="It is Jinja2.") from None
    needs, may = _NEEDS[name]
    if missing := sorted(needs - there):
        what = f"{path.name} lacks {', '.join(f'{{{{ {one} }}}}' for one in missing)}."
        raise UsageError(what, where="prompts", hint="Without it the model is not told what is asked.")
    if unknown := sorted(there - needs - may):
        what = f"{path.name} has {', '.join(f'{{{{ {one} }}}}' for one in unknown)}, which nothing fills."
        raise UsageError(what, where="prompts", hint=f"Known: {', '.join(sorted(needs | may))}.")
    return Prompt(name, int(header[1]), stable_hash(text, size=6), text)


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@lru_cache(maxsize=64)
def _ends(text: str) -> str:
    """A pattern for what follows `<` in the closing tags of a template; for a template without any, of nothing."""
    names = sorted(set(_CLOSING.findall(text)))
    return rf"\s*/\s*(?i:{'|'.join(map(re.escape, names))})\b" if names else r"(?!)"


@lru_cache(maxsize=64)
def _compiled(text: str) -> Compiled:
    made: Compiled = _environment().from_string(text)
    return made
