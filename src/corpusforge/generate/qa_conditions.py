"""Asks what happens if X, from sentences of the form `If X, Y.`"""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpusforge.generate.page import Page
from corpusforge.generate.qa_pair import Pair, ask
from corpusforge.generate.sentences import plain, sentences, unwrapped

_IF = re.compile(r"If\s+([^,.;:()]{12,120}),\s+(?:then\s+)?(?=\w)")
_POINTING = re.compile(
    r"\b(?:this|that|these|those|it|its|they|them|so|not|any of|either|neither|above|below|here)\b", re.IGNORECASE
)
MIN_OUTCOME = 20
MAX_SENTENCE = 400


def condition_pairs(page: Page) -> Iterator[Pair]:
    """A pair for each conditional sentence whose condition names what it speaks of; the whole sentence answers."""
    text = page.text
    if "If" not in text:
        return
    for section in page.sections:
        title = page.subject(section)
        if not title or title.lower().startswith("if "):
            continue
        for block in section.blocks:
            if block.kind != "paragraph" or text.find("If", block.start, block.end) < 0:
                continue
            for start, end in sentences(text, block.start, block.end):
                match = _IF.match(text, start, end)
                if match is None or end - match.end() < MIN_OUTCOME or end - start > MAX_SENTENCE:
                    continue
                if _POINTING.search(match[1]) or text[end - 1] != "." or page.redacted(start, end):
                    continue
                question = ask(page, "condition", start, title=title, condition=plain(match[1]))
                yield Pair(
                    "condition", "condition", question, unwrapped(text[start:end]), ((start, end),), section.index,
                    "condition",
                )  # fmt: skip
