"""Bytes to text, strictly: byte-order marks are honoured, encodings are declared, and nothing is guessed in silence."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

# Longest first: the mark of UTF-32-LE begins with that of UTF-16-LE.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
DETECT = "detect"
SAMPLE_BYTES = 1 << 20


def _encodings(value: Any) -> Any:
    names = [value] if isinstance(value, str) else value
    for name in names:
        if name == DETECT:
            if len(names) > 1:
                raise ValueError("detect stands alone: write encoding: detect, or a list of encodings.")
            continue
        try:
            codecs.lookup(name)
        except LookupError:
            raise ValueError(
                f"{name!r} is not an encoding. Write utf-8, latin-1, cp1252, shift_jis or the like."
            ) from None
    return names


Encodings = Annotated[
    tuple[str, ...],
    BeforeValidator(_encodings),
    Field(
        min_length=1,
        description="Declared encoding, or several tried strictly in order; `detect` guesses and records it.",
    ),
]


class Undecodable(ValueError):
    """Bytes that are not text in any declared encoding: a quarantine `reason` and a `detail` without content."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, the encoding that gave it, and the bytes of the mark that stood before it."""

    text: str
    encoding: str
    mark: int


def byte_order_mark(raw: bytes) -> tuple[str, int]:
    """The encoding that a byte-order mark declares and the mark's length in bytes; ("", 0) without one."""
    for mark, name in _MARKS:
        if raw.startswith(mark):
            return name, len(mark)
    return "", 0


def decode(raw: bytes, encodings: Sequence[str], *, reason: str = "wrong-encoding", marked: bool = True) -> Decoded:
    """The text of `raw`: by its mark (unless it cannot have one: `marked`), else by the first of `encodings` that
    decodes all of it.

    Raises Undecodable: `binary` for NUL bytes outside UTF-16/32, else `reason`.
    """
    mark, skip = byte_order_mark(raw) if marked else ("", 0)
    body = raw[skip:]
    names = [mark] if mark else list(encodings)
    if names == [DETECT]:
        names = [detect(body)]
    wide = [name for name in names if codecs.lookup(name).name.startswith(("utf-16", "utf-32"))]
    if not wide and b"\0" in body:
        raise Undecodable("binary", "NUL bytes")
    at = 0
    for name in names:
        try:
            return Decoded(body.decode(name), name, skip)
        except UnicodeDecodeError as error:
            at = max(at, error.start + skip)
    raise Undecodable(reason, f"byte {at} is not {' or '.join(names)}")


def detect(raw: bytes) -> str:
    """The likely encoding of a sample. Raises Undecodable if there is none (source: charset-normalizer)."""
    from charset_normalizer import from_bytes

    if b"\0" in raw[:SAMPLE_BYTES]:
        raise Undecodable("binary", "NUL bytes")
    best = from_bytes(raw[:SAMPLE_BYTES]).best()
    if best is None:
        raise Undecodable("wrong-encoding", "no encoding could be detected")
    return str(best.encoding)
