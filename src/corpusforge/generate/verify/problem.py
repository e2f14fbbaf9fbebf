"""What a check finds wrong with a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that a row breaks, with its score and the threshold that it misses; as it will stand in `Dropped`.

    `detail` holds counts and places only, never text of the row.
    """

    reason: str
    score: float | None = None
    threshold: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)
