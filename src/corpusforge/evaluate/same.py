"""Items that ask the same: merged where any of their answers is right, left out where none can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from corpusforge.evaluate.grading import plain

Row = dict[str, Any]


def merge_open(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Open questions with one prompt each, and how many were merged into another.

    Whoever knows all cannot know which of two references to the same prompt is wanted, so each of `answers` is right.
    The row is that with the smallest id; `also` names the others, and parents and evidence are those of all.
    """
    made: dict[str, Row] = {}
    merged = 0
    for row in sorted(rows, key=lambda row: str(row["id"])):
        first = made.setdefault(_asked(row), row)
        if first is row:
            row["answers"], row["also"] = [row["answer"]], []
            continue
        merged += 1
        first["also"].append(row["id"])
        first["parents"] = [*dict.fromkeys([*first["parents"], *row["parents"]])]
        if plain(row["answer"]) not in {plain(answer) for answer in first["answers"]}:
            first["answers"].append(row["answer"])
        for place in row.get("evidence", ()):
            if place not in first["evidence"]:
                first["evidence"].append(place)
    return list(made.values()), merged


def consistent(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Items with one right choice each, without copies, and how many were left out.

    The same prompt over the same choices twice with different right ones: no answer is right for both, so none stays.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in sorted(rows, key=lambda row: str(row["id"])):
        groups.setdefault((_asked(row), *sorted(row.get("choices", ()))), []).append(row)
    kept = [group[0] for group in groups.values() if len({_right(row) for row in group}) == 1]
    return kept, sum(map(len, groups.values())) - len(kept)


def _asked(row: Mapping[str, Any]) -> str:
    return str(row["prompt"] if "prompt" in row else row["question"])


def _right(row: Mapping[str, Any]) -> str:
    return str(row["choices"][row["gold"]] if "choices" in row else row["answer"])
