"""A store of answers on disk, addressed by content, that survives being killed at any byte.

Layout: `<folder>/<first two digits of the key>/<writer>.log`, append-only segments, one writer each. A segment is a row
of frames: magic (4 bytes), length of the payload (4, little-endian), blake2b-8 of the payload, payload (JSON). A frame
is believed only if all of it is there and its digest is right; a torn tail is never read, and no
writer appends behind one.
Only redacted text comes here: prompts are kept as keys alone, and answers are made from redacted records.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import Path
from typing import IO

import orjson

from corpusforge.generate.engines.door import GenerationResponse, Usage

MAGIC = b"CFr1"
_HEAD = len(MAGIC) + 4 + 8
_KEY = re.compile(r"[0-9a-f]{32}")


class ResponseCache:
    """Answers by request key. Several processes may use one folder: each appends to segments of its own.

    `sync` makes each `put` durable before it returns; without it a power cut may lose the last answers (never corrupt
    them), while a killed process loses nothing that `put` has returned from.
    """

    def __init__(self, folder: Path, *, sync: bool = False) -> None:
        self.folder = folder
        self._sync = sync
        self._writer = uuid.uuid4().hex[:12]
        self._open: dict[str, IO[bytes]] = {}
        self._found: dict[str, dict[str, GenerationResponse]] = {}

    def get(self, key: str) -> GenerationResponse | None:
        """The whole answer to `key`, or None. What another process adds after a prefix was first read is not seen."""
        return self._prefix(key).get(key)

    def put(self, response: GenerationResponse) -> None:
        """Keep an answer. Errors are not kept: they are tried again. A key that is there already stays as it is."""
        if response.finish == "error":
            return
        found = self._prefix(response.key)
        if response.key in found:
            return
        payload = _encode(response)
        frame = MAGIC + len(payload).to_bytes(4, "little") + _digest(payload) + payload
        file = self._segment(response.key[:2])
        file.write(frame)
        file.flush()
        if self._sync:
            os.fsync(file.fileno())
        found[response.key] = response

    def close(self) -> None:
        """Make everything durable and close the segments."""
        for file in self._open.values():
            os.fsync(file.fileno())
            file.close()
        self._open.clear()

    def __enter__(self) -> ResponseCache:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _segment(self, prefix: str) -> IO[bytes]:
        if prefix not in self._open:
            folder = self.folder / prefix
            folder.mkdir(parents=True, exist_ok=True)
            self._open[prefix] = (folder / f"{self._writer}.log").open("ab")
        return self._open[prefix]

    def _prefix(self, key: str) -> dict[str, GenerationResponse]:
        if not _KEY.fullmatch(key):
            raise ValueError("a cache key has 32 hex digits")
        prefix = key[:2]
        if prefix not in self._found:
            found: dict[str, GenerationResponse] = {}
            # Sorted, and the first one wins: two writers that answered the same key give every reader the same answer.
            for path in sorted((self.folder / prefix).glob("*.log")):
                for response in read_segment(path):
                    found.setdefault(response.key, response)
            self._found[prefix] = found
        return self._found[prefix]


def read_segment(path: Path) -> list[GenerationResponse]:
    """The whole answers of a segment, up to its end or its first torn or damaged frame."""
    data = path.read_bytes()
    responses: list[GenerationResponse] = []
    at = 0
    while at + _HEAD <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        payload = data[at + _HEAD : at + _HEAD + size]
        if data[at : at + 4] != MAGIC or len(payload) < size or _digest(payload) != data[at + 8 : at + _HEAD]:
            break
        responses.append(_decode(payload))
        at += _HEAD + size
    return responses


def _digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=8).digest()


def _encode(response: GenerationResponse) -> bytes:
    return orjson.dumps(
        {
            "key": response.key,
            "texts": response.texts,
            "finish": response.finish,
            "usage": [response.usage.prompt_tokens, response.usage.completion_tokens],
        }
    )


def _decode(payload: bytes) -> GenerationResponse:
    value = orjson.loads(payload)
    return GenerationResponse(value["key"], tuple(value["texts"]), value["finish"], Usage(*value["usage"]))
