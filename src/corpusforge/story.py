"""A record's life in words: what `corpusforge trace` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from corpusforge.trace import Visit, roots

Line = tuple[str, str, str, str]
MOST_RANGES = 4


def origins(visits: Sequence[Visit]) -> Iterator[str]:
    """One sentence for each record that was read from a file: which file, and where in it."""
    for visit in roots(visits):
        origin = visit.detail.get("origin")
        if origin is None:
            yield f"{visit.id} was read, and left out at once ({visit.fate})"
            continue
        ranges = visit.detail.get("lines") or [[origin["start"], origin["end"]]]
        shown = ", ".join(f"{start:,} to {end:,}" for start, end in ranges[:MOST_RANGES])
        more = f" and {len(ranges) - MOST_RANGES} more ranges" if len(ranges) > MOST_RANGES else ""
        unit = f"{origin['unit']}s" if ranges != [[0, 0]] else origin["unit"]
        yield f"{visit.id} comes from {origin['file']}, {unit} {shown}{more}"


def lines(visits: Sequence[Visit]) -> list[Line]:
    """Step, record (where it is another than above), fate, and what became different in that step."""
    made: list[Line] = []
    last: dict[str, Mapping[str, Any]] = {}
    above = ""
    for visit in visits:
        what = "; ".join(_different(visit, last.get(visit.id, {})))
        made.append((visit.step, "" if visit.id == above else visit.id, visit.fate, what))
        above = visit.id
        if "characters" in visit.detail:
            last[visit.id] = visit.detail
    return made


def _different(visit: Visit, before: Mapping[str, Any]) -> Iterator[str]:
    detail = visit.detail
    if "row" in detail:
        yield visit.shard
    if "score" in detail:
        limit = f", threshold {detail['threshold']:.4g}" if "threshold" in detail else ""
        yield f"score {detail['score']:.4g}{limit}"
    if "detail" in detail:
        yield str(detail["detail"])
    if "piece" in detail and detail["piece"] != before.get("piece"):
        start, end = detail["piece"]
        yield f"characters {start:,} to {end:,} of the whole"
    if not before:
        for span in detail.get("evidence", ()):
            yield f"proven by characters {span['start']:,} to {span['end']:,} of {span['record']}"
    for key in ("characters", "redactions", "tokens"):
        if detail.get(key, 0) != before.get(key, 0) and key in detail:
            yield f"{detail[key]:,} {key}"
    if detail.get("language") and detail["language"] != before.get("language"):
        yield f"language {detail['language']}"
    if "side" in detail and detail["side"] != before.get("side", "train"):
        yield f"side {detail['side']}"
