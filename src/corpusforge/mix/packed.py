"""Writes `packed/`: the mix as token sequences for the trainer, in the order in which they are trained on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge.errors import NotConserved
from corpusforge.mix.chat_template import AUTO, load_template, template_text
from corpusforge.mix.packed_bins import Packing, keep_open, pack
from corpusforge.mix.packed_documents import Document, held_out, mixed
from corpusforge.mix.packed_stages import staged_order
from corpusforge.mix.packed_tokens import Encoder
from corpusforge.mix.packed_write import Documents, Scratch, write_sequences
from corpusforge.packed_settings import ROLES, Packed
from corpusforge.shards import sha256_file

if TYPE_CHECKING:
    from corpusforge.recipe import Recipe

FORMAT = 1
_BATCH_ROWS = 512


@dataclass(frozen=True, slots=True)
class PackSpec:
    """What to pack with: the settings, the tokenizer (a path or `bytes`), the seed, each source's role, and how
    conversations are written (see `TokensSettings.chat_template`)."""

    settings: Packed
    tokenizer: str
    seed: int
    roles: Mapping[str, str]
    chat_template: str = AUTO


def build_packed(shards: Sequence[Path], recipe: Recipe, mix: Mapping[str, Any], out: Path) -> dict[str, Any] | None:
    """Write `out/packed/` if the recipe asks for it; what the manifest says of it."""
    if recipe.packed is None:
        return None
    roles = {source.name: source.role for source in recipe.sources}
    spec = PackSpec(recipe.packed, recipe.tokenizer(), recipe.spec.seed, roles, recipe.chat_template())
    return write_packed(shards, spec, mix, out)


def write_packed(shards: Sequence[Path], spec: PackSpec, mix: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Write `out/packed/` from the outputs in `out` (`mix` is what the manifest says of them) and from the held-out
    records of `shards`; what the manifest says of it.

    Every document of the mix is in it to the token. Memory is bounded by some hundred bytes a document; tokens wait on
    disk, five bytes each. Raises NotConserved where counts differ, and UsageError where no end token is known.
    """
    encoder = Encoder(spec.tokenizer, spec.settings.eos, spec.chat_template)
    outputs: dict[str, Any] = {}
    for name, told in mix.items():
        report = _write(mixed(shards, name, told["files"], out), spec, encoder, out / "packed" / name)
        if (report["tokens"], report["documents"]) != (told["got_tokens"], told["rows"]):
            what = f"{told['rows']} rows with {told['got_tokens']} tokens were mixed, but {report['documents']} with "
            raise NotConserved(f"{what}{report['tokens']} are packed.", where=f"mix.packed: {name}")
        outputs[name] = report
    held = held_out(shards, spec.roles, spec.seed, spec.settings.holdout_tokens)
    holdout = _write(held, spec, encoder, out / "packed" / "holdout")
    template = out / "packed" / "chat_template.jinja"
    template.write_text(template_text(spec.tokenizer, spec.chat_template), "utf-8", newline="")
    form = "plain" if load_template(spec.tokenizer, spec.chat_template) is None else "template"
    return {
        "format": FORMAT,
        "length": spec.settings.length,
        "eos": encoder.eos,
        "eos_token": encoder.eos_token,
        "vocabulary": encoder.vocabulary,
        "roles": list(ROLES),
        "conversations": form,
        "files": [*(file for one in (*outputs.values(), holdout) for file in one["files"]), _told(template, out)],
        "outputs": outputs,
        "holdout": holdout,
    }


def _told(path: Path, out: Path) -> dict[str, Any]:
    return {"path": path.relative_to(out).as_posix(), "sha256": sha256_file(path), "bytes": path.stat().st_size}


def _write(documents: Iterable[Document], spec: PackSpec, encoder: Encoder, folder: Path) -> dict[str, Any]:
    """Pack documents, order the sequences and write them; what is told of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".packed-", dir=folder.parent) as scratch:
        found = _tokenised(documents, encoder, Path(scratch))
        rows: dict[str, list[int]] = {source: [] for source in sorted(set(found.source))}
        for row, source in enumerate(found.source):
            rows[source].append(row)
        length = spec.settings.length
        packings = {
            source: pack(
                ((row, found.sizes[row], found.ids[row]) for row in own),
                length,
                keep_open(sum(found.sizes[row] for row in own), length, any(found.repeat[row] for row in own)),
            )
            for source, own in rows.items()
        }
        _check_whole(found, packings, folder.name)
        sizes = {source: packing.tokens().tolist() for source, packing in packings.items()}
        groups = {source: spec.roles.get(source, "domain") for source in rows}
        stages = spec.settings.stages.get(folder.name, ())  # type: ignore[call-overload]
        places, told = staged_order(sizes, length, stages, groups, f"mix.packed.stages.{folder.name}")
        weights = {source: spec.settings.weights_of(source) for source in rows}
        files = write_sequences(found, list(rows), packings, places, weights, folder)
        return {
            "sequences": len(places),
            "documents": len(found.ids),
            "tokens": sum(one["tokens"] for one in told),
            "efficiency": sum(one["tokens"] for one in told) / max(1, len(places) * length),
            "largest_deviation": max(one["largest_deviation"] for one in told),
            "stages": told,
            "sources": {
                source: {
                    "sequences": len(packings[source]),
                    "documents": len(own),
                    "tokens": int(packings[source].tokens().sum()),
                    "continued": sum(found.sizes[row] > length for row in own),
                }
                for source, own in rows.items()
            },
            "files": files,
        }


def _tokenised(documents: Iterable[Document], encoder: Encoder, folder: Path) -> Documents:
    batch: list[Document] = []
    with Scratch(folder) as scratch:
        for document in documents:
            batch.append(document)
            if len(batch) >= _BATCH_ROWS:
                _add(scratch, batch, encoder)
                batch = []
        _add(scratch, batch, encoder)
    return scratch.documents()


def _add(scratch: Scratch, batch: Sequence[Document], encoder: Encoder) -> None:
    new = {one.id: one for one in batch if one.id not in scratch}
    texts = [one for one in new.values() if isinstance(one.content, str)]
    talks = [one for one in new.values() if not isinstance(one.content, str)]
    made = dict(zip((one.id for one in texts), encoder.texts([str(one.content) for one in texts]), strict=True))
    turns = [one.content for one in talks if not isinstance(one.content, str)]
    made |= zip((one.id for one in talks), encoder.conversations(turns), strict=True)
    for one in batch:
        tokens = scratch.add(one, made.pop(one.id, None))
        if one.tokens not in (-1, tokens):
            what = f"a row of {one.source} counts {one.tokens} tokens, but has {tokens}."
            raise NotConserved(what, where="mix.packed", hint="Another tokenizer counted: build again.")


def _check_whole(documents: Documents, packings: Mapping[str, Packing], name: str) -> None:
    """Every token of every document lies in exactly one piece, by the pieces' own sizes."""
    import numpy as np

    sizes = np.asarray(documents.sizes, dtype=np.int64)
    packed = np.zeros(len(sizes), dtype=np.int64)
    for packing in packings.values():
        np.add.at(packed, np.asarray(packing.row, dtype=np.int64), np.asarray(packing.size, dtype=np.int64))
    wrong = int((packed != sizes).sum())
    if wrong:
        raise NotConserved(f"{wrong} documents are not packed to the token.", where=f"mix.packed: {name}")
