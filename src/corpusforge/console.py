"""Tables and JSON for people and programs: with `progress` the only place that prints. stdout is data, stderr talk."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

# Foreground colours that are told apart on light and dark grounds, by people who cannot tell red from green too.
_PALETTE = (34, 33, 35, 36, 31, 32, 94, 95)
_STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def say(line: str) -> None:
    """One line of talk, on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def data(text: str) -> None:
    """One piece of data, on stdout."""
    sys.stdout.write(text + "\n")


def data_json(value: Any) -> None:
    """One JSON object, on stdout."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
    sys.stdout.write(orjson.dumps(value, option=options).decode() + "\n")


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Iterable[int] = (), skip_empty: bool = False
) -> None:
    """A plain table on stdout; columns in `right` are aligned right, and the last is folded to a terminal's width.

    With `skip_empty` a table without rows is left out, and one that follows another begins after an empty line.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    if skip_empty and not cells:
        return
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(columns)]
    numbers = set(right)
    margin = sum(widths[:-1]) + 2 * (len(columns) - 1)
    room = max(24, shutil.get_terminal_size().columns - margin) if sys.stdout.isatty() else None

    def line(row: Sequence[str]) -> str:
        shown = (c.rjust(widths[i]) if i in numbers else c.ljust(widths[i]) for i, c in enumerate(row))
        return "  ".join(shown).rstrip()

    data(line(list(columns)))
    for row in cells:
        if room is None or len(columns) - 1 in numbers:
            data(line(row))
            continue
        folded = textwrap.wrap(row[-1], room, break_on_hyphens=False) or [""]
        data(line([*row[:-1], folded[0]]))
        for rest in folded[1:]:
            data(" " * margin + rest)
    if skip_empty:
        data("")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if value else "–"
    return "–" if value is None else str(value)


def terminal() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty()


def ask(question: str) -> bool:
    """A yes-or-no question on a terminal; without one the answer is no."""
    return ask_text(f"{question} [y/N]").lower() in ("y", "yes")


def ask_text(question: str) -> str:
    """A question on a terminal; without one the answer is empty."""
    if not terminal():
        return ""
    sys.stderr.write(f"{question} ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def duration(seconds: float) -> str:
    """Seconds for people: 0.4 s, 38 s, 4 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def colours() -> bool:
    """Whether colours are seen as such: stdout is a terminal, and nobody asked for none (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painter(names: Iterable[str]) -> Callable[[str, str], str]:
    """A function from a name and a line to the line in the name's own colour; as it is where there are no colours."""
    palette = dict(zip(sorted(names), itertools.cycle(_PALETTE)))
    shown = colours()
    return lambda name, line: f"\x1b[{palette.get(name, 0)}m{line}\x1b[0m" if shown else line


def harmless(text: str) -> str:
    """Text of a corpus without what would steer a terminal."""
    return _STEERS.sub("·", text)


def clear() -> None:
    """An empty screen where stdout is a terminal; nothing elsewhere."""
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[2J\x1b[H")


def flush() -> None:
    """What was printed is out, for who reads along through a pipe."""
    sys.stdout.flush()
