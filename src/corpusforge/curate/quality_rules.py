"""The quality rules of Gopher, C4 and FineWeb, each a named figure of a text with a published threshold.

Sources: Gopher, arXiv 2112.11446, section A.1 and table A1; C4, arXiv 1910.10683, section 2.2; FineWeb, arXiv
2406.17557, section 3.6. Where they leave a choice, the filters of datatrove 0.10 are followed, except that words are
split by one regular expression and not by spaCy, and that no rule edits the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from corpusforge.curate.measured import Measured, shares_of_repeats

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_TERMINAL = (".", "?", "!", "。", "？", "！", "؟", "।", "‼", "⁇", "⁈", "⁉", "．", "｡")
_SHORT_LINE = 30


@dataclass(frozen=True, slots=True)
class Rule:
    """A figure of a text; a record fails when it is under a `min` or over a `max` threshold.

    `bound` is never below `value` and cheaper: a `max` rule whose bound holds needs no value.
    """

    value: Callable[[Measured], float]
    side: Literal["min", "max"]
    meaning: str
    bound: Callable[[Measured], float] | None = None


def _symbols(measured: Measured, *symbols: str) -> float:
    return sum(map(measured.text.count, symbols)) / measured.n_tokens


def _starting(measured: Measured, marks: tuple[str, ...]) -> float:
    return sum(line.lstrip().startswith(marks) for line in measured.all_lines) / len(measured.all_lines)


def _ending(measured: Measured, marks: tuple[str, ...]) -> float:
    return sum(line.rstrip().endswith(marks) for line in measured.all_lines) / len(measured.all_lines)


def _stop_words(measured: Measured) -> float:
    return sum(word in measured.vocabulary for word in STOP_WORDS)


def _terminal_lines(measured: Measured) -> float:
    return sum(line.endswith(_TERMINAL) for line in measured.lines) / len(measured.lines) if measured.lines else 0.0


def _short_lines(measured: Measured) -> float:
    lines = measured.lines
    return sum(len(line) <= _SHORT_LINE for line in lines) / len(lines) if lines else 1.0


def _repeated_line_characters(measured: Measured) -> float:
    return shares_of_repeats(measured.lines, (measured.length - measured.text.count("\n")) or 1)[1]


def _top(n: int) -> Rule:
    def value(measured: Measured) -> float:
        return measured.top_gram(n)

    def bound(measured: Measured) -> float:
        return measured.top_gram_bound(n)

    return Rule(value, "max", f"share of characters in the most frequent {n}-gram", bound)


def _repeated(n: int) -> Rule:
    def value(measured: Measured) -> float:
        return measured.repeated_grams(n)

    def bound(measured: Measured) -> float:
        return measured.repeated_fives

    return Rule(value, "max", f"share of characters in {n}-grams that occurred before", bound)


_ELLIPSES = ("...", "…")
RULES: Mapping[str, Rule] = {
    "min_words": Rule(lambda m: m.n_words, "min", "words"),
    "max_words": Rule(lambda m: m.n_words, "max", "words"),
    "min_mean_word": Rule(lambda m: m.mean_word, "min", "mean characters of a word"),
    "max_mean_word": Rule(lambda m: m.mean_word, "max", "mean characters of a word"),
    "max_hashes": Rule(lambda m: _symbols(m, "#"), "max", "# signs for each word"),
    "max_ellipses": Rule(lambda m: _symbols(m, *_ELLIPSES), "max", "ellipses for each word"),
    "max_bullet_lines": Rule(partial(_starting, marks=("•", "-")), "max", "share of lines that start with a bullet"),
    "max_ellipsis_lines": Rule(partial(_ending, marks=_ELLIPSES), "max", "share of lines that end with an ellipsis"),
    "min_alphabetic": Rule(lambda m: m.alphabetic, "min", "share of words with a letter"),
    "min_stop_words": Rule(_stop_words, "min", "different English stop words"),
    "max_duplicate_paragraphs": Rule(lambda m: m.duplicate_paragraphs[0], "max", "share of repeated paragraphs"),
    "max_duplicate_paragraph_chars": Rule(lambda m: m.duplicate_paragraphs[1], "max", "the same, of characters"),
    "max_duplicate_lines": Rule(lambda m: m.duplicate_lines[0], "max", "share of repeated lines"),
    "max_duplicate_line_chars": Rule(lambda m: m.duplicate_lines[1], "max", "the same, of characters"),
    **{f"max_top_{n}_gram": _top(n) for n in (2, 3, 4)},
    **{f"max_repeated_{n}_grams": _repeated(n) for n in (5, 6, 7, 8, 9, 10)},
    "max_lorem_ipsum": Rule(lambda m: m.c4[1], "max", "1 where a sentence says lorem ipsum"),
    "max_curly_brackets": Rule(lambda m: m.c4[2], "max", "1 where a sentence has a {"),
    "min_sentences": Rule(lambda m: m.c4[0], "min", "sentences in lines that end like one"),
    "min_ending_lines": Rule(_terminal_lines, "min", "share of lines that end with a terminal mark"),
    "max_short_lines": Rule(_short_lines, "max", "share of lines of 30 characters or fewer"),
    "max_repeated_line_chars": Rule(_repeated_line_characters, "max", "share of characters in repeated lines"),
    "max_newlines": Rule(lambda m: m.text.count("\n") / m.n_tokens, "max", "newlines for each word"),
}

PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "gopher-quality": {
        "min_words": 50,
        "max_words": 100_000,
        "min_mean_word": 3,
        "max_mean_word": 10,
        "max_hashes": 0.1,
        "max_ellipses": 0.1,
        "max_bullet_lines": 0.9,
        "max_ellipsis_lines": 0.3,
        "min_alphabetic": 0.8,
        "min_stop_words": 2,
    },
    "gopher-repetition": {
        "max_duplicate_paragraphs": 0.3,
        "max_duplicate_paragraph_chars": 0.2,
        "max_duplicate_lines": 0.3,
        "max_duplicate_line_chars": 0.2,
        "max_top_2_gram": 0.2,
        "max_top_3_gram": 0.18,
        "max_top_4_gram": 0.16,
        "max_repeated_5_grams": 0.15,
        "max_repeated_6_grams": 0.14,
        "max_repeated_7_grams": 0.13,
        "max_repeated_8_grams": 0.12,
        "max_repeated_9_grams": 0.11,
        "max_repeated_10_grams": 0.10,
    },
    "c4": {"max_lorem_ipsum": 0, "max_curly_brackets": 0, "min_sentences": 5},
    "fineweb": {
        "min_ending_lines": 0.12,
        "max_short_lines": 0.67,
        "max_repeated_line_chars": 0.01,
        "max_newlines": 0.3,
    },
}


Judged = tuple[str, float, float]


def judge(measured: Measured, thresholds: Mapping[str, float]) -> tuple[Judged | None, Judged | None]:
    """The first rule that a text fails, and the passed rule that it came closest to failing, each as
    (rule, value, threshold); None where it passes all, or where every rule passed by its bound alone.
    """
    closest: Judged | None = None
    least = math.inf
    for name, threshold in thresholds.items():
        rule = RULES[name]
        if rule.bound is not None and rule.side == "max" and rule.bound(measured) <= threshold:
            continue
        value = float(rule.value(measured))
        if value < threshold if rule.side == "min" else value > threshold:
            return (name, value, threshold), closest
        away = abs(value - threshold) / max(abs(threshold), 1e-9)
        if away < least:
            least, closest = away, (name, value, threshold)
    return None, closest
