"""Renders prompts and grades answers with the standard library alone, so that every framework does both alike.

The build exports this file beside the task files of lm-evaluation-harness and inspect, and `corpusforge evaluate` runs
it itself: a prompt or a grade that differed from one to the other would make their figures incomparable.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

LETTERS = "ABCDEFGHIJKLMNOP"
# A slightly wrong option is half of a right one: it tells a model that nearly knows from one that does not.
RIGHT, NEAR, FAR = 1.0, 0.5, 0.0
VERDICTS = {"correct": 1.0, "partly": 0.5, "wrong": 0.0}
_SLOT = re.compile(r"\{(\w+)\}")
_PUNCTUATION = re.compile("[" + re.escape(string.punctuation) + "]")
_MARKS = " \t*_`\"'()[]."
_LETTER = re.compile(
    r"[*_]*(?:the )?(?:(?:right|correct) )?(?:answer|option)?(?: is)?[\s:*_(\[]*([A-P])(?:[\s*_)\].:,].*)?", re.I
)
_SAID_RIGHT = re.compile(r"is (?:the )?(?:right|correct)(?: (?:answer|option|choice|one))?", re.I)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_VERDICT = re.compile(r"(?:verdict:)?[\s*_]*([a-z]+)[\s*_.]*", re.I)


def rendered(prompt: Mapping[str, str], row: Mapping[str, Any], options: Sequence[str] = ()) -> str:
    """The prompt's head with its {columns} filled from the row, a line for each option, and the prompt's tail."""
    text = _SLOT.sub(lambda slot: str(row[slot[1]]), prompt["head"])
    for place, option in enumerate(options):
        line = {"letter": LETTERS[place] if place < len(LETTERS) else "", "text": option}
        text += _SLOT.sub(lambda slot, line=line: line[slot[1]], prompt["option"])  # type: ignore[misc]
    return text + prompt["tail"]


def filled(template: str, **parts: str) -> str:
    """A judge's prompt with its {slots} filled; a part cannot close the tags that it stands between."""
    return _SLOT.sub(lambda slot: parts[slot[1]].replace("</", "< /"), template)


def grades(row: Mapping[str, Any]) -> dict[str, float]:
    """The grade of each choice by its text; an index would mean another choice once somebody shuffles them."""
    kinds = {row["gold"]: RIGHT, **dict.fromkeys(row["near_indices"], NEAR)}
    return {choice: kinds.get(index, FAR) for index, choice in enumerate(row["choices"])}


def spoken(reply: str) -> str:
    """A reply without what the model thinks aloud ahead of it."""
    return _THOUGHT.sub("", reply, count=1)


def cut(reply: str, stops: Sequence[str]) -> str:
    """A reply up to the first of `stops` after its beginning. Chat models open with blank lines: sent as stops to a
    server, they would end such a reply before its first word."""
    text = spoken(reply).strip()
    ends = [place for stop in stops if (place := text.find(stop)) > 0]
    return text[: min(ends)].strip() if ends else text


def read_letter(reply: str, options: Sequence[str]) -> str | None:
    """The option that a reply's first line names by letter, by letter and text, or by text, if any.

    "Option B is correct." names one, unless those words are another option's own text.
    """
    line = _first_line(reply)
    if (found := _LETTER.fullmatch(line)) is not None:
        place = LETTERS.index(found[1].upper())
        rest = line[found.end(1) :].strip(_MARKS + ":,")
        # "A router does" begins with a letter too: what follows one must be the option's own text.
        if place < len(options) and (not rest or plain(rest) == plain(options[place])):
            return options[place]
        if place < len(options) and _SAID_RIGHT.fullmatch(rest):
            return options[place] if read_label(line, options) in (None, options[place]) else None
    return read_label(line, options)


def read_label(reply: str, labels: Sequence[str]) -> str | None:
    """The label that a reply's first line is, up to case and punctuation; None where it is none or two of them."""
    line = _first_line(reply)
    if not line:
        return None
    if line in labels:
        return line
    found = [label for label in labels if plain(label) == plain(line)]
    return found[0] if len(found) == 1 else None


def read_verdict(reply: str) -> str | None:
    """correct, partly or wrong, where the reply's last line is that token alone; None otherwise."""
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    found = _VERDICT.fullmatch(lines[-1]) if lines else None
    token = found[1].lower() if found else ""
    return token if token in VERDICTS else None


def read_preference(reply: str) -> str | None:
    """1, 2 or tie, where the reply's last line is that token alone; None otherwise."""
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    found = re.fullmatch(r"(?:better:)?[\s*_]*(1|2|tie)[\s*_.]*", lines[-1], re.I) if lines else None
    return found[1].lower() if found else None


def source_of(row: Mapping[str, Any]) -> str:
    """The words of the source that prove a row's answer; empty where none are known."""
    return "\n\n".join(place["text"] for place in row["evidence"])


def plain(text: str) -> str:
    """Text in lower case without punctuation and with single spaces; a text of punctuation alone stays as it is."""
    bare = " ".join(_PUNCTUATION.sub(" ", text.casefold()).split())
    return bare or text.strip()


def exact(reply: str, answer: str) -> float:
    """1.0 if both are the same up to case, punctuation and white space."""
    return float(plain(reply) == plain(answer))


def word_f1(reply: str, answer: str) -> float:
    """F1 of the words that reply and answer share (as in SQuAD, arXiv 1606.05250)."""
    given, gold = plain(reply).split(), plain(answer).split()
    both = sum((Counter(given) & Counter(gold)).values())
    return 2 * both / (len(given) + len(gold)) if both else 0.0


def open_scores(reply: str, row: Mapping[str, Any]) -> dict[str, float]:
    """Exact match and F1 of words with the nearest of a row's references; where several are known, each is right."""
    references = row["answers"]
    return {
        "exact": max(exact(reply, reference) for reference in references),
        "word_f1": max(word_f1(reply, reference) for reference in references),
    }


def reference_of(row: Mapping[str, Any]) -> str:
    """A row's references as a judge sees them."""
    references = row["answers"]
    return str(references[0]) if len(references) == 1 else "\n\nor:\n\n".join(references)


def _first_line(reply: str) -> str:
    return next((line.strip() for line in spoken(reply).splitlines() if line.strip()), "")


def letter(doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """lm-evaluation-harness, options by letter: the likeliest letter's grade."""
    return _choice_scores(doc, _likeliest([likelihood for likelihood, _ in results]))


def cloze(doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """lm-evaluation-harness, options by text: the likeliest text; `acc_norm` and `graded` by likelihood a character."""
    plainly = _likeliest([likelihood for likelihood, _ in results])
    lengths = [max(1, len(choice)) for choice in doc["choices"]]
    normed = _likeliest([likelihood / n for (likelihood, _), n in zip(results, lengths, strict=True)])
    scores = _choice_scores(doc, normed)
    return {**scores, "acc": float(plainly == doc["gold"]), "acc_norm": scores["acc"]}


def label(doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """lm-evaluation-harness, labels: whether the likeliest one is right."""
    return {"acc": float(_likeliest([likelihood for likelihood, _ in results]) == doc["gold"])}


def open_answer(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """lm-evaluation-harness, open answers: exact match and F1 of words, both after `plain`."""
    return open_scores(spoken(results[0]), doc)


def domain_texts(dataset: Any) -> Any:
    """lm-evaluation-harness: the held-out texts that are no public text."""
    return dataset.filter(lambda row: row["role"] != "public")


def public_texts(dataset: Any) -> Any:
    """lm-evaluation-harness: the held-out public texts, to measure what was forgotten."""
    return dataset.filter(lambda row: row["role"] == "public")


def _choice_scores(doc: Mapping[str, Any], picked: int) -> dict[str, float]:
    grade = grades(doc)[doc["choices"][picked]]
    return {"acc": float(grade == RIGHT), "graded": grade, "near": float(grade == NEAR)}


def _likeliest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)
