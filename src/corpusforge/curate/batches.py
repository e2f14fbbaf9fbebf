"""Cuts a stream into lists of about the same size, so that what works on many items at once works in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def in_batches(
    items: Iterable[Item], size: Callable[[Item], int], enough: int, most: int | None = None
) -> Iterator[list[Item]]:
    """The items in order, in lists that end with the item at which their sizes together reach `enough`, or with the
    `most`th item; only the last list may end before.
    """
    batch: list[Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += size(item)
        if total >= enough or len(batch) == most:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
