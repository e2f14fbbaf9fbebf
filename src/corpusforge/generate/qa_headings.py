"""Questions from headings: those that ask already, goals (how do I ...), activities and things (what is ...)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpusforge.generate.headings import asked_by_me, is_question, lowered, read_heading, sentence_like
from corpusforge.generate.page import Page, answer_text, generic, link_list, marked_up, named, stands_alone
from corpusforge.generate.passages import Block, Section
from corpusforge.generate.phrasings import word_list
from corpusforge.generate.qa_pair import Pair, ask
from corpusforge.generate.sentences import normalised, plain

MIN_ANSWER = 40
MIN_FAQ_ANSWER = 12
MAX_ANSWER = 1200
_COPULA = re.compile(
    r"(?:\s+\([^)]*\))?\s+"
    r"(is|are|was|were|refers? to|means?|denotes?|describes?|stands for|lets|allows|provides)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[ \t]*>[ \t]?([^\n]*\S)")
_AHEAD = re.compile(r"\b(?:below|(?:the|these) following|as follows|follow these)\b", re.IGNORECASE)
_LABEL = re.compile(r"(?:(?:Table|Figure|Listing) [\d.]+|(?:Note|Tip|Warning|Caution|Important)\W*\Z)")
_POINTER = re.compile(r"(?:see also|more information|note)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:the|an?)\s+", re.IGNORECASE)


def heading_pairs(page: Page) -> Iterator[Pair]:
    """At most one pair for each section: its heading as a question, its first blocks as the answer."""
    if is_question(page.record.title) and not any(section.level for section in page.sections):
        yield from _faq(page, page.sections[0], page.record.title)
        return
    asked: set[str] = set()
    for section in page.sections:
        subject = section.heading or page.title
        if section.heading and generic(named(section.heading)):
            subject = page.subject(section)
        # Most sections without content are what stands above a title; only who asks is noted without an answer.
        if not section.blocks and "?" not in subject and "？" not in subject:
            continue
        name = named(subject)
        if not name or name in asked or len(name) > 160:
            continue
        kind, words = read_heading(name)
        if kind == "question":
            asked.add(name)
            yield from _faq(page, section, name)
            continue
        blocks = body(page, section, MIN_ANSWER)
        if not blocks or not stands_alone(page.text[blocks[0].start : blocks[0].end]):
            continue
        asked.add(name)
        context = page.context(section, name)
        if is_question(context):
            if len(name.split()) < 4:
                continue
            context = ""
        start = blocks[0].start
        if kind == "goal":
            family, slots = "how", {"goal": asked_by_me(words)}
        elif kind == "activity":
            family, slots = "going-about", {"goal": words}
        else:
            family, slots = _thing(page, blocks[0], name)
        template = family
        if context and family in ("how", "going-about", "about", "about-quoted"):
            template, slots = f"{family}-titled", {**slots, "title": context}
        question = ask(page, template, section.start, **slots)
        spans = quoted(page.text, blocks[0]) if blocks[0].kind == "quote" else ((start, blocks[-1].end),)
        if not spans:
            continue
        answer = answer_text(page.text, blocks)
        if blocks[0].kind == "quote":
            answer = "\n".join(page.text[first:last] for first, last in spans)
        family = {"what-are": "what", "does": "what", "about-quoted": "about"}.get(family, family)
        yield Pair(template, family, question, answer, spans, section.index, f"heading:{family}")


def body(page: Page, section: Section, least: int) -> list[Block]:
    """The first blocks of a section that make one whole answer of at most MAX_ANSWER characters; empty if none do."""
    taken: list[Block] = []
    for block in section.blocks:
        if taken and block.end - taken[0].start > MAX_ANSWER:
            break
        if block.kind == "list" and link_list(page.text, block):
            break
        taken.append(block)
        if block.kind == "table" or (block.kind == "paragraph" and len(taken) >= 4):
            break
    # An answer that ends in a colon, in "the steps below" or in a table's name promises what was cut off.
    while taken and (page.text[taken[-1].end - 1] == ":" or _promises(page.text, taken[-1])):
        taken.pop()
    if not taken or taken[0].kind in ("table", "code") or _LABEL.match(page.text, taken[0].start, taken[0].end):
        return []
    if taken[0].kind == "quote":
        return taken[:1]
    if marked_up(page.text, taken[0].start, taken[-1].end):
        return []
    length = taken[-1].end - taken[0].start
    return taken if least <= length <= MAX_ANSWER else []


def _promises(text: str, block: Block) -> bool:
    last = max(text.rfind(". ", block.start, block.end), block.start)
    return block.kind == "paragraph" and bool(
        _AHEAD.search(text, last, block.end) or _LABEL.match(text, block.start, block.end)
    )


def quoted(text: str, block: Block) -> tuple[tuple[int, int], ...]:
    """The lines of a quote without their marks and without pointers to other pages."""
    lines = []
    for match in _QUOTED.finditer(text, block.start, block.end):
        if not _POINTER.match(match[1]):
            lines.append(match.span(1))
    return tuple(lines)


def _faq(page: Page, section: Section, question: str) -> Iterator[Pair]:
    blocks = body(page, section, MIN_FAQ_ANSWER)
    if not blocks:
        return
    text = plain(question)
    context = page.context(section, text) if section.heading else ""
    span = ((blocks[0].start, blocks[-1].end),)
    answer = answer_text(page.text, blocks)
    if not context or is_question(context) or normalised(context) == normalised(text):
        yield Pair("faq", "faq", ask(page, "faq", section.start, question=text), answer, span, section.index, "faq")
    else:
        asked = ask(page, "faq-titled", section.start, question=text, title=context)
        yield Pair("faq-titled", "faq", asked, answer, span, section.index, "faq")


def _thing(page: Page, block: Block, name: str) -> tuple[str, dict[str, str]]:
    # "What is X?" is asked only where the text answers just that: X is / are / means ... at its start.
    if len(name) <= 60:
        opening = _ARTICLE.sub("", plain(page.text[block.start : block.start + 200]))
        if opening[: len(name)].lower() == name.lower() and (match := _COPULA.match(opening, len(name))):
            term = lowered(name, page.text)
            return ("what-are" if match[1].lower() in ("are", "were") else "what"), {"term": term}
    if " " not in name.removeprefix("sudo ") and name == name.lower() and block.kind == "quote":
        first = plain(page.text[block.start : block.start + 40]).partition(" ")[0]
        # The line under a command's name, where it opens with a verb, says what the command does.
        if first.lower() in word_list("verbs"):
            return "does", {"term": name}
    if sentence_like(name):
        return "about-quoted", {"term": name}
    return "about", {"term": lowered(name, page.text)}
