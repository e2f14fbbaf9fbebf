"""Reads IRC logs: one record for each conversation of a channel in which many talk at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from corpusforge.ingest.conversation_stream import Conversation, Splitter
from corpusforge.ingest.encoding import DETECT, Encodings, Undecodable, decode
from corpusforge.ingest.files import BrokenStream, InputFile
from corpusforge.ingest.irc_log import log_date
from corpusforge.ingest.irc_people import People
from corpusforge.ingest.irc_turns import Channel, Turn
from corpusforge.ingest.lines import Fault, read_lines, sniff
from corpusforge.ingest.reader import ReadContext, Reader, ReaderSettings
from corpusforge.record import Message, Quarantined, Record

MAX_LINE_BYTES = 1 << 16


class IrcSettings(ReaderSettings):
    """Settings of the `irc` format. `encoding` holds for each line by itself: old clients mixed them in one log."""

    encoding: Encodings = ("utf-8",)
    bots: tuple[str, ...] = Field(
        default=(), description="Nicks of bots beside the usual ones (ubottu, ChanServ, dpkg, *-bot)."
    )


class Irc(Reader):
    """A log of any size in the notation of the common clients (see `irc_log`), split by `conversations`.

    A record is a conversation. Conversations interleave: `meta.lines` are the exact byte ranges of its lines, `origin`
    the stretch from the first to the last of them. Who opened it has the role `user`, all others `assistant`; `name` is
    the nick, `time` the time as written. `meta.handles` are all nicks that speak in it or are written in it, for
    redaction; a nick that is a plain word (`help`) is left out. Joins, parts, mode, topic and nick changes and empty
    lines are no records and are not counted.
    The key is the file's name and the opening message (minute since the log began, nick, text, which repetition), so
    that ids stay when a log grows at its end.
    """

    name: ClassVar[str] = "irc"
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ()
    Settings: ClassVar[type[ReaderSettings]] = IrcSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """The conversations of one log; lines of unknown form or encoding are `Quarantined` one by one."""
        settings: IrcSettings = ctx.settings
        encodings = _encodings(file, settings.encoding)
        channel = Channel(People(extra_bots=frozenset(nick.lower() for nick in settings.bots)))
        splitter = Splitter(channel)
        for number, line in enumerate(read_lines(file, max_bytes=MAX_LINE_BYTES)):
            if isinstance(line, Fault):
                yield ctx.quarantined(line.start, line.end, line.reason, line.detail)
                continue
            try:
                text, encoding = _decode(line.data, encodings)
            except Undecodable as error:
                yield ctx.quarantined(line.start, line.end, error.reason, error.detail)
                continue
            turn = channel.turn(text, number, line.start, line.end, encoding)
            if isinstance(turn, Turn):
                for conversation in splitter.add(turn):
                    yield _record(ctx, conversation)
            elif turn.kind == "unknown":
                yield ctx.quarantined(line.start, line.end, "unknown-line", "no known notation of an IRC log")
        for conversation in splitter.finish():
            yield _record(ctx, conversation)


def _encodings(file: InputFile, declared: tuple[str, ...]) -> tuple[str, ...]:
    if declared != (DETECT,):
        return declared
    try:
        return (sniff(file),)
    except (Undecodable, BrokenStream):
        # Reading meets the same fault again and reports it with its place.
        return ("utf-8",)


def _decode(data: bytes, encodings: tuple[str, ...]) -> tuple[str, str]:
    """The line's text, and its encoding where it is not the first declared one."""
    if encodings[0] == "utf-8":
        # Nearly all lines take this short way, three times as fast as the general one.
        try:
            return data.decode(), ""
        except UnicodeDecodeError:
            pass
    decoded = decode(data, encodings, reason="invalid-bytes", marked=False)
    return decoded.text, "" if decoded.encoding == encodings[0] else decoded.encoding


def _record(ctx: ReadContext, conversation: Conversation) -> Record:
    turns = conversation.turns
    first = turns[0]
    asker = first.person
    messages = tuple(Message("user" if t.person == asker else "assistant", t.text, t.nick, t.stamp) for t in turns)
    meta: dict[str, Any] = {
        "lines": _ranges(turns),
        "handles": sorted(conversation.handles),
        "speakers": len({t.person for t in turns}),
    }
    if date := log_date(ctx.file.name):
        meta["date"] = date
    if others := Counter(t.encoding for t in turns if t.encoding):
        meta["other_encodings"] = dict(sorted(others.items()))
    return ctx.record(
        key="\n".join((ctx.file.name, str(first.minute), first.nick, first.text, str(conversation.repeat))),
        start=first.start,
        end=turns[-1].end,
        messages=messages,
        meta=meta,
    )


def _ranges(turns: list[Turn]) -> list[list[int]]:
    """Byte ranges [start, end) of the lines, neighbours joined."""
    ranges: list[list[int]] = []
    for turn in turns:
        if ranges and ranges[-1][1] == turn.start:
            ranges[-1][1] = turn.end
        else:
            ranges.append([turn.start, turn.end])
    return ranges
