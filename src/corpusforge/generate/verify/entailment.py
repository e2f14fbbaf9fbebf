"""A small grounding model from a folder that judges whether the evidence says each sentence of an answer."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from corpusforge.errors import UsageError
from corpusforge.generate.verify.claims import split
from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.view import RowView
from corpusforge.record import Record

# Of a cross-encoder for inference the one label, of a grounding model the other.
_YES = ("entailment", "supported", "consistent", "label_1")
_HINT = "Give the folder of a sequence-classification model whose labels hold entailment or supported."
_WHERE = "grounding_model"


def check_folder(folder: Path) -> None:
    """Raises UsageError where the folder holds no model or the library that runs it is not installed."""
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder.name} holds no model.", where=_WHERE, hint=_HINT)
    if "transformers" not in sys.modules and importlib.util.find_spec("transformers") is None:
        hint = "Install it: pip install 'corpusforge[train]'."
        raise UsageError("a grounding model needs transformers.", where=_WHERE, hint=hint)


class Entailment:
    """A cross-encoder in a folder, such as an NLI model or MiniCheck (arXiv 2404.10774); nothing is downloaded.

    Raises UsageError where transformers is not installed, the folder holds no model, or no label says yes.
    """

    def __init__(self, folder: Path) -> None:
        check_folder(folder)
        from transformers import pipeline

        self._classify: Any = pipeline("text-classification", model=str(folder), device="cpu", top_k=None)
        labels = [str(label).lower() for label in self._classify.model.config.id2label.values()]
        if len(labels) > 1 and not any(label in _YES for label in labels):
            raise UsageError(f"{folder.name} has no label that says yes.", where=_WHERE, hint=_HINT)

    def least(self, row: Record) -> float:
        """The least probability that the evidence says a sentence of the answer; 1 for an answer without sentences."""
        view = RowView(row)
        proof = " ".join(view.passage[start:end] for start, end in view.whole_evidence)
        said = [" ".join(word.text for word in sentence.words) for sentence in split(view.answer, view.lexicon)]
        if not said:
            return 1.0
        pairs = [{"text": proof, "text_pair": f"{view.question} {sentence}"} for sentence in said]
        return min(_yes(found) for found in self._classify(pairs, truncation=True))

    def problem(self, row: Record, least: float) -> Problem | None:
        """`not-entailed` where the model doubts a sentence. Rounded: sums differ in their last digits by machine."""
        if row.meta.get("engine") == "extractive" or not row.meta.get("answerable", True):
            return None
        score = round(self.least(row), 2)
        return Problem("not-entailed", score, least) if score < least else None


def _yes(found: Any) -> float:
    scores = {str(one["label"]).lower(): float(one["score"]) for one in found}
    return next((scores[label] for label in _YES if label in scores), max(scores.values()))


@lru_cache(maxsize=1)
def entailment(folder: str) -> Entailment:
    """The model of a folder, loaded once in a process."""
    return Entailment(Path(folder))
