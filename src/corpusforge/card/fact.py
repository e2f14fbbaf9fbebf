"""What every part of a manifest's typed view is: frozen, and deaf to keys that the card does not need."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Fact(BaseModel):
    """A part of the manifest; keys that the card does not need are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)
