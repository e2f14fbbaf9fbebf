"""Shares in settings: written `5%`, held as a float from 0 to 1."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from corpusforge.units import parse_share


def _as_float(value: object) -> object:
    return float(parse_share(value)) if isinstance(value, str) else value


Share = Annotated[float, BeforeValidator(_as_float, json_schema_input_type=float | str)]
