"""Names languages by a fastText model that a recipe names, such as lid.176.bin or GlotLID."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge.curate.language_text import letters, primary, word_key, words
from corpusforge.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LABELS = 20


class FasttextModel:
    """A fastText classifier whose labels are language tags."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.languages = tuple(sorted({_code(label) for label in model.get_labels()}))
        self._columns = {code: k for k, code in enumerate(self.languages)}

    def probabilities(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """See `Detector`. The model reads the words that tell a language, in their order and spelling."""
        import numpy as np

        chances = np.zeros((len(texts), len(self.languages)))
        lines = [" ".join(word for word in text.split() if word_key(word)) for text in texts]
        for row, (labels, scores) in enumerate(zip(*self._model.predict(lines, k=_LABELS), strict=True)):
            for label, score in zip(labels, scores, strict=True):
                chances[row, self._columns[_code(label)]] += min(1.0, float(score))
            if not chances[row].any():
                chances[row] = 1 / len(self.languages)
        told = [sum(letters(word_key(word)) for word in words(text)) for text in texts]
        return np.round(chances, 4), np.array(told, np.int64)


@lru_cache(maxsize=2)
def fasttext_model(path: str) -> FasttextModel:
    """Loads a model once a process. Raises UsageError where it is missing or no fastText model."""
    import fasttext

    if not Path(path).is_file():
        hint = "Leave `model` out to use py3langid."
        raise UsageError(f"language model {path} does not exist.", where="model", hint=hint)
    # load_model greets on stderr for historical reasons.
    fasttext.FastText.eprint = lambda _: None
    try:
        return FasttextModel(fasttext.load_model(path))
    except ValueError as error:
        hint = "Use a file such as lid.176.bin or .ftz."
        raise UsageError(f"{path} is no fastText model.", where="model", hint=hint) from error


def _code(label: str) -> str:
    return primary(label.removeprefix("__label__"))
