"""Proves that a build's hold-out is clean by lineage: no group and no parent on both sides."""

from __future__ import annotations

from collections.abc import Iterable


def side_violations(rows: Iterable[tuple[str, str, Iterable[str], str]]) -> list[str]:
    """Every breach of the split among `rows` of (id, group, parents, side), one sentence each, in a fixed order.

    A group may be on one side only (a record without one is its own group); a record is on its parents' side, so one
    with parents on both sides is always a breach. A parent that was split stands for its pieces `parent#k`. Parents
    that are no longer in the build prove nothing and are passed over. Memory: one entry a record.
    """
    side_of: dict[str, set[str]] = {}
    groups: dict[str, set[str]] = {}
    children: list[tuple[str, tuple[str, ...], str]] = []
    for identity, group, parents, side in rows:
        side_of.setdefault(identity, set()).add(side)
        whole = identity
        while "#" in whole:
            whole = whole.rpartition("#")[0]
            side_of.setdefault(whole, set()).add(side)
        groups.setdefault(group or identity, set()).add(side)
        if named := tuple(parents):
            children.append((identity, named, side))
    found = [f"group {group} is on both sides." for group, sides in groups.items() if len(sides) > 1]
    for identity, named, side in children:
        for parent in named:
            if other := side_of.get(parent, set()) - {side}:
                found.append(f"{identity} is in {side}, its parent {parent} in {', '.join(sorted(other))}.")
    return sorted(found)
