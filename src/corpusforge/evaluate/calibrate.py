"""Holds the judge against people: a sheet to label by hand, and how far the judge agrees with it (Cohen's kappa)."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from corpusforge.errors import UsageError
from corpusforge.evaluate.asking import Ask
from corpusforge.evaluate.grading import VERDICTS, reference_of, source_of
from corpusforge.evaluate.intervals import RESAMPLES, Interval
from corpusforge.evaluate.judge import Judged, judge_answers
from corpusforge.record import stable_hash

COLUMNS = ("key", "human", "question", "reference", "source", "answer")
SHEET = 150
KAPPA_GATE = 0.6
MIN_LABELS = 50
# What a judge says that gives no verdict: people never say it, so that it always disagrees.
NONE = "none"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row of a sheet with its human label: correct, partly or wrong."""

    row: Mapping[str, Any]
    answer: str
    human: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the judge agrees with people. `confusion[human][judge]` counts; `unjudged` labels have no verdict:
    `none`, which agrees with nobody."""

    kappa: Interval
    labels: int
    confusion: Mapping[str, Mapping[str, int]]
    unjudged: int
    rejected: int

    @property
    def state(self) -> str:
        """passed, failed, or `too few labels` where there are less than 50."""
        if self.labels < MIN_LABELS:
            return "too few labels"
        return "passed" if self.kappa.value >= KAPPA_GATE else "failed"

    def to_json(self) -> dict[str, Any]:
        """As it stands in the report; `errors` is the share of each human label that the judge calls something else."""
        errors = {}
        for human, row in self.confusion.items():
            n = sum(row.values())
            errors[human] = None if n == 0 else round(1 - row.get(human, 0) / n, 6)
        return {
            "state": self.state,
            "kappa": self.kappa.to_json(),
            "gate": KAPPA_GATE,
            "labels": self.labels,
            "confusion": {human: dict(row) for human, row in self.confusion.items()},
            "errors": errors,
            "unjudged": self.unjudged,
            "rejected": self.rejected,
        }


def sheet(rows: Sequence[Mapping[str, Any]], answers: Sequence[str | None], judged: Sequence[Judged]) -> str:
    """A CSV to label by hand, evenly over the judge's verdicts, which it does not show: they would lead the hand."""
    by_verdict: dict[str, list[tuple[str, Mapping[str, Any], str]]] = {}
    for row, answer, one in zip(rows, answers, judged, strict=True):
        if one.verdict and answer:
            by_verdict.setdefault(one.verdict, []).append((_key(row, answer), row, answer))
    for entries in by_verdict.values():
        entries.sort(key=lambda entry: entry[0])
    chosen: list[tuple[str, Mapping[str, Any], str]] = []
    while len(chosen) < SHEET and any(by_verdict.values()):
        for verdict in sorted(by_verdict):
            if by_verdict[verdict] and len(chosen) < SHEET:
                chosen.append(by_verdict[verdict].pop(0))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for key, row, answer in sorted(chosen, key=lambda entry: entry[0]):
        cells = (row["question"], reference_of(row), source_of(row), answer)
        writer.writerow((key, "", *map(_shown, cells)))
    return out.getvalue()


def read_sheet(path: Path) -> tuple[list[Labelled], int]:
    """The labelled rows of a sheet (.csv, or .jsonl with the same keys), and how many were rejected.

    Rows without a label are passed over. Rejected is a row whose texts are no longer those that its key stands for: a
    spreadsheet changed them. Raises UsageError for another label, a missing column or no label at all.
    """
    found: list[Labelled] = []
    rejected = 0
    for number, cells in enumerate(_cells(path), start=2):
        missing = [name for name in COLUMNS if cells.get(name) is None]
        if missing:
            raise UsageError(f"the column {missing[0]!r} is missing.", where=f"{path}:{number}", hint=_HINT)
        human = str(cells["human"]).strip().lower()
        if not human:
            continue
        if human not in VERDICTS:
            raise UsageError(f"the label must be one of {', '.join(VERDICTS)}.", where=f"{path}:{number}", hint=_HINT)
        texts = [_read(str(cells[name])) for name in COLUMNS[2:]]
        row = {"question": texts[0], "answers": [texts[1]], "evidence": [{"text": texts[2]}]}
        if _key(row, texts[3]) != cells["key"]:
            rejected += 1
            continue
        found.append(Labelled(row, texts[3], human))
    if not found:
        what = "no row has a label." if not rejected else "the texts of every labelled row were changed."
        raise UsageError(what, where=str(path), hint=_HINT)
    return found, rejected


_HINT = "Fill the column `human` of the sheet that corpusforge wrote, and leave the others as they are."


def agreement(labelled: Sequence[Labelled], rejected: int, ask: Ask) -> Agreement:
    """Ask the judge about every labelled row, and compare; a reply without a verdict disagrees."""
    verdicts = judge_answers([one.row for one in labelled], [one.answer for one in labelled], ask)
    pairs = [(one.human, told.verdict or NONE) for one, told in zip(labelled, verdicts, strict=True)]
    confusion = {human: dict.fromkeys((*VERDICTS, NONE), 0) for human in VERDICTS}
    for human, verdict in pairs:
        confusion[human][verdict] += 1
    return Agreement(_kappa_interval(pairs), len(pairs), confusion, sum(said == NONE for _, said in pairs), rejected)


def kappa(pairs: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa (1960) of pairs of labels, unweighted: agreement beyond what two such raters reach by chance.

    1.0 where both always agree, even if only one label occurs; 0.0 without pairs.
    """
    n = len(pairs)
    if n == 0:
        return 0.0
    agreed = sum(one == two for one, two in pairs) / n
    first, second = Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
    expected = sum(first[label] * second[label] for label in first) / (n * n)
    return 1.0 if expected == 1.0 else (agreed - expected) / (1 - expected)


def _kappa_interval(pairs: Sequence[tuple[str, str]]) -> Interval:
    import numpy as np

    if not pairs:
        return Interval(0.0, -1.0, 1.0)
    ordered = sorted(pairs)
    dice = np.random.Generator(np.random.PCG64(int(stable_hash("kappa", *(part for p in ordered for part in p)), 16)))
    drawn = [kappa([ordered[i] for i in dice.integers(0, len(ordered), len(ordered))]) for _ in range(RESAMPLES // 2)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(kappa(pairs), float(low), float(high))


def _key(row: Mapping[str, Any], answer: str) -> str:
    parts = (row["question"], reference_of(row), source_of(row), answer)
    return stable_hash("sheet", *("\n".join(part.split()) for part in parts))


def _cells(path: Path) -> list[Mapping[str, Any]]:
    text = path.read_text("utf-8-sig")
    try:
        if path.suffix == ".jsonl":
            return [orjson.loads(line) for line in text.splitlines() if line.strip()]
        return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except (orjson.JSONDecodeError, csv.Error):
        raise UsageError("this is no sheet of ours.", where=str(path), hint=_HINT) from None


def _shown(text: str) -> str:
    # A spreadsheet runs what begins like a formula; an apostrophe makes it text.
    return f"'{text}" if text.startswith(_FORMULA) else text


def _read(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
