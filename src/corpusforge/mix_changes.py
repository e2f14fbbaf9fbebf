"""What `--set` and `--sweep` say of a recipe's mix, as changes to read in place of the recipe's own values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import yaml

from corpusforge.errors import UsageError
from corpusforge.mix.wording import decimal
from corpusforge.mix_tree import CONTROLS, GROUPS, PROFILES
from corpusforge.units import Share, parse_amount
from corpusforge.yaml_file import NO_VALUE, Change, Location, did_you_mean

_SECTIONS = ("completion", "instruct", "packed", "preference")
_PROFILE: Location = ("mix", "completion", "profile")
Lines = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """One `KEY=VALUE` as asked: where in the recipe, the value, and the words it was asked in."""

    at: Location
    value: Any
    said: str


def read_wish(text: str) -> Wish:
    """`mix.completion.domain.share=3%` as a wish. Raises UsageError for no key of the mix, or no plain value."""
    said = f"--set {text}"
    key, equals, written = (part.strip() for part in text.partition("="))
    at = tuple(key.split("."))
    if not equals or not all(at):
        raise UsageError("is not KEY=VALUE.", where=said, hint="Write --set mix.completion.domain.share=3%.")
    if at[0] != "mix":
        hint = f"Did you mean 'mix.{key}'?" if at[0] in _SECTIONS else did_you_mean(at[0], ("mix",))
        raise UsageError(f"{key!r} is no key of the mix.", where=said, hint=hint)
    if len(at) == 1:
        raise UsageError("sets the whole mix.", where=said, hint="Write --set mix.completion.domain.share=3%.")
    try:
        value = yaml.safe_load(written)
    except NO_VALUE:
        value = written
    if isinstance(value, dict | list) or not written:
        raise UsageError("sets more than one value, or none.", where=said, hint="Set one key at a time; --set repeats.")
    # A date or the like stays the words that were typed, as it does in a recipe.
    return Wish(at, value if value is None or isinstance(value, bool | int | float | str) else written, said)


def changes_for(recipe: Lines, wishes: Sequence[Wish]) -> list[Change]:
    """The changes to a recipe's plain values that wishes come to; what is wrong with them is for the recipe to say.

    A group's share is found however it is written (`domain: 2%` or `domain: {share: 2%}`). Where shares filled their
    group and all but one are asked for, that one follows, so that one dial can be turned alone. A profile takes the
    place of written shares of domain and public, and such a share the place of a profile.
    """
    made: dict[Location, Change] = {}
    asked: set[Location] = set()
    for wish in wishes:
        for at, value in _spelt(recipe, wish):
            asked.add(at)
            made[at] = Change(at, value, wish.said)
    profile = PROFILES.get(str(_at(recipe, _PROFILE)))
    places = {group: _place(recipe, (*_PROFILE[:2], group)) for group in profile or ()}
    if profile and asked & set(places.values()):
        said = ", ".join(made[at].said for at in places.values() if at in asked)
        made[_PROFILE] = Change(_PROFILE, None, said, gone=True)
        for group, share in profile.items():
            made.setdefault(places[group], Change(places[group], share, said))
    for owner in sorted({_owner(at) for at in asked}):
        for change in _follower(recipe, owner, made, asked, profile or {}):
            made[change.at] = change
    return list(made.values())


def _spelt(recipe: Lines, wish: Wish) -> Iterator[tuple[Location, Any]]:
    """A wish where the recipe writes it. A profile is written out as shares where the recipe has some: it cannot have
    both."""
    if wish.at == _PROFILE and wish.value in PROFILES:
        places = {group: _place(recipe, (*_PROFILE[:2], group)) for group in PROFILES[wish.value]}
        if any(_at(recipe, place) is not None for place in places.values()):
            yield from ((places[group], share) for group, share in PROFILES[wish.value].items())
            return
    group = wish.at[:3]
    if len(group) == 3 and group[2] in GROUPS and wish.at[3:] in ((), ("share",)):
        yield _place(recipe, group), wish.value
    else:
        yield wish.at, wish.value


def _at(recipe: Lines, location: Location) -> Any:
    found: Any = recipe
    for key in location:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _place(recipe: Lines, line: Location) -> Location:
    """Where the amount of a line of an output stands: in the line itself, or below it as `share`."""
    return (*line, "share") if isinstance(_at(recipe, line), Mapping) else line


def _owner(at: Location) -> Location:
    """The output or group that the amount at a location is a part of."""
    return at[:-2] if at[-1] == "share" else at[:-1]


def _follower(
    recipe: Lines, owner: Location, made: Mapping[Location, Change], asked: set[Location], profile: Mapping[str, str]
) -> Iterator[Change]:
    """The one share of `owner` that was not asked for, where its shares were all there was of it."""
    lines = _at(recipe, owner)
    if not isinstance(lines, Mapping) or owner[1:2] in (("packed",), ("preference",)):
        return
    places = [_place(recipe, (*owner, key)) for key in lines if key not in (*CONTROLS, "share")]
    before = {at: _share(_at(recipe, at)) for at in places}
    if owner == _PROFILE[:2]:
        before |= {_place(recipe, (*owner, group)): _share(share) for group, share in profile.items()}
    free = [at for at in before if at not in asked]
    after = {at: _share(made[at].value) if at in made else share for at, share in before.items()}
    if len(free) != 1 or None in before.values() or None in after.values() or _sum(before.values()) != 1:
        return
    left = 1 - _sum(share for at, share in after.items() if at != free[0])
    if 0 <= left != before[free[0]]:
        said = ", ".join(dict.fromkeys(made[at].said for at in before if at in asked))
        yield Change(free[0], f"{decimal(left * 100)}%", said)


def _sum(shares: Any) -> Fraction:
    return sum(shares, Fraction(0))


def _share(value: Any) -> Fraction | None:
    try:
        amount = parse_amount("rest" if value is None else value)
    except ValueError:
        return None
    return amount.of_parent if isinstance(amount, Share) else None
