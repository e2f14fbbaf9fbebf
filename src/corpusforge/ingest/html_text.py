"""The main text of an HTML page: navigation out by structure, headings, lists, tables and code kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from corpusforge.ingest.blocks import Shape, local_name, plain, to_text

# Elements that are never text, those that are never a page's own text, and names that only navigation bears.
_NEVER = """
    script style noscript template svg math iframe object embed canvas audio video select option input textarea button
    head meta link datalist dialog
"""
_BLOCKS = """
    address article aside body caption center dd details div dt fieldset figcaption figure footer form header hgroup hr
    html legend li main nav p section summary thead tbody tfoot tr td th
"""
_FRAME = frozenset(("nav", "aside", "footer", "form"))
_ROLES = frozenset(("navigation", "banner", "contentinfo", "search", "dialog", "menu", "menubar", "complementary"))
_SURELY = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navheader|navfooter|docnav|navigation|breadcrumbs?|toc|table-of-contents|pagination|"
    r"cookies?|cookie-(?:banner|consent|notice)|skip-?link|skip-to-content|sr-only|visually-hidden|site-?footer|site-?header|"
    r"share-buttons|social-share)(?:$|[\s_-])",
    re.I,
)
_PERHAPS = re.compile(
    r"(?:^|[\s_-])(?:menu|sidebar|footer|header|banner|related|share|social|tags|widget|comments?)(?:$|[\s_-])", re.I
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
MAX_DEPTH = 250
_LINKS_PERHAPS = 0.35
_LINKS_SURELY = 0.8
_MAIN_SHARE = 0.4

HTML = Shape(
    blocks=frozenset(_BLOCKS.split()),
    headings={f"h{i}": i for i in range(1, 7)},
    bullets=frozenset(("ul", "menu", "dir")),
    numbers=frozenset(("ol",)),
    items=frozenset(("li",)),
    glossaries=frozenset(("dl",)),
    terms=frozenset(("dt",)),
    quotes=frozenset(("blockquote",)),
    code_blocks=frozenset(("pre", "xmp", "listing")),
    code=frozenset(("code", "tt", "kbd", "samp")),
    tables=frozenset(("table",)),
    rows=frozenset(("tr",)),
    cells=frozenset(("td", "th")),
    breaks=frozenset(("br",)),
    drop=frozenset(_NEVER.split()),
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page's main text, title and declared language (empty where it has none)."""

    text: str
    title: str
    language: str


class TooDeep(ValueError):
    """HTML nested deeper than any page that people read."""


def parse(html: str) -> Any:
    """The page's root element, or None if there is no element in it. Raises TooDeep."""
    from lxml import etree

    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=False)
    # Lone surrogates and NUL are no part of any page; lxml would refuse them or stop at them.
    raw = html.replace("\0", "").encode("utf-8", "replace")
    try:
        root = etree.fromstring(raw, parser) if raw.strip() else None
    except etree.XMLSyntaxError:
        return None
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")) if root is not None else ():
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise TooDeep(f"more than {MAX_DEPTH} elements deep")
    return root


def main_text(html: str, *, drop: Sequence[str] = ()) -> Page:
    """The page without its navigation. `drop` are XPaths of further elements to leave out."""
    root = parse(html)
    if root is None:
        return Page("", "", "")
    title = _title(root)
    language = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or root.get("xml:lang") or ""
    for path in drop:
        for element in root.xpath(path):
            _remove(element)
    body = root.find("body")
    body = root if body is None else body
    main = _main(body)
    for element in [e for e in main.iter() if e is not main and _is_frame(e)]:
        _remove(element)
    return Page(to_text(main, HTML), title, language)


def article_text(html: str) -> Page:
    """The page's main article by statistics of text and links (source: trafilatura); best for unknown web sites."""
    import trafilatura

    root = parse(html)
    if root is None:
        return Page("", "", "")
    text = trafilatura.extract(
        html, output_format="markdown", include_formatting=True, include_tables=True, include_links=False,
        include_images=False, include_comments=False, favor_recall=True, deduplicate=False,
    )  # fmt: skip
    return Page(text or "", _title(root), root.get("lang") or "")


def fragment_text(html: str) -> str:
    """A field that holds HTML, as text; nothing counts as navigation."""
    if "<" not in html and "&" not in html:
        return html
    root = parse(html)
    return "" if root is None else to_text(root, HTML)


def _title(root: Any) -> str:
    for name in ("h1", "title"):
        titles = [t for t in map(plain, root.iter(name)) if t]
        if titles and (name == "title" or len(titles) == 1):
            return titles[0]
    return ""


def _main(body: Any) -> Any:
    """The one `main` or `article` element if it holds a good part of the text, else the body."""
    candidates = [
        e for e in body.iter("main", "div", "section", "article") if e.tag == "main" or e.get("role") == "main"
    ]
    articles = list(body.iter("article"))
    for found in (candidates, articles):
        if len(found) == 1 and len(plain(found[0])) >= _MAIN_SHARE * len(plain(body)):
            return found[0]
    return body


def _is_frame(element: Any) -> bool:
    name = local_name(element)
    if name in ("html", "body", "main", "article") or (name[:1] == "h" and name[1:].isdigit()):
        return False
    if name in _FRAME or element.get("role") in _ROLES or element.get("hidden") is not None:
        return True
    if element.get("aria-hidden") == "true" or _HIDDEN.search(element.get("style") or ""):
        return True
    names = f"{element.get('class') or ''} {element.get('id') or ''}"
    if name in ("p", "span", "a", "li", "td", "code", "em", "strong"):
        return False
    if _SURELY.search(names):
        return _link_share(element) > 0 or not element.xpath("boolean(.//h1)")
    if name == "header" or _PERHAPS.search(names):
        return not element.xpath("boolean(.//h1)") and _link_share(element) >= _LINKS_PERHAPS
    return name in ("ul", "ol", "table") and len(element.findall(".//a")) > 3 and _link_share(element) >= _LINKS_SURELY


def _link_share(element: Any) -> float:
    whole = len(plain(element))
    return sum(len(plain(a)) for a in element.iter("a") if a.get("href")) / whole if whole else 0.0


def _remove(element: Any) -> None:
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        before = element.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)
