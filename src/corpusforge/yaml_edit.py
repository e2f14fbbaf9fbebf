"""Writes changed values into a YAML file as its author would: every other byte, comments and order included, stays.

The text is edited by the places of the parsed nodes and parsed again: what does not come to exactly the intended values
is not written. Rejected: loading and dumping (ruamel's round trip too reflows long lines and moves some comments).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from corpusforge.errors import Problems, UsageError
from corpusforge.shards import commit, temporary_name
from corpusforge.yaml_file import NO_VALUE, Change, Location, YamlFile, parse_yaml, shown_path

_BREAK = re.compile(r"[\r\n\x85\u2028\u2029]")
_TAIL = re.compile(r"[ \t]*(,?)[ \t]*(#[^\r\n\x85\u2028\u2029]*)?")
_BY_HAND = "Edit the recipe by hand."


@dataclass(frozen=True, slots=True)
class _Splice:
    """Characters to put in place of `text[start:end]`."""

    start: int
    end: int
    new: str


def write_changes(path: Path, changes: Sequence[Change], read: bytes | None = None) -> None:
    """Write changes into a YAML file, atomically; nothing is written where one cannot be.

    A value that is there is replaced as it is quoted; a new key goes behind the last of its mapping, in that mapping's
    style. Raises UsageError for what cannot be edited safely: keys that must go, anchors, aliases, tags, block scalars,
    values that are no scalars, and a file that somebody else changed meanwhile or since it was `read` for the changes;
    Problems for a file with mistakes.
    """
    whole = path.resolve()
    raw = whole.read_bytes() if read is None else read
    new = edited(raw, changes, path)
    temporary = temporary_name(whole)
    try:
        temporary.write_bytes(new)
        shutil.copymode(whole, temporary)
        if whole.read_bytes() != raw:
            raise UsageError("was changed by somebody else meanwhile.", where=shown_path(path), hint="Run it again.")
        commit(temporary, whole)
    finally:
        temporary.unlink(missing_ok=True)


def edited(raw: bytes, changes: Sequence[Change], path: Path) -> bytes:
    """The bytes of a YAML file with changes written into them; see `write_changes`."""
    for one in changes:
        if one.gone:
            what = f"{'.'.join(map(str, one.at))} must go for {one.said.removeprefix('--set ')}, and no key is removed."
            raise UsageError(what, where=shown_path(path), hint="Remove it by hand, then run it again.")
    intended = parse_yaml(raw, path)
    if intended.problems:
        raise Problems(intended.problems)
    intended.change(changes)
    mark = raw[:3] if raw.startswith(b"\xef\xbb\xbf") else b""
    text = raw[len(mark) :].decode()
    for one in changes:
        text = _edited(text, one, path)
    new = mark + text.encode()
    if not _same(parse_yaml(new, path), intended):
        said = ", ".join(dict.fromkeys(one.said for one in changes))
        what = "the text of the file cannot be edited to mean this and nothing else."
        raise UsageError(what, where=f"{shown_path(path)}, {said}", hint=_BY_HAND)
    return new


def _same(found: YamlFile, intended: YamlFile) -> bool:
    """Whether two files have the same values, types and order included, and no mistakes."""
    # As text: 1 and True are equal, but not the same.
    return not found.problems and not intended.problems and repr(found.value) == repr(intended.value)


def _edited(text: str, change: Change, path: Path) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    depth, above = 0, 0
    while isinstance(node, yaml.MappingNode) and depth < len(change.at):
        _own(node, above, text, change, path)
        pair = next((pair for pair in node.value if pair[0].value == change.at[depth]), None)
        if pair is None:
            splices = _inserted(text, node, change.at[depth:], change, path)
            break
        above, node, depth = pair[0].end_mark.index, pair[1], depth + 1
    else:
        if depth < len(change.at) or not isinstance(node, yaml.ScalarNode):
            raise _refused(change, path, "stands where the recipe has no single value")
        _own(node, above, text, change, path)
        splices = [_replaced(text, node, change, path)]
    for splice in sorted(splices, key=lambda one: one.start, reverse=True):
        text = text[: splice.start] + splice.new + text[splice.end :]
    return text


def _own(node: yaml.Node, above: int, text: str, change: Change, path: Path) -> None:
    """Refuse a node that is written elsewhere (an alias), or that others refer to or give a tag."""
    start = node.start_mark.index
    if start < above:
        raise _refused(change, path, "is an alias of what is written elsewhere")
    if text[start : start + 1] in ("&", "!", "*"):
        raise _refused(change, path, "has an anchor or a tag")


def _refused(change: Change, path: Path, why: str) -> UsageError:
    key = ".".join(map(str, change.at))
    return UsageError(f"{key} {why}: it cannot be edited safely.", where=shown_path(path), hint=_BY_HAND)


def _replaced(text: str, node: yaml.ScalarNode, change: Change, path: Path) -> _Splice:
    start, end = node.start_mark.index, node.end_mark.index
    if node.style in ("|", ">") or _BREAK.search(text[start:end]):
        raise _refused(change, path, "is written over several lines")
    if start == end:
        if text[start - 1 : start] != ":":
            raise _refused(change, path, "has no value to replace")
        return _Splice(start, end, f" {_scalar(change.value)}")
    return _Splice(start, end, _scalar(change.value, node.style or ""))


def _scalar(value: Any, quotes: str = "") -> str:
    """A value as YAML, in the quotes that were there; plain where it means the same without them."""
    if not isinstance(value, str):
        # A whole number may be longer than JSON's 64 bits.
        return str(value) if type(value) is int else orjson.dumps(value).decode()
    if quotes == "'" and "'" not in value:
        return f"'{value}'"
    if not quotes and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._%+-]*", value) and value == value.strip():
        try:
            if yaml.safe_load(value) == value:
                return value
        except NO_VALUE:
            pass
    return orjson.dumps(value).decode()


def _inserted(text: str, owner: yaml.MappingNode, keys: Location, change: Change, path: Path) -> list[_Splice]:
    """A new key behind the last of `owner`, with a flow mapping for every further key below it."""
    entry = _scalar(change.value)
    for key in reversed(keys[1:]):
        entry = f"{{{_scalar(str(key))}: {entry}}}"
    entry = f"{_scalar(str(keys[0]))}: {entry}"
    if not owner.value:
        return [_Splice(owner.start_mark.index + 1, owner.start_mark.index + 1, entry)]
    last = _last_end(owner, change, path)
    tail = _TAIL.match(text, last)
    assert tail is not None, "the pattern matches nothing too"
    starts = [owner.start_mark, *(key.start_mark for key, _ in owner.value)]
    alone = tail.end() == len(text) or _BREAK.match(text, tail.end()) is not None
    if owner.flow_style and (starts[-1].line == starts[-2].line or not alone):
        return [_Splice(last, last, f", {entry}")]
    if not alone:
        raise _refused(change, path, "would stand on a line with other things")
    line = text.rfind("\n", 0, starts[-1].index) + 1
    indent = text[line : starts[-1].index]
    if indent.strip():
        indent = " " * starts[-1].column
    found = _BREAK.search(text)
    newline = "\n" if found is None or text[found.start() : found.start() + 2] != "\r\n" else "\r\n"
    comma = [_Splice(last, last, ",")] if owner.flow_style and not tail[1] else []
    behind = "," if owner.flow_style and tail[1] else ""
    return [*comma, _Splice(tail.end(), tail.end(), f"{newline}{indent}{entry}{behind}")]


def _last_end(owner: yaml.MappingNode, change: Change, path: Path) -> int:
    key, value = owner.value[-1]
    if value.start_mark.index < key.end_mark.index:
        raise _refused(change, path, "would stand behind an alias")
    return _end(value, change, path)


def _end(node: yaml.Node, change: Change, path: Path) -> int:
    """Where a node's own text ends; a block mapping's mark lies behind the comments and empty lines that follow it."""
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        raise _refused(change, path, "would stand behind a value of several lines")
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        if isinstance(node, yaml.MappingNode):
            return _last_end(node, change, path)
        return _end(node.value[-1], change, path)
    return int(node.end_mark.index)
