"""Sentence vectors of a static embedding model (a model2vec folder), as whole numbers so that all machines agree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCALE = 127
_FILES = ("model.safetensors", "tokenizer.json")
_TYPES = {"F32": "<f4", "F16": "<f2", "I8": "i1"}


class StaticVectors:
    """A table of token vectors with its tokenizer; a text's vector is the mean of its tokens', of length `SCALE`.

    Entries are whole numbers of at most 127: sums of 256 products stay below 2**24, which float32 holds exactly.
    Raises UsageError for a folder that is no such model.
    """

    def __init__(self, folder: Path) -> None:
        import numpy as np
        from tokenizers import Tokenizer

        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            what = f"{folder.name} is no model2vec folder: it has no {missing[0]}."
            raise UsageError(what, where="embeddings", hint="Give the folder that holds both files.")
        self._table = _embeddings(folder / _FILES[0])
        self._tokenizer: Any = Tokenizer.from_file(str(folder / _FILES[1]))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._zero = np.zeros(self._table.shape[1], np.int8)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.int8]:
        """n x dimensions; a row of zeros for a text without known tokens."""
        import numpy as np

        made = []
        for encoded in self._tokenizer.encode_batch(list(texts), add_special_tokens=False):
            ids = [number for number in encoded.ids if number < len(self._table)]
            mean = self._table[ids].mean(axis=0, dtype=np.float64) if ids else self._zero.astype(np.float64)
            size = float(np.sqrt((mean * mean).sum()))
            made.append(np.rint(mean / size * SCALE).astype(np.int8) if size else self._zero)
        return np.stack(made) if made else np.zeros((0, self._table.shape[1]), np.int8)


def _embeddings(path: Path) -> NDArray[Any]:
    """The tensor `embeddings` of a safetensors file: 8 bytes of length, a JSON header, the data."""
    import numpy as np

    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        start = file.tell()
    about = header.get("embeddings")
    if about is None or about["dtype"] not in _TYPES or len(about["shape"]) != 2:
        what = f"{path.name} holds no table of embeddings in {', '.join(_TYPES)}."
        raise UsageError(what, where="embeddings", hint="Save the model with model2vec.")
    first, last = about["data_offsets"]
    data = np.memmap(path, "u1", "r", start + first, (last - first,))
    return np.asarray(data).view(_TYPES[about["dtype"]]).reshape(about["shape"])


@lru_cache(maxsize=1)
def static_vectors(folder: str) -> StaticVectors:
    """The model of a folder, loaded once in a process."""
    return StaticVectors(Path(folder))
