"""Question 1, what is in it: shares wanted and got, epochs, and a lens on the share that a whole bar would hide."""

from __future__ import annotations

from corpusforge.card.facts import BlendFacts, Facts, LeafFacts
from corpusforge.card.figures import plural
from corpusforge.card.section import Section

# Below this a group is a sliver on a bar of the whole, so its leaves get a bar of their own.
LENS_BELOW = 0.25


class Leaf(Section):
    """A line of the mix. Shares are of the whole mix; `of_group` is the share of its group that it got."""

    name: str
    group: str
    share_wanted: float
    share_got: float
    of_group: float
    wanted: int
    got: int
    have: int
    epochs: float
    records: int
    largest_record: int
    synthetic: bool
    licence: str


class Group(Section):
    """A first branch of the mix, such as domain or public; shares are of the whole mix."""

    name: str
    share_wanted: float
    share_got: float
    got: int
    leaves: tuple[Leaf, ...]


class Blend(Section):
    """One mix. `unit` is what wanted, got and have count; `lens` names the small groups that get their own bars."""

    name: str
    unit: str
    wanted: int
    got: int
    rows: int
    largest_error: float
    synthetic_share: float
    groups: tuple[Group, ...]
    lens: tuple[str, ...]


class Preference(Section):
    """Pairs of a right and a wrong answer, made of so many multiple-choice rows of the instruct mix."""

    against: str
    items: int
    pairs: int


def make_preference(facts: Facts) -> Preference | None:
    """The preference pairs of a build, if it has any part for them."""
    told = facts.preference
    return None if told is None else Preference(against=told.against, items=told.items, pairs=told.pairs)


def preference_sentence(told: Preference) -> str:
    """What the pairs are made of."""
    made = (
        f"{plural(told.pairs, 'preference pair')} from {plural(told.items, 'multiple-choice row')} of the instruct mix"
    )
    return f"{made}: the right answer against each {'slightly ' if told.against == 'near' else ''}wrong one."


def make_mixture(facts: Facts) -> tuple[Blend, ...]:
    """The mixes of a build, in the order of the design: completion, then instruct."""
    licences = {source.name: source.licence for source in facts.sources}
    return tuple(_blend(name, blend, licences) for name, blend in facts.blends())


def _blend(name: str, blend: BlendFacts, licences: dict[str, str]) -> Blend:
    grouped: dict[str, list[LeafFacts]] = {}
    for leaf in sorted(blend.leaves, key=lambda leaf: leaf.path):
        grouped.setdefault(leaf.path[0], []).append(leaf)
    groups = [_group(group, leaves, licences) for group, leaves in grouped.items()]
    groups.sort(key=lambda group: (-group.share_got, group.name))
    errors = [abs(leaf.share_got - leaf.share_wanted) for leaf in blend.leaves]
    return Blend(
        name=name,
        unit=blend.unit,
        wanted=blend.wanted_tokens,
        got=blend.got_tokens,
        rows=blend.rows,
        largest_error=max(errors, default=0.0),
        synthetic_share=sum(leaf.share_got for leaf in blend.leaves if leaf.synthetic),
        groups=tuple(groups),
        lens=tuple(g.name for g in groups if g.share_got < LENS_BELOW and len(groups) > 1 and len(g.leaves) > 1),
    )


def _group(name: str, leaves: list[LeafFacts], licences: dict[str, str]) -> Group:
    got = sum(leaf.got for leaf in leaves)
    made = [
        Leaf(
            name="/".join(leaf.path[1:]) or leaf.path[0],
            group=name,
            share_wanted=leaf.share_wanted,
            share_got=leaf.share_got,
            of_group=leaf.got / got if got else 0.0,
            wanted=leaf.wanted,
            got=leaf.got,
            have=leaf.have,
            epochs=leaf.epochs,
            records=leaf.records,
            largest_record=leaf.largest_record,
            synthetic=leaf.synthetic,
            licence=licences.get(leaf.path[-1], "inherited" if leaf.synthetic else ""),
        )
        for leaf in leaves
    ]
    return Group(
        name=name,
        share_wanted=sum(leaf.share_wanted for leaf in leaves),
        share_got=sum(leaf.share_got for leaf in leaves),
        got=got,
        leaves=tuple(sorted(made, key=lambda leaf: (-leaf.share_got, leaf.name))),
    )
