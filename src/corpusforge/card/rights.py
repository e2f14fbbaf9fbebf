"""Question 6, may we: licences with their conditions, pairs that cannot meet, owners and retention."""

from __future__ import annotations

from corpusforge.card import licences
from corpusforge.card.facts import Facts
from corpusforge.card.section import Section
from corpusforge.card.verdict import Blocker


class SourceRights(Section):
    """A source with what its licence asks; `in_mix` tells whether any of it reached a mix."""

    name: str
    role: str
    kind: str
    about: str
    licence: str
    licence_name: str
    conditions: tuple[str, ...]
    owner: str
    origin: str
    languages: tuple[str, ...]
    collected: str
    retention: str
    personal_data: tuple[str, ...]
    files: int
    bytes: int
    in_mix: bool


class Clash(Section):
    """Two licences, or a licence and a use, that cannot meet, with the sources that bring them in."""

    first: str
    second: str
    why: str
    sources: tuple[str, ...]
    when: str


class Rights(Section):
    """All sources, clashes, unknown licences and who must be named."""

    sources: tuple[SourceRights, ...]
    clashes: tuple[Clash, ...]
    unknown: dict[str, tuple[str, ...]]
    no_retention: tuple[str, ...]
    attribution: tuple[str, ...]


def make_rights(facts: Facts) -> Rights:
    """The rights over all sources of a manifest."""
    mixed = {part for _, blend in facts.blends() for leaf in blend.leaves for part in leaf.path if leaf.got}
    commercial = _commercial(facts)
    clashes = licences.conflicts((s.licence for s in facts.sources if s.licence), commercial=commercial)
    unknown: dict[str, list[str]] = {}
    for source in facts.sources:
        for id in licences.unknown(source.licence):
            unknown.setdefault(id, []).append(source.name)
    return Rights(
        sources=tuple(
            SourceRights(
                name=s.name, role=s.role, kind=s.kind, about=s.about, licence=s.licence,
                licence_name=_full_name(s.licence), conditions=tuple(licences.conditions(s.licence)), owner=s.owner,
                origin=s.origin, languages=s.languages, collected=s.collected, retention=s.retention,
                personal_data=s.personal_data, files=s.files, bytes=s.bytes, in_mix=s.name in mixed,
            )
            for s in facts.sources
        ),
        clashes=tuple(
            Clash(
                first=c.first, second=c.second, why=c.why, when="always" if c.always else "when passed on",
                sources=tuple(s.name for s in facts.sources if s.licence in (c.first, c.second)),
            )
            for c in clashes
        ),
        unknown={id: tuple(names) for id, names in sorted(unknown.items())},
        no_retention=tuple(s.name for s in facts.sources if s.personal_data and s.retention in ("", "none")),
        attribution=tuple(
            " · ".join(part for part in (s.name, s.owner, s.origin, s.licence) if part)
            for s in facts.sources
            if licences.flags(s.licence, "attribution")
        ),
    )  # fmt: skip


def rights_blockers(rights: Rights) -> list[Blocker]:
    """What the licences put in the way of an approval: one waiver, `licences`, answers for all of it."""
    parts = [f"{clash.first} and {clash.second} cannot meet ({clash.when})." for clash in rights.clashes]
    parts += [f"Licence {id} of {', '.join(names)} is not known." for id, names in rights.unknown.items()]
    return [Blocker(key="licences", text=" ".join(parts))] if parts else []


def _commercial(facts: Facts) -> bool:
    about = facts.recipe.get("about")
    return isinstance(about, dict) and about.get("commercial") is True


def _full_name(expression: str) -> str:
    names = []
    for id in licences.alternatives(expression)[0]:
        found = licences.find(id)
        names.append(found.name if found else id)
    return " and ".join(names)
