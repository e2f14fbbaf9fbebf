"""What is seen of a model at work: rows accepted, their rate, tokens a second, time left, and why rows were refused."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from corpusforge.console import duration
from corpusforge.generate.write.pulse import read_pulses
from corpusforge.plan import Plan, StepState

_REASONS = 3


def written_lines(plan: Plan, states: Mapping[str, StepState], read: Mapping[str, int]) -> Iterator[str]:
    """One line for each task whose writers told something just now; `read` counts records of shards that are done."""
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for pulse in read_pulses(plan.root):
        tasks.setdefault(str(pulse["task"]), []).append(pulse)
    for task, pulses in sorted(tasks.items()):
        totals: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        for told in pulses:
            totals.update({key: n for key, n in told.items() if isinstance(n, int)})
            refused.update(told["missing"])
        seconds = max(0.001, time.time() - min(float(pulse["started"]) for pulse in pulses))
        accepted, tokens = totals["accepted"], totals["prompt_tokens"] + totals["completion_tokens"]
        line = f"{task}: {accepted:,} rows accepted of {totals['asked']:,} asked for, {accepted / seconds:,.1f}/s, "
        line += f"{tokens / seconds:,.0f} tokens/s"
        waiting = _input(states, task) - read.get(task, 0) - totals["records"]
        if totals["records"] and waiting > 0:
            line += f", about {duration(waiting * seconds / totals['records'])} left"
        reasons = [f"{n:,} {reason}" for reason, n in sorted(refused.items(), key=lambda item: (-item[1], item[0]))]
        yield f"{line}; {', '.join(reasons[:_REASONS])}" if reasons else line


def _input(states: Mapping[str, StepState], task: str) -> int:
    """Records that a task reads in shards which it has not done yet or did since the build began."""
    state = states.get(task)
    if state is None or state.step is None:
        return 0
    own = {slot.name for slot in state.slots if slot.shard is None}
    before = [slot for name in state.step.inputs for slot in states[name].slots]
    return sum(slot.shard.rows for slot in before if slot.shard and state.step.output_name(slot.name) in own)
