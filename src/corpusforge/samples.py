"""Samples for the card, chosen by keyed hash and never by position, and what every synthetic row can prove."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge.generate.verify.probe import Audit
from corpusforge.hidden import hidden_in_context
from corpusforge.record import SYNTHETIC, Record, excerpt, stable_hash
from corpusforge.shards import Shard, read_records

EACH = 20
EXCERPT = 600
_WORD = re.compile(r"\w+")
_LETTERS = "ABCDEFGHIJ"
# Kinds of synthetic rows that the benchmark asks; others of the hold-out's records stand in no file.
_EXAMS = frozenset({"qa", "mcq"})


def choose_samples(shards: Sequence[Shard], seed: int) -> dict[str, Any]:
    """Samples by kind, the audit of multiple choice, and how many synthetic rows are proven by their evidence.

    A row by rules is proven when its evidence lies within its parent's text and at least nine in ten words of its
    answer stand there (reading tasks: when the evidence lies there; they are true by construction). A row that a model
    wrote has passed `verify`, word for word; it is proven when its evidence lies there, or when it claims nothing (it
    says that the text does not tell) and its chunk does. Memory: the rows and texts that stem from one ingested shard.
    """
    total = proven = 0
    by_model: Counter[str] = Counter()
    aside: Counter[str] = Counter()
    audit = Audit()
    best: dict[str, list[tuple[str, dict[str, Any]]]] = {kind: [] for kind in _SHOWN}
    redacted: list[tuple[str, dict[str, Any]]] = []
    for family in _families(shards):
        rows = [record for shard in family for record in _synthetic(shard)]
        texts = _parents(family, shards, rows)
        total += len(rows)
        proven += sum(_proven(row, texts) for row in rows)
        by_model.update(row.kind for row in rows if row.meta.get("engine") != "extractive")
        aside.update(row.kind for row in rows if row.side == "holdout" and row.kind not in _EXAMS)
        audit.add(row for row in rows if row.kind == "mcq")
        for kind, chosen in best.items():
            of_kind = [row for row in rows if row.kind == kind and row.side == "train"]
            chosen += [(_order(seed, row.id), _SHOWN[kind](row, texts)) for row in _first(of_kind, seed)]
            best[kind] = heapq.nsmallest(EACH, chosen, key=_hash)
        redacted = heapq.nsmallest(EACH, [*redacted, *_redacted(family, seed)], key=_hash)
    samples: dict[str, list[Any]] = {
        kind: [shown for _, shown in chosen] for kind, chosen in (best | {"redacted": redacted}).items()
    }
    samples["hidden"] = hidden_in_context(shards, seed)
    evidence = {"rows": total, "proven": proven, "by_model": dict(sorted(by_model.items()))}
    if aside:
        evidence["aside"] = dict(sorted(aside.items()))
    return {"samples": samples, "evidence": evidence, "mcq_audit": _audited(audit)}


def _families(shards: Sequence[Shard]) -> list[list[Shard]]:
    """Shards that stem from one ingested shard: `qa.notes-00000` and `notes-00000`."""
    families: dict[str, list[Shard]] = {}
    for shard in shards:
        families.setdefault(shard.name.rpartition(".")[2], []).append(shard)
    return [families[name] for name in sorted(families)]


def _synthetic(shard: Shard) -> Iterable[Record]:
    return (record for record in read_records(shard.path) if record.kind in SYNTHETIC)


def _parents(family: Sequence[Shard], shards: Sequence[Shard], rows: Sequence[Record]) -> dict[str, str]:
    """The texts of the rows' parents; they lie in the family, unless a stage joined records of several shards."""
    wanted = {parent for row in rows for parent in row.parents}
    texts = _texts(family, wanted)
    if missing := wanted - texts.keys():
        sources = {row.source for row in rows}
        texts |= _texts([shard for shard in shards if shard.source in sources and shard not in family], missing)
    return texts


def _texts(shards: Sequence[Shard], wanted: set[str]) -> dict[str, str]:
    if not wanted:
        return {}
    ids = pa.array(sorted(wanted), pa.string())
    found: dict[str, str] = {}
    for shard in shards:
        with pq.ParquetFile(shard.path) as file:
            for batch in file.iter_batches(columns=["id", "text"]):
                kept = batch.filter(pc.is_in(batch["id"], value_set=ids))
                found.update(zip(kept["id"].to_pylist(), kept["text"].to_pylist(), strict=True))
    return found


def _order(seed: int, identity: str) -> str:
    return stable_hash(str(seed), "sample", identity)


def _hash(pair: tuple[str, dict[str, Any]]) -> str:
    return pair[0]


def _first(rows: Iterable[Record], seed: int) -> list[Record]:
    return heapq.nsmallest(EACH, rows, key=lambda row: _order(seed, row.id))


def _evidence(row: Record, texts: Mapping[str, str]) -> str | None:
    """The text that a row points at, or None if a span lies outside its parent."""
    parts: list[str] = []
    for span in row.meta.get("evidence", ()):
        text = texts.get(span["record"])
        if text is None or not 0 <= span["start"] < span["end"] <= len(text):
            return None
        parts.append(text[span["start"] : span["end"]])
    return "\n".join(parts) if parts else None


def _proven(row: Record, texts: Mapping[str, str]) -> bool:
    evidence = _evidence(row, texts)
    if row.meta.get("answerable") is False:
        return any(_within(row.meta.get("context"), texts.get(parent)) for parent in row.parents)
    if evidence is None:
        return False
    if row.kind == "reading" or row.meta.get("engine") != "extractive":
        return True
    answer = row.meta["options"][row.meta["gold"]] if row.kind == "mcq" else row.meta["answer"]
    words = _WORD.findall(answer.casefold())
    there = set(_WORD.findall(evidence.casefold()))
    return bool(words) and sum(word in there for word in words) >= 0.9 * len(words)


def _within(place: Any, text: str | None) -> bool:
    return isinstance(place, dict) and text is not None and 0 <= place["start"] < place["end"] <= len(text)


def _qa(row: Record, texts: Mapping[str, str]) -> dict[str, Any]:
    evidence = _evidence(row, texts) or ""
    question, answer = row.meta["question"], row.meta["answer"]
    shown = {
        "question": excerpt(question, EXCERPT),
        "answer": excerpt(answer, EXCERPT),
        "evidence_text": excerpt(evidence, EXCERPT),
    }
    return {"id": row.id, "source": row.source, **shown}


def _mcq(row: Record, texts: Mapping[str, str]) -> dict[str, Any]:
    meta = row.meta
    options = [excerpt(option, EXCERPT) for option in meta["options"]]
    marks = {"gold": meta["gold"], "near": meta["near"], "far": meta["far"]}
    return {
        "id": row.id,
        "source": row.source,
        "question": excerpt(meta["question"], EXCERPT),
        "options": options,
        **marks,
    }


def _reading(row: Record, texts: Mapping[str, str]) -> dict[str, Any]:
    return {"id": row.id, "source": row.source, "task": row.meta.get("task", ""), "text": excerpt(row.text, EXCERPT)}


_SHOWN = {"qa": _qa, "mcq": _mcq, "reading": _reading, "rewrite": _reading, "turns": _reading}


def _redacted(shards: Sequence[Shard], seed: int) -> list[tuple[str, dict[str, Any]]]:
    """The first records by hash with at least one placeholder, shown around it."""
    best: list[tuple[str, dict[str, Any]]] = []
    for shard in shards:
        with pq.ParquetFile(shard.path) as file:
            for batch in file.iter_batches(columns=["id", "source", "kind", "text", "spans"], batch_size=512):
                made = pa.array(SYNTHETIC, pa.string())
                spotted = pc.greater(pc.list_value_length(batch["spans"]), 0)
                found = batch.filter(pc.and_(spotted, pc.invert(pc.is_in(batch["kind"], value_set=made))))
                hashes = [(_order(seed, identity), i) for i, identity in enumerate(found["id"].to_pylist())]
                for order, i in heapq.nsmallest(EACH, hashes):
                    best.append((order, _around(found.slice(i, 1).to_pylist()[0])))
        best = heapq.nsmallest(EACH, best, key=_hash)
    return best


def _around(row: Mapping[str, Any]) -> dict[str, Any]:
    text = row["text"]
    start = max(0, text.rfind("\n", 0, max(0, row["spans"][0]["start"] - 60)) + 1)
    return {"id": row["id"], "source": row["source"], "text": excerpt(text[start:], 320)}


def _audited(audit: Audit) -> dict[str, Any]:
    """Counts by letter, the share of items whose right option alone is the longest, how many items, and the probes."""
    letters = {letter: audit.letters[i] for i, letter in enumerate(_LETTERS[: audit.places])}
    longest = audit.longest if audit.longest is not None else 0.0
    told = {"letters": letters, "gold_longest_share": round(longest, 4), "items": audit.letters.total()}
    probed = audit.probed()
    return told if probed is None else told | {"probe": probed}
