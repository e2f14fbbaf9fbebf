"""The stage `alike`: of questions that ask the same in almost the same words one row stays, the hold-out's first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from corpusforge.generate.phrasings import resource
from corpusforge.generate.question_marks import Marks, marks, packed, same
from corpusforge.record import SYNTHETIC, Dropped, Record
from corpusforge.stage import Decision, Item, NamedFile, Stage, StageContext, StageSettings, Survey

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasketch import MinHash
    from numpy.typing import NDArray

PERMUTATIONS = 64
# 16 bands of 4: of pairs with similarity 0.6 nine in ten are proposed, of 0.75 all but one in 400.
BANDS = (16, 4)
_BLOCK = 1024
# Their question is a question; that of other tasks is an instruction with a text.
_ASKING = frozenset({"qa", "mcq"})


class AlikeSettings(StageSettings):
    """When two questions ask the same."""

    similarity: float = Field(0.75, gt=0.5, le=1, description="Least Jaccard similarity of two questions' shingles.")
    embeddings: Path | None = Field(None, description="Folder of a static embedding model (model2vec), to find others.")
    min_cosine: float = Field(0.93, gt=0.5, le=1, description="With embeddings: least cosine of two questions.")


class Alike(Stage):
    """Near-duplicate questions by MinHash, each pair verified word by word; rows that are not synthetic pass."""

    name: ClassVar[str] = "alike"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("datasketch", "xxhash", "pyyaml")
    Settings: ClassVar[type[StageSettings]] = AlikeSettings

    @classmethod
    def files(cls, settings: Any) -> Iterator[NamedFile]:
        """The embedding model, known by its vectors too."""
        if settings.embeddings is not None:
            yield NamedFile(("embeddings",), str(settings.embeddings), whole=True)

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """Files whose bytes decide the output beside the code."""
        return (resource("agreement"),)

    @classmethod
    def check(cls, settings: Any) -> None:
        """The folder named for embeddings holds a model."""
        if settings.embeddings is not None:
            from corpusforge.generate.static_vectors import StaticVectors

            StaticVectors(Path(settings.embeddings))

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """One line a row: what it asks, as hashes; about 1 kB each."""
        import pyarrow as pa

        rows = [record for record in records if record.kind in SYNTHETIC]
        all_marks = [marks(row) for row in rows]
        columns: dict[str, pa.Array] = {
            "row": pa.array([row.id for row in rows], pa.string()),
            "task": pa.array([task_of(row) for row in rows], pa.string()),
            "holdout": pa.array([row.side == "holdout" for row in rows], pa.bool_()),
            "significant": pa.array([one.significant for one in all_marks], pa.uint32()),
            "exact": pa.array([one.exact for one in all_marks], pa.uint32()),
            "minhash": pa.array(
                [minhash(one.shingles).hashvalues.tolist() for one in all_marks], pa.list_(pa.uint32())
            ),
        }
        for name in ("shingles", "stems", "answer"):
            columns[name] = pa.array([packed(getattr(one, name)) for one in all_marks], pa.list_(pa.uint32()))
        if ctx.settings.embeddings is not None:
            from corpusforge.generate.static_vectors import static_vectors

            model = static_vectors(str(ctx.settings.embeddings))
            vectors = model.vectors([str(row.meta.get("question") or "") for row in rows])
            columns["vector"] = pa.array([vector.tobytes() for vector in vectors], pa.binary())
        return pa.table(columns)

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """Per shard, the rows to leave out: columns `row` and `score`.

        Rows go by in one order, hold-out first and then by id; each is held against those that stay so far. Memory:
        about 3 kB a row.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = []
        for survey in sorted(surveys, key=lambda survey: survey.shard):
            table = pq.read_table(survey.path)
            tables.append(table.append_column("shard", pa.array([survey.shard] * len(table), pa.string())))
        if not tables:
            return Decision()
        rows = pa.concat_tables(tables)
        rows = rows.append_column("train", pa.array([not held for held in rows["holdout"].to_pylist()], pa.bool_()))
        rows = rows.sort_by([("train", "ascending"), ("row", "ascending")])
        left_out = _by_words(rows, ctx.settings.similarity)
        if "vector" in rows.column_names:
            left_out.update(_by_vectors(rows, ctx.settings.min_cosine, left_out))
        shards: dict[str, list[tuple[str, float]]] = {}
        names, ids = rows["shard"].to_pylist(), rows["row"].to_pylist()
        for at, score in sorted(left_out.items()):
            shards.setdefault(names[at], []).append((ids[at], score))
        made = {
            shard: pa.table({"row": [row for row, _ in pairs], "score": [score for _, score in pairs]})
            for shard, pairs in sorted(shards.items())
        }
        return Decision(per_shard=made, notes={"rows": len(rows), "left_out": len(left_out)})

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Every row kept or dropped as `near-duplicate-question`, with its similarity to the row that stays."""
        left_out: dict[str, float] = {}
        if ctx.mine is not None:
            left_out = dict(zip(ctx.mine["row"].to_pylist(), ctx.mine["score"].to_pylist(), strict=True))
        for record in records:
            if record.id in left_out:
                line = ctx.settings.similarity
                yield Dropped(record, "near-duplicate-question", left_out[record.id], line)
            else:
                yield record


def task_of(row: Record) -> str:
    """What a row is compared with: rows of its task; of reading tasks, of its template too."""
    task = str(row.meta.get("task") or row.kind)
    return task if task in _ASKING else f"{task}:{row.meta.get('template') or ''}"


def minhash(shingles: frozenset[int]) -> MinHash:
    """A question's signature."""
    from datasketch import MinHash

    made = MinHash(PERMUTATIONS, seed=1, hashfunc=int, permutations=_permutations(), scheme="affine32")
    made.update_batch(sorted(shingles))
    return made


@cache
def _permutations() -> Any:
    # Drawing them is most of what making a MinHash costs.
    from datasketch import MinHash

    return MinHash(PERMUTATIONS, seed=1, hashfunc=int, scheme="affine32").permutations


def tells(own: Marks, task: str, other: Marks, other_task: str, similarity: float) -> float | None:
    """How alike two rows' questions are if one of the rows is superfluous, else None."""
    return same(own, other, similarity, answers=not {task, other_task} <= _ASKING)


def _by_words(rows: pa.Table, similarity: float) -> dict[int, float]:
    """The places of rows to leave out, and how alike each is to the row that stays."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=PERMUTATIONS, params=BANDS)
    tasks, held = rows["task"].to_pylist(), rows["holdout"].to_pylist()
    kept: dict[int, Marks] = {}
    left_out: dict[int, float] = {}
    for at, (signature, own) in enumerate(_lines(rows)):
        made = MinHash(PERMUTATIONS, seed=1, hashvalues=signature, permutations=_permutations(), scheme="affine32")
        best: float | None = None
        for other in sorted(index.query(made)):
            # A training row may not ask in any task what the hold-out asks.
            if tasks[other] != tasks[at] and held[other] == held[at]:
                continue
            score = tells(own, tasks[at], kept[other], tasks[other], similarity)
            if score is not None and (best is None or score > best):
                best = score
        if best is None:
            index.insert(at, made, check_duplication=False)
            kept[at] = own
        else:
            left_out[at] = round(best, 4)
    return left_out


def _lines(rows: pa.Table) -> Iterator[tuple[NDArray[np.uint32], Marks]]:
    import numpy as np

    columns = ["minhash", "shingles", "stems", "significant", "exact", "answer"]
    for batch in rows.select(columns).to_batches(max_chunksize=4096):
        for line in batch.to_pylist():
            shingles, stems, answer = (frozenset(line[name]) for name in ("shingles", "stems", "answer"))
            yield (
                np.array(line["minhash"], np.uint32),
                Marks(shingles, stems, line["significant"], line["exact"], answer),
            )


def _by_vectors(rows: pa.Table, least: float, gone: dict[int, float]) -> dict[int, float]:
    """The places of further rows to leave out: of one task, alike in every significant mark and by their vectors."""
    import numpy as np

    from corpusforge.generate.static_vectors import SCALE

    by_task: dict[str, list[int]] = {}
    for at, task in enumerate(rows["task"].to_pylist()):
        if at not in gone and task in _ASKING:
            by_task.setdefault(task, []).append(at)
    significant = rows["significant"].to_numpy()
    found: dict[int, float] = {}
    for places in by_task.values():
        raw = rows["vector"].take(places).to_pylist()
        table = np.frombuffer(b"".join(raw), np.int8).reshape(len(raw), -1).astype(np.float32)
        out = np.zeros(len(places), bool)
        for start in range(0, len(places), _BLOCK):
            block = table[start : start + _BLOCK]
            cosines = block @ table[: start + len(block)].T / (SCALE * SCALE)
            for k, near in enumerate(cosines >= least):
                at = start + k
                for other in np.flatnonzero(near[:at]).tolist():
                    if not out[other] and significant[places[other]] == significant[places[at]]:
                        out[at] = True
                        found[places[at]] = round(float(cosines[k, other]), 4)
                        break
    return found
