"""Trains the name tagger's network in plain floats, by stochastic gradient with Adam, and rounds it to integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpusforge.curate.redaction.ner.network import LIMIT, REACH, Floats, Weights, wide
from corpusforge.curate.redaction.ner.words import features

# A word whose label is not known: it is context, and nothing is learned from it.
UNKNOWN = -1
Example = tuple[Sequence[str], Sequence[int]]
# The range of an activation that 127 stands for when integer weights are made floats again.
_UNIT = np.float32(4 / LIMIT)
_LARGEST = 99.95


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train. `rate` is Adam's step size, falling to 0; `forget` the share of words seen by form and
    neighbours alone, so that unseen names are learned; `dropout` the share of activations left out.
    """

    epochs: int = 4
    rate: float = 0.004
    batch_words: int = 2048
    forget: float = 0.2
    dropout: float = 0.15
    seed: int = 1
    rows: int = 1 << 16
    width: int = 64
    hidden: int = 64


class _Adam:
    """Adam (Kingma and Ba 2015); for a table only the rows that a batch used, with one second moment per row."""

    def __init__(self, value: Floats, *, by_row: bool = False) -> None:
        self.value = value
        self._mean = np.zeros_like(value)
        self._square = np.zeros((len(value), 1) if by_row else value.shape, np.float32)
        self._steps: Floats = np.zeros((len(value), 1) if by_row else 1, np.float32)

    def step(self, gradient: Floats, rate: float) -> None:
        self._steps += 1
        self._mean += 0.1 * (gradient - self._mean)
        self._square += 0.01 * (gradient * gradient - self._square)
        self.value -= rate * _corrected(self._mean, self._square, self._steps)

    def step_rows(self, rows: npt.NDArray[np.int64], gradient: Floats, rate: float) -> None:
        self._steps[rows] += 1
        mean = self._mean[rows]
        mean += 0.1 * (gradient - mean)
        square = self._square[rows]
        square += 0.01 * ((gradient * gradient).mean(axis=1, keepdims=True) - square)
        self._mean[rows], self._square[rows] = mean, square
        self.value[rows] -= rate * _corrected(mean, square, self._steps[rows])


def _corrected(mean: Floats, square: Floats, steps: Floats) -> Floats:
    corrected = (mean / (1 - 0.9**steps)) / (np.sqrt(square / (1 - 0.99**steps)) + 1e-6)
    return corrected.astype(np.float32, copy=False)


@dataclass
class _Parts:
    """The network in floats."""

    table: Floats
    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    last: Floats
    last_bias: Floats


class _Corpus:
    """The examples as numbers: each distinct word once with its features, each text a run of word numbers."""

    def __init__(self, examples: Sequence[Example], rows: int) -> None:
        index: dict[str, int] = {}
        self.texts: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]] = []
        for words, labels in examples:
            numbers = np.array([index.setdefault(word, len(index)) for word in words], np.int32)
            self.texts.append((numbers, np.array(labels, np.int16)))
        ids, shares, self.sizes = [], [], np.zeros(len(index), np.int64)
        for at, word in enumerate(index):
            whole, grams = features(word, rows)
            ids += [np.array(whole, np.int64), np.array(grams, np.int64)]
            shares += [np.ones(len(whole), np.float32), np.full(len(grams), 1 / max(len(grams), 1), np.float32)]
            self.sizes[at] = len(whole) + len(grams)
        self.ids = np.concatenate(ids) if ids else np.zeros(0, np.int64)
        self.shares = np.concatenate(shares) if shares else np.zeros(0, np.float32)
        self.starts = np.cumsum(self.sizes) - self.sizes

    def features_of(self, words: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int64]]:
        """Rows, their shares, and where each word's run of them starts."""
        sizes = self.sizes[words]
        starts = np.cumsum(sizes) - sizes
        at = np.repeat(self.starts[words] - starts, sizes) + np.arange(sizes.sum())
        return self.ids[at], self.shares[at], starts

    def batches(
        self, order: Sequence[int], words: int
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Word numbers and labels of some texts at a time, with gaps (-1 in both) between and around the texts."""
        gap = np.full(2 * REACH, -1, np.int64)
        numbers, labels, size = [gap], [gap], 0
        for place, at in enumerate(order):
            text, told = self.texts[at]
            numbers += [text.astype(np.int64), gap]
            labels += [told.astype(np.int64), gap]
            size += len(text)
            if size >= words or place == len(order) - 1:
                yield np.concatenate(numbers), np.concatenate(labels)
                numbers, labels, size = [gap], [gap], 0


def train(
    examples: Sequence[Example],
    labels: int,
    plan: Plan,
    base: Weights | None = None,
    told: Callable[[int, float], None] | None = None,
) -> Weights:
    """Weights for these examples (words and the number of each word's label, UNKNOWN for none), from `base` or anew.

    `told` is called after each epoch with its number and mean loss. The same examples in the same order give the
    same weights on the same machine.
    """
    random = np.random.Generator(np.random.PCG64(plan.seed))
    parts = _floats(base) if base is not None else _drawn(random, labels, plan)
    corpus = _Corpus(examples, len(parts.table))
    table = _Adam(parts.table, by_row=True)
    dense = {name: _Adam(getattr(parts, name)) for name in _Parts.__dataclass_fields__ if name != "table"}
    total = max(1, plan.epochs * sum(len(words) for words, _ in examples))
    done = 0
    for epoch in range(plan.epochs):
        losses = []
        order = random.permutation(len(corpus.texts)).tolist()
        for numbers, wanted in corpus.batches(order, plan.batch_words):
            # A short warm-up keeps Adam's first, noisy steps small.
            share = done / total
            rate = plan.rate * min(1.0, 0.1 + share * 50) * (1 - share)
            loss, rows, by_row, gradients = _gradients(parts, corpus, numbers, wanted, random, plan)
            table.step_rows(rows, by_row, rate)
            for name, gradient in gradients.items():
                dense[name].step(gradient, rate)
            losses.append(loss)
            done += int((numbers >= 0).sum())
        if told is not None:
            told(epoch + 1, float(np.mean(losses)) if losses else 0.0)
    used = np.zeros(len(parts.table), bool)
    used[corpus.ids] = True
    if base is None:
        # What no training word used says nothing; as zeros it also does not disturb unseen words.
        parts.table[~used] = 0
    return _rounded(parts, corpus, plan)


def _drawn(random: np.random.Generator, labels: int, plan: Plan) -> _Parts:
    span = 2 * REACH + 1

    def draw(rows: int, columns: int, size: float) -> Floats:
        return random.normal(0, size, (rows, columns)).astype(np.float32)

    return _Parts(
        table=draw(plan.rows, plan.width, 0.15),
        first=draw(span * plan.width, plan.hidden, (2 / (span * plan.width)) ** 0.5),
        first_bias=np.zeros(plan.hidden, np.float32),
        second=draw(span * plan.hidden, plan.hidden, (2 / (span * plan.hidden)) ** 0.5),
        second_bias=np.zeros(plan.hidden, np.float32),
        last=draw(plan.width + 2 * plan.hidden, labels, 0.05),
        last_bias=np.zeros(labels, np.float32),
    )


def _gradients(
    parts: _Parts,
    corpus: _Corpus,
    numbers: npt.NDArray[np.int64],
    wanted: npt.NDArray[np.int64],
    random: np.random.Generator,
    plan: Plan,
) -> tuple[float, npt.NDArray[np.int64], Floats, dict[str, Floats]]:
    inside = numbers >= 0
    distinct, inverse = np.unique(numbers[inside], return_inverse=True)
    ids, shares, starts = corpus.features_of(distinct)
    # The word itself is the first of its features.
    shares = shares.copy()
    shares[starts[random.random(len(starts)) < plan.forget]] = 0
    vectors = np.add.reduceat(parts.table[ids] * shares[:, None], starts, axis=0)
    x = np.zeros((len(numbers), parts.table.shape[1]), np.float32)
    x[inside] = vectors[inverse]
    masks = [_mask(random, (len(numbers), n), plan.dropout) for n in (x.shape[1], *[parts.first.shape[1]] * 2)]
    x *= masks[0]
    x_wide = wide(x)
    first = np.maximum(x_wide @ parts.first + parts.first_bias, 0)
    first[~inside] = 0
    first *= masks[1]
    first_wide = wide(first)
    second = np.maximum(first_wide @ parts.second + parts.second_bias, 0) * masks[2]
    joined = np.concatenate([x, first, second], axis=1)
    learned = wanted >= 0
    n = max(int(learned.sum()), 1)
    scores = joined[learned] @ parts.last + parts.last_bias
    scores -= scores.max(axis=1, keepdims=True)
    shares_of = np.exp(scores)
    shares_of /= shares_of.sum(axis=1, keepdims=True)
    told = wanted[learned]
    loss = float(-np.log(shares_of[np.arange(len(told)), told] + 1e-9).sum() / n)
    d_scores = shares_of
    d_scores[np.arange(len(told)), told] -= 1
    d_scores /= n
    gradients = {"last": joined[learned].T @ d_scores, "last_bias": d_scores.sum(axis=0)}
    d_joined = np.zeros_like(joined)
    d_joined[learned] = d_scores @ parts.last.T
    width, hidden = x.shape[1], first.shape[1]
    d_second = d_joined[:, width + hidden :] * masks[2] * (second > 0)
    gradients["second"] = first_wide.T @ d_second
    gradients["second_bias"] = d_second.sum(axis=0)
    d_first = d_joined[:, width : width + hidden] + _narrow(d_second @ parts.second.T, hidden)
    d_first *= masks[1] * (first > 0)
    gradients["first"] = x_wide.T @ d_first
    gradients["first_bias"] = d_first.sum(axis=0)
    d_x = (d_joined[:, :width] + _narrow(d_first @ parts.first.T, width)) * masks[0]
    d_vectors = _summed(d_x[inside], inverse)[1]
    d_features = np.repeat(d_vectors, np.diff([*starts, len(ids)]), axis=0) * shares[:, None]
    rows, by_row = _summed(d_features, ids)
    return loss, rows, by_row, gradients


def _mask(random: np.random.Generator, size: tuple[int, int], share: float) -> Floats:
    kept = random.random(size, dtype=np.float32) >= share
    made: Floats = kept * np.float32(1 / (1 - share))
    return made


def _summed(values: Floats, groups: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Floats]:
    """The distinct groups, and the sum of the values of each."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.add.reduceat(values[order], starts, axis=0)


def _narrow(gradient: Floats, width: int) -> Floats:
    """The gradient of `wide`'s argument for that of its result."""
    rows = len(gradient)
    made = np.zeros((rows, width), np.float32)
    for at, shift in enumerate(range(-REACH, REACH + 1)):
        low, high = max(0, -shift), rows - max(0, shift)
        made[low + shift : high + shift] += gradient[low:high, at * width : (at + 1) * width]
    return made


def _rounded(parts: _Parts, corpus: _Corpus, plan: Plan) -> Weights:
    """The floats as integers. How large activations get is measured on the first texts of the corpus."""
    seen: list[Floats] = [np.zeros((1, 1), np.float32)] * 3
    for numbers, _ in corpus.batches(range(min(len(corpus.texts), 4000)), 1 << 30):
        inside = numbers >= 0
        distinct, inverse = np.unique(numbers[inside], return_inverse=True)
        ids, shares, starts = corpus.features_of(distinct)
        x = np.zeros((len(numbers), parts.table.shape[1]), np.float32)
        x[inside] = np.add.reduceat(parts.table[ids] * shares[:, None], starts, axis=0)[inverse]
        first = np.maximum(wide(x) @ parts.first + parts.first_bias, 0)
        first[~inside] = 0
        seen = [x, first, np.maximum(wide(first) @ parts.second + parts.second_bias, 0)]
    units = [np.float32(max(np.percentile(np.abs(part), _LARGEST), 1e-6) / LIMIT) for part in seen]
    table, table_unit = _integers(parts.table)
    first_w, first_unit = _integers(parts.first)
    second_w, second_unit = _integers(parts.second)
    width, hidden = parts.table.shape[1], parts.first.shape[1]
    last = parts.last * np.repeat(np.array(units, np.float32), (width, hidden, hidden))[:, None]
    last_w, last_unit = _integers(last)
    return Weights(
        table=table,
        first=first_w,
        first_bias=_bias(parts.first_bias, units[0] * first_unit),
        second=second_w,
        second_bias=_bias(parts.second_bias, units[1] * second_unit),
        last=last_w,
        last_bias=_bias(parts.last_bias, last_unit),
        word_scale=np.array([table_unit / units[0]], np.float32),
        first_scale=np.array([units[0] * first_unit / units[1]], np.float32),
        second_scale=np.array([units[1] * second_unit / units[2]], np.float32),
        score_scale=np.array([last_unit], np.float32),
    )


def _integers(values: Floats) -> tuple[npt.NDArray[np.int8], np.float32]:
    # The few largest are cut off: they would cost all others their precision.
    used = np.abs(values[values != 0])
    unit = np.float32((np.percentile(used, 99.99) if used.size else 1.0) / LIMIT)
    return np.clip(np.rint(values / unit), -LIMIT, LIMIT).astype(np.int8), unit


def _bias(values: Floats, unit: np.float32) -> npt.NDArray[np.int32]:
    made: npt.NDArray[np.int32] = np.rint(values / unit).astype(np.int32)
    return made


def _floats(base: Weights) -> _Parts:
    """Floats that decide as the integers do: activations in units of _UNIT."""
    first, second = base.first_scale[0], base.second_scale[0]
    return _Parts(
        table=base.table.astype(np.float32) * (base.word_scale[0] * _UNIT),
        first=base.first.astype(np.float32) * first,
        first_bias=base.first_bias.astype(np.float32) * (first * _UNIT),
        second=base.second.astype(np.float32) * second,
        second_bias=base.second_bias.astype(np.float32) * (second * _UNIT),
        last=base.last.astype(np.float32) * (base.score_scale[0] / _UNIT),
        last_bias=base.last_bias.astype(np.float32) * base.score_scale[0],
    )
