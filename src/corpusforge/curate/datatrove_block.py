"""Runs any datatrove block as a stage: its arguments are the settings, and no document is lost unseen."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

from pydantic import ConfigDict, create_model

from corpusforge.curate.batches import in_batches
from corpusforge.errors import StepFailed, UsageError
from corpusforge.record import Dropped, Record
from corpusforge.stage import Item, Stage, StageContext, StageSettings

_ROOMS = ("filters", "formatters", "extractors", "dedup", "decont", "stats")
_NO_STAGE = ("readers", "writers", "inference", "tokens")
_NEEDS_NETWORK = {
    "C4BadWordsFilter": "it downloads word lists; write the words into a filters.RegexFilter",
    "LanguageFilter": "it downloads its model; use the stage `language`, whose setting `model` takes a file",
    "UnigramLogProbFilter": "it downloads word frequencies",
    "LangStats": "it downloads a language model",
    "CCNetPerplexityStats": "it downloads a perplexity model",
}
_BATCH = 256


class BlockStage(Stage):
    """A datatrove block as a stage; made by `block_stage`.

    Filters drop with their own reason, formatters rewrite each part of a record, other blocks see batches of documents
    and drop what they do not give back. A document's metadata holds `source`, `kind`, `language` and the record's meta.
    """

    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("datatrove",)
    block: ClassVar[type[Any]]

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Each record through the block."""
        from datatrove.pipeline.filters.base_filter import BaseFilter
        from datatrove.pipeline.formatters.base import BaseFormatter

        settings = {field: getattr(ctx.settings, field) for field in ctx.settings.model_fields_set}
        try:
            block = type(self).block(**settings)
        except (ImportError, TypeError, ValueError, OSError) as error:
            raise UsageError(f"{self.name} cannot start: {type(error).__name__}: {error}.") from error
        if isinstance(block, BaseFormatter):
            for record in records:
                yield _formatted(record, block)
        elif isinstance(block, BaseFilter):
            for record in records:
                yield _filtered(record, block)
        else:
            for batch in in_batches(records, lambda _: 1, _BATCH):
                yield from _through(batch, block, self.name)


def block_stage(path: str) -> type[Stage]:
    """The stage for a datatrove block, named by module and class below `datatrove.pipeline`.

    `filters.GopherQualityFilter` is an example. The settings model is closed and has the arguments of the block's
    constructor that a recipe can write. Raises UsageError for an unknown block, and for one that cannot work offline or
    is no stage.
    """
    module, _, name = path.rpartition(".")
    room = module.split(".", 1)[0]
    if name in _NEEDS_NETWORK:
        raise UsageError(f"datatrove:{path} needs the network: {_NEEDS_NETWORK[name]}.")
    if room in _NO_STAGE:
        raise UsageError(
            f"datatrove:{path} is no stage: {room} of datatrove read or write files.",
            hint="Sources, the mix and the engines of a recipe do that.",
        )
    return _stage(path)


def _block(path: str) -> type[Any]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(f"datatrove.pipeline.{module}"), name, None) if module else None
    except ModuleNotFoundError as error:
        if error.name and not error.name.startswith("datatrove"):
            raise UsageError(
                f"datatrove:{path} needs the package {error.name}.", hint=f"pip install {error.name}"
            ) from error
        found = None
    from datatrove.pipeline.base import PipelineStep

    if not (isinstance(found, type) and issubclass(found, PipelineStep)):
        near = difflib.get_close_matches(path, known_blocks(), n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Write module.Class as below datatrove.pipeline."
        raise UsageError(f"datatrove has no block {path!r}.", hint=hint)
    if inspect.isabstract(found):
        raise UsageError(f"datatrove:{path} is an abstract class.", hint="Name one of its subclasses.")
    return found


@cache
def known_blocks() -> tuple[str, ...]:
    """The names of all blocks that can be stages, from the sources of datatrove without importing them."""
    import ast

    package = importlib.util.find_spec("datatrove.pipeline")
    assert package
    assert package.submodule_search_locations
    names: set[str] = set()
    for room in _ROOMS:
        folder = [f"{location}/{room}" for location in package.submodule_search_locations]
        for info in pkgutil.iter_modules(folder):
            spec = info.module_finder.find_spec(info.name, None)
            if spec and spec.origin:
                with open(spec.origin, encoding="utf-8") as file:
                    tree = ast.parse(file.read())
                names.update(
                    f"{room}.{node.name}"
                    for node in tree.body
                    if isinstance(node, ast.ClassDef) and node.bases and node.name not in _NEEDS_NETWORK
                )
    return tuple(sorted(names))


@cache
def _stage(path: str) -> type[Stage]:
    block = _block(path)
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(block.__init__).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or parameter.name == "exclusion_writer":
            continue
        required = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (_yaml_type(parameter), ... if required else parameter.default)
    settings = create_model(f"{block.__name__}Settings", __base__=_BlockSettings, **fields)
    body = {
        "__doc__": inspect.getdoc(block),
        "__module__": __name__,
        "name": f"datatrove:{path}",
        "block": block,
        "Settings": settings,
    }
    return type(block.__name__, (BlockStage,), body)


class _BlockSettings(StageSettings):
    # Defaults may be objects of datatrove that have no schema; a recipe can only write plain values.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, protected_namespaces=())


def _yaml_type(parameter: inspect.Parameter) -> Any:
    """The type a recipe's value must have: datatrove's annotations are often narrower than its defaults."""
    default = parameter.default
    if isinstance(default, bool):
        return bool
    if isinstance(default, int | float):
        return float | int | None
    if isinstance(default, str):
        return str | None
    return Any


def _document(record: Record) -> Any:
    from datatrove.data import Document

    metadata = {**record.meta, "source": record.source, "kind": record.kind, "language": record.language}
    return Document(text=record.text, id=record.id, metadata=metadata)


def _rewritten(record: Record, parts: list[str], made: str) -> Record:
    if tuple(parts) == record.parts:
        return record
    if record.spans:
        raise UsageError(
            f"{made} changes text that is already redacted, and the places of the redactions would be lost.",
            hint="Put it before `redact`.",
        )
    return record.with_parts(parts)


def _formatted(record: Record, block: Any) -> Item:
    return _rewritten(record, [block.format(part) for part in record.parts], type(block).__name__)


def _filtered(record: Record, block: Any) -> Item:
    document = _document(record)
    verdict = block.filter(document)
    keep, reason = verdict if isinstance(verdict, tuple) else (verdict, None)
    if not keep:
        return Dropped(record, str(reason or type(block).__name__))
    return _returned(record, document, block)


def _through(batch: list[Record], block: Any, name: str) -> Iterator[Item]:
    # Records may share an id, so a document's place in the batch identifies it.
    documents = [_document(record) for record in batch]
    for place, document in enumerate(documents):
        document.id = str(place)
    returned = {}
    for document in block.run(iter(documents)) or ():
        if document.id not in {str(place) for place in range(len(batch))} or document.id in returned:
            raise StepFailed(f"{name} gave back a document that it was not given.", hint="It cannot be a stage.")
        returned[document.id] = document
    for place, record in enumerate(batch):
        document = returned.get(str(place))
        yield Dropped(record, type(block).__name__) if document is None else _returned(record, document, block)


def _returned(record: Record, document: Any, block: Any) -> Record:
    """The record with the text that the block made and the plain metadata that it added."""
    added = {
        key: value
        for key, value in document.metadata.items()
        if key not in ("source", "kind", "language") and isinstance(value, str | int | float | bool | list | dict)
    }
    made = record
    if document.text != record.text:
        if record.messages is not None:
            raise UsageError(
                f"{type(block).__name__} edits whole texts and cannot keep the turns of a chat.",
                hint="Use it for sources that are no chats.",
            )
        made = _rewritten(record, [document.text], type(block).__name__)
    return made if added == record.meta else replace(made, meta=added)
