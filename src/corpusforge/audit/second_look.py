"""A second detector over the real build: others' expressions and check sums, which share no rule with redaction."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusforge.audit.canary import shape
from corpusforge.audit.payment import IBANS, luhn_digit
from corpusforge.record import stable_hash
from corpusforge.residue import upper_bound
from corpusforge.shards import Shard

SAMPLE = 300
SNIPPETS = 20
MAX_CHARS = 20_000
_AROUND = 40
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.])")
_IBAN = re.compile(rf"\b(?:{'|'.join(IBANS)})\d\d(?: ?[A-Z0-9]){{11,30}}\b")
_PLACEHOLDER = re.compile(r"<([A-Z][A-Z0-9_]{0,38})_\d{1,6}>")
_RESERVED = re.compile(r"(?:@|\.)(?:example(?:\.\w+)?|localhost|invalid|test)$", re.IGNORECASE)
_DIGITS = re.compile(r"\d(?:[ ()./-]{0,2}\d){6}")
_REGION = "US"


def second_look(shards: Sequence[Shard], seed: int, n: int = SAMPLE) -> dict[str, Any]:
    """Suspects in `n` finished records, chosen by keyed hash from all: for each kind the records with one, and the 95%
    upper bound of their share (3/n for none). Beside them: each suspect in its redacted context, hidden behind its
    shape, and as many snippets around placeholders, from which a reader judges precision.
    """
    found: dict[str, int] = dict.fromkeys(("email", "ip", "card", "iban", "phone"), 0)
    suspects: list[dict[str, str]] = []
    masked: list[tuple[str, dict[str, str]]] = []
    looked = 0
    for identity, source, texts in _sample(shards, seed, n):
        looked += 1
        seen: set[str] = set()
        for text in texts:
            there = list(_suspects(text[:MAX_CHARS]))
            hidden = _hidden(text[:MAX_CHARS], there)
            for kind, start, end in there:
                if kind not in seen and len(suspects) < SNIPPETS:
                    suspects.append({"kind": kind, "source": source, "snippet": _snippet(hidden, start, end)})
                seen.add(kind)
            for match in list(_PLACEHOLDER.finditer(hidden))[:3]:
                key = stable_hash(str(seed), "precision", identity, str(match.start()))
                row = {"kind": match[1], "source": source, "snippet": _snippet(hidden, *match.span())}
                masked = heapq.nsmallest(SNIPPETS, [*masked, (key, row)], key=lambda pair: pair[0])
        for kind in seen:
            found[kind] += 1
    return {
        "records": looked,
        "suspects": {kind: {"found": k, "at_most": round(upper_bound(k, looked), 6)} for kind, k in found.items()},
        "suspect_snippets": suspects,
        "masked_snippets": [row for _, row in masked],
    }


def _sample(shards: Sequence[Shard], seed: int, n: int) -> Iterator[tuple[str, str, list[str]]]:
    ids = (identity for shard in shards for identity in pq.read_table(shard.path, columns=["id"])["id"].to_pylist())
    chosen = heapq.nsmallest(n, ids, key=lambda identity: stable_hash(str(seed), "second look", identity))
    wanted = pa.array(sorted(chosen), pa.string())
    for shard in shards:
        with pq.ParquetFile(shard.path) as file:
            for batch in file.iter_batches(batch_size=512, columns=["id", "source", "title", "text", "meta"]):
                for row in batch.filter(pc.is_in(batch["id"], value_set=wanted)).to_pylist():
                    yield row["id"], row["source"], [row["text"], row["title"], *_strings(orjson.loads(row["meta"]))]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


@lru_cache(maxsize=1)
def _theirs() -> Any:
    from datatrove.pipeline.formatters.pii import PIIFormatter

    return PIIFormatter()


def _suspects(text: str) -> Iterator[tuple[str, int, int]]:
    theirs = _theirs()
    for match in theirs.emails_replacer.regex.finditer(text) if "@" in text else ():
        if not _RESERVED.search(match[0]):
            yield "email", *match.span()
    for match in theirs.ip_replacer.regex.finditer(text):
        # Versions such as 1.2.3.4 are no hosts: a real one rarely has four one-digit parts.
        if theirs.ip_replacer.validator(match[0]) and max(map(int, match[0].split("."))) > 31:
            yield "ip", *match.span()
    for match in _CARD.finditer(text):
        digits = "".join(c for c in match[0] if c.isdigit())
        if digits[0] in "23456" and len(set(digits)) > 2 and luhn_digit(digits[:-1]) == digits[-1]:
            yield "card", *match.span()
    for match in _IBAN.finditer(text):
        tight = match[0].replace(" ", "")
        if int("".join(str(int(c, 36)) for c in tight[4:] + tight[:4])) % 97 == 1:
            yield "iban", *match.span()
    yield from _phones(text)


def _phones(text: str) -> Iterator[tuple[str, int, int]]:
    """Valid numbers of any country with their prefix, and of the United States without, where they are written so."""
    if not _DIGITS.search(text):
        return
    import phonenumbers

    for match in phonenumbers.PhoneNumberMatcher(text, _REGION, leniency=phonenumbers.Leniency.STRICT_GROUPING):
        yield "phone", match.start, match.end


def _hidden(text: str, suspects: Sequence[tuple[str, int, int]]) -> str:
    """The text with the shape of every suspect in its place: beside one often stands another."""
    for _, start, end in suspects:
        text = text[:start] + shape(text[start:end]) + text[end:]
    return text


def _snippet(hidden: str, start: int, end: int) -> str:
    before = " ".join(hidden[max(0, start - _AROUND) : start].split())
    after = " ".join(hidden[end : end + _AROUND].split())
    return f"{before} {hidden[start:end]} {after}".strip()
