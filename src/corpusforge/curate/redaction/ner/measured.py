"""Figures of a tagger on labelled text: what it masks of each label, and how much of what it masks is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from corpusforge.curate.redaction.ner.component import NameTagger
from corpusforge.curate.redaction.ner.labels import LABELS
from corpusforge.curate.redaction.ner.training import UNKNOWN, Example
from corpusforge.wilson import wilson


def _share(hits: int, n: int) -> dict[str, Any]:
    low, high = wilson(hits, n, 1.959964)
    return {
        "n": n,
        "hits": hits,
        "share": round(hits / n, 4) if n else None,
        "low": round(low, 4),
        "high": round(high, 4),
    }


def figures(tagger: NameTagger, examples: Iterable[Example]) -> Mapping[str, Any]:
    """`recall` per label and of all spans: masked as a whole, under any label. `precision` per label and of all: the
    findings half of whose words are labelled. `over_masked`: of the words outside all spans. Each with its interval.
    """
    examples = [(words, labels) for words, labels in examples if len(words)]
    spans, masked, found, right = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    outside = over = 0
    for (words, labels), made in zip(examples, tagger.spans([list(words) for words, _ in examples]), strict=True):
        hidden = {at for start, end, _ in made for at in range(start, end)}
        for start, end, label in runs(labels):
            inner = [at for at in range(start, end) if any(c.isalnum() for c in words[at])]
            spans[label] += 1
            masked[label] += all(at in hidden for at in inner)
        for start, end, label in made:
            if UNKNOWN in labels[start:end]:
                continue
            found[label] += 1
            right[label] += 2 * sum(labels[at] > 0 for at in range(start, end)) >= end - start
        for at, label_number in enumerate(labels):
            if label_number == 0 and words[at].strip():
                outside += 1
                over += at in hidden
    return {
        "recall": {name: _share(masked[name], spans[name]) for name in LABELS if spans[name]}
        | {"all": _share(sum(masked.values()), sum(spans.values()))},
        "precision": {name: _share(right[name], found[name]) for name in LABELS if found[name]}
        | {"all": _share(sum(right.values()), sum(found.values()))},
        "over_masked": _share(over, outside),
    }


def runs(labels: Iterable[int]) -> list[tuple[int, int, str]]:
    """Runs of one label as (first word, word after the last, label); unlabelled and doubtful words make none."""
    made: list[tuple[int, int, str]] = []
    before, start = 0, 0
    for at, label in enumerate([*labels, 0]):
        if label != before:
            if before > 0:
                made.append((start, at, LABELS[before]))
            before, start = label, at
    return made
