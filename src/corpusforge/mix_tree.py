"""The mix as the recipe writes it: a tree of amounts whose leaves are sources and synthetic kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from corpusforge.record import SYNTHETIC
from corpusforge.stage import Role
from corpusforge.units import Amount, Rest, Share, parse_amount, parse_count, parse_epochs
from corpusforge.yaml_file import Location, YamlFile, did_you_mean

OutputName = Literal["completion", "instruct"]
GROUPS: tuple[Role, ...] = ("domain", "labelled", "public")
# What is made and read as running text; a rewritten text is nothing else.
AS_TEXT = ("reading", "rewrite")
# The share of domain and of public under a name: a little of the new in what the model knows (continued pre-training
# that forgets little), or nearly all new (for knowledge that must stick, where forgetting is watched).
PROFILES: Mapping[str, Mapping[str, str]] = {
    "replay": {"domain": "2%", "public": "98%"},
    "inject": {"domain": "90%", "public": "10%"},
}
CONTROLS = ("tokens", "rows", "max_epochs", "profile")


@dataclass(frozen=True, slots=True)
class Node:
    """One line of a mix; a leaf (no children) is a source or a synthetic kind."""

    name: str
    amount: Amount
    children: tuple[Node, ...] = ()

    def leaves(self) -> tuple[str, ...]:
        """The names of all leaves below, in order."""
        if not self.children:
            return (self.name,)
        return tuple(name for child in self.children for name in child.leaves())


@dataclass(frozen=True, slots=True)
class OutputTree:
    """One output of the mix. `total` is a number of `unit`, or None for all that shares and caps allow."""

    name: OutputName
    total: int | None
    unit: Literal["tokens", "rows"]
    max_epochs: Fraction
    root: Node


def read_output(
    name: OutputName, mix: Mapping[str, Any], file: YamlFile, roles: Mapping[str, Role], made: Sequence[str]
) -> OutputTree | None:
    """Read `mix.completion` or `mix.instruct`; mistakes go to `file.problems`.

    `roles` maps source names to their role, `made` lists the synthetic kinds that the recipe generates. A source that
    no line names shares the rest of its group; a group that no line names shares the rest of the output.
    """
    at: Location = ("mix", name)
    value = mix[name]
    before = len(file.problems)
    if not isinstance(value, Mapping):
        file.problems.append(file.problem(at, "must be a mapping of amounts."))
        return None
    if "tokens" in value and "rows" in value:
        file.problems.append(file.problem((*at, "rows"), "tokens and rows together.", "Give one of the two."))
    unit: Literal["tokens", "rows"] = "rows" if "rows" in value else "tokens"
    total = _total(value.get(unit, "all"), file, (*at, unit))
    epochs = _parsed(parse_epochs, value.get("max_epochs", 4 if name == "completion" else 1), file, (*at, "max_epochs"))
    usable = _usable(name, roles, made)
    lines = {key: line for key, line in value.items() if key not in CONTROLS}
    if "profile" in value:
        lines = _with_profile(name, value["profile"], lines, file, (*at, "profile"))
    children = _children(lines, file, at, roles, usable)
    named = {leaf for child in children for leaf in child.leaves()}
    children += _implied(children, [leaf for leaf in usable if leaf not in named], roles)
    _check_shares(children, file, at)
    if len(file.problems) > before or epochs is None:
        return None
    return OutputTree(name, total, unit, epochs, Node(name, Share(Fraction(1)), tuple(children)))


def _with_profile(
    name: OutputName, profile: Any, lines: dict[str, Any], file: YamlFile, at: Location
) -> dict[str, Any]:
    """The lines of an output with the shares that a profile stands for."""
    if name != "completion":
        what = "a profile gives shares to domain and public, which are part of completion alone."
        file.problems.append(file.problem(at, what, "Remove it."))
        return lines
    if profile not in PROFILES:
        hint = did_you_mean(str(profile), PROFILES)
        file.problems.append(file.problem(at, f"no profile named {profile!r}.", hint))
        return lines
    made = dict(lines)
    for group, share in PROFILES[profile].items():
        own = made.get(group, {})
        if not isinstance(own, Mapping) or "share" in own:
            what = f"{group} has a share of its own, and the profile {profile!r} would give it {share}."
            place = (*at[:-1], group, "share") if isinstance(own, Mapping) else (*at[:-1], group)
            file.problems.append(file.problem(place, what, "Remove one of the two."))
            continue
        made[group] = {**own, "share": share}
    return made


def _usable(name: OutputName, roles: Mapping[str, Role], made: Sequence[str]) -> list[str]:
    if name == "completion":
        return [*(s for s, role in roles.items() if role != "labelled"), *(k for k in made if k in AS_TEXT)]
    return [*(s for s, role in roles.items() if role == "labelled"), *(k for k in made if k != "rewrite")]


def _total(value: Any, file: YamlFile, at: Location) -> int | None:
    return None if value == "all" else _parsed(parse_count, value, file, at)


def _parsed(parse: Any, value: Any, file: YamlFile, at: Location) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        file.problems.append(file.problem(at, f"{at[-1]}: {error}"))
        return None


def _children(
    lines: Mapping[str, Any], file: YamlFile, at: Location, roles: Mapping[str, Role], usable: Sequence[str]
) -> list[Node]:
    nodes: list[Node] = []
    seen: set[str] = set()
    for key, value in lines.items():
        place = (*at, key)
        if key in GROUPS and len(at) == 2:
            node = _group(key, value, file, place, roles, usable)
        elif key in usable:
            amount = _parsed(parse_amount, value, file, place)
            node = None if amount is None else Node(key, amount)
        else:
            file.problems.append(file.problem(place, _why_not(key, at, roles), did_you_mean(key, [*usable, *GROUPS])))
            continue
        if node is None:
            continue
        for leaf in node.leaves():
            if leaf in seen:
                file.problems.append(file.problem(place, f"{leaf!r} is in the mix twice.", "Remove one."))
            seen.add(leaf)
        nodes.append(node)
    return nodes


def _why_not(key: str, at: Location, roles: Mapping[str, Role]) -> str:
    if key in roles:
        return f"the {roles[key]} source {key!r} cannot be part of {at[1]}."
    if key in SYNTHETIC:
        return f"{key!r} is not generated by this recipe, or cannot be part of {at[1]}."
    return f"no source or task named {key!r}."


def _group(
    name: str, value: Any, file: YamlFile, at: Location, roles: Mapping[str, Role], usable: Sequence[str]
) -> Node | None:
    if not isinstance(value, Mapping):
        value = {"share": value}
    amount = _parsed(parse_amount, value.get("share", "rest"), file, (*at, "share"))
    members = [leaf for leaf in usable if roles.get(leaf, "domain") == name]
    lines = {key: line for key, line in value.items() if key != "share"}
    children = _children(lines, file, at, roles, members)
    named = {child.name for child in children}
    children += [Node(leaf, Rest()) for leaf in members if leaf not in named]
    if not children:
        file.problems.append(file.problem(at, f"the group {name!r} has no member.", "Remove it, or add a source."))
        return None
    _check_shares(children, file, at)
    return None if amount is None else Node(name, amount, tuple(children))


def _implied(children: Sequence[Node], missing: Iterable[str], roles: Mapping[str, Role]) -> list[Node]:
    """Leaves no line names: together they are the rest, unless the shares already fill the output."""
    leaves = [Node(leaf, Rest()) for leaf in missing]
    full = sum((c.amount.of_parent for c in children if isinstance(c.amount, Share)), Fraction(0)) == 1
    return [] if full else leaves


def _check_shares(children: Sequence[Node], file: YamlFile, at: Location) -> None:
    total = sum((c.amount.of_parent for c in children if isinstance(c.amount, Share)), Fraction(0))
    if total > 1:
        what = f"the shares below {at[-1]!r} add up to {float(total * 100):g}%."
        file.problems.append(file.problem(at, what, "Lower one, or write rest for the last."))
    elif children and total < 1 and all(isinstance(c.amount, Share) for c in children):
        what = f"the shares below {at[-1]!r} add up to {float(total * 100):g}%, not 100%."
        file.problems.append(file.problem(at, what, "Write rest for one of them."))
