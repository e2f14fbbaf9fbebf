"""Two manifests beside each other: what changed, as typed changes and as rows of plain text."""

from __future__ import annotations

from corpusforge.card.difference import Change, Difference, compare, snapshot_of
from corpusforge.card.facts import Facts
from corpusforge.card.figures import count


def diff(before: Facts, after: Facts) -> Difference:
    """Recipe keys, sources, counts per step, mix shares, gates and shards that changed between two manifests."""
    found = compare(snapshot_of(before), snapshot_of(after))
    return Difference(before=found.before, after=found.after, changes=(*found.changes, *_shards(before, after)))


def rows(difference: Difference) -> list[tuple[str, str, str, str]]:
    """The changes as (where, what, before, after); an absent side is a dash."""
    return [(c.where, c.what, c.before or "–", c.after or "–") for c in difference.changes]


def _shards(before: Facts, after: Facts) -> list[Change]:
    """Per step, how many shards are the same bytes, changed, new or gone."""
    old = {step.name: {shard.name: shard.sha256 for shard in step.shards} for step in before.steps}
    new = {step.name: {shard.name: shard.sha256 for shard in step.shards} for step in after.steps}
    changes = []
    for step in [*new, *(name for name in old if name not in new)]:
        was, now = old.get(step, {}), new.get(step, {})
        if was == now:
            continue
        both = was.keys() & now.keys()
        same = sum(was[name] == now[name] for name in both)
        words = f"{same} same, {len(both) - same} changed, {len(now) - len(both)} new, {len(was) - len(both)} gone"
        changes.append(Change(where="shards", what=step, before=count(len(was)), after=f"{count(len(now))}: {words}"))
    return changes
