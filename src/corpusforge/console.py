"""Tables, progress and JSON for people and programs: the only place that prints. stdout is data, stderr is talk."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from corpusforge.plan import Plan, Walk

QUIET_SECONDS = 30.0


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


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Iterable[int] = ()) -> None:
    """A plain table on stdout; columns in `right` are aligned right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(columns)]
    numbers = set(right)

    def line(row: Sequence[str]) -> str:
        shown = (c.rjust(widths[i]) if i in numbers else c.ljust(widths[i]) for i, c in enumerate(row))
        return "  ".join(shown).rstrip()

    data(line(list(columns)))
    for row in cells:
        data(line(row))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else str(value)


def ask(question: str) -> bool:
    """A yes-or-no question on a terminal; without one the answer is no."""
    return ask_text(f"{question} [y/N]").lower() in ("y", "yes")


def ask_text(question: str) -> str:
    """A question on a terminal; without one the answer is empty."""
    if not sys.stdin.isatty():
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


class Progress:
    """Live progress of a build on stderr: one bar a step on a terminal, one plain line per 30 s elsewhere."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.live = sys.stderr.isatty() and not quiet and os.environ.get("TERM") != "dumb"
        self._expected: dict[str, int] = {}
        self._had: dict[str, set[str]] = {}
        self._read: dict[str, tuple[int, int, float]] = {}
        self._started = time.monotonic()
        self._last = time.monotonic()
        self._lines = 0

    def planned(self, plan: Plan, walk: Walk) -> None:
        """Note what is there already, and how many shards each step will have."""
        names = ["ingest", *(step.name for step in plan.steps)]
        for name in names:
            self._had[name] = self._reports(plan, name)
            self._expected[name] = len(walk.states[name].missing)
        waiting = [name for name in names if self._expected[name]]
        if not self.quiet:
            say(f"{plan.recipe.name}: {len(waiting)} of {len(names)} steps have work to do.")

    def said(self, line: str) -> None:
        """One thing worth knowing."""
        if not self.quiet:
            say(line)

    def progress(self, plan: Plan) -> None:
        """Redraw, or write a plain line when 30 s have gone by."""
        now = time.monotonic()
        if self.quiet or (not self.live and now - self._last < QUIET_SECONDS):
            return
        self._last = now
        lines = [line for name in self._expected if (line := self._line(plan, name, now))]
        if self.live:
            up = f"\x1b[{self._lines}F\x1b[J" if self._lines else ""
            sys.stderr.write(up + "".join(line + "\n" for line in lines))
            sys.stderr.flush()
            self._lines = len(lines)
        elif lines:
            say(lines[-1])

    def _line(self, plan: Plan, name: str, now: float) -> str:
        new = self._reports(plan, name) - self._had.get(name, set())
        expected = self._expected[name]
        if not new or not expected:
            return ""
        read, kept, seconds = self._read.get(name, (0, 0, 0.0))
        for key in sorted(new):
            report = plan.store.report(name, key)
            if report is not None and "counts" in report:
                read += report["counts"]["read"]
                kept += report["counts"]["kept"]
                seconds += report["seconds"]
        self._had[name] |= new
        self._read[name] = (read, kept, seconds)
        left = max(0, expected - len(new))
        rate = read / seconds if seconds else 0.0
        lost = f"{100 * (1 - kept / read):.1f}% left out" if read else ""
        eta = duration((now - self._started) / max(1, expected - left) * left)
        return f"  {name:<14} {read:>9,} records  {rate:>8,.0f}/s  {lost:<16} about {eta} left"

    def _reports(self, plan: Plan, name: str) -> set[str]:
        folder = plan.store.root / name
        return {p.stem for p in folder.glob("*.json")} if folder.is_dir() else set()
