"""The ledger: what the trainer consumed, by source and epoch, counted from the very tensors that the model was given.

Loss weights are counted in whole 2^-20ths, so that sums are the same in every order and under every batch size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

UNIT = 1 << 20
# Where the ledger of a finished model lies, with whose data it is.
RECEIPT = "receipt.json"


@dataclass(slots=True)
class Entry:
    """One source in one epoch: sequences' pieces, their tokens, documents that came to their end, weight in the loss
    (in 2^-20ths).
    """

    tokens: int = 0
    pieces: int = 0
    documents: int = 0
    weight: int = 0

    def add(self, other: Entry) -> None:
        """Add another count of the same source and epoch."""
        self.tokens += other.tokens
        self.pieces += other.pieces
        self.documents += other.documents
        self.weight += other.weight


@dataclass(slots=True)
class Ledger:
    """Entries by (source, epoch)."""

    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)

    def count(self, source: str, epoch: int, entry: Entry) -> None:
        """Add to one source's epoch."""
        self.entries.setdefault((source, epoch), Entry()).add(entry)

    def add(self, other: Ledger) -> None:
        """Add another ledger."""
        for (source, epoch), entry in other.entries.items():
            self.count(source, epoch, entry)

    @property
    def tokens(self) -> int:
        """Tokens consumed."""
        return sum(entry.tokens for entry in self.entries.values())

    def by_source(self) -> dict[str, int]:
        """Tokens of each source."""
        found: dict[str, int] = {}
        for (source, _), entry in sorted(self.entries.items()):
            found[source] = found.get(source, 0) + entry.tokens
        return found

    def brief(self) -> dict[str, dict[int, list[float]]]:
        """Tokens and loss weight by source and epoch, for a line of the log."""
        found: dict[str, dict[int, list[float]]] = {}
        for (source, epoch), entry in sorted(self.entries.items()):
            found.setdefault(source, {})[epoch] = [entry.tokens, entry.weight / UNIT]
        return found

    def to_json(self) -> list[dict[str, Any]]:
        """A row for each source and epoch; `loss_weight` is the sum of the weights of its predicted tokens."""
        return [
            {
                "source": source,
                "epoch": epoch,
                "tokens": entry.tokens,
                "pieces": entry.pieces,
                "documents": entry.documents,
                "loss_weight": entry.weight / UNIT,
            }
            for (source, epoch), entry in sorted(self.entries.items())
        ]

    @staticmethod
    def from_json(rows: Iterable[Mapping[str, Any]]) -> Ledger:
        """The ledger of `to_json`."""
        ledger = Ledger()
        for row in rows:
            weight = round(row["loss_weight"] * UNIT)
            ledger.count(row["source"], row["epoch"], Entry(row["tokens"], row["pieces"], row["documents"], weight))
        return ledger
