"""Carries redaction spans through a rewrite of the text: placeholders travel as anchors and come back in place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from corpusforge.record import Message, Record, Span, part_offsets, speaker

# Anchors are a private-use character, a number and a second one, so that no cleaning rule has an opinion on them.
_FIRST, _LAST = 0xF0000, 0xFFFFC
ANCHOR = re.compile("[\U000f0000-\U000ffffd][0-9]+[\U000f0000-\U000ffffd]")


@dataclass(slots=True)
class Lifted:
    """A record's parts with anchors for placeholders, and what is needed to put the placeholders back."""

    parts: list[str]
    anchored: dict[str, tuple[Span, str]] = field(default_factory=dict)
    in_names: list[tuple[int, int, Span]] = field(default_factory=list)


def lift(record: Record) -> Lifted:
    """The parts of a record with every redaction of their text replaced by an anchor.

    Redactions in a speaker's name stay where they are; they are remembered by their turn and offset within it.
    """
    parts = list(record.parts)
    if not record.spans:
        return Lifted(parts)
    messages = record.messages
    starts = [0] if messages is None else part_offsets(messages)
    opening, closing = _unused_pair(record.text)
    lifted = Lifted(parts)
    inside: list[list[tuple[int, int, str]]] = [[] for _ in parts]
    for number, span in enumerate(sorted(record.spans, key=lambda s: (s.start, s.end))):
        index = _part_of(starts, parts, span)
        if index is None:
            turn = max(i for i, start in enumerate(starts) if i == 0 or _turn_start(messages, starts, i) <= span.start)
            lifted.in_names.append((turn, span.start - _turn_start(messages, starts, turn), span))
            continue
        anchor = f"{opening}{number}{closing}"
        lifted.anchored[anchor] = (span, record.text[span.start : span.end])
        inside[index].append((span.start - starts[index], span.end - starts[index], anchor))
    for index, replacements in enumerate(inside):
        for start, end, anchor in reversed(replacements):
            parts[index] = parts[index][:start] + anchor + parts[index][end:]
    return lifted


def settle(record: Record, lifted: Lifted, parts: Sequence[str | None]) -> Record:
    """The record with rewritten parts, its placeholders restored and their spans moved along.

    A part that is None is a turn left out; a redaction whose anchor is gone went with the line that held it.
    """
    if record.messages is None:
        (part,) = parts
        text, spans = _restored(part or "", lifted, 0)
        return record if text == record.text else replace(record, text=text, spans=tuple(spans))
    messages: list[Message] = []
    spans = []
    position = 0
    for index, (message, part) in enumerate(zip(record.messages, parts, strict=True)):
        if part is None:
            continue
        for turn, offset, span in lifted.in_names:
            if turn == index:
                spans.append(replace(span, start=position + offset, end=position + offset + span.end - span.start))
        position += len(speaker(message)) + 2
        content, found = _restored(part, lifted, position)
        spans.extend(found)
        position += len(content) + 1
        messages.append(message if content == message.content else replace(message, content=content))
    if tuple(messages) == record.messages:
        return record
    return replace(record.with_messages(messages), spans=tuple(spans))


def _restored(part: str, lifted: Lifted, offset: int) -> tuple[str, list[Span]]:
    if not lifted.anchored:
        return part, []
    pieces: list[str] = []
    spans: list[Span] = []
    end = length = 0
    for match in ANCHOR.finditer(part):
        found = lifted.anchored.get(match[0])
        if found is None:
            continue
        span, placeholder = found
        pieces += (part[end : match.start()], placeholder)
        length += match.start() - end
        spans.append(replace(span, start=offset + length, end=offset + length + len(placeholder)))
        length += len(placeholder)
        end = match.end()
    pieces.append(part[end:])
    return "".join(pieces), spans


def _part_of(starts: list[int], parts: list[str], span: Span) -> int | None:
    for index, start in enumerate(starts):
        if start <= span.start and span.end <= start + len(parts[index]):
            return index
    return None


def _turn_start(messages: tuple[Message, ...] | None, starts: list[int], index: int) -> int:
    return 0 if messages is None else starts[index] - len(speaker(messages[index])) - 2


def _unused_pair(text: str) -> tuple[str, str]:
    for code in range(_FIRST, _LAST, 2):
        if chr(code) not in text and chr(code + 1) not in text:
            return chr(code), chr(code + 1)
    raise ValueError("the text uses every private-use character of plane 15")
