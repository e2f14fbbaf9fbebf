"""A small workspace with chats and notes, whose pipeline the audit's tests run."""

from __future__ import annotations

import random
from pathlib import Path

import orjson

RECIPE = """\
name: small
tokenizer: bytes
sources: {domain: [chats, notes]}
audit: {canaries: CANARIES}
curate:
  redact: REDACT
  language: false
  quality: false
  dedup: false
  holdout: {share: 10%}
  decontaminate: {holdout: false}
mix: {completion: {tokens: all}}
GATES
"""
SOURCES = {
    "chats": "format: {reader: messages, messages: turns, role: role, text: text, conversation: id}\nkind: chat\n"
    "personal_data: [person, email, phone]\n",
    "notes": "format: {reader: jsonl, id: id, title: head, text: body}\nkind: article\npersonal_data: [person]\n",
}
_VERBS = ("open", "choose", "press", "check", "write", "read", "connect", "remove", "watch", "turn")
_THINGS = ("menu", "page", "panel", "button", "cable", "report", "window", "printer", "router", "camera")


def prose(rng: random.Random, sentences: int) -> str:
    """Sentences without anybody in them."""
    return " ".join(
        f"Then {rng.choice(_VERBS)} the {rng.choice(_THINGS)} and {rng.choice(_VERBS)} the old {rng.choice(_THINGS)}."
        for _ in range(sentences)
    )


def make(folder: Path, canaries: int = 45, redact: str = "{}", gates: str = "", rows: int = 24) -> Path:
    """Write the workspace, with `rows` records a source; its recipe."""
    rng = random.Random(3)
    for room in ("recipes", "sources"):
        (folder / room).mkdir(parents=True)
    for name, text in SOURCES.items():
        head = f"name: {name}\npath: {name}.jsonl\nlicence: CC0-1.0\n"
        (folder / "sources" / f"{name}.yaml").write_text(head + text)
    chats = [
        {"id": f"c{i}", "turns": [{"role": r, "text": prose(rng, 3)} for r in ("user", "assistant") * 2]}
        for i in range(rows)
    ]
    notes = [{"id": f"n{i}", "head": f"On the {_THINGS[i % 10]}", "body": prose(rng, 14)} for i in range(rows)]
    for name, rows in (("chats", chats), ("notes", notes)):
        (folder / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    recipe = folder / "recipes" / "small.yaml"
    text = RECIPE.replace("CANARIES", str(canaries)).replace("REDACT", redact).replace("GATES", gates)
    recipe.write_text(text)
    return recipe
