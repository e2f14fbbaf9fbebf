"""A small writer over a session, run in this process or as one to be killed: rows or a reason for each item, in order."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from corpusforge.generate.engines.cache import ResponseCache
from corpusforge.generate.engines.door import GenerationRequest, Sampling
from corpusforge.generate.engines.endpoint import Endpoint
from corpusforge.generate.engines.session import Session, in_order
from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.record import Message

SCHEMA = {"type": "array", "items": {"type": "object"}}
Endpoint.first_pause = 0.01


def request(item: str) -> GenerationRequest:
    return GenerationRequest("qa", (Message("user", item),), Sampling(0.0, 1.0, 200), SCHEMA)


def outcome(item: str, texts: tuple[str, ...], finish: str, error: str) -> dict[str, object]:
    """What a writer makes of a response: rows, or the reason why there are none."""
    if error or finish == "length":
        return {"item": item, "reason": error or "length"}
    try:
        rows = json.loads(texts[0])
    except json.JSONDecodeError:
        return {"item": item, "reason": "unparsable"}
    if any(sorted(row) != ["answer", "question"] for row in rows):
        return {"item": item, "reason": "wrong-schema"}
    kept = list({row["question"]: row for row in rows}.values())
    return {"item": item, "rows": kept, "repeated": len(rows) - len(kept)}


def session(address: str, cache: ResponseCache | None = None, **more: object) -> Session:
    told = {"timeout": 1.5, "attempts": 6, "max_in_flight": 64, **more}
    settings = EngineSettings(kind="endpoint", model="scripted", address=address, **told)
    return Session(Endpoint(settings), cache, max_failed=settings.max_failed)


def ask_all(one: Session, items: list[str], tell: bool = False) -> list[dict[str, object]]:
    async def work(item: str) -> dict[str, object]:
        response = await one.ask(request(item))
        if tell:
            print(response.key, flush=True)
        return outcome(item, response.texts, response.finish, response.error)

    return list(in_order(one, work, items))


def main(address: str, folder: str, out: str, count: str, timeout: str) -> None:
    one = session(address, ResponseCache(Path(folder)), timeout=float(timeout))
    made = ask_all(one, [f"item {n}" for n in range(int(count))], tell=True)
    one.close()
    Path(out).write_text(json.dumps(made))


if __name__ == "__main__":
    main(*sys.argv[1:])
