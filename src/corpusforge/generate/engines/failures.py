"""Kinds of failed calls: which pass and are worth another attempt, how long to wait, what to tell the user."""

from __future__ import annotations

import email.utils
import math
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from corpusforge.generate.engines.door import ErrorKind

PASSING: frozenset[ErrorKind] = frozenset(("timeout", "overloaded", "server", "unreachable", "damaged", "empty"))
# Not deaths: what the model or its filter makes of a prompt is an answer, and the row has its reason.
ANSWERS: frozenset[ErrorKind] = frozenset(("refused", "empty", "context"))
EMPTY_ATTEMPTS = 3
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
LONGEST_RETRY_AFTER = 300.0

HINTS: Mapping[str, str] = {
    "timeout": "Raise engine.timeout, or lower engine.max_in_flight or max_tokens.",
    "overloaded": "Lower engine.max_in_flight, or raise engine.attempts.",
    "server": "See the server's log.",
    "unreachable": "Is the server running at engine.address?",
    "damaged": "Does engine.address speak OpenAI's chat completions? See the server's log, or a proxy's on the way.",
    "denied": "Check the key in the variable that engine.key_env names, its quota, and engine.model.",
    "bad-request": "The server will not have the request: see engine.options and engine.output.",
    "unsupported": "The engine has no such task.",
}

_CONTEXT = re.compile(
    r"context.{0,20}(length|window|size)|maximum (model|context|input) length|max_model_len|too many (input )?tokens"
    r"|(prompt|input|request) (is )?too (long|large)|longer than the (maximum|model)",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"content[_ ](filter|policy|management)|safety system", re.IGNORECASE)
_QUOTA = re.compile(r"insufficient_quota|exceeded your current quota|billing", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that failed; `wait` is how long the server asks to be left alone, in seconds.

    `starting`: a server that is still loading its model looks like this.
    """

    kind: ErrorKind
    wait: float | None = None
    starting: bool = False


def of_status(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """What an answer other than 200 means. The body is looked at and never shown: it may quote the prompt."""
    text = _message(body)
    if status in (401, 402, 403, 404) or (status == 429 and _QUOTA.search(text)):
        return Failure("denied")
    if status in (429, 529):
        return Failure("overloaded", retry_after(headers))
    if status in (408, 504):
        return Failure("timeout")
    if status >= 500 or status in (409, 425):
        return Failure("server", retry_after(headers), starting=status == 503)
    if status == 413 or _CONTEXT.search(text):
        return Failure("context")
    return Failure("refused" if _REFUSED.search(text) else "bad-request")


def _message(body: bytes) -> str:
    """What an error's body says: OpenAI's {"error": {"message", "code"}}, or its beginning."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[:2000].decode("utf-8", "replace")
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, dict):
        return " ".join(str(error.get(key, "")) for key in ("code", "type", "message"))[:4000]
    return str(error)[:4000]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the header Retry-After asks for, as a number or a date; at most `LONGEST_RETRY_AFTER`."""
    written = headers.get("retry-after", "").strip()
    if not written:
        return None
    try:
        seconds = float(written)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(written).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER) if not math.isnan(seconds) else None


def pause(attempt: int, first: float = FIRST_PAUSE) -> float:
    """Seconds before the next attempt: doubling, with full jitter, so that calls that failed together part ways."""
    return random.uniform(0.5, 1.0) * min(LONGEST_PAUSE, first * 2.0 ** (attempt - 1))
