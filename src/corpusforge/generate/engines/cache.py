"""A store of answers on disk, addressed by content, that survives being killed at any byte.

Layout: `<folder>/<writer>.log`, append-only segments, one for each process that writes. A segment is a row of frames:
magic (4 bytes), length of the payload (4, little-endian), blake2b-8 of the payload, payload (JSON). A frame is believed
only if all of it is there and its digest is right; a torn tail is never read, and no writer appends behind one.
Only redacted text comes here: prompts are kept as keys alone, and answers are made from redacted records.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import orjson

from corpusforge.generate.engines.door import GenerationResponse, Usage
from corpusforge.shards import sync_folder

MAGIC = b"CFr1"
KEPT_ERRORS = ("refused", "empty")
OPEN_FILES = 64
_HEAD = len(MAGIC) + 4 + 8
_KEY = re.compile(r"[0-9a-f]{32}")


class ResponseCache:
    """Answers by request key. Several processes may use one folder: each appends to a segment of its own.

    `put` hands an answer to the system, so that a killed process loses nothing; `sync` makes what was put outlive a
    power cut. In memory lie places only (about 200 bytes an answer), not answers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = folder / f"{uuid.uuid4().hex[:16]}.log"
        self._writing: int | None = None
        self._end = 0
        self._claims: int | None = None
        self._read_to: dict[Path, int] = {}
        self._places: dict[str, tuple[Path, int, int]] = {}
        self._files: OrderedDict[Path, int] = OrderedDict()

    def get(self, key: str) -> GenerationResponse | None:
        """The whole answer to `key`, also where another process has just put it, or None."""
        if not _KEY.fullmatch(key):
            raise ValueError("a cache key has 32 hex digits")
        place = self._places.get(key)
        if place is None:
            self._look()
            place = self._places.get(key)
        if place is None:
            return None
        path, start, size = place
        try:
            found = read_frame(os.pread(self._reading(path), size, start), 0)
        except FileNotFoundError:
            found = None
        if found is None:  # damaged since it was read: as good as never answered
            del self._places[key]
            return None
        return found[0]

    def holds_answers(self) -> bool:
        """Whether anything was answered so far, by anybody."""
        self._look()
        return bool(self._places)

    def put(self, response: GenerationResponse) -> None:
        """Keep an answer. A key that is there already stays as it is.

        Errors are not kept and tried again, but for refusals and empty answers, which were paid for.
        """
        if response.finish == "error" and response.error not in KEPT_ERRORS:
            return
        if response.key in self._places:
            return
        payload = _encode(response)
        frame = MAGIC + len(payload).to_bytes(4, "little") + _digest(payload) + payload
        if self._writing is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._writing, self._end = os.open(self._own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), 0
            sync_folder(self.folder)
        if os.write(self._writing, frame) != len(frame):
            self.close()  # no frame may lie behind a torn one
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._places[response.key] = (self._own, self._end, len(frame))
        self._end += len(frame)

    def sync(self) -> None:
        """Make durable what was put; may run beside `put` in another thread."""
        if self._writing is not None:
            os.fsync(self._writing)

    def claim(self, key: str) -> bool:
        """Whether this process may ask for `key`: False while another one does. Ends with `release` or the process."""
        if self._claims is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._claims = os.open(self.folder / ".claims", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place_of(key))
        except (BlockingIOError, PermissionError):
            return False
        except OSError:  # a shared disk without locks: two may ask for the same, and both answers are whole
            return True
        return True

    def release(self, key: str) -> None:
        """Give a claim back."""
        if self._claims is not None:
            try:
                fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, _place_of(key))
            except OSError:
                return

    def close(self) -> None:
        """Make everything durable and close the files; what is put later opens a new one."""
        if self._writing is not None:
            self.sync()
            os.close(self._writing)
            self._writing = None
            self._read_to[self._own] = self._end
            self._own = self.folder / f"{uuid.uuid4().hex[:16]}.log"
        if self._claims is not None:
            os.close(self._claims)
            self._claims = None
        while self._files:
            os.close(self._files.popitem()[1])

    def __enter__(self) -> ResponseCache:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _reading(self, path: Path) -> int:
        if path not in self._files:
            self._files[path] = os.open(path, os.O_RDONLY)
            if len(self._files) > OPEN_FILES:
                os.close(self._files.popitem(last=False)[1])
        return self._files[path]

    def _look(self) -> None:
        """Read what was added since the last look, by anybody."""
        try:
            segments = sorted(entry.path for entry in os.scandir(self.folder) if entry.name.endswith(".log"))
        except FileNotFoundError:
            return
        # Sorted, and the first one wins: two writers that answered one key give every reader the same answer.
        for name in segments:
            path = Path(name)
            seen = self._read_to.get(path, 0)
            if path != self._own and path.stat().st_size > seen:
                with path.open("rb") as file:
                    file.seek(seen)
                    data = file.read()
                at = 0
                for response, end in _frames(data):
                    self._places.setdefault(response.key, (path, seen + at, end - at))
                    at = end
                self._read_to[path] = seen + at


def read_segment(path: Path) -> list[GenerationResponse]:
    """The whole answers of a segment, up to its end or its first torn or damaged frame."""
    return [response for response, _ in _frames(path.read_bytes())]


def read_frame(data: bytes, at: int) -> tuple[GenerationResponse, int] | None:
    """The answer of the frame at an offset and where the frame ends; None for one that is torn or damaged."""
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    payload = data[at + _HEAD : at + _HEAD + size]
    whole = len(data) >= at + _HEAD and len(payload) == size
    if not whole or data[at : at + 4] != MAGIC or _digest(payload) != data[at + 8 : at + _HEAD]:
        return None
    return _decode(payload), at + _HEAD + size


def _frames(data: bytes) -> Iterator[tuple[GenerationResponse, int]]:
    at = 0
    while (found := read_frame(data, at)) is not None:
        yield found
        at = found[1]


def _place_of(key: str) -> int:
    return int(key[:15], 16)


def _digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=8).digest()


def _encode(response: GenerationResponse) -> bytes:
    return orjson.dumps(
        {
            "key": response.key,
            "texts": response.texts,
            "finish": response.finish,
            "usage": [response.usage.prompt_tokens, response.usage.completion_tokens],
            "error": response.error,
        }
    )


def _decode(payload: bytes) -> GenerationResponse:
    value = orjson.loads(payload)
    usage = Usage(*value["usage"])
    return GenerationResponse(value["key"], tuple(value["texts"]), value["finish"], usage, value.get("error", ""))
