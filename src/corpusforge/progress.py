"""Live progress of a build on stderr: a line a step on a terminal, one plain line every half minute elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from corpusforge.console import duration, say
from corpusforge.explain import last_seconds
from corpusforge.plan import Plan, StepState, Walk
from corpusforge.writing import written_lines

PLAIN_EVERY = 30.0


@dataclass(slots=True)
class _Line:
    """What is known of one step: its shards, those that are done, and what the new ones reported."""

    makes: bool
    shards: int
    before: set[str]
    reused: int = 0
    done: int = 0
    looked: int = 0
    read: int = 0
    kept: int = 0
    out: int = 0
    seconds: float = 0.0

    def told(self) -> bool:
        """Whether there is something to tell: a step whose first shards held no record has nothing yet."""
        return bool(self.read or (self.looked and not self.done))

    def waits(self) -> int:
        """Shards that are still to be made, as far as is known."""
        return max(0, self.shards - self.reused - self.done)


class Progress:
    """Tells how far a build is, from the reports that its workers commit."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.live = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._plan: Plan | None = None
        self._walk: Walk | None = None
        self._states: Mapping[str, StepState] | None = None
        self._lines: dict[str, _Line] = {}
        self._last: Mapping[str, float] = {}
        self._started = self._told = time.monotonic()
        self._drawn = 0
        self._wide = 0

    def planned(self, plan: Plan, walk: Walk) -> None:
        """Note what is there already, and how many shards each step will have."""
        self._plan, self._walk, self._states = plan, walk, walk.states
        self._last = last_seconds(plan.root)
        for name, state in walk.states.items():
            step = state.step
            line = _Line(step is not None and step.makes, 0, _reports(plan, name))
            line.shards, line.reused = _shards(state)
            self._lines[name] = line
        self._wide = max(len(name) for name in self._lines)
        work = sum(line.waits() > 0 for line in self._lines.values())
        if not self.quiet:
            say(f"{plan.recipe.name}: {work} of {len(self._lines)} steps have work to do." if work else _nothing(plan))

    def said(self, line: str) -> None:
        """One thing worth knowing. The steps are behind us by then: their lines are drawn a last time, whole."""
        if self.live and self._drawn and self._plan is not None:
            self._look(self._plan)
            self._draw([self._step(name, one) for name, one in self._lines.items() if one.told()])
            self._drawn = 0
        if not self.quiet:
            say(line)

    def progress(self, plan: Plan) -> None:
        """Redraw, or write a plain line when half a minute has gone by."""
        now = time.monotonic()
        if self.quiet or (not self.live and now - self._told < PLAIN_EVERY):
            return
        self._told = now
        self._look(plan)
        lines = [self._step(name, line) for name, line in self._lines.items() if line.told()]
        writing = [f"  {line}" for line in written_lines(plan, self._states or {}, self._read())]
        if self.live:
            self._draw([*lines, *writing, f"  {self._overall(now)}"])
        elif writing:
            say("\n".join([*writing, f"  {self._overall(now)}"]))
        else:
            active = next((n for n in reversed(self._lines) if self._lines[n].read), "ingest")
            say(f"{self._step(active, self._lines[active])}; {self._overall(now)}")

    def _read(self) -> dict[str, int]:
        return {name: line.read for name, line in self._lines.items()}

    def _draw(self, lines: list[str]) -> None:
        """Write over what was drawn last; a line longer than the terminal would break the counting of lines."""
        size = shutil.get_terminal_size()
        lines = [line[: size.columns - 1] for line in lines[-max(1, size.lines - 2) :]]
        up = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        sys.stderr.write(up + "".join(line + "\n" for line in lines))
        sys.stderr.flush()
        self._drawn = len(lines)

    def _look(self, plan: Plan) -> None:
        assert self._walk is not None
        if self._walk.states is not self._states:
            # Between two rounds the walk has looked anew: a shard whose input came out the same is reused after all.
            self._states = self._walk.states
            for name, state in self._states.items():
                shards, there = _shards(state)
                line = self._lines[name]
                line.shards, line.reused = shards, max(0, there - line.done)
        for name, line in self._lines.items():
            new = _reports(plan, name) - line.before
            line.before |= new
            for key in sorted(new):
                report = plan.store.report(name, key)
                if report is None:
                    line.before.discard(key)
                else:
                    _add(line, report)

    def _step(self, name: str, line: _Line) -> str:
        if not line.done:
            return f"  {name:<{self._wide}} {'–':>7}  looked at {line.looked} of {line.shards} shards"
        of = f"{min(line.shards, line.reused + line.done)}/{line.shards}"
        rate = f"{line.read / line.seconds:,.0f}/s" if line.seconds > 0.05 else ""
        if line.makes:
            what = f"{line.out:,} rows made"
        else:
            what = f"{line.read - line.kept:,} left out" if line.kept < line.read else ""
        left = self._left(name, line)
        shown = "" if not line.waits() else "" if left is None else f"{duration(left)} left"
        return f"  {name:<{self._wide}} {of:>7}  {line.read:>9,} records  {rate:>9}  {what:<18} {shown}".rstrip()

    def _left(self, name: str, line: _Line) -> float | None:
        """Seconds until a step is done: by its own shards so far, else by the last build's; None where neither told.

        Reports count processor seconds; what one of them takes on this machine, with all workers and whatever else
        runs on it, is told by the time gone by.
        """
        if line.done:
            each = line.seconds / line.done
        elif name in self._last and line.shards:
            each = self._last[name] / line.shards
        else:
            return None
        worked = sum(one.seconds for one in self._lines.values())
        return each * line.waits() * (time.monotonic() - self._started) / worked if worked else None

    def _overall(self, now: float) -> str:
        known = [self._left(name, line) for name, line in self._lines.items() if line.waits()]
        told = [left for left in known if left is not None]
        spent = f"{duration(now - self._started)} so far"
        if len(told) < len(known):
            waiting = len(known) - len(told)
            return f"{spent}, {waiting} {'step' if waiting == 1 else 'steps'} still to begin"
        return f"{spent}, about {duration(sum(told))} left" if sum(told) > 1 else spent


def _nothing(plan: Plan) -> str:
    return f"{plan.recipe.name}: every step is there already."


def _shards(state: StepState) -> tuple[int, int]:
    """How many shards a step has, and how many of them are there."""
    own = [slot for slot in state.slots if state.step is None or state.step.concerns(slot.source)]
    return len(own), sum(slot.shard is not None for slot in own)


def _add(line: _Line, report: Mapping[str, Any]) -> None:
    line.seconds += report["seconds"]
    if "counts" not in report:
        line.looked += "rows" in report  # a survey; the decision itself has no rows
        return
    line.done += 1
    counts = report["counts"]
    line.read += counts["read"]
    line.kept += counts["kept"]
    line.out += counts["kept"] + counts["added"]


def _reports(plan: Plan, name: str) -> set[str]:
    folder = plan.store.root / name
    return {p.stem for p in folder.glob("*.json")} if folder.is_dir() else set()
