"""What counts as a duplicate, judged from compared pairs: alike, edited or contained; and what only looks so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corpusforge.curate.clusters import keepers
from corpusforge.curate.dedup_verify import WORTH_COUNTING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from corpusforge.curate.dedup_pairs import Pairs
    from corpusforge.curate.dedup_table import Candidates

    Floats = NDArray[np.float64]
    Marks = NDArray[np.bool_]

# In shorter texts a tenth is a word or two, which may be all that they are about.
_EDITED_FROM = 40
_OWN_MISSING = 0.3
_CONTAINED_FROM = 20
_SHARED_ENOUGH = 5
_THRESHOLDS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_SHOWN_BELOW = 0.2


@dataclass(frozen=True, slots=True)
class Gone:
    """Why a record goes: the record kept instead, the reason, the pair's score and the threshold it went over.

    `pair` is the record that it was compared with; it may itself have gone for `kept`.
    """

    kept: int
    reason: str
    score: float | None
    threshold: float | None
    pair: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from the pairs; records by number."""

    gone: dict[int, Gone]
    linked: NDArray[np.int64]
    close: dict[int, float]
    notes: dict[str, object]


def judge(
    pairs: Pairs,
    table: Candidates,
    *,
    similarity: float,
    link: float,
    edits: float,
    containment: float | None,
    significant: Iterable[str],
) -> Verdict:
    """Decide on every pair.

    Alike are pairs of Jaccard similarity `similarity`; edited copies those of forty words or more of which at most
    `edits` changed. Where template text is shared, what is the records' own must agree too, in `link` of its n-grams or
    in seven tenths of its words, and neither may have another macro where the other has one. Pairs of the kinds
    `significant` are two cases (error 217, error 980) when numbers, codes or negations make out half of what differs,
    or, where template text is shared, when numbers or codes are exchanged; but not two versions of one document.
    """
    import numpy as np

    compared = pairs.compared
    left, right = pairs.records.T
    agree = compared.plain | ~compared.passages | (compared.own >= link) | (compared.own_missing <= _OWN_MISSING)
    guarded = _guarded(table, pairs, tuple(significant))
    distinct = compared.other_template | (guarded & (compared.telling | (compared.exchanged & ~compared.plain)))
    alike = compared.full >= similarity
    edited = (compared.changed <= edits) & (compared.full >= WORTH_COUNTING) & (compared.words >= _EDITED_FROM)
    # Two texts of the same words in another order are no edit at all.
    edited &= edits > 0
    near = (alike | edited) & agree & ~distinct
    score = np.where(alike, compared.full, 1 - compared.changed)
    gone: dict[int, Gone] = {}
    chosen = np.flatnonzero(near)
    by_pair = dict(zip(map(tuple, pairs.records[chosen].tolist()), chosen.tolist(), strict=True))
    for record, (kept, value) in keepers(_triples(left[chosen], right[chosen], score[chosen])).items():
        by_text = bool(alike[by_pair[kept, record]])
        reason, threshold = ("near-duplicate", similarity) if by_text else ("edited-copy", 1 - edits)
        gone[record] = Gone(kept, reason, value, threshold, kept)
    linked = near | ((compared.own >= link) & (compared.plain | (compared.own_shared >= _SHARED_ENOUGH)))
    if containment is not None:
        linked |= _contain(pairs, guarded, containment, gone)
    low = np.flatnonzero(agree & ~distinct & ~near & (compared.full >= similarity - _SHOWN_BELOW))
    close: dict[int, float] = {}
    for record, value in zip(right[low].tolist(), compared.full[low].tolist(), strict=True):
        if record not in gone:
            close[record] = max(value, close.get(record, 0.0))
    certain = np.where(agree & ~distinct, compared.full, 0.0)
    at = {}
    for line in _THRESHOLDS:
        over = np.flatnonzero(certain >= line)
        at[f"{line:.2f}"] = len(keepers(_triples(left[over], right[over], certain[over])))
    notes: dict[str, object] = {
        "pairs_verified": len(pairs.records),
        "pairs_alike_by_template": int((alike & (compared.other_template | ~agree)).sum()),
        "pairs_told_apart_by_numbers": int(((alike | edited) & agree & distinct & ~compared.other_template).sum()),
        "near_duplicates_at": at,
        "template_ngrams": pairs.template,
    }
    return Verdict(gone, pairs.records[linked], close, notes)


def _guarded(table: Candidates, pairs: Pairs, significant: tuple[str, ...]) -> Marks:
    """Where a number tells two records apart: both of these kinds, and no two versions of one document."""
    import numpy as np

    kinds = table.rows["kind"].is_in(significant).to_numpy()
    version = table.rows["version"].to_numpy()
    dates, sources = table.rows["date"].rank("dense").to_numpy(), table.rows["source"].rank("dense").to_numpy()
    left, right = pairs.records.T
    apart = (dates[left] != dates[right]) | (sources[left] != sources[right])
    versions = (version[left] == version[right]) & (version[left] != 0) & apart
    out: Marks = np.asarray(kinds[left] & kinds[right] & ~versions)
    return out


def _contain(pairs: Pairs, guarded: Marks, containment: float, gone: dict[int, Gone]) -> Marks:
    """Let records go that lie in longer ones, the longest first, and tell which pairs these were."""
    import numpy as np

    compared = pairs.compared
    share = compared.own_shared / np.maximum(compared.own_size, 1)
    inside = (share >= containment) & (compared.own_size >= _CONTAINED_FROM) & ~(guarded & compared.inside_telling)
    some = np.flatnonzero(inside)
    smaller = np.where(compared.smaller_left[some], pairs.records[some, 0], pairs.records[some, 1])
    longer = np.where(compared.smaller_left[some], pairs.records[some, 1], pairs.records[some, 0])
    within: dict[int, list[tuple[float, int]]] = {}
    size: dict[int, int] = {}
    for record, other, value, least in zip(
        smaller.tolist(), longer.tolist(), share[some].tolist(), compared.own_size[some].tolist(), strict=True
    ):
        within.setdefault(record, []).append((-value, other))
        size[record] = least
    for record in sorted(within, key=lambda one: (-size[one], one)):
        staying = [rival for rival in within[record] if rival[1] not in gone]
        if record not in gone and staying:
            value, other = min(staying)
            gone[record] = Gone(other, "contained", -value, containment, other)
    for record, why in list(gone.items()):
        # What a contained record stood for is now stood for by what contains it.
        kept = why.kept
        while kept in gone:
            kept = gone[kept].kept
        gone[record] = Gone(kept, why.reason, why.score, why.threshold, why.pair)
    return inside


def _triples(left: NDArray[np.int64], right: NDArray[np.int64], score: Floats) -> Iterable[tuple[int, int, float]]:
    return zip(left.tolist(), right.tolist(), score.tolist(), strict=True)
