"""Turns lines of an IRC log into numbered messages with their speakers, ready to be linked into conversations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from corpusforge.ingest.conversation_features import Turns, cues
from corpusforge.ingest.irc_log import Clock, Line, parse_line
from corpusforge.ingest.irc_people import People

# Colours and text styles, https://modern.ircdocs.horse/formatting
_FORMATTING = re.compile(
    r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9a-fA-F]{6}(?:,[0-9a-fA-F]{6})?)?|[\x02\x0f\x11\x16\x1d-\x1f]"
)


class Turn(NamedTuple):
    """One message: who, what, when, and where its line lies in the file (bytes, line number from 0)."""

    nick: str
    person: int
    text: str
    minute: int
    stamp: str
    line: int
    start: int
    end: int
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """Messages in the form that the linker takes.

    `written[k]` are the nicks in text k as they are written there; `words` are nicks that are plain words.
    """

    turns: Turns
    texts: list[str]
    nicks: set[str]
    lines: list[int]
    written: list[tuple[str, ...]]
    words: set[str]


@dataclass(slots=True)
class Channel:
    """What is known of a channel while its log is read: people and clock. Memory grows with distinct nicks only."""

    people: People = field(default_factory=People)
    clock: Clock = field(default_factory=Clock)
    known: set[str] = field(default_factory=set)

    def turn(self, text: str, line: int, start: int, end: int, encoding: str = "") -> Turn | Line:
        """A message as a `Turn`; a line that is none, or a message without text, as parsed."""
        parsed = parse_line(text, self.known)
        if parsed.kind == "message":
            self.known.add(parsed.nick)
            person = self.people.number(parsed.nick)
            minute = self.clock.at(parsed.minute)
            said = parsed.text if parsed.text.isprintable() else _FORMATTING.sub("", parsed.text)
            said = said.strip()
            if said:
                return Turn(parsed.nick, person, said, minute, parsed.stamp, line, start, end, encoding)
        if parsed.renamed is not None:
            self.known.add(parsed.renamed[1])
            self.people.rename(*parsed.renamed)
        elif parsed.joined:
            self.known.add(parsed.joined)
            self.people.number(parsed.joined)
        return parsed

    def describe(self, turns: Sequence[Turn]) -> Log:
        """Messages as arrays, with the people whom they name."""
        import numpy as np

        texts = [turn.text for turn in turns]
        mentions, written, words = self.people.mentions(texts, [turn.person for turn in turns])
        bots = self.people.bots

        def column(values: Iterable[int]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
            return np.fromiter(values, np.int32, len(turns))

        arrays = Turns(
            person=column(turn.person for turn in turns),
            addressed=column(m.addressed[0] if m.addressed else -1 for m in mentions),
            named=column((m.addressed[1:] + m.named)[0] if len(m.addressed) > 1 or m.named else -1 for m in mentions),
            named2=column((m.addressed[1:] + m.named + (-1, -1))[1] for m in mentions),
            minute=column(turn.minute for turn in turns),
            cues=column(cues(turn.text, turn.person in bots) for turn in turns),
            length=column(len(turn.text) for turn in turns),
        )
        return Log(arrays, texts, set(self.people.numbers), [turn.line for turn in turns], written, words)


def read_log(stream: IO[bytes]) -> Log:
    """A whole log at once, for measurements; lines that are not UTF-8 are read as Latin-1."""
    channel = Channel()
    turns = []
    position = 0
    for number, raw in enumerate(stream):
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        turn = channel.turn(text.rstrip("\r\n"), number, position, position + len(raw))
        if isinstance(turn, Turn):
            turns.append(turn)
        position += len(raw)
    return channel.describe(turns)
