"""A trained quality model: the probability that a person would keep a text, from its figures and its words."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from corpusforge.curate.quality_fasttext import MAGIC, FasttextQuality, read_fasttext
from corpusforge.curate.quality_figures import FIGURES, Counted, figures
from corpusforge.errors import UsageError

Floats = NDArray[np.float64]
FORMAT = "corpusforge-quality-1"
BUCKETS = 1 << 16
"""Places that words and pairs of words share."""
UNIT = 256
"""A place's weight is a whole number of 1/256 nats: sums are exact, the same in any order."""
_REACH = 4.0
_BATCH = 128


@dataclass(frozen=True, slots=True)
class QualityModel:
    """A logistic regression over `FIGURES` and one more column, the words' score (naive Bayes, `weigh_words`).

    `centre`, `spread` and `weights` have a value for each column; `places` is the weight of each bucket in 1/256 nats.
    `fit` tells how it did on texts it had not seen: `auc` with its interval `low` to `high`, labels `keep` and `drop`.
    """

    centre: Floats
    spread: Floats
    weights: Floats
    bias: float
    places: NDArray[np.int16]
    fit: Mapping[str, float] | None = None

    def scores(self, texts: Sequence[str]) -> Floats:
        """For n texts n probabilities, rounded to 4 digits; the same for any batch."""
        scores = np.zeros(len(texts))
        for start in range(0, len(texts), _BATCH):
            counted = Counted(texts[start : start + _BATCH])
            columns = np.column_stack((figures(counted), word_scores(buckets(counted), self.places)))
            found = chances(standard(columns, self.centre, self.spread), self.weights, self.bias)
            scores[start : start + _BATCH] = np.round(found, 4)
        return scores

    def write(self, path: Path) -> None:
        """One JSON file; the same model gives the same bytes."""
        raw = base64.b64encode(self.places.astype("<i2").tobytes()).decode("ascii")
        columns = (*FIGURES, "word_score")
        table = {
            name: [float(value) for value in row]
            for name, *row in zip(columns, self.centre, self.spread, self.weights, strict=True)
        }
        content = {"format": FORMAT, "fit": self.fit, "bias": self.bias, "columns": table, "words": raw}
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")


def read_model(path: Path) -> QualityModel:
    """The model in a file that `corpusforge fit quality` wrote. Raises UsageError for any other."""
    hint = "Train one with `corpusforge fit quality LABELLED --out FILE`."
    if not path.is_file():
        raise UsageError(f"quality model {path} does not exist.", where="model", hint=hint)
    try:
        content: dict[str, Any] = orjson.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(content["format"])
        rows = np.array([content["columns"][name] for name in (*FIGURES, "word_score")], np.float64)
        places = np.frombuffer(base64.b64decode(content["words"], validate=True), "<i2").astype(np.int16)
        if len(places) != BUCKETS or rows.shape[1] != 3:
            raise ValueError("columns")
        return QualityModel(rows[:, 0], rows[:, 1], rows[:, 2], float(content["bias"]), places, content.get("fit"))
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no quality model of this version.", where="model", hint=hint) from error


@lru_cache(maxsize=4)
def loaded(path: str) -> QualityModel | FasttextQuality:
    """The model of a recipe, read once a process: one of ours, or a fastText classifier."""
    file = Path(path)
    if file.is_file():
        with file.open("rb") as start:
            if start.read(len(MAGIC)) == MAGIC:
                return read_fasttext(file)
    return read_model(file)


def buckets(counted: Counted) -> list[NDArray[np.int64]]:
    """For each text the distinct buckets of its words and pairs of words, in ascending order."""
    keys = []
    for n in (1, 2):
        grams, owner = counted.grams(n)
        mixed = (grams * np.uint64(0x94D049BB133111EB)) >> np.uint64(48)
        keys.append(owner * BUCKETS + mixed.astype(np.int64))
    ordered = np.sort(np.concatenate(keys))
    ordered = ordered[np.diff(ordered, prepend=-1) > 0]
    bounds = np.searchsorted(ordered, np.arange(len(counted.texts) + 1) * BUCKETS)
    return [ordered[a:b] & (BUCKETS - 1) for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]


def word_scores(found: Sequence[NDArray[np.int64]], places: NDArray[np.int16]) -> Floats:
    """For each text the sum of its buckets' weights over the root of their number: long texts do not win by length."""
    sums = [int(places[each].sum(dtype=np.int64)) / math.sqrt(max(1, len(each))) for each in found]
    return np.array(sums) / UNIT


def standard(columns: Floats, centre: Floats, spread: Floats) -> Floats:
    """Columns as deviations from the mean of the training texts, at most 4 of them: no figure decides alone."""
    return np.clip((columns - centre) / spread, -_REACH, _REACH)


def chances(columns: Floats, weights: Floats, bias: float) -> Floats:
    """The logistic function of the weighted sum."""
    # Not a matrix product: its order of summation differs between libraries and batch sizes.
    logits: Floats = (columns * weights).sum(axis=1) + bias
    return 1 / (1 + np.exp(-logits))
