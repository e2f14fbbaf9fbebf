"""Splits a channel where many talk at once into conversations, by linking each message to the one it answers.

Each message chooses its parent among the WINDOW messages before it, or opens a new conversation. Choices are scored
by a log-linear model over integer features (after Elsner and Charniak 2008, and the features of Kummerfeld et al. 2019,
https://aclanthology.org/P19-1374); a second pass knows the conversations that the first one guessed. Its weights were
fitted by `benchmarks/irc_conversations.py`, which measures them on days that they have not seen. Time is linear.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from corpusforge.ingest.conversation_features import WINDOW, PairFeatures, Turns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]

_CHUNK = 2048
_NEVER = -(2**30)


Weights = dict[str, "Ints"]


@cache
def committed_weights() -> tuple[Weights, Weights]:
    """The fitted weights of both passes by feature table, in thousandths of a nat."""
    import numpy as np

    text = resources.files("corpusforge.ingest").joinpath("conversation_weights.json").read_text("ascii")
    first, second = ({name: np.array(row, np.int32) for name, row in table.items()} for table in json.loads(text))
    return first, second


def parents(
    turns: Turns, texts: Sequence[str], nicks: set[str], weights: tuple[Weights, Weights | None] | None = None
) -> list[int]:
    """For each message the number of the message that it answers, or its own number if it opens a conversation."""
    import numpy as np

    count = len(texts)
    if count == 0:
        return []
    first, second = committed_weights() if weights is None else weights
    features = PairFeatures(turns, texts, nicks)
    chunks = [(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    scores = [np.full((count, WINDOW), _NEVER, np.int32) for _ in range(2)]
    alone = [np.zeros(count, np.int32) for _ in range(2)]
    for start, stop in chunks:
        codes, valid = features.pairs(start, stop)
        single = features.alone(start, stop)
        for k, table in enumerate((first, second)):
            if table is not None:
                scores[k][start:stop][valid] = _total(table, codes)[valid]
                alone[k][start:stop] = _total(table, single)
    links = _choose(scores[0], alone[0])
    if second is None:
        return links
    root = np.array(roots(links), np.int32)
    last_of_root = last_in(root)
    for start, stop in chunks:
        scores[1][start:stop] += second["thread"][features.thread(start, stop, root, last_of_root)]
    return _choose(scores[1], alone[1])


def _total(table: Weights, codes: dict[str, Ints]) -> Ints:
    # A running sum of integers is exact, so the order of tables cannot matter.
    names = iter(codes)
    name = next(names)
    total = table[name][codes[name]]
    for name in names:
        total += table[name][codes[name]]
    return total


def roots(links: Sequence[int]) -> list[int]:
    """For each message the first message of its conversation. Links point backwards or to the message itself."""
    found: list[int] = []
    for place, parent in enumerate(links):
        found.append(place if parent == place else found[parent])
    return found


def last_in(root: Ints) -> Ints:
    """For each message, the next one of the same conversation (a large number if none): until there it is the last."""
    import numpy as np

    following = np.full(len(root), 2**30, np.int32)
    order = np.argsort(root, kind="stable").astype(np.int32)
    same = root[order][1:] == root[order][:-1]
    following[order[:-1][same]] = order[1:][same]
    return following


def _choose(scores: Ints, alone: Ints) -> list[int]:
    import numpy as np

    best = scores.argmax(axis=1)
    place = np.arange(len(alone))
    wins = scores[place, best] > alone
    chosen: list[int] = np.where(wins, place - best - 1, place).tolist()
    return chosen
