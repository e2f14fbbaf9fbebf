"""Samples for the card, chosen by keyed hash and never by position, and what every synthetic row can prove."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from corpusforge.record import SYNTHETIC, Record, excerpt, stable_hash
from corpusforge.shards import Shard, read_records

EACH = 20
EXCERPT = 600
_WORD = re.compile(r"\w+")
_LETTERS = "ABCDEFGHIJ"


def choose_samples(shards: Sequence[Shard], seed: int) -> dict[str, Any]:
    """Samples by kind, the audit of multiple choice, and how many synthetic rows are proven by their evidence.

    A row is proven when its evidence lies within its parent's text and at least nine in ten words of its answer stand
    there (reading tasks: when the evidence lies there; they are true by construction).
    """
    rows = [record for shard in shards for record in _synthetic(shard)]
    texts = _parents(shards, rows)
    evidence = {"rows": len(rows), "proven": sum(_proven(row, texts) for row in rows)}
    train = [row for row in rows if row.side == "train"]
    samples = {
        "qa": [_qa(row, texts) for row in _pick(train, "qa", seed)],
        "mcq": [_mcq(row) for row in _pick(train, "mcq", seed)],
        "reading": [_reading(row) for row in _pick(train, "reading", seed)],
        "redacted": _redacted(shards, seed),
    }
    return {"samples": samples, "evidence": evidence, "mcq_audit": _audit([r for r in rows if r.kind == "mcq"])}


def _synthetic(shard: Shard) -> Iterable[Record]:
    return (record for record in read_records(shard.path) if record.kind in SYNTHETIC)


def _parents(shards: Sequence[Shard], rows: Sequence[Record]) -> dict[str, str]:
    wanted = {parent for row in rows for parent in row.parents}
    sources = {row.source for row in rows}
    return {
        record.id: record.text
        for shard in shards
        if shard.source in sources
        for record in read_records(shard.path)
        if record.id in wanted
    }


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
    if evidence is None:
        return False
    if row.kind == "reading":
        return True
    answer = row.meta["options"][row.meta["gold"]] if row.kind == "mcq" else row.meta["answer"]
    words = _WORD.findall(answer.casefold())
    there = set(_WORD.findall(evidence.casefold()))
    return bool(words) and sum(word in there for word in words) >= 0.9 * len(words)


def _pick(rows: Iterable[Record], kind: str, seed: int) -> list[Record]:
    of_kind = [row for row in rows if row.kind == kind]
    return heapq.nsmallest(EACH, of_kind, key=lambda row: stable_hash(str(seed), "sample", row.id))


def _qa(row: Record, texts: Mapping[str, str]) -> dict[str, Any]:
    evidence = _evidence(row, texts) or ""
    question, answer = row.meta["question"], row.meta["answer"]
    shown = {
        "question": excerpt(question, EXCERPT),
        "answer": excerpt(answer, EXCERPT),
        "evidence_text": excerpt(evidence, EXCERPT),
    }
    return {"id": row.id, "source": row.source, **shown}


def _mcq(row: Record) -> dict[str, Any]:
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


def _reading(row: Record) -> dict[str, Any]:
    return {"id": row.id, "source": row.source, "task": row.meta.get("task", ""), "text": excerpt(row.text, EXCERPT)}


def _redacted(shards: Sequence[Shard], seed: int) -> list[dict[str, Any]]:
    """Records with at least one placeholder, shown around the first one."""
    best: list[tuple[str, dict[str, Any]]] = []
    for shard in shards:
        for record in read_records(shard.path):
            if record.spans and record.kind not in SYNTHETIC:
                start = max(0, record.text.rfind("\n", 0, max(0, record.spans[0].start - 60)) + 1)
                around = excerpt(record.text[start:], 320)
                shown = {"id": record.id, "source": record.source, "text": around}
                best.append((stable_hash(str(seed), "sample", record.id), shown))
        best = heapq.nsmallest(EACH, best, key=lambda pair: pair[0])
    return [shown for _, shown in best]


def _audit(rows: Sequence[Record]) -> dict[str, Any]:
    letters = dict.fromkeys(_LETTERS[: max((len(r.meta["options"]) for r in rows), default=0)], 0)
    longest = 0
    for row in rows:
        letters[_LETTERS[row.meta["gold"]]] += 1
        lengths = [len(option) for option in row.meta["options"]]
        own = lengths[row.meta["gold"]]
        longest += own == max(lengths) and lengths.count(own) == 1
    share = round(longest / len(rows), 4) if rows else 0.0
    return {"letters": letters, "gold_longest_share": share, "items": len(rows)}
