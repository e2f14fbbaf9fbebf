"""Held-out records with a known right answer each, shaped so that every way of shifting a label shows."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from corpusforge.record import Message, Origin, Record
from corpusforge.shards import write_records

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "islet", "jetty", "knoll", "larch")
# What a template engine, a number reader or a list reader would take for its own.
ODD = ('{{ "x" }}', "{% raw %}", "[1, 2]", "42", "['a']", "naïve 東京", "A", "a. b", "50% off!")
LABELS = ("card_arrival", "card {{lost}}", "top {% up %} failed", "Age limit", "1", "[refund]")
ROLES = {"kb": "domain", "intents": "labelled", "cmds": "labelled", "books": "public"}


@dataclass
class Truth:
    """The answers that an all-knowing model knows, by question or prompt, not by anything in the export."""

    answers: dict[str, str] = field(default_factory=dict)


def held(identity: str, kind: str, source: str = "kb", **more: object) -> Record:
    facts: dict[str, object] = {"text": f"text of {identity}", "origin": Origin("f", 0, 1), "side": "holdout", **more}
    return Record(identity, source, kind, **facts)  # type: ignore[arg-type]


def talk(identity: str, kind: str, question: str, answer: str, **more: object) -> Record:
    return held(identity, kind, **more).with_messages((Message("user", question), Message("assistant", answer)))


def phrase(dice: random.Random) -> str:
    return " ".join(dice.sample(WORDS, 3))


def make_records(items: int = 300) -> tuple[list[Record], Truth]:
    """Records of both sides. No item has its right option first: labels that are numbered anew would all shift."""
    dice, truth = random.Random(7), Truth()
    records: list[Record] = []
    for k in range(items):
        text = f"Page {k}. The colour of thing {k} is {phrase(dice)}. More follows."
        records.append(held(f"kb:{k:04d}", "article", text=text))
        start = text.index(" is ") + 4
        evidence = [{"record": f"kb:{k:04d}", "start": start, "end": text.index(". More")}]
        options = [f"{phrase(dice)} {k} {n}" for n in range(4 if k % 5 else 3)]
        if k < len(ODD):
            options[-1] = ODD[k]
        gold = 1 + dice.randrange(len(options) - 1)
        others = [place for place in range(len(options)) if place != gold]
        question = f"Which words belong to thing {k} of {{kind}} {{{{{k}}}}}?"
        truth.answers[question] = options[gold]
        meta = {
            "question": f" {question} ", "answer": options[gold], "options": options, "gold": gold,
            "near": others[:1], "far": others[1:], "evidence": evidence,
        }  # fmt: skip
        records.append(talk(f"mcq:{k:04d}", "mcq", "?", "ABCD"[gold], meta=meta, parents=(f"kb:{k:04d}",)))
        question = f"What is the colour of thing {k}?"
        answer = ODD[k] if k < len(ODD) else text[start : evidence[0]["end"]]  # type: ignore[misc]
        truth.answers[question] = answer
        meta = {"question": question, "answer": answer, "evidence": evidence}
        records.append(talk(f"qa:{k:04d}", "qa", question, answer, meta=meta, parents=(f"kb:{k:04d}",)))
        label = LABELS[k % len(LABELS)]
        prompt = f"Name the intent.\n\nsentence number {k} {{x}}"
        truth.answers[prompt] = label
        records.append(talk(f"in:{k:04d}", "labelled", prompt, label, source="intents"))
        prompt = f"Write the command.\n\nlist {k}"
        truth.answers[prompt] = f"ls -{k}\n# done"
        records.append(talk(f"cmd:{k:04d}", "labelled", prompt, f"ls -{k}\n# done", source="cmds"))
    records += [held(f"books:{k}", "public", "books", text=f"Chapter {k}: é {phrase(dice)}.") for k in range(20)]
    records += [talk(f"tr:{k}", "labelled", "x", "only_in_training", source="intents", side="train") for k in range(40)]
    records += [held(f"tr:kb:{k}", "article", text="never exported", side="train") for k in range(5)]
    return records, truth


def shards(folder: Path, records: list[Record], count: int = 3) -> list[Path]:
    paths = [folder / f"in-{number}.parquet" for number in range(count)]
    for number, path in enumerate(paths):
        write_records(path, records[number::count])
    return paths
