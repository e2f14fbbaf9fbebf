"""Trains a quality model from texts that people labelled keep or drop, and measures it by cross-validation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from corpusforge.curate.quality_figures import Counted, figures, spread
from corpusforge.curate.quality_model import BUCKETS, UNIT, QualityModel, buckets, chances, standard, word_scores
from corpusforge.errors import UsageError
from corpusforge.record import stable_hash

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LABELS = {"keep": 1, "drop": 0, "1": 1, "0": 0, "true": 1, "false": 0}
_LEAST = 20
_BATCH = 256
_STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0)
_ROUNDS, _FOLDS, _INNER = 3, 10, 5
_DRAWS = 1000
_SMOOTHING = 1.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts with their labels (1 keep, 0 drop) in the order of their content's hash, and what they are measured by."""

    labels: Ints
    figures: Floats
    found: list[NDArray[np.int64]]
    hashes: list[str]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, its out-of-fold figures, and what was read. `scores` are out of fold: rounds x labels."""

    model: QualityModel
    labels: Ints
    scores: Floats
    auc: float
    low: float
    high: float
    left_out: int

    def at(self, threshold: float) -> tuple[float, float]:
        """Shares that a threshold keeps: of the texts labelled keep, and of those labelled drop."""
        kept = self.scores >= threshold
        return float(kept[:, self.labels == 1].mean()), float(kept[:, self.labels == 0].mean())


def fit_quality(paths: Iterable[Path]) -> Fitted:
    """Trains on JSON Lines of `text` and `label` (keep or drop, 1 or 0, true or false); order does not matter.

    A text labelled both ways is left out, a repeated one counts once. The area under the ROC curve is that of
    out-of-fold scores (3 times 10 stratified folds, the penalty chosen anew within each), with a 95% bootstrap
    interval.
    Raises UsageError for a line that is no labelled text and for fewer than 20 texts of either label.
    """
    labels: dict[str, int] = {}
    texts: dict[str, str] = {}
    both: set[str] = set()
    for text, label in _read(paths):
        key = stable_hash(text, size=16)
        if labels.setdefault(key, label) != label:
            both.add(key)
        texts[key] = text
    keys = sorted(texts.keys() - both)
    labelled = measured([texts[key] for key in keys], [labels[key] for key in keys], keys)
    for label, word in ((1, "keep"), (0, "drop")):
        n = int((labelled.labels == label).sum())
        if n < _LEAST:
            raise UsageError(f"{n} texts are labelled {word}.", hint=f"At least {_LEAST} of each label are needed.")
    scores = cross_validated(labelled)
    low, high = interval(scores, labelled.labels)
    area = mean_auc(scores, labelled.labels)
    keep = int(labelled.labels.sum())
    told = {"auc": area, "low": low, "high": high, "keep": keep, "drop": len(labelled) - keep}
    model = replace(
        _trained(labelled, np.arange(len(labelled))), fit={name: round(value, 4) for name, value in told.items()}
    )
    return Fitted(model, labelled.labels, scores, area, low, high, len(both))


def _read(paths: Iterable[Path]) -> Iterator[tuple[str, int]]:
    for path in paths:
        if not path.is_file():
            raise UsageError(f"labelled file {path} does not exist.", hint="Name JSON Lines of text and label.")
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row: Any = orjson.loads(line)
                    text, label = row["text"], _LABELS[str(row["label"]).lower()]
                except (ValueError, KeyError, TypeError):
                    text = None
                if not isinstance(text, str):
                    hint = 'A line is {"text": "...", "label": "keep"}; labels are keep or drop, 1 or 0.'
                    raise UsageError(f"{path}:{number}: no labelled text.", hint=hint)
                yield text, label


def measured(texts: Sequence[str], labels: Sequence[int], keys: Sequence[str]) -> Labelled:
    """Labelled texts with their figures and buckets; `keys` decide the folds."""
    columns, found = [], []
    for start in range(0, len(texts), _BATCH):
        counted = Counted(texts[start : start + _BATCH])
        columns.append(figures(counted))
        found += buckets(counted)
    return Labelled(np.array(labels, np.int64), np.concatenate(columns or [np.zeros((0, 1))]), found, list(keys))


def folds(labelled: Labelled, rows: Ints, n: int, salt: str) -> Ints:
    """A fold for each of `rows`, equal shares of both labels, drawn by content."""
    fold = np.zeros(len(rows), np.int64)
    for label in (0, 1):
        members = np.flatnonzero(labelled.labels[rows] == label)
        drawn = sorted(members.tolist(), key=lambda k: stable_hash(salt, labelled.hashes[rows[k]]))
        fold[drawn] = np.arange(len(drawn)) % n
    return fold


def cross_validated(labelled: Labelled) -> Floats:
    """Out-of-fold probabilities, rounds x texts; nothing of a text's own fold is in what scores it."""
    scores = np.zeros((_ROUNDS, len(labelled)))
    everyone = np.arange(len(labelled))
    for turn in range(_ROUNDS):
        fold = folds(labelled, everyone, _FOLDS, f"round {turn}")
        for k in range(_FOLDS):
            train, test = everyone[fold != k], everyone[fold == k]
            model = _trained(labelled, train)
            columns = np.column_stack(
                (labelled.figures[test], word_scores([labelled.found[row] for row in test], model.places))
            )
            scores[turn, test] = chances(standard(columns, model.centre, model.spread), model.weights, model.bias)
    return scores


def _strength(columns: Floats, labels: Ints, fold: Ints) -> float:
    """The penalty with the least log loss on inner folds; of equal ones the strongest."""
    losses = []
    for strength in _STRENGTHS:
        loss = 0.0
        for k in range(_INNER):
            train, test = fold != k, fold == k
            centre, width = _scale(columns[train])
            weights, bias = regression(standard(columns[train], centre, width), labels[train], strength)
            p = np.clip(chances(standard(columns[test], centre, width), weights, bias), 1e-6, 1 - 1e-6)
            loss -= float(np.log(np.where(labels[test] == 1, p, 1 - p)).sum())
        losses.append((round(loss, 3), -strength))
    return -min(losses)[1]


def _trained(labelled: Labelled, rows: Ints) -> QualityModel:
    columns, labels = _columns(labelled, rows), labelled.labels[rows]
    strength = _strength(columns, labels, folds(labelled, rows, _INNER, "penalty"))
    centre, width = _scale(columns)
    weights, bias = regression(standard(columns, centre, width), labels, strength)
    places = weigh_words([labelled.found[row] for row in rows], labels)
    # Rounded: the last digits of a sum differ between processors.
    return QualityModel(np.round(centre, 6), np.round(width, 6), np.round(weights, 5), round(bias, 5), places)


def _columns(labelled: Labelled, rows: Ints) -> Floats:
    """The figures and, out of fold, the words' scores: words would else be trusted for what they know by heart."""
    score = np.zeros(len(rows))
    fold = folds(labelled, rows, _INNER, "words")
    for k in range(_INNER):
        train, test = rows[fold != k], rows[fold == k]
        places = weigh_words([labelled.found[row] for row in train], labelled.labels[train])
        score[fold == k] = word_scores([labelled.found[row] for row in test], places)
    return np.column_stack((labelled.figures[rows], score))


def _scale(columns: Floats) -> tuple[Floats, Floats]:
    return columns.mean(axis=0), np.array([spread(column) for column in columns.T])


def weigh_words(found: Sequence[NDArray[np.int64]], labels: Ints) -> NDArray[np.int16]:
    """Each bucket's log odds of keep, smoothed by one text of each label, in 1/256 nats (naive Bayes)."""
    odds = np.zeros(BUCKETS)
    for label, sign in ((1, 1.0), (0, -1.0)):
        chosen = [each for each, own in zip(found, labels.tolist(), strict=True) if own == label]
        times = np.bincount(np.concatenate(chosen), minlength=BUCKETS) if chosen else np.zeros(BUCKETS, np.int64)
        logs = np.log((np.arange(len(chosen) + 1) + _SMOOTHING) / (len(chosen) + 2 * _SMOOTHING))
        odds += sign * logs[times]
    # A place that no text holds says nothing, whatever the shares of the labels.
    seen = np.bincount(np.concatenate(found), minlength=BUCKETS) > 0
    return np.where(seen, np.rint(odds * UNIT), 0).astype(np.int16)


def regression(columns: Floats, labels: Ints, strength: float) -> tuple[Floats, float]:
    """Weights and bias of a logistic regression with a quadratic penalty on the weights, by Newton's method."""
    rows = np.column_stack((columns, np.ones(len(columns))))
    penalty = np.full(rows.shape[1], strength)
    penalty[-1] = 1e-6
    weights = np.zeros(rows.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        gradient = rows.T @ (p - labels) + penalty * weights
        step = np.linalg.solve((rows * (p * (1 - p))[:, None]).T @ rows + np.diag(penalty), gradient)
        weights -= step
        if float(np.abs(step).max()) < 1e-9:
            break
    return weights[:-1], float(weights[-1])


def auc(scores: Floats, labels: Ints) -> float:
    """The area under the ROC curve: how often a kept text scores above a dropped one, ties counted half."""
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[place]
    keep = int(labels.sum())
    drop = len(labels) - keep
    if not keep or not drop:
        return math.nan
    return float((ranks[labels == 1].sum() - keep * (keep + 1) / 2) / (keep * drop))


def mean_auc(scores: Floats, labels: Ints) -> float:
    """The mean of the rounds' `auc`: what one model is worth, not the mean of several."""
    return float(np.mean([auc(row, labels) for row in scores]))


def interval(scores: Floats, labels: Ints) -> tuple[float, float]:
    """The 95% bootstrap interval of `mean_auc`, both labels drawn with their own number."""
    draw = np.random.Generator(np.random.PCG64(17))
    keep, drop = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    found = []
    for _ in range(_DRAWS):
        rows = np.concatenate((draw.choice(keep, len(keep)), draw.choice(drop, len(drop))))
        found.append(mean_auc(scores[:, rows], labels[rows]))
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)
