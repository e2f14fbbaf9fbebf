"""One planted value: what was written where, and which strings count as a leak of it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from corpusforge.audit.battery import Form
from corpusforge.audit.carriers import NAMING, cue, frames
from corpusforge.audit.draw import Draw, Value
from corpusforge.audit.surfaces import BLOCKS, spelled, surrounded, turns

# A string this long is nobody else's by chance; shorter pieces count within their own record alone.
ALONE = 8
_FEWEST = 3
_LONG = 12
_TRIES = 60
_NO_WORD = re.compile(r"[\W_]+")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


def squeezed(text: str) -> str:
    """Letters and digits alone, in small compatibility forms: whatever stands between them makes no difference."""
    return _NO_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True, slots=True)
class Canary:
    """A value in its form, ready to be planted. `shown` is the carrier's text, in one piece or a turn each.

    `whole`: squeezed strings that are all there before redaction. `anywhere`: squeezed strings that are a leak wherever
    they stand; `own`: shorter ones that are a leak in the canary's own record, at the edges of words.
    """

    number: int
    form: Form
    text: str
    shown: tuple[str, ...]
    whole: tuple[str, ...]
    anywhere: tuple[str, ...]
    own: tuple[str, ...]

    @property
    def quoted(self) -> str:
        """The value for a report; keys and passwords by their shape alone, so that no scanner takes them for real."""
        return shape(self.text) if self.form.kind in ("secret", "password", "url", "code") else self.text


def shape(text: str) -> str:
    """A text with its letters and digits hidden: `Ab1-2` is `Aa9-9`."""
    return "".join("A" if c.isupper() else "a" if c.isalpha() else "9" if c.isdigit() else c for c in text)


@dataclass(slots=True)
class Known:
    """What a new value must not be mistaken for: the squeezed text of the sample, and all that was planted so far."""

    sample: str = ""
    needles: set[str] = field(default_factory=set)
    planted: str = ""

    def add(self, canary: Canary) -> None:
        """Note a planted value with its carrier."""
        self.needles.update(canary.anywhere)
        self.planted += squeezed("\n".join(canary.shown)) + "\n"

    def confuses(self, long: tuple[str, ...], short: tuple[str, ...], shown: tuple[str, ...], own: str) -> bool:
        """Whether a value's strings stand elsewhere, or what surrounds it holds those of another.

        `own` is the squeezed text of the value's record: `short` strings must not stand there.
        """
        carrier = squeezed("\n".join(shown))
        return (
            any(needle in own for needle in short)
            or any(needle in self.sample or needle in self.planted for needle in long)
            or any(needle in carrier for needle in self.needles)
        )


def make_canary(number: int, form: Form, draw: Draw, known: Known, own: str) -> Canary | None:
    """A canary that cannot be mistaken for anything else; None if no draw is new, then the form is not planted."""
    for _ in range(_TRIES):
        value = spelled(form.make(draw), form.surface)
        pieces = turns(value) if form.surface == "two-turns" else (value.text,)
        whole = tuple(squeezed(piece) for piece in pieces)
        needles = _needles(value, whole)
        # Half a name is many people's: alone it counts in its own record only.
        named = form.kind == "name"
        long = tuple(n for n in needles if len(n) >= ALONE and (n in whole or not named))
        if named and not any(c.isspace() for c in value.text):
            long = ()
        short = tuple(n for n in needles if n not in long)
        shown = _carried(form, pieces, draw)
        if not known.confuses(long, short, shown, own):
            return Canary(number, form, value.text, shown, whole, long, short)
    return None


def _needles(value: Value, whole: tuple[str, ...]) -> tuple[str, ...]:
    """The whole and the telling parts, without repeats; without declared parts the groups of its characters."""
    pieces = [squeezed(part) for part in value.parts]
    if not value.parts:
        groups = [squeezed(group) for group in _NO_WORD.split(value.text)]
        pieces = [group for group in groups if len(group) >= 4]
        pieces += [part for group in groups if len(group) >= _LONG for part in (group[:ALONE], group[-ALONE:])]
    kept = [piece for piece in (*whole, *pieces) if len(piece) >= (2 if _CJK.search(piece) else _FEWEST)]
    return tuple(dict.fromkeys(kept))


def _carried(form: Form, pieces: tuple[str, ...], draw: Draw) -> tuple[str, ...]:
    word = cue(form.word, form.language)
    if len(pieces) == 2:
        return f"{word}: {pieces[0]}", pieces[1]
    value = surrounded(pieces[0], form.surface)
    if form.position == "speaker" or form.context == "bare":
        return (value,)
    if form.surface in BLOCKS:
        return (BLOCKS[form.surface](word, value),)
    if form.context in NAMING:
        return (draw.pick(NAMING[form.context][form.language]).format(value=value),)
    if form.kind == "hostmask":
        return (f"*** {value}",)
    if "\n" in value or form.surface == "comma":
        return (f"{word}:\n{value}" if "\n" in value else f"{word}: {value}",)
    return (draw.pick(frames(form.language)).format(cue=word, value=value),)
