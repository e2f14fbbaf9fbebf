"""The base of all parts of a card: closed, immutable, plain JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of card.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)
