"""The order of packed sequences: at every step each source has had its share, to within one sequence.

The source that must come first comes first: of those that would not run ahead, the one whose deficit would soonest
reach a whole sequence (Tijdeman's assignment for the chairman problem, here in tokens, as sequences differ in size).
With the largest deficit alone, as blends usually go, three or more sources fall more than a sequence behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def order(sizes: Sequence[Sequence[int]], length: int) -> tuple[npt.NDArray[np.int32], float]:
    """Which source comes at each place, and the largest deviation from a share at any place, in sequences of `length`.

    `sizes` has the tokens of each source's sequences in their own order, which is kept. Cost: places times sources.
    """
    import numpy as np

    totals = [sum(own) for own in sizes]
    whole = sum(totals)
    live = [source for source, own in enumerate(sizes) if own]
    share = {source: totals[source] / whole for source in live}
    ahead = length * (1 - 1 / max(2, 2 * len(live) - 2))
    had, taken = dict.fromkeys(live, 0), dict.fromkeys(live, 0)
    places = np.empty(sum(len(own) for own in sizes), dtype=np.int32)
    worst, sofar = 0.0, 0
    for place in range(len(places)):
        best: tuple[int, float, int] | None = None
        for source in live:
            size = sizes[source][taken[source]]
            over = had[source] + size - share[source] * (sofar + size)
            late = (had[source] + length) / share[source]
            key = (0, late, source) if over <= ahead else (1, over, source)
            if best is None or key < best:
                best = key
        assert best is not None
        source = best[2]
        size = sizes[source][taken[source]]
        places[place] = source
        had[source] += size
        taken[source] += 1
        sofar += size
        worst = max(worst, *(abs(had[one] - share[one] * sofar) for one in share))
        if taken[source] == len(sizes[source]):
            live.remove(source)
    return places, worst / length
