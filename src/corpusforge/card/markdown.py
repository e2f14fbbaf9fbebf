"""Tables of README.md, and text that cannot break out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """Text that cannot break out of a table or become markup."""
    flat = " ".join(str(text).split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*\[\]|])", r"\\\1", flat)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], right: str = "") -> str:
    """A Markdown table; `right` names the columns, by position, that are numbers: `-r` for left, right."""
    marks = ["--:" if right[i : i + 1] == "r" else ":--" for i in range(len(head))]
    lines = [head, marks] + [[cell(value) for value in row] for row in rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
