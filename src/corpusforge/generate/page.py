"""What a rule sees of a record: its text, sections and title, and the checks that let a question stand alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from corpusforge.generate.lazily import lazily
from corpusforge.generate.passages import Block, Section, split
from corpusforge.generate.phrasings import word_list
from corpusforge.generate.sentences import normalised, plain, unwrapped
from corpusforge.record import Record

_NUMBERING = re.compile(
    r"^(?:(?:chapter|section|appendix|part|lesson|step)\s+)?(?:(?:\d+|[A-Z])(?:\.\d+)+\.?|\d+[.):]|[A-Z]\.)\s+",
    re.IGNORECASE,
)
_DANGLING = re.compile(
    r"(?:this|these|those|that|it|its|they|them|their|he|she|such|here|there(?! (?:is|are|was|were)\b)|above|below"
    r"|following|however|therefore|thus|hence|also|then|so|but|and|or|because|otherwise|instead|moreover|furthermore"
    r"|in addition|additionally|finally|for example|for instance|e\.g\.|i\.e\.|in this|in that|both|another|next"
    r"|as (?:above|mentioned|noted|described|shown|seen|you can|we)|the (?:above|following|former|latter|same|other)"
    r"|similarly|likewise|consequently|as a result|of course|note that|again|now)\b",
    re.IGNORECASE,
)
_OPENINGS = """th it he sh su ab be fo ho al so bu an or ot in mo fu ad fi e. i. bo ne as si li co of no ag"""
_POINTING = frozenset(["a ", *_OPENINGS.split()])
_LINKS = re.compile(r"\]\(|https?://|[\w-]+\.(?:html?|page)\b")
_LINKING = ("](", "http", ".htm", ".page")
_NO_LETTERS = bytes(at for at in range(128) if not chr(at).isalpha() and at != 32)
_BARE_TAG = re.compile(r"</?(?:div|span|ul|li|a|p|img|script|style|table|td|tr)(?=[ >/])", re.IGNORECASE)
_CODE_LIKE = re.compile(r"[|{}<>\\=;$]")


class Page:
    """A record with its text and structure, the structure found when first asked for."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.text = record.text

    @lazily
    def sections(self) -> list[Section]:
        """The record's sections in order."""
        return split(self.record.text)

    @lazily
    def title(self) -> str:
        """The page's name: the record's title, else its first top heading, else empty."""
        title = named(self.record.title)
        if title:
            return title
        for section in self.sections:
            if section.level == 1 and not generic(section.heading):
                return named(section.heading)
        return ""

    def subject(self, section: Section) -> str:
        """What a section is about: its heading, or the nearest heading above or title where that says nothing."""
        if section.index not in self._subjects:
            names = (named(heading) for heading in (section.heading, *reversed(section.path)))
            self._subjects[section.index] = next((name for name in names if name and not generic(name)), self.title)
        return self._subjects[section.index]

    @lazily
    def _subjects(self) -> dict[int, str]:
        return {}

    def context(self, section: Section, *words: str) -> str:
        """What must be named so that a question with `words` stands alone: the title, or what lies above; may be empty.

        A heading is left out when the question names it already.
        """
        if section.index not in self._contexts:
            names = (self.title, *(named(heading) for heading in section.path))
            name = next((name for name in names if name and not generic(name)), "")
            self._contexts[section.index] = (name, normalised(name))
        name, normal = self._contexts[section.index]
        return "" if name and _within(normal, normalised(" ".join(words))) else name

    @lazily
    def _contexts(self) -> dict[int, tuple[str, str]]:
        return {}

    def redacted(self, start: int, end: int) -> bool:
        """Whether a placeholder stands in [start, end)."""
        spans = self.record.spans
        return bool(spans) and any(span.start < end and span.end > start for span in spans)


@lru_cache(maxsize=1 << 14)
def named(heading: str) -> str:
    """A heading as words: no marks, no numbering, no stop at its end."""
    name = _NUMBERING.sub("", plain(heading)).strip()
    return name.rstrip(".:") if not name.endswith("...") else name


@lru_cache(maxsize=1 << 14)
def generic(heading: str) -> bool:
    """Whether a heading says nothing about its subject (Overview, See also, ...) or is a line of code taken for one."""
    name = normalised(heading)
    return not name or name in word_list("generic_headings") or bool(_CODE_LIKE.search(heading))


def stands_alone(text: str) -> bool:
    """Whether a text does not start with a word that points out of it (this, it, above, however, ...)."""
    head = text[:2]
    # No mark opens with a letter.
    if len(head) == 2 and head.isascii() and head.isalnum() and head.lower() not in _POINTING:
        return True
    opening = plain(text[:80])
    head = opening[:2].lower()
    # Two letters tell of most texts that no such word comes; what is no ASCII may be taken for a letter in capitals.
    return (head not in _POINTING and head.isascii()) or not _DANGLING.match(opening)


def wordy(text: str) -> bool:
    """Whether a short text is words rather than code, a path or a table of symbols."""
    if _CODE_LIKE.search(text):
        return False
    if text.isascii():
        letters = len(text.encode().translate(None, _NO_LETTERS))
    else:
        letters = sum(map(str.isalpha, text)) + text.count(" ")
    return letters >= 0.7 * len(text)


def link_list(text: str, block: Block) -> bool:
    """Whether a list is mostly links to other places."""
    items, start, end = block.items, block.start, block.end
    # Most lists have none, and the pattern looks at every word.
    if not items or max([text.find(mark, start, end) for mark in _LINKING]) < 0:
        return False
    return 2 * sum([_LINKS.search(text, item.start, item.end) is not None for item in items]) > len(items)


def marked_up(text: str, start: int, end: int) -> bool:
    """Whether a site generator's directive or bare HTML stands in [start, end), where content would be."""
    at = text.find("<", start, end)
    while at >= 0:
        if _BARE_TAG.match(text, at, end):
            return True
        at = text.find("<", at + 1, end)
    return text.find("{%", start, end) >= 0


def answer_text(text: str, blocks: Sequence[Block]) -> str:
    """The answer that some neighbouring blocks give: one paragraph without its line wraps, several as they stand."""
    cut = text[blocks[0].start : blocks[-1].end]
    return unwrapped(cut) if len(blocks) == 1 and blocks[0].kind == "paragraph" else cut


def _within(name: str, told: str) -> bool:
    return f" {name} " in f" {told} "
