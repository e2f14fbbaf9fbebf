"""Shows some packed sequences of a recipe's latest build as the trainer will see them, document by document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge.assemble import resolved
from corpusforge.errors import UsageError
from corpusforge.manifest import read_manifest
from corpusforge.mix.shuffle import sample_key
from corpusforge.mix.stock import leaf_name
from corpusforge.mix.tokenizer import load_tokenizer
from corpusforge.packed_settings import Packed
from corpusforge.plan import steps_of
from corpusforge.recipe import Recipe
from corpusforge.yaml_file import shown_path

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 512
Decode = Callable[[Sequence[int]], str]


def peek(recipe: Recipe, builds: Path, n: int) -> dict[str, Any]:
    """`n` sequences of the latest build, chosen by a hash, in the order of training: `sequences`, each with `output`,
    `place` (from 0) `of` so many, `source`, `tokens` and its `documents` (`id`, `source`, `epoch` from 1, `tokens` from
    `start` `of` the record's, `text`); the `length` of a sequence; all `sources`; and `as_recipe`, whether the
    recipe's mix is still the one that was built.

    Where the build has no packed output, completion rows are cut into sequences, and `made_up` says so. Raises
    UsageError where there is no build, where another tokenizer counted it, and where its personal data was not
    redacted.
    """
    latest = builds / recipe.name / "latest"
    if not latest.is_file():
        hint = f"Run corpusforge build {shown_path(recipe.path)}."
        raise UsageError("was never built: there is nothing to show.", where=shown_path(recipe.path), hint=hint)
    folder = latest.parent / latest.read_text().strip()
    manifest = read_manifest(folder)
    _check(recipe, manifest, folder)
    decode = _decoder(recipe.tokenizer())
    packed = manifest.get("packed")
    if packed is None:
        length = Packed().length
        sequences = _made_up(manifest, folder, n, length, recipe.tokenizer())
        told = f"build {folder.name} has no packed output (mix: packed); these are completion rows, cut to {length:,}."
    else:
        length, told = int(packed["length"]), None
        sequences = _packed(packed, manifest["seed"], folder, n, decode)
    # Every source of the mix, so that each keeps its colour whatever is shown.
    sources = sorted({leaf["path"][-1] for output in manifest["mix"].values() for leaf in output["leaves"]})
    as_now = resolved(recipe)["mix"] == manifest["recipe"]["mix"]
    found = {"build": folder.name, "as_recipe": as_now, "length": length, "sources": sources, "made_up": told}
    return {"recipe": recipe.name, **found, "sequences": sequences}


def _check(recipe: Recipe, manifest: Mapping[str, Any], folder: Path) -> None:
    private = [source["name"] for source in manifest["sources"] if source["personal_data"]]
    if private and all(step["stage"] != "redact" for step in manifest["steps"]):
        what = f"was built without redact, and {', '.join(private)} expect personal data: its text is not shown."
        raise UsageError(what, where=str(folder), hint="Remove redact: false from the recipe and build again.")
    now = next(step.identity for step in steps_of(recipe) if step.name == "tokens")
    if now["settings"]["tokenizer"] != manifest["tokenizer"]["sha256"]:
        hint = f"Run corpusforge build {shown_path(recipe.path)}."
        raise UsageError("was counted by another tokenizer than the recipe's.", where=str(folder), hint=hint)


def _decoder(tokenizer: str) -> Decode:
    if tokenizer == "bytes":
        return lambda ids: bytes(one for one in ids if one < 256).decode("utf-8", "replace")
    loaded = load_tokenizer(tokenizer)
    return lambda ids: str(loaded.decode(list(ids), skip_special_tokens=False))


def _chosen(total: int, n: int, seed: int, name: str) -> list[tuple[int, int]]:
    """The `n` smallest keys of so many places, with their keys."""
    return sorted((sample_key(seed, f"peek\0{name}\0{place}"), place) for place in range(total))[:n]


def _packed(packed: Mapping[str, Any], seed: int, folder: Path, n: int, decode: Decode) -> list[dict[str, Any]]:
    keyed = [
        (key, name, place)
        for name, output in packed["outputs"].items()
        for key, place in _chosen(output["sequences"], n, seed, name)
    ]
    wanted = {(name, place) for _, name, place in sorted(keyed)[:n]}
    made: list[dict[str, Any]] = []
    for name, output in packed["outputs"].items():
        for place in sorted(place for where, place in wanted if where == name):
            row = _row(output["files"], place, folder)
            head = {"output": name, "place": place, "of": output["sequences"], "source": row["source"]}
            made.append({**head, "tokens": len(row["input_ids"]), "documents": list(_documents(row, decode))})
    return made


def _row(files: Sequence[Mapping[str, Any]], place: int, folder: Path) -> dict[str, Any]:
    """One sequence; only its row group is read."""
    import pyarrow.parquet as pq

    for told in files:
        if place >= told["rows"]:
            place -= told["rows"]
            continue
        with pq.ParquetFile(folder / told["path"]) as file:
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if place < rows:
                    found: dict[str, Any] = file.read_row_group(group).slice(place, 1).to_pylist()[0]
                    return found
                place -= rows
    raise UsageError("has fewer sequences than its manifest says.", where=str(folder), hint="Build it again.")


def _documents(row: Mapping[str, Any], decode: Decode) -> Iterator[dict[str, Any]]:
    ends = accumulate(row["seq_lengths"])
    columns = (row["ids"], row["repeats"], row["starts"], row["sizes"], row["seq_lengths"], ends)
    for identity, repeat, start, size, length, end in zip(*columns, strict=True):
        told = {"id": identity, "source": row["source"], "epoch": repeat + 1, "tokens": length, "start": start}
        yield {**told, "of": size, "text": decode(row["input_ids"][end - length : end])}


def _made_up(manifest: Mapping[str, Any], folder: Path, n: int, length: int, tokenizer: str) -> list[dict[str, Any]]:
    """Completion rows from the one that holds each chosen multiple of `length`, cut where a sequence would be."""
    output = manifest["mix"].get("completion")
    if output is None:
        raise UsageError("has no packed output and no completion.", where=str(folder), hint="Add mix: {packed: {}}.")
    total = -(-output["got_tokens"] // length)
    places = sorted(place for _, place in _chosen(total, n, manifest["seed"], "completion"))
    cut = _cutter(tokenizer)
    made: list[dict[str, Any]] = []
    open_: dict[str, Any] | None = None
    sofar = 0
    for row in _rows(output["files"], folder):
        if open_ is None and places and sofar + row["tokens"] > places[0] * length:
            open_ = {"output": "completion", "place": places.pop(0), "of": total, "tokens": 0, "documents": []}
        if open_ is not None:
            took = min(row["tokens"], length - open_["tokens"])
            source = leaf_name(row["source"], row["kind"])
            told = {"id": row["id"], "source": source, "epoch": row["repeat"] + 1, "tokens": took, "start": 0}
            text = row["text"] if took == row["tokens"] else cut(row["text"], took)
            open_["documents"].append({**told, "of": row["tokens"], "text": text})
            open_["tokens"] += took
            if open_["tokens"] == length:
                made.append(_named(open_))
                open_ = None
        sofar += row["tokens"]
        if open_ is None and not places:
            break
    return made if open_ is None else [*made, _named(open_)]


def _named(sequence: dict[str, Any]) -> dict[str, Any]:
    sources = sorted({document["source"] for document in sequence["documents"]})
    return {**sequence, "source": ", ".join(sources)}


def _rows(files: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    for told in files:
        with pq.ParquetFile(folder / told["path"]) as file:
            batch: pa.RecordBatch
            for batch in file.iter_batches(
                batch_size=_BATCH_ROWS, columns=["id", "source", "kind", "repeat", "tokens", "text"]
            ):
                yield from batch.to_pylist()


def _cutter(tokenizer: str) -> Callable[[str, int], str]:
    """A function from a text and a number of tokens to its beginning of so many."""
    if tokenizer == "bytes":
        return lambda text, n: text.encode()[:n].decode("utf-8", "ignore")
    loaded = load_tokenizer(tokenizer)

    def cut(text: str, n: int) -> str:
        offsets = loaded.encode(text, add_special_tokens=False).offsets
        return text if n >= len(offsets) else text[: offsets[n][0]]

    return cut
