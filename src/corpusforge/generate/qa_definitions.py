"""Questions from entries that explain a term: `**term**: text`, `term - text`, a row of a table, X is a ..."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from corpusforge.generate.page import Page, generic, stands_alone, wordy
from corpusforge.generate.passages import Block, Section, trimmed
from corpusforge.generate.phrasings import word_list
from corpusforge.generate.qa_pair import Pair, ask
from corpusforge.generate.sentences import normalised, plain, sentences

MAX_TERM = 60
MIN_DEFINITION = 25
MAX_DEFINITION = 400
_MARKED = re.compile(
    r"(\*\*[^*\n]{1,60}\*\*|__[^_\n]{1,60}__|`[^`\n]{1,60}`|\*[^*\n]{1,60}\*)\s*(?::|[-–—](?=\s)|\s[-–—]\s)?\s*"
)
_MARKS = frozenset("*_`")
_PLAIN = re.compile(r"([A-Za-z0-9/~.\[{-][^:\n.!?]{0,58}?)(?:\s[-–—]{1,2}\s+|:\s+)(?=\S)")
# A glossary: the term on the item's first line, its explanation set in below.
_ABOVE = re.compile(r"([^\n]{1,60}?):?[ \t]*\n(?:[ \t]*\n)?[ \t]{2,}(?=[A-Za-z(\"'“`])")
_UNDER = re.compile(r"([^\n]{1,60})\n[ \t]*:[ \t]+(?=\S)")
_SENTENCE = re.compile(
    r"((?:(?:An?|The)\s+[\w`*]|[A-Z`*\"“])[\w`*\"”+./-]*(?:\s[\w`*\"+./-]+){0,3}?)(?:\s\([^)]{1,40}\))?\s+"
    r"(is|are)\s+(?:defined as|an?|the)\s+\w",
)
_PLURAL = re.compile(r"[^.]*?\s(?:are)\s+(?:defined as|an?|the)\s")
_ARTICLE = re.compile(r"^(?:An?|The)(?= )")
_SUPERLATIVE = re.compile(r"\b(?:most|least|best|worst|\w{3,}est)\b")


class Entry(NamedTuple):
    """A term and its explanation, each [start, end) in the text; `sentence` for those in running text."""

    term: tuple[int, int]
    definition: tuple[int, int]
    sentence: bool = False


def definition_pairs(page: Page) -> Iterator[Pair]:
    """Term to definition for each entry; definition to term where entries stand in a list of their own kind."""
    for section in page.sections:
        title = page.subject(section) or page.title
        for block in section.blocks:
            entries = list(_entries(page, block))
            if entries and title:
                yield from _pairs(page, section, block, entries, title)


def _entries(page: Page, block: Block) -> Iterator[Entry]:
    text = page.text
    if block.kind == "list" and not block.ordered:
        for item in block.items:
            entry = _marked(text, item.start, item.end)
            if entry and _usable(page, entry):
                yield entry
    elif block.kind == "table" and not block.rows[0]:
        # A table without a header, two cells wide: what, and what it is for.
        for row in block.rows[1:]:
            if len(row) == 2:
                entry = Entry(_unmarked(text, row[0].start, row[0].end), (row[1].start, row[1].end))
                if _usable(page, entry):
                    yield entry
    elif block.kind == "paragraph":
        entry = _under(text, block) or _bold_paragraph(text, block) or _defining_sentence(text, block)
        if entry and _usable(page, entry):
            yield entry


def _marked(text: str, start: int, end: int) -> Entry | None:
    match = _MARKED.match(text, start, end) if text[start : start + 1] in _MARKS else None
    if match is None and text.find("\n", start, end) >= 0:
        match = _ABOVE.match(text, start, end)
    if match is None and _parts(text, start, end):
        match = _PLAIN.match(text, start, end)
    if match is None:
        return None
    return Entry(_unmarked(text, *match.span(1)), _cut(text, match.end(), end))


def _parts(text: str, start: int, end: int) -> bool:
    """Whether a colon before the end or a dash stands in an item: without either it has no term."""
    return 0 <= text.find(":", start, end) < end - 1 or max([text.find(dash, start, end) for dash in "-–—"]) >= 0


def _under(text: str, block: Block) -> Entry | None:
    if text.find("\n", block.start, block.end) < 0:
        return None
    match = _UNDER.match(text, block.start, block.end)
    return Entry(match.span(1), _cut(text, match.end(), block.end)) if match else None


def _bold_paragraph(text: str, block: Block) -> Entry | None:
    if not text.startswith("**", block.start):
        return None
    match = _MARKED.match(text, block.start, block.end)
    if match is None or not re.search(r"[:–—-]\s*$|:\*\*", match[0]):
        return None
    return Entry(_unmarked(text, *match.span(1)), _cut(text, match.end(), block.end))


def _defining_sentence(text: str, block: Block) -> Entry | None:
    if text.find("is", block.start, block.end) < 0 and text.find("are", block.start, block.end) < 0:
        return None
    match = _SENTENCE.match(text, block.start, block.end)
    if match is None:
        return None
    first, end = next(sentences(text, block.start, block.end))
    return Entry(match.span(1), (first, end), sentence=True)


def _unmarked(text: str, start: int, end: int) -> tuple[int, int]:
    # The term alone: emphasis, code marks and a colon inside them are not part of it.
    while end - start > 2 and text[start] in "*_`" and text[end - 1] == text[start]:
        start, end = start + 1, end - 1
    return (start, end - 1) if end > start and text[end - 1] == ":" else (start, end)


def _cut(text: str, start: int, end: int) -> tuple[int, int]:
    # The first line of an item is its explanation; an item's own lists and code are not.
    stop = text.find("\n\n", start, end)
    start, end = trimmed(text, start, end if stop < 0 else stop)
    if end - start > MAX_DEFINITION:
        for _, last in sentences(text, start, end):
            if last - start > MAX_DEFINITION:
                break
            end = last
    return start, end


def _usable(page: Page, entry: Entry) -> bool:
    text = page.text
    term = plain(text[slice(*entry.term)]).rstrip(":")
    definition = text[slice(*entry.definition)]
    words = normalised(_ARTICLE.sub("", term)).split()
    if not words or len(words) > 5 or len(term) > MAX_TERM or term.lower() in word_list("not_terms"):
        return False
    if words[0] in word_list("not_term_starts"):
        return False
    if generic(term) or _SUPERLATIVE.search(term.lower()) or page.redacted(entry.term[0], entry.definition[1]):
        return False
    if not MIN_DEFINITION <= len(definition) <= MAX_DEFINITION or definition.endswith((":", "?")):
        return False
    if len(definition.split()) < 4:
        return False
    return (
        wordy(definition) and not definition.startswith(("http", "[")) and (entry.sentence or stands_alone(definition))
    )


def _pairs(page: Page, section: Section, block: Block, entries: list[Entry], title: str) -> Iterator[Pair]:
    text = page.text
    terms = [_ARTICLE.sub(_lower, plain(text[slice(*entry.term)]).rstrip(":").strip()) for entry in entries]
    definitions = [plain(text[slice(*entry.definition)]) for entry in entries]
    normal = [normalised(term) for term in terms]
    for at, entry in enumerate(entries):
        if normal.count(normal[at]) > 1:
            continue
        other_definitions = tuple(d for k, d in enumerate(definitions) if k != at)
        other_terms = tuple(t for k, t in enumerate(terms) if k != at)
        template = "what" if entry.sentence else "definition" if block.kind == "paragraph" else "entry"
        if normalised(title) == normal[at]:
            template = "what"
        if entry.sentence and _PLURAL.match(text, *entry.definition):
            template = "what-are"
        slots = {"term": terms[at]} if template.startswith("what") else {"term": terms[at], "title": title}
        answer = " ".join(text[slice(*entry.definition)].split())
        family = "definition" if template != "entry" else "entry"
        start = entry.term[0]
        yield Pair(
            template, family, ask(page, template, start, **slots), answer, (entry.definition,), section.index,
            "definition", other_definitions,
        )  # fmt: skip
        if len(entries) >= 3 and not _names(definitions[at], normal[at]) and len(definitions[at]) <= 240:
            question = ask(page, "term", start, title=title, definition=definitions[at])
            yield Pair(
                "term", "term", question, text[slice(*entry.term)], (entry.term,), section.index, "term", other_terms
            )  # fmt: skip


def _lower(match: re.Match[str]) -> str:
    return match[0].lower()


def _names(definition: str, term: str) -> bool:
    return f" {term} " in f" {normalised(definition)} "
