"""Finds what a model says it quotes: in the chunk, word for word, or nowhere."""

from __future__ import annotations

import re

from corpusforge.generate.write.chunk import Chunk, Span

SHORTEST = 8
_MARKS = str.maketrans({mark: f"[{marks}]" for marks in ("'’‘`", '"“”„«»', "-‐‑–—") for mark in marks})
_MARKUP = r"[*_`]*"


def find_quote(chunk: Chunk, quote: str) -> Span | None:
    """Where a quote stands in the chunk, as offsets into the record's text; None where it does not.

    White space, the shape of quotation marks and dashes, and marks of emphasis between words may differ; letters,
    digits and their order may not. Quotes below 8 characters prove nothing and are not looked for, unless they are the
    whole chunk.
    """
    quote = quote.strip().strip('"“”').strip()
    if len(quote) < SHORTEST and quote != chunk.text.strip():
        return None
    at = chunk.record.text.find(quote, chunk.start, chunk.end)
    if at >= 0:
        return at, at + len(quote)
    words = [re.escape(word).replace(r"\-", "-").translate(_MARKS) for word in quote.split()]
    if not words:
        return None
    between = rf"{_MARKUP}\s+{_MARKUP}"
    match = re.compile(between.join(words)).search(chunk.record.text, chunk.start, chunk.end)
    return None if match is None else match.span()


def find_quotes(chunk: Chunk, quotes: list[str]) -> tuple[Span, ...] | None:
    """Where every quote stands, in the order of the text and each place once; None where one of them does not."""
    spans: set[Span] = set()
    for quote in quotes:
        span = find_quote(chunk, quote)
        if span is None:
            return None
        spans.add(span)
    return tuple(sorted(spans))
