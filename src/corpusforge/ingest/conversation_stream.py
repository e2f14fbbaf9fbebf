"""Gathers a log's messages into conversations block by block, so that memory does not grow with the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from corpusforge.ingest.conversation_features import WINDOW
from corpusforge.ingest.conversations import parents
from corpusforge.ingest.irc_turns import Channel, Turn

BLOCK = 20_000
"""Messages that are linked at once. A day of a busy channel is one block."""
CONTEXT = 1_000
"""Messages before a block that it still sees; a reply cannot point further back than WINDOW."""
MAX_TURNS = 5_000
"""A conversation that grows longer goes on as a new one: only this bounds a chain that never ends."""


@dataclass(slots=True)
class Conversation:
    """Messages that answer each other, in order, and the nicks written in them.

    `repeat` tells apart openings of the same minute, nick and wording: 0 for the first.
    """

    turns: list[Turn] = field(default_factory=list)
    handles: set[str] = field(default_factory=set)
    repeat: int = 0


@dataclass(slots=True)
class Splitter:
    """Takes messages in order, gives conversations once no later message can belong to them."""

    channel: Channel
    _turns: list[Turn] = field(default_factory=list)
    _owners: list[Conversation] = field(default_factory=list)
    _open: list[Conversation] = field(default_factory=list)
    _openings: dict[tuple[str, str], int] = field(default_factory=dict)
    _minute: int = -1

    def add(self, turn: Turn) -> Iterator[Conversation]:
        """Take a message; give the conversations that ended, at the end of each block."""
        self._turns.append(turn)
        if len(self._turns) - len(self._owners) >= BLOCK:
            self._link()
            yield from self._ended()

    def finish(self) -> Iterator[Conversation]:
        """Give all conversations that are left, in order of their first message."""
        self._link()
        yield from self._open
        self._open = []

    def _link(self) -> None:
        if len(self._turns) == len(self._owners):
            return
        log = self.channel.describe(self._turns)
        links = parents(log.turns, log.texts, log.nicks)
        for place in range(len(self._owners), len(self._turns)):
            turn = self._turns[place]
            owner = None if links[place] == place else self._owners[links[place]]
            if owner is None or len(owner.turns) >= MAX_TURNS:
                owner = Conversation(repeat=self._repeats(turn))
                self._open.append(owner)
            owner.turns.append(turn)
            owner.handles.update(log.written[place])
            if turn.nick.lower() not in log.words:
                owner.handles.add(turn.nick)
            self._owners.append(owner)

    def _repeats(self, turn: Turn) -> int:
        if turn.minute != self._minute:
            self._openings = {}
            self._minute = turn.minute
        opening = (turn.nick, turn.text)
        count = self._openings.get(opening, 0)
        self._openings[opening] = count + 1
        return count

    def _ended(self) -> Iterator[Conversation]:
        reachable = {id(owner) for owner in self._owners[-WINDOW:]}
        ended = [conversation for conversation in self._open if id(conversation) not in reachable]
        self._open = [conversation for conversation in self._open if id(conversation) in reachable]
        del self._turns[:-CONTEXT], self._owners[:-CONTEXT]
        yield from ended
