"""Parses one line of an IRC log: who said what and when, in the notations of the common clients.

Known notations: irclogs.ubuntu.com, eggdrop and energymech (`[09:14] <nick> text`, `*** Joins:`), irssi
(`09:14 <@nick> text`, `09:14 -!- nick has joined`), HexChat (`Nov 21 09:14:55 <nick>`), WeeChat
(`2024-11-21 09:14:55<tab>nick<tab>text`), and ISO stamps.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

LineKind = Literal["message", "system", "empty", "unknown"]

_STAMP = re.compile(
    r"\[?(?:(?P<day>\d{4}-\d\d-\d\d|\w{3} [ \d]\d)[T ])?(?P<hour>[012]?\d):(?P<minute>[0-5]\d)(?::[0-5]\d(?:\.\d+)?)?"
    r"(?:[+-]\d\d:?\d\d|Z)?\]?(?P<gap>[ \t]+)"
)
_SPOKEN = re.compile(r"<[ @+%&~!]?(?P<nick>[^<>\t]{1,64})>[ \t]?(?P<text>.*)")
_ACTION = re.compile(r"\*[ \t]+(?P<nick>[^\s*]+)[ \t]?(?P<text>.*)")
_NOTICE = re.compile(r"-(?P<nick>[^\s:!-][^\s:!]*?)(?::[^\s-]+)?- (?P<text>.*)")
_WEECHAT = re.compile(r"(?P<nick>[^\t]+)\t(?P<text>.*)")
_SYSTEM = re.compile(r"\*\*\*|-!-|-->|<--|--(?=[\s\t])|\* (?:Joins|Parts|Quits|Disconnected|Now talking)|#\S+:")
_UNSTAMPED_SYSTEM = re.compile(r"(?:---|\*\*\*\*|#|Session (?:Start|Close|Ident|Time))")
_MEMBERSHIP = re.compile(
    r"(?:\[[^\]]*\]\s+|\([^)]*\)\s+)?(?:has (?:joined|left|quit)|is now known as \S+$|changed the topic|sets? mode|"
    r"was kicked|has been kicked|kicked off|was banned)"
)
_RENAMED = re.compile(r"(?:===|-!-|\*\*\*|--[ \t]|\*)\s*(\S+) is now known as (\S+)$")
_JOINED = re.compile(r"(?:===|-!-|\*\*\*|-->[ \t])\s*(?:Joins: )?(\S+) (?:[\[(].*)?(?:has joined|\()")
_DATE = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d")


class Line(NamedTuple):
    """One log line. `minute` is the minute of the day as written, or -1; `stamp` the time as written.

    `renamed` holds (old, new) nicks, `joined` the nick that came in.
    """

    kind: LineKind
    nick: str = ""
    text: str = ""
    minute: int = -1
    stamp: str = ""
    renamed: tuple[str, str] | None = None
    joined: str = ""


def parse_line(line: str, known: set[str] | frozenset[str] = frozenset()) -> Line:
    """Parse one line without its line end.

    `known` are nicks seen so far: old Ubuntu logs write an action as `=== nick text`, like their system messages,
    and only a nick that was seen before tells the two apart.
    """
    stamp = _STAMP.match(line)
    if stamp is None:
        return _unstamped(line, known)
    body = line[stamp.end() :]
    minute = int(stamp["hour"]) * 60 + int(stamp["minute"])
    time = line[: stamp.end()].strip().strip("[]")
    spoken = _SPOKEN.fullmatch(body) or _ACTION.fullmatch(body)
    if spoken is not None and not (body.startswith("*") and _is_system(body)):
        # Old Ubuntu logs write a nick's brackets with a space behind: `<[al] >`, `<g[r] eek>`.
        return Line("message", spoken["nick"].replace(" ", ""), spoken["text"], minute, time)
    if _is_system(body):
        return _system(body, minute, time)
    other = _NOTICE.fullmatch(body)
    if other is None and stamp["gap"].endswith("\t"):
        other = _WEECHAT.fullmatch(body)
    if other is None:
        return Line("unknown", minute=minute, stamp=time)
    nick, text = other["nick"].strip().lstrip("@+%&~"), other["text"]
    if nick == "*":
        nick, _, text = text.partition(" ")
    return Line("message", nick, text, minute, time)


def _unstamped(line: str, known: set[str] | frozenset[str]) -> Line:
    if not line.strip():
        return Line("empty")
    if line.startswith("=== "):
        nick, _, text = line[4:].partition(" ")
        if nick not in known or _MEMBERSHIP.match(text.lstrip()):
            return _system(line)
        return Line("message", nick, text.strip())
    return _system(line) if _UNSTAMPED_SYSTEM.match(line) else Line("unknown")


def _is_system(body: str) -> bool:
    if _SYSTEM.match(body):
        return True
    action = _ACTION.fullmatch(body)
    return action is not None and _MEMBERSHIP.match(action["text"].lstrip()) is not None


def _system(body: str, minute: int = -1, stamp: str = "") -> Line:
    renamed = _RENAMED.match(body)
    if renamed is not None:
        return Line("system", minute=minute, stamp=stamp, renamed=(renamed[1], renamed[2]))
    joined = _JOINED.match(body)
    return Line("system", minute=minute, stamp=stamp, joined=joined[1] if joined else "")


class Clock:
    """Turns minutes of the day into minutes since the log began, over midnight and on twelve-hour clocks."""

    def __init__(self) -> None:
        self.now = 0
        self._last = -1
        self._day = 720

    def at(self, minute: int) -> int:
        """Minutes since the log began; `minute` -1 (a line without a time) stands still."""
        if minute < 0:
            return self.now
        if minute < 60 or minute >= 780:
            # Hours 0 and 13 to 23 exist only on a 24-hour clock; the oldest Ubuntu logs have a 12-hour one.
            self._day = 1440
        if self._last >= 0:
            step = minute - self._last
            if -10 <= step < 0:
                return self.now
            self.now += step if step >= 0 else step % self._day
        self._last = minute
        return self.now


def log_date(name: str) -> str:
    """The date in a log file's name as YYYY-MM-DD, or nothing."""
    found = _DATE.search(name)
    return found[0] if found else ""
