"""The quality rules of Gopher, C4 and FineWeb, each a named figure of a text with a published threshold.

Sources: Gopher, arXiv 2112.11446, section A.1 and table A1; C4, arXiv 1910.10683, section 2.2; FineWeb, arXiv
2406.17557, section 3.6. Where they leave a choice, the filters of datatrove 0.10 are followed, down to the words of
spaCy's English tokenizer, except that no rule edits the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from corpusforge.curate.compiled import compiled
from corpusforge.curate.measured import Floats, Measured, Rows
from corpusforge.curate.quality_thresholds import NEAR
from corpusforge.curate.repeats import REPEATED, TOP

Figure = Callable[[Measured, Rows], Floats]
Judged = tuple[str, float, float]


@dataclass(frozen=True, slots=True)
class Rule:
    """A figure of a text; a record fails when it is under a `min` or over a `max` threshold.

    `value` gives the figure of some texts of a batch. `bound` is cheaper and never below the value of a `max` rule,
    never above that of a `min` rule: where it is far enough on the safe side, no value is needed.
    """

    value: Figure
    side: Literal["min", "max"]
    meaning: str
    bound: Figure | None = None


def _symbols(measured: Measured, rows: Rows, *, symbols: tuple[str, ...], sign: str) -> Floats:
    found = np.zeros(len(rows))
    at = np.flatnonzero(measured.with_sign(sign)[rows])
    found[at] = measured.each(rows[at], lambda text: sum(map(text.count, symbols)))
    return found / measured.tokens[rows]


def _share_of_lines(measured: Measured, rows: Rows, *, marks: tuple[str, ...], ending: bool) -> Floats:
    def share(text: str) -> float:
        lines = text.splitlines() or [""]
        if ending:
            return sum(line.rstrip().endswith(marks) for line in lines) / len(lines)
        return sum(line.lstrip().startswith(marks) for line in lines) / len(lines)

    return measured.each(rows, share)


def _signs_for_each_line(measured: Measured, rows: Rows, *, sign: str) -> Floats:
    """No more lines can begin or end with a sign than there are chunks with it."""
    signs: Floats = measured.with_sign(sign)[rows] / np.maximum(measured.line_counts.said[rows], 1)
    return signs


def _duplicate_lines(measured: Measured, rows: Rows) -> Floats:
    counts = measured.line_counts
    share: Floats = counts.repeated[rows] / counts.count[rows]
    return share


def _duplicate_line_characters(measured: Measured, rows: Rows) -> Floats:
    return measured.line_counts.repeated_characters[rows] / measured.lengths[rows]


def _duplicate_paragraphs(measured: Measured, rows: Rows) -> Floats:
    counts = measured.line_counts
    share: Floats = counts.repeated_paragraphs[rows] / np.maximum(counts.paragraphs[rows], 1)
    return share


def _duplicate_paragraph_characters(measured: Measured, rows: Rows) -> Floats:
    return measured.line_counts.repeated_paragraph_characters[rows] / measured.lengths[rows]


def _terminal_lines(measured: Measured, rows: Rows) -> Floats:
    counts = measured.line_counts
    return counts.ended[rows] / np.maximum(counts.said[rows], 1)


def _short_lines(measured: Measured, rows: Rows) -> Floats:
    counts = measured.line_counts
    return np.where(counts.said[rows] > 0, counts.short[rows] / np.maximum(counts.said[rows], 1), 1.0)


def _repeated_line_characters(measured: Measured, rows: Rows) -> Floats:
    counts = measured.line_counts
    said = np.array([len(measured.texts[row]) for row in rows.tolist()]) - counts.newlines[rows]
    return counts.said_repeated_characters[rows] / np.maximum(said, 1)


def _newlines(measured: Measured, rows: Rows) -> Floats:
    newlines: Floats = measured.line_counts.newlines[rows] / measured.tokens[rows]
    return newlines


def _top(n: int) -> Rule:
    return Rule(lambda m, rows: m.repeats.top[n][rows], "max", f"share of characters in the most frequent {n}-gram")


def _repeated(n: int) -> Rule:
    meaning = f"share of characters in {n}-grams that occurred before"
    return Rule(lambda m, rows: m.repeats.repeated[n][rows], "max", meaning)


_ELLIPSES = ("...", "…")
_BULLETS = ("•", "-")
_BULLET_LINES = Rule(
    partial(_share_of_lines, marks=_BULLETS, ending=False),
    "max",
    "share of lines that start with a bullet",
    partial(_signs_for_each_line, sign="bullet"),
)
_ELLIPSIS_LINES = Rule(
    partial(_share_of_lines, marks=_ELLIPSES, ending=True),
    "max",
    "share of lines that end with an ellipsis",
    partial(_signs_for_each_line, sign="ellipsis"),
)
RULES: Mapping[str, Rule] = {
    "min_words": Rule(lambda m, rows: m.words[rows].astype(float), "min", "words"),
    "max_words": Rule(lambda m, rows: m.words[rows].astype(float), "max", "words"),
    "min_mean_word": Rule(lambda m, rows: m.mean_word[rows], "min", "mean characters of a word"),
    "max_mean_word": Rule(lambda m, rows: m.mean_word[rows], "max", "mean characters of a word"),
    "max_hashes": Rule(partial(_symbols, symbols=("#",), sign="hash"), "max", "# signs for each word"),
    "max_ellipses": Rule(partial(_symbols, symbols=_ELLIPSES, sign="ellipsis"), "max", "ellipses for each word"),
    "max_bullet_lines": _BULLET_LINES,
    "max_ellipsis_lines": _ELLIPSIS_LINES,
    "min_alphabetic": Rule(lambda m, rows: m.alphabetic[rows], "min", "share of words with a letter"),
    "min_stop_words": Rule(lambda m, rows: m.stop_words[rows].astype(float), "min", "different English stop words"),
    "max_duplicate_paragraphs": Rule(_duplicate_paragraphs, "max", "share of repeated paragraphs"),
    "max_duplicate_paragraph_chars": Rule(_duplicate_paragraph_characters, "max", "the same, of characters"),
    "max_duplicate_lines": Rule(_duplicate_lines, "max", "share of repeated lines"),
    "max_duplicate_line_chars": Rule(_duplicate_line_characters, "max", "the same, of characters"),
    **{f"max_top_{n}_gram": _top(n) for n in TOP},
    **{f"max_repeated_{n}_grams": _repeated(n) for n in REPEATED},
    "max_lorem_ipsum": Rule(
        lambda m, rows: m.line_counts.c4.lorem[rows].astype(float), "max", "1 where a sentence says lorem ipsum"
    ),
    "max_curly_brackets": Rule(
        lambda m, rows: m.line_counts.c4.curly[rows].astype(float), "max", "1 where a sentence has a {"
    ),
    "min_sentences": Rule(
        lambda m, rows: m.sentences(rows).astype(float),
        "min",
        "sentences in lines that end like one",
        lambda m, rows: m.line_counts.c4.kept[rows].astype(float),
    ),
    "min_ending_lines": Rule(_terminal_lines, "min", "share of lines that end with a terminal mark"),
    "max_short_lines": Rule(_short_lines, "max", "share of lines of 30 characters or fewer"),
    "max_repeated_line_chars": Rule(_repeated_line_characters, "max", "share of characters in repeated lines"),
    "max_newlines": Rule(_newlines, "max", "newlines for each word"),
}


class Verdict(NamedTuple):
    """The first rule that a text fails, and the passed rule that it came closest to failing; None where there is none.

    A rule that the text passes by more than `NEAR` of its threshold does not count as close.
    """

    failed: Judged | None
    closest: Judged | None


_CLEAR = Verdict(None, None)


def judge(texts: Sequence[str], thresholds: Sequence[Mapping[str, float]]) -> list[Verdict]:
    """The verdicts on a batch of texts, each by its own thresholds; texts with the same mapping are judged together."""
    measured = Measured(texts)
    groups: dict[int, list[int]] = {}
    for row, mapping in enumerate(thresholds):
        groups.setdefault(id(mapping), []).append(row)
    verdicts: list[Verdict] = [_CLEAR] * len(texts)
    for rows in groups.values():
        for row, verdict in zip(rows, judged(measured, thresholds[rows[0]], np.array(rows)), strict=True):
            verdicts[row] = verdict
    return verdicts


def judged(measured: Measured, thresholds: Mapping[str, float], rows: Rows | None = None) -> list[Verdict]:
    """The verdicts on some texts of a batch (all, if not said) by the same thresholds."""
    rows = np.arange(len(measured.texts)) if rows is None else rows
    least, closest, failed = np.full(len(rows), np.inf), np.zeros(len(rows)), np.zeros(len(rows))
    which, by = np.full(len(rows), -1), np.full(len(rows), -1)
    found = least, which, closest, by, failed
    alive = np.arange(len(rows))
    for number, (name, threshold) in enumerate(thresholds.items()):
        rule = RULES[name]
        at = _in_doubt(rule, measured, rows, alive, threshold)
        if len(at) and _weighed(
            rule.value(measured, rows[at]), at, float(threshold), rule.side == "min", number, found
        ):
            alive = np.flatnonzero(by < 0)
    rules = list(thresholds.items())
    verdicts = [_CLEAR] * len(rows)
    near = np.flatnonzero(least <= NEAR)
    for k, number, value in zip(near.tolist(), which[near].tolist(), closest[near].tolist(), strict=True):
        name, threshold = rules[number]
        verdicts[k] = Verdict(None, (name, value, threshold))
    fails = np.flatnonzero(by >= 0)
    for k, number, value in zip(fails.tolist(), by[fails].tolist(), failed[fails].tolist(), strict=True):
        name, threshold = rules[number]
        verdicts[k] = Verdict((name, value, threshold), verdicts[k].closest)
    return verdicts


@compiled
def _weighed(
    values: Floats,
    at: Rows,
    threshold: float,
    least_side: bool,
    number: int,
    found: tuple[Floats, Rows, Floats, Rows, Floats],
) -> int:
    """Enters what a rule finds of some texts: how far from failing, the closest rule and value, the failed ones."""
    least, which, closest, by, failed = found
    fails = 0
    for k in range(len(at)):
        row, value = at[k], values[k]
        if (value < threshold) if least_side else (value > threshold):
            by[row], failed[row] = number, value
            fails += 1
        elif threshold:
            # From a threshold of 0, which forbids, nothing that passes is near or far.
            away = abs(value - threshold) / abs(threshold)
            if away < least[row]:
                least[row], which[row], closest[row] = away, number, value
    return fails


def _in_doubt(rule: Rule, measured: Measured, rows: Rows, active: Rows, threshold: float) -> Rows:
    """Those of the active texts that the rule's bound does not clear by more than `NEAR`."""
    if rule.bound is None or not len(active):
        return active
    bounds = rule.bound(measured, rows[active])
    margin = NEAR * abs(threshold)
    return active[bounds < threshold + margin] if rule.side == "min" else active[bounds > threshold - margin]
