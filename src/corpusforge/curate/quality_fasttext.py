"""Scores texts by a fastText classifier that a recipe names, such as the one DCLM published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = (793712314).to_bytes(4, "little")
"""The first bytes of a fastText model (fastText, src/fasttext.cc)."""
KEEP = ("keep", "hq", "1", "true", "good", "positive")
"""What the label of good texts may be called, after `__label__`."""


class FasttextQuality:
    """A fastText classifier with one label for texts to keep."""

    def __init__(self, model: Any, keep: str) -> None:
        self._model = model
        self._keep = keep

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """For n texts n probabilities of the label to keep, to 4 digits. fastText reads one line: they are joined."""
        import numpy as np

        found = np.zeros(len(texts))
        for place, text in enumerate(texts):
            told = self._model.f.predict(" ".join(text.split()) + "\n", -1, 0.0, "replace")
            found[place] = round(min(1.0, next((score for score, label in told if label == self._keep), 0.0)), 4)
        return found


def read_fasttext(path: Path) -> FasttextQuality:
    """Raises UsageError for a file that is damaged or has no label, or several, of `KEEP`."""
    import fasttext

    # load_model greets on stderr for historical reasons.
    fasttext.FastText.eprint = lambda _: None
    try:
        model = fasttext.load_model(str(path))
    except (ValueError, RuntimeError) as error:
        what = f"{path} is no fastText model that can be read."
        raise UsageError(what, where="model", hint="Is the download complete?") from error
    labels = [label for label in model.get_labels() if label.removeprefix("__label__").lower() in KEEP]
    if len(labels) != 1:
        hint = f"One of its labels must be {', '.join(KEEP)}."
        raise UsageError(f"{path} does not say which label is that of texts to keep.", where="model", hint=hint)
    return FasttextQuality(model, labels[0])
