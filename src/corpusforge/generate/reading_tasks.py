"""The reading tasks: each takes a page and gives questions whose answers are true because the text says them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

from corpusforge.generate.headings import is_question
from corpusforge.generate.lazily import lazily
from corpusforge.generate.page import Page, generic, link_list, marked_up, stands_alone, wordy
from corpusforge.generate.passages import Block
from corpusforge.generate.phrasings import pick, resource
from corpusforge.generate.qa_steps import purpose
from corpusforge.generate.sentences import normalised, sentences, unwrapped
from corpusforge.record import stable_hash

MAX_CONTEXT = 4000
MAX_ANSWER = 1500
MIN_PARAGRAPH = 80
MIN_SENTENCE = 40
MAX_SENTENCE = 400
MAX_SUMMARY = 600
GAP = "____"
_TAG = re.compile(r"</?[a-z]{1,6}>")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]{3,}")


class Task(NamedTuple):
    """One task: its template, what gives its slots and the answer, and where the answer stands in the text ([start,
    end) each). A page has many more tasks than are taken, so only those taken are filled."""

    template: str
    fill: Callable[[], tuple[Mapping[str, str], str]]
    spans: tuple[tuple[int, int], ...]


class ReadingPage(Page):
    """A page with what several kinds of task read of it, found once."""

    _termed: list[tuple[int, int, list[str]]] | None = None

    def termed(self, terms: frozenset[str]) -> list[tuple[int, int, list[str]]]:
        """Those of its sentences that hold some of the terms, with these words in their order."""
        if self._termed is None:
            worded = (
                (start, end, [word for word in words if word.lower() in terms]) for start, end, words in self.worded
            )
            self._termed = [sentence for sentence in worded if sentence[2]]
        return self._termed

    @lazily
    def prose(self) -> list[Block]:
        """The blocks that are text to read."""
        return _prose(self)

    @lazily
    def paragraphs(self) -> list[list[tuple[int, int]]]:
        """The sentences of each paragraph, [start, end) each."""
        blocks = (block for section in self.sections for block in section.blocks if block.kind == "paragraph")
        return [list(sentences(self.text, block.start, block.end)) for block in blocks]

    @lazily
    def pairs(self) -> list[tuple[tuple[int, int], tuple[int, int], str]]:
        """Neighbouring sentences of which the second opens with a connective."""
        return list(_pairs(self))

    @lazily
    def worded(self) -> list[tuple[int, int, list[str]]]:
        """Sentences that can be read alone and hold nothing redacted, with their words."""
        if not self.title or is_question(self.title):
            return []
        return [
            (start, end, _WORD.findall(self.text, start, end))
            for start, end in _sentences(self)
            if not self.redacted(start, end)
        ]


Maker = Callable[[ReadingPage, frozenset[str]], Iterator[Task]]


def title_tasks(page: ReadingPage, terms: frozenset[str]) -> Iterator[Task]:
    """Text to title, and title to the text's first paragraphs."""
    title = page.title
    blocks = page.prose
    if len(title) < 4 or generic(title) or not blocks:
        return
    context = _context(page, blocks)
    if len(context) < 200:
        return
    at = page.text.find(title)
    where = (at, at + len(title)) if at >= 0 else (blocks[0].start, blocks[-1].end)
    yield Task("title", lambda: ({"text": context}, title), (where,))
    start = _first(blocks, MAX_ANSWER)
    if start[1] - start[0] <= MAX_ANSWER:
        yield Task("from-title", lambda: ({"title": title}, page.text[start[0] : start[1]]), (start,))


def summary_tasks(page: ReadingPage, terms: frozenset[str]) -> Iterator[Task]:
    """The first paragraph stands for the text that follows it, both ways; or a paragraph that says TL;DR."""
    blocks = page.prose
    if len(blocks) < 4:
        return
    first, rest = blocks[0], blocks[1:]
    if first.kind != "paragraph" or not MIN_PARAGRAPH <= first.end - first.start <= MAX_SUMMARY:
        return
    summary = unwrapped(page.text[first.start : first.end])
    if not stands_alone(summary) or summary.endswith((":", "?")):
        return
    context = _context(page, rest)
    if len(context) < 2 * len(summary) or not _speaks_of(summary, context):
        return
    yield Task("summary", lambda: ({"text": context}, summary), ((first.start, first.end),))
    after = _first(rest, MAX_ANSWER)
    if after[1] - after[0] <= MAX_ANSWER:
        yield Task("from-summary", lambda: ({"summary": summary}, page.text[after[0] : after[1]]), (after,))


def _speaks_of(summary: str, text: str) -> bool:
    """Whether half of a summary's longer words (by their first 5 letters) stand in the text it is to sum up."""
    words = {word[:5] for word in normalised(summary).split() if len(word) >= 5}
    if len(words) < 4:
        return False
    told = f" {normalised(text)}"
    return 2 * sum([f" {word}" in told for word in words]) >= len(words)


def connective_tasks(page: ReadingPage, terms: frozenset[str]) -> Iterator[Task]:
    """Which of three connectives of different relations the text has between two sentences."""
    for before, after, connective in page.pairs:
        fill = partial(_connective, page, before, after, connective)
        yield Task("connective", fill, ((after[0], after[0] + len(connective)),))


def _connective(
    page: ReadingPage, before: tuple[int, int], after: tuple[int, int], connective: str
) -> tuple[dict[str, str], str]:
    relation = _connectives()[connective.lower()]
    seed = f"{page.record.id}:{after[0]}"
    others = sorted((r for r in _relations() if r != relation), key=lambda r: stable_hash(seed, r))[:2]
    options = [connective, *(_of(r)[pick(len(_of(r)), seed, r, "word")] for r in others)]
    options.sort(key=lambda option: stable_hash(seed, "place", option))
    first = unwrapped(page.text[before[0] : before[1]])
    rest = unwrapped(page.text[after[0] + len(connective) : after[1]])
    text = f"{first} {GAP}{rest if rest.startswith(',') else ' ' + rest}"
    return {"text": text, "options": ", ".join(options)}, connective


def continue_tasks(page: ReadingPage, terms: frozenset[str]) -> Iterator[Task]:
    """A sentence to be continued with a given connective."""
    for before, after, connective in page.pairs:
        yield Task("continue", partial(_continuation, page, before, after, connective), (after,))


def _continuation(
    page: ReadingPage, before: tuple[int, int], after: tuple[int, int], connective: str
) -> tuple[dict[str, str], str]:
    slots = {"text": unwrapped(page.text[before[0] : before[1]]), "connective": connective}
    return slots, unwrapped(page.text[after[0] : after[1]])


def complete_tasks(page: ReadingPage, terms: frozenset[str]) -> Iterator[Task]:
    """The text cut before a paragraph, which is the answer."""
    blocks = page.prose
    cuts = [
        at
        for at in range(1, len(blocks))
        if blocks[at].kind == "paragraph"
        and MIN_PARAGRAPH <= blocks[at].end - blocks[at].start <= MAX_ANSWER
        and blocks[at].end - blocks[0].start <= MAX_CONTEXT
        and page.text[blocks[at].end - 1] in ".!?)"
        and wordy(page.text[blocks[at].start : blocks[at].end])
    ]
    if not cuts:
        return
    cut = blocks[cuts[pick(len(cuts), page.record.id, "complete")]]
    context = page.text[blocks[0].start : cut.start].rstrip()
    if len(context) >= 150:
        answer = unwrapped(page.text[cut.start : cut.end])
        yield Task("complete", lambda: ({"text": context}, answer), ((cut.start, cut.end),))


def cloze_tasks(page: ReadingPage, terms: frozenset[str]) -> Iterator[Task]:
    """A sentence with one of the corpus's terms left out; the term stands nowhere else in the sentence."""
    title = page.title.lower()
    for start, end, found in page.termed(terms):
        text = page.text[start:end]
        lower = text.lower()
        once = [word for word in found if lower.count(word.lower()) == 1]
        if not once:
            continue
        word = once[pick(len(once), page.record.id, "cloze", str(start))]
        if word.lower() in title:
            continue
        at = text.index(word)
        where = (start + at, start + at + len(word))
        yield Task("cloze", partial(_gap, page, text, at, word), (where,))


def _gap(page: ReadingPage, text: str, at: int, word: str) -> tuple[dict[str, str], str]:
    return {"text": unwrapped(text[:at] + GAP + text[at + len(word) :]), "title": page.title}, word


def order_tasks(page: ReadingPage, terms: frozenset[str]) -> Iterator[Task]:
    """A procedure's steps in mixed order; the answer is the steps in the text's order."""
    for section in page.sections:
        for at, block in enumerate(section.blocks):
            if block.kind != "list" or not block.ordered or not 3 <= len(block.items) <= 10:
                continue
            goal = purpose(page, section, section.blocks[at - 1] if at else None)[1]
            steps = [unwrapped(page.text[item.start : item.end]) for item in block.items]
            if not goal or link_list(page.text, block) or sum(map(len, steps)) > MAX_ANSWER:
                continue
            if len({normalised(step) for step in steps}) < len(steps):
                continue
            spans = tuple((item.start, item.end) for item in block.items)
            yield Task("order-steps", partial(_mixed, page, goal, steps), spans)


def _mixed(page: ReadingPage, goal: str, steps: list[str]) -> tuple[dict[str, str], str]:
    mixed = sorted(steps, key=lambda step: stable_hash(page.record.id, "order", step))
    if mixed == steps:
        mixed = [*mixed[1:], mixed[0]]
    answer = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    return {"goal": goal, "text": "\n".join(f"- {step}" for step in mixed)}, answer


def word_tasks(page: ReadingPage, terms: frozenset[str]) -> Iterator[Task]:
    """Three terms of a sentence, from which the sentence is to be written."""
    for start, end, found in page.termed(terms):
        words = list(dict.fromkeys(found))
        if len(words) < 3:
            continue
        yield Task("word-to-text", partial(_worded, page, start, end, words), ((start, end),))


def _worded(page: ReadingPage, start: int, end: int, words: list[str]) -> tuple[dict[str, str], str]:
    chosen = sorted(words, key=lambda word: stable_hash(page.record.id, "word", str(start), word))[:3]
    return {"words": ", ".join(sorted(chosen)), "title": page.title}, unwrapped(page.text[start:end])


MAKERS: Mapping[str, Maker] = {
    "title": title_tasks,
    "summary": summary_tasks,
    "connective": connective_tasks,
    "continue": continue_tasks,
    "complete": complete_tasks,
    "cloze": cloze_tasks,
    "order-steps": order_tasks,
    "word-to-text": word_tasks,
}


@cache
def _connectives() -> dict[str, str]:
    import yaml

    relations = yaml.safe_load(resource("connectives").read_text(encoding="utf-8"))
    return {word.lower(): relation for relation, words in relations.items() for word in words}


@cache
def _relations() -> tuple[str, ...]:
    return tuple(sorted(set(_connectives().values())))


@cache
def _of(relation: str) -> tuple[str, ...]:
    return tuple(word[:1].upper() + word[1:] for word, of in _connectives().items() if of == relation)


@cache
def _opening() -> re.Pattern[str]:
    words = sorted(_connectives(), key=lambda word: (-len(word), word))
    return re.compile(rf"(?:{'|'.join(map(re.escape, words))})(?=,\s|\s(?!first\b|far\b|as\b|when\b|if\b|to\b))", re.I)


def _pairs(page: ReadingPage) -> Iterator[tuple[tuple[int, int], tuple[int, int], str]]:
    """Neighbouring sentences of a paragraph, the second opening with a connective, as it is written there."""
    opening = _opening()
    for paragraph in page.paragraphs:
        for before, after in pairwise(paragraph):
            match = opening.match(page.text, *after)
            if match and match[0][0].isupper() and _whole(page, before) and _whole(page, after):
                yield before, after, match[0]


def _whole(page: Page, where: tuple[int, int]) -> bool:
    start, end = where
    return MIN_SENTENCE <= end - start <= MAX_SENTENCE and page.text[end - 1] in ".!"


def _sentences(page: ReadingPage) -> Iterator[tuple[int, int]]:
    for paragraph in page.paragraphs:
        for start, end in paragraph:
            if _whole(page, (start, end)):
                text = page.text[start:end]
                if not ("<" in text and _TAG.search(text)) and stands_alone(text):
                    yield start, end


def _prose(page: Page) -> list[Block]:
    """The page's blocks in order without tables and link lists, from the first that is not code, up to bare markup."""
    text = page.text
    marked = "<" in text or "{%" in text
    blocks: list[Block] = []
    for section in page.sections:
        for block in section.blocks:
            if marked and marked_up(text, block.start, block.end):
                if blocks:
                    return blocks
            elif block.kind == "table" or text[block.start] == "|" or (block.items and link_list(text, block)):
                continue
            elif blocks or block.kind != "code":
                blocks.append(block)
    return blocks


def _first(blocks: list[Block], limit: int) -> tuple[int, int]:
    end = blocks[0].end
    for block in blocks[1:]:
        if block.end - blocks[0].start > limit:
            break
        end = block.end
    return blocks[0].start, end


def _context(page: Page, blocks: list[Block]) -> str:
    start, end = _first(blocks, MAX_CONTEXT)
    return page.text[start : min(end, start + MAX_CONTEXT)].rstrip()
