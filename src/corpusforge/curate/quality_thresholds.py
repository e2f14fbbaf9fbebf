"""The published thresholds of Gopher, C4 and FineWeb, and with them the names of all quality rules."""

from __future__ import annotations

from collections.abc import Mapping

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


NEAR = 0.1
"""A value within this share of its threshold is near the line."""

RULE_NAMES = tuple(name for rules in PUBLISHED.values() for name in rules)
