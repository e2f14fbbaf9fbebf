"""Training sentences: templates with made-up values, and the noise of people who type in a hurry."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from corpusforge.curate.redaction.ner.recipe.values import SLOT_LABELS, Values

Span = tuple[int, int, str]
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{([A-Z0-9]+)\}")
_HELD_OUT_OF = 6
_KEYS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuiopqsdfghjklaxcvbnmz", strict=True))


@dataclass(frozen=True, slots=True)
class Text:
    """A text and its labelled spans [start, end), in order, none overlapping."""

    text: str
    spans: tuple[Span, ...] = ()


def templates(*, held_out: bool) -> list[str]:
    """The templates for training, or those kept out of it (every sixth)."""
    lines = (files(__package__) / "templates.txt").read_text(encoding="utf-8").splitlines()
    used = [line for line in lines if line.strip() and not line.startswith("#")]
    return [line for at, line in enumerate(used) if (at % _HELD_OUT_OF == _HELD_OUT_OF - 1) == held_out]


def filled(template: str, values: Values) -> Text:
    """A template with one of its choices each and values in its slots."""
    while match := _CHOICE.search(template):
        template = template[: match.start()] + values.random.choice(match[1].split("|")) + template[match.end() :]
    template = template.replace("\\n", "\n").strip(" ")
    made, spans, done, size = [], [], 0, 0
    for match in _SLOT.finditer(template):
        before, value = template[done : match.start()], values.of(match[1])
        made += [before, value]
        size += len(before)
        if match[1] in SLOT_LABELS:
            spans.append((size, size + len(value), SLOT_LABELS[match[1]]))
        size += len(value)
        done = match.end()
    made.append(template[done:])
    return Text("".join(made), tuple(spans))


def joined(parts: list[Text], glue: str) -> Text:
    """Several texts as one."""
    text, spans = "", []
    for part in parts:
        start = len(text) + (len(glue) if text else 0)
        text = f"{text}{glue}{part.text}" if text else part.text
        spans += [(a + start, b + start, label) for a, b, label in part.spans]
    return Text(text, tuple(spans))


def noisy(made: Text, draw: random.Random) -> Text:
    """The text as typed by someone: sometimes in lower case, in capitals, without marks, with slips of the hand."""
    form = draw.random()
    if form < 0.28:
        made = _cased(made, str.lower)
    elif form < 0.32:
        made = _cased(made, str.upper)
    if draw.random() < 0.18:
        made = _edited(made, lambda c: "" if c in ",.!?;:" else c)
    if draw.random() < 0.1:
        made = _edited(made, lambda c: _slip(c, draw))
    return made


def _cased(made: Text, change: Callable[[str], str]) -> Text:
    changed = change(made.text)
    # A few letters change their length with their case: such texts stay as they are.
    return Text(changed, made.spans) if len(changed) == len(made.text) else made


def _slip(character: str, draw: random.Random) -> str:
    if not character.isalpha() or draw.random() > 0.03:
        return character
    form = draw.random()
    return "" if form < 0.4 else character * 2 if form < 0.7 else _KEYS.get(character, character)


def _edited(made: Text, change: Callable[[str], str]) -> Text:
    pieces = [change(character) for character in made.text]
    starts = [0]
    for piece in pieces:
        starts.append(starts[-1] + len(piece))
    spans = tuple((starts[a], starts[b], label) for a, b, label in made.spans if starts[a] < starts[b])
    return Text("".join(pieces), spans)


def template_texts(n: int, seed: int, *, held_out: bool) -> Iterator[Text]:
    """`n` texts of one to four filled templates each."""
    values = Values(seed)
    draw = values.random
    known = templates(held_out=held_out)
    for _ in range(n):
        parts = [filled(draw.choice(known), values) for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4)))]
        yield noisy(joined(parts, draw.choice((" ", ". ", "\n", "\n\n", " "))), draw)
