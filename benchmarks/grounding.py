"""How many planted errors the checks without a model find, and how many true answers they refuse.

    python benchmarks/grounding.py [--dev] [--list FILE]     FILE gets each miss and false alarm, to be read

Supported answers of real help centres and manuals, half as the text has them and half reworded by rules; every second
row's evidence is widened to the lines around it, as a model quotes. Each kind of error is put into 200 rows (fewer
where fewer have, say, a number); 200 others stay as they are, and all that stay give a second, narrower figure.
Documents are parted by a hash: the rules were made on the one half (`--dev`), figures are of the other. Beside them
stands a check that sees question and answer alone: a logistic regression over 20 features, fitted on the development
half, with its line at 5% false alarms. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from extractive_rows import read, run
from grounding_changes import ENTITY, KINDS, Around, corrupted, pick, reworded

from corpusforge.generate.qa import QA
from corpusforge.generate.verify.checks import problems
from corpusforge.generate.verify.lexicon import lexicon
from corpusforge.generate.verify.words import content, cut
from corpusforge.record import Message, Record, stable_hash

SOURCES = (
    ("ubuntu-support", ("gnome-help", "debian-manuals", "linuxjourney")),
    ("help-centre", ("login-gov", "login-gov-2025")),
)
EACH = 200


@dataclass(frozen=True)
class Item:
    """A row to be judged: `kind` is the way in which it was corrupted, empty where it is true."""

    kind: str
    row: Record


def supported() -> list[Record]:
    """English rows whose answer is prose of 60 to 700 characters, one of a document and place."""
    found: list[Record] = []
    for recipe, names in SOURCES:
        facts, shards = read(recipe, 2_000, names)
        for rows in run(QA, shards, facts, per_passage=2).values():
            found += [row for row in rows if row.language == "en" and 60 <= len(row.meta["answer"]) <= 700]
    return [row for row in found if not list(problems(row))]


def of_half(rows: Sequence[Record], *, development: bool) -> list[Record]:
    """The rows of one half, in an order by hash; a document is in one half only."""
    mine = [row for row in rows if (pick(2, "half", row.parents[0]) == 0) == development]
    return sorted(mine, key=lambda row: stable_hash("order", row.id))


def shown(row: Record, answer: str) -> Record:
    """The row as a model might have written it: with this answer, and every second time with looser evidence."""
    meta = dict(row.meta)
    if pick(2, row.id, "loose"):
        text, offset = meta["context"]["text"], meta["context"]["start"]
        start = min(piece["start"] for piece in meta["evidence"]) - offset
        end = max(piece["end"] for piece in meta["evidence"]) - offset
        start = max(0, text.rfind("\n\n", 0, max(0, start - 2)))
        end = after if (after := text.find("\n\n", end + 2)) > 0 else len(text)
        meta["evidence"] = [{"record": row.parents[0], "start": offset + start, "end": offset + end}]
    meta |= {"engine": "endpoint", "answer": answer}
    return replace(row, meta=meta).with_messages((Message("user", meta["question"]), Message("assistant", answer)))


def items(rows: Sequence[Record]) -> tuple[list[Item], list[Item]]:
    """The corrupted and the untouched: a third of the rows stays as it is, each kind takes 200 of the others."""
    words = {row.id: str(row.meta["answer"]) for row in rows}
    words = {key: reworded(answer, key) if pick(2, key, "reword") else answer for key, answer in words.items()}
    entities = {row.id: [m[0] for m in ENTITY.finditer(row.meta["answer"])] for row in rows}
    wrong: list[Item] = []
    counts: Counter[str] = Counter()
    stays = {row.id for row in rows if pick(3, row.id, "stays") == 0}
    for number, row in enumerate(rows):
        others = [rows[(number + step) % len(rows)] for step in (3, 11, 29)]
        others = [other for other in others if other.source == row.source and other.parents != row.parents]
        sentences = [s for o in others for s in re.findall(r"[A-Z][^.!?\n]{40,160}[.]", o.meta["answer"])][:4]
        around = Around(row.meta["context"]["text"], [name for o in others for name in entities[o.id]], sentences)
        for kind in KINDS:
            if counts[kind] < EACH and row.id not in stays:
                changed = corrupted(kind, words[row.id], around, row.id)
                if changed and changed != words[row.id]:
                    wrong.append(Item(kind, shown(row, changed)))
                    counts[kind] += 1
    return wrong, [Item("", shown(row, words[row.id])) for row in rows if row.id in stays]


_CUES = re.compile(r"\b(?:not|no|never|cannot|without|n't)\b", re.IGNORECASE)
_SCOPE = re.compile(r"\b(?:all|only|must|may|never|always|some|any|every|at least|up to)\b", re.IGNORECASE)


def blind_features(row: Record) -> list[float]:
    """What question and answer alone give: lengths, overlaps, marks and words of certain sorts."""
    asked, said = str(row.meta["question"]), str(row.meta["answer"])
    words = lexicon("en")
    asking = {word.stem for word in cut(asked) if content(word, words)}
    saying = [word for word in cut(said) if content(word, words)]
    sentences = re.split(r"(?<=[.!?])\s+", said)
    last = {word.stem for word in cut(sentences[-1]) if content(word, words)}
    n = max(1, len(saying))
    return [
        len(asked) / 100, len(said) / 500, len(sentences) / 5, n / 50, sum(w.stem in asking for w in saying) / n,
        len(asking & {w.stem for w in saying}) / max(1, len(asking)), len(last & asking) / max(1, len(last)),
        len(re.findall(r"\d", said)) / 10, len(_CUES.findall(said)) / n * 10, len(_SCOPE.findall(said)) / n * 10,
        sum(w.capital for w in saying) / n, sum(w.code for w in saying) / n, said.count(",") / 5, said.count("\n") / 5,
        len({w.stem for w in saying}) / n, float(said.rstrip().endswith(".")), said.count("`") / 5,
        float("only" in said), float(" not " in said), np.mean([len(w.text) for w in saying] or [0]) / 10,
    ]  # fmt: skip


def fitted(wrong: Sequence[Item], true: Sequence[Item]) -> tuple[Any, float]:
    """Weights of a ridge-regularised logistic regression, and the line that 5% of the true rows lie above."""
    x = np.array([blind_features(item.row) for item in (*wrong, *true)])
    y = np.array([1.0] * len(wrong) + [0.0] * len(true))
    mean, scale = x.mean(0), x.std(0) + 1e-9
    x = np.c_[(x - mean) / scale, np.ones(len(x))]
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = x.T @ (x * (p * (1 - p))[:, None]) + np.eye(x.shape[1])
        weights -= np.linalg.solve(hessian, x.T @ (p - y) + weights)
    score = x @ weights
    return (mean, scale, weights), float(np.quantile(score[y == 0], 0.95))


def blind(model: Any, line: float, row: Record) -> bool:
    """Whether the check without a source refuses a row."""
    mean, scale, weights = model
    return float(np.append((np.array(blind_features(row)) - mean) / scale, 1.0) @ weights) > line


def main() -> None:
    """Judge both halves' items and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dev", action="store_true", help="figures of the development half")
    parser.add_argument("--list", type=Path, help="where misses and false alarms go")
    options = parser.parse_args()
    rows = supported()
    development = items(of_half(rows, development=True))
    wrong, true = development if options.dev else items(of_half(rows, development=False))
    model, line = fitted(*development)
    caught: Counter[str] = Counter()
    caught_blind: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {kind: Counter() for kind in ("", *KINDS)}
    total: Counter[str] = Counter(item.kind for item in wrong)
    lines: list[str] = []
    for item in wrong:
        found = next(problems(item.row), None)
        caught[item.kind] += found is not None
        caught_blind[item.kind] += blind(model, line, item.row)
        reasons[item.kind][found.reason if found else "missed"] += 1
        if found is None:
            lines.append(_line(item, ""))
    alarms = []
    for item in true:
        found = next(problems(item.row), None)
        alarms.append(found is not None)
        reasons[""][found.reason if found else "passed"] += 1
        if found is not None:
            lines.append(_line(item, found.reason))
    if options.list:
        options.list.write_text("\n".join(lines))
    blind_alarms = [blind(model, line, item.row) for item in true]
    figures = {
        "half": "development" if options.dev else "held-out",
        "corrupted": sum(total.values()),
        "caught": round(sum(caught.values()) / sum(total.values()), 4),
        "untouched": EACH,
        "false_alarms": round(float(np.mean(alarms[:EACH])), 4),
        "false_alarms_all": round(float(np.mean(alarms)), 4),
        "untouched_all": len(true),
        "by_kind": {
            kind: {
                "n": total[kind],
                "caught": round(caught[kind] / max(1, total[kind]), 4),
                "question_and_answer_only": round(caught_blind[kind] / max(1, total[kind]), 4),
            }
            for kind in KINDS
        },
        "question_and_answer_only": {"caught": round(sum(caught_blind.values()) / sum(total.values()), 4),
                                     "false_alarms": round(float(np.mean(blind_alarms)), 4)},
    }  # fmt: skip
    for kind, table in reasons.items():
        print(f"{kind or 'untouched'}: {dict(table.most_common())}")
    print(json.dumps(figures))


def _line(item: Item, reason: str) -> str:
    meta = item.row.meta
    about = {"kind": item.kind or "untouched", "reason": reason, "question": meta["question"], "answer": meta["answer"]}
    return json.dumps(about | {"passage": meta["context"]["text"]}, ensure_ascii=False)


if __name__ == "__main__":
    main()
