"""Writes `preference/`: the multiple-choice rows of the mix, each right answer against a wrong one to its question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from corpusforge.errors import NotConserved
from corpusforge.mix.rows import make_row
from corpusforge.mix.shuffle import position
from corpusforge.mix.sort import Sorter
from corpusforge.mix.write import SHARD_BYTES
from corpusforge.preference_settings import Preference
from corpusforge.record import Record
from corpusforge.shards import from_row

if TYPE_CHECKING:
    import pyarrow as pa

    from corpusforge.recipe import Recipe

_BATCH_ROWS = 512
# Why an item gives no pair.
NO_NEAR, UNREADABLE = "no-near-option", "answer-is-no-option"


def preference_schema() -> pa.Schema:
    """The columns of a pair, which TRL's preference trainers read as they are (`prompt`, `chosen`, `rejected`).

    `id` is the multiple-choice record, `repeat` counts its pairs from 0, `grade` is how wrong the rejected answer is
    (near or far), and `tokens` counts question and right answer in the recipe's tokenizer, as in `instruct/`.
    """
    import pyarrow as pa

    turns = pa.list_(pa.struct([("role", pa.string()), ("content", pa.large_string())]))
    said = [("prompt", turns), ("chosen", turns), ("rejected", turns), ("grade", pa.string())]
    known = [("source", pa.string()), ("tokens", pa.int64()), ("repeat", pa.int32())]
    return pa.schema([("id", pa.string()), *said, *known, ("parents", pa.list_(pa.string())), ("licence", pa.string())])


def build_preference(
    shards: Sequence[Path], recipe: Recipe, mix: Mapping[str, Any], out: Path
) -> dict[str, Any] | None:
    """Write `out/preference/` if the recipe asks for it; what the manifest says of it."""
    if recipe.preference is None:
        return None
    return write_preference(shards, recipe.preference, recipe.spec.seed, mix["instruct"], out)


def write_preference(
    shards: Sequence[Path],
    settings: Preference,
    seed: int,
    instruct: Mapping[str, Any],
    out: Path,
    shard_bytes: int = SHARD_BYTES,
) -> dict[str, Any]:
    """Write `out/preference/` from the multiple-choice records whose rows lie in `out/instruct/` (`instruct` is what
    the manifest says of it), each once however often the mix repeats it; what the manifest says of the pairs.

    The bytes depend on records and seed, not on how the records lie in shards. An item without a wrong option to set
    against is counted by reason. Raises StepFailed for a held-out record.
    """
    rows: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    items = 0
    expected = 4 * int(instruct["got_tokens"])
    with Sorter(out / "preference", preference_schema(), expected_bytes=expected, shard_bytes=shard_bytes) as sorter:
        taken = _taken(instruct, out)
        for record in _items(shards, taken):
            items += 1
            pairs = _pairs(record, settings)
            if isinstance(pairs, str):
                left_out[pairs] += 1
                continue
            rows[record.source] += len(pairs)
            for number, (row, size) in enumerate(pairs):
                sorter.add({**row, "repeat": number}, position(seed, record.id, number, len(pairs)), size)
        files = sorter.finish()
    found, written = sum(rows.values()), sum(file.rows for file in files)
    if found != written:
        raise NotConserved(f"{found} pairs were made, but {written} were written.", where="mix.preference")
    return {
        "against": settings.against,
        "items": items,
        "pairs": found,
        "sources": dict(sorted(rows.items())),
        "left_out": dict(sorted(left_out.items())),
        "files": [file.to_json() for file in files],
    }


def _taken(instruct: Mapping[str, Any], out: Path) -> pa.Array:
    """The ids of the records that the mix took, each once."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    parts = []
    for told in instruct["files"]:
        table = pq.read_table(out / told["path"], columns=["id", "repeat"])
        parts += table.filter(pc.equal(table["repeat"], 0))["id"].chunks
    return pa.chunked_array(parts, pa.string()).combine_chunks()


def _items(shards: Sequence[Path], taken: pa.Array) -> Iterator[Record]:
    """The multiple-choice records among those taken; of other row groups only ids and kinds are read."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in shards:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                known = file.read_row_group(group, columns=["id", "kind"])
                wanted = pc.and_(pc.equal(known["kind"], "mcq"), pc.is_in(known["id"], value_set=taken))
                if pc.any(wanted).as_py():
                    start = 0
                    for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group]):
                        here = wanted.slice(start, batch.num_rows).combine_chunks()
                        start += batch.num_rows
                        for row in batch.filter(here).to_pylist():
                            yield from_row(row)


def _pairs(record: Record, settings: Preference) -> list[tuple[dict[str, Any], int]] | str:
    """The pairs of one item with the size of their text, or the reason why it has none."""
    told, _ = make_row(record, "instruct")
    *prompt, answer = told["messages"]
    options, gold = record.meta.get("options", ()), record.meta.get("gold", -1)
    if not 0 <= gold < len(options) or answer != _turn(options, gold):
        return UNREADABLE
    graded = dict.fromkeys(record.meta.get("near", ()), "near")
    if settings.against == "all":
        graded |= dict.fromkeys(record.meta.get("far", ()), "far")
    if not graded:
        return NO_NEAR
    shared = {key: told[key] for key in ("id", "source", "tokens", "parents", "licence")}
    asked = sum(len(turn["content"]) for turn in told["messages"])
    made = []
    for place in sorted(graded):
        wrong = _turn(options, place)
        row = {**shared, "prompt": prompt, "chosen": [answer], "rejected": [wrong], "grade": graded[place]}
        made.append((row, asked + len(wrong["content"])))
    return made


def _turn(options: Sequence[str], place: int) -> dict[str, str]:
    """An option as the answer to its question, behind its letter."""
    return {"role": "assistant", "content": f"{ascii_uppercase[place]}. {options[place]}"}
