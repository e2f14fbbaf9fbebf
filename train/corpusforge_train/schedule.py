"""The learning rate as a function of how much of the run is done."""

from __future__ import annotations

import math

from corpusforge_train.config import Schedule


def rate(schedule: Schedule, begin: float, end: float) -> float:
    """The learning rate of a step that takes the run from the share `begin` to the share `end` of its sequences.

    It is the schedule's value in the middle, so that the first step moves, the last does, and another batch size
    follows the same curve. Re-warming (Ibrahim et al. 2024) is a warm-up whose `start` is the old run's last rate; wsd
    is warm-up, stable, and a decay by 1 - sqrt (Hägele et al. 2024).
    """
    at = (begin + end) / 2
    if at < schedule.warmup:
        return schedule.peak * (schedule.start + (1 - schedule.start) * at / schedule.warmup)
    return schedule.peak * (schedule.final + (1 - schedule.final) * _shape(schedule, at))


def _shape(schedule: Schedule, at: float) -> float:
    """From 1 at the peak to 0 at the end."""
    if schedule.kind == "cosine":
        return (1 + math.cos(math.pi * (at - schedule.warmup) / (1 - schedule.warmup))) / 2
    if schedule.kind == "wsd" and at > 1 - schedule.decay:
        return 1 - math.sqrt(min(1.0, (at - 1 + schedule.decay) / schedule.decay))
    return 1.0
