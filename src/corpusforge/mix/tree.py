"""Walks and edits the tree of a mix; a node without children is a leaf: a source or a synthetic kind.

The root's own amount is not used: the total of the output stands in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from corpusforge.mix_tree import Node
from corpusforge.units import Amount, Share, parse_amount, show_share

Path = tuple[str, ...]


def tree_from_mapping(mapping: Mapping[str, Any], name: str = "mix") -> Node:
    """The tree of a recipe's plain mapping, such as `{"domain": {"share": "2%", "kb": "40%", "irc": "rest"}, …}`.

    A group's own amount stands under the key `share` (any amount; `rest` where the key is missing). Members that the
    recipe does not name are added by the caller as `rest`. Raises ValueError with the path of keys for an amount that
    cannot be read, a name used twice, an empty group, and sibling shares that do not sum to 100%.
    """
    root = _node(mapping, name, (), Share(Fraction(1)))
    seen: dict[str, Path] = {}
    for path, leaf in leaves(root):
        if leaf.name in seen:
            raise ValueError(f"{dotted(path)}: {leaf.name} stands in the mix twice. Name it once.")
        seen[leaf.name] = path
    return root


def _node(mapping: Mapping[str, Any], name: str, path: Path, amount: Amount) -> Node:
    children: list[Node] = []
    for key, value in mapping.items():
        if key == "share":
            continue
        below = (*path, key)
        if isinstance(value, Mapping):
            own = _amount(value.get("share", "rest"), (*below, "share"))
            children.append(_node(value, key, below, own))
        else:
            children.append(Node(key, _amount(value, below)))
    if not children:
        raise ValueError(f"{dotted(path) or name}: the group is empty. Name a source in it or leave it out.")
    _check_sum(children, dotted(path) or name)
    return Node(name, amount, tuple(children))


def _amount(value: Any, path: Path) -> Amount:
    try:
        return parse_amount(value)
    except ValueError as error:
        raise ValueError(f"{dotted(path)}: {error}") from None


def _check_sum(children: list[Node], where: str) -> None:
    shares = [child.amount.of_parent for child in children if isinstance(child.amount, Share)]
    total = sum(shares, Fraction(0))
    if total > 1 or (total != 1 and len(shares) == len(children)):
        raise ValueError(f"{where}: the shares sum to {show_share(total)}, not 100%. Write rest for one of them.")


def dotted(path: Path) -> str:
    """A path of keys as one word: `domain.gnome-help`."""
    return ".".join(path)


def leaves(tree: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every leaf with its path below the root, in the order of the recipe."""
    if not tree.children:
        yield path, tree
        return
    for child in tree.children:
        yield from leaves(child, (*path, child.name))


def find(tree: Node, path: Path) -> Node:
    """The node or leaf at a path below the root. Raises KeyError when there is none."""
    for name in path:
        found = [child for child in tree.children if child.name == name]
        if not found:
            raise KeyError(dotted(path))
        (tree,) = found
    return tree


def with_amount(tree: Node, path: Path, amount: Amount) -> Node:
    """The tree with another amount at a path below the root."""
    head, *tail = path
    children: list[Node] = []
    for child in tree.children:
        if child.name != head:
            children.append(child)
        elif tail:
            children.append(with_amount(child, tuple(tail), amount))
        else:
            children.append(replace(child, amount=amount))
    return replace(tree, children=tuple(children))


def siblings(tree: Node, path: Path) -> tuple[Node, ...]:
    """The other members of the group that holds `path`."""
    return tuple(child for child in find(tree, path[:-1]).children if child.name != path[-1])
