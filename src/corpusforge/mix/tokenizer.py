"""Loads the recipe's tokenizer: a tokenizer.json, a GPT-2 style folder, or the built-in `bytes`."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from corpusforge.errors import UsageError

Count = Callable[[Sequence[str]], list[int]]
_HINT = "Give a tokenizer.json, a folder with one, a folder with vocab.json and merges.txt, or bytes."


def tokenizer_files(tokenizer: str | Path) -> tuple[Path, ...]:
    """The files that decide the counts, for the identity of a step; none for `bytes`.

    Raises UsageError if there is no tokenizer at that path.
    """
    if str(tokenizer) == "bytes":
        return ()
    path = Path(tokenizer)
    if path.is_file():
        return (path,)
    for names in (("tokenizer.json",), ("vocab.json", "merges.txt")):
        files = tuple(path / name for name in names)
        if all(file.is_file() for file in files):
            return files
    raise UsageError("there is no tokenizer here.", where=str(path), hint=_HINT)


def load_tokenizer(tokenizer: str) -> Any:
    """The `tokenizers.Tokenizer` at a path. Raises UsageError if it is not there or cannot be read."""
    files = tokenizer_files(tokenizer)
    # Workers already use every core; threads below them would only fight. Set before the library first asks.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false" if multiprocessing.parent_process() else "true")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    try:
        if len(files) == 1:
            loaded = Tokenizer.from_file(str(files[0]))
        else:
            vocab, merges = (str(file) for file in files)
            loaded = Tokenizer(models.BPE.from_file(vocab, merges))
            loaded.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            loaded.decoder = decoders.ByteLevel()
    except Exception as error:  # The Rust library raises bare Exception for every unreadable file.
        raise UsageError("the tokenizer cannot be read.", where=str(files[0]), hint=_HINT) from error
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


@lru_cache(maxsize=4)
def load_counter(tokenizer: str) -> Count:
    """A function from texts to their numbers of tokens, special tokens not counted.

    Raises UsageError if the tokenizer is not there or cannot be read.
    """
    if tokenizer == "bytes":
        return _count_bytes
    loaded = load_tokenizer(tokenizer)

    def count(texts: Sequence[str]) -> list[int]:
        return [len(encoding) for encoding in loaded.encode_batch_fast(list(texts), add_special_tokens=False)]

    return count


def _count_bytes(texts: Sequence[str]) -> list[int]:
    return [len(text.encode("utf-8")) for text in texts]
