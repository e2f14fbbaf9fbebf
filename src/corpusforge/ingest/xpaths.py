"""Checks the XPaths of a source's settings before any data is read."""

from __future__ import annotations

from collections.abc import Sequence


def checked_xpaths(paths: Sequence[str]) -> tuple[str, ...]:
    """The same paths. Raises ValueError for one that is no XPath."""
    for path in paths:
        checked_xpath(path)
    return tuple(paths)


def checked_xpath(path: str) -> str:
    """The same path. Raises ValueError if it is no XPath."""
    if path:
        from lxml import etree

        try:
            etree.XPath(path)
        except etree.XPathSyntaxError:
            raise ValueError(f"{path!r} is not an XPath.") from None
    return path
