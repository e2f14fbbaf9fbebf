"""All question rules over one record, and the choice of a few good rows for each passage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from corpusforge.generate.page import Page
from corpusforge.generate.passages import trimmed
from corpusforge.generate.phrasings import pick
from corpusforge.generate.qa_chats import chat_pairs, may_be_resolved
from corpusforge.generate.qa_commands import command_pairs
from corpusforge.generate.qa_conditions import condition_pairs
from corpusforge.generate.qa_definitions import definition_pairs
from corpusforge.generate.qa_headings import heading_pairs
from corpusforge.generate.qa_pair import PRIORITY, Pair, ask
from corpusforge.generate.qa_steps import step_pairs
from corpusforge.generate.qa_tables import table_pairs
from corpusforge.generate.sentences import normalised, plain
from corpusforge.record import Record

VERSION = 1
_RULES = (heading_pairs, command_pairs, step_pairs, table_pairs, definition_pairs, condition_pairs)
_RANK = {family: rank for rank, family in enumerate(PRIORITY)}


def mine(record: Record) -> list[Pair]:
    """All pairs of a record, one for each question; questions with two different answers are left out.

    Rules that read English are used where the record's language is English or unknown; gold pairs always.
    """
    if record.messages is not None and "qa" not in record.meta and not (record.english and may_be_resolved(record)):
        return []
    page = Page(record)
    found = list(gold_pairs(page))
    if record.english:
        if record.messages is not None:
            found += chat_pairs(page)
        else:
            for rule in _RULES:
                pairs = rule(page)
                if record.spans:
                    # A placeholder answers nobody.
                    pairs = (pair for pair in pairs if not any(page.redacted(*span) for span in pair.spans))
                found += pairs
    if not found:
        return found
    by_question: dict[str, Pair] = {}
    ambiguous: set[str] = set()
    for pair in found:
        key = pair.ask.key
        if key in by_question and normalised(by_question[key].answer) != normalised(pair.answer):
            ambiguous.add(key)
        by_question.setdefault(key, pair)
    return [pair for key, pair in by_question.items() if key not in ambiguous]


def choose(record: Record, pairs: Sequence[Pair], per_passage: int, per_record: int) -> list[Pair]:
    """At most `per_passage` pairs of each section and `per_record` in all: families take turns, best family first;
    within a family a hash decides, so that no place in the text is preferred."""
    by_section: dict[int, list[Pair]] = {}
    for pair in pairs:
        by_section.setdefault(pair.section, []).append(pair)
    chosen: list[Pair] = []
    for of_one in by_section.values():
        chosen += of_one if len(of_one) <= per_passage else _turns(record, of_one)[:per_passage]
    if len(chosen) > per_record:
        chosen = _turns(record, chosen)[:per_record]
    return sorted(chosen, key=lambda pair: (pair.start, pair.template, pair.ask.key))


def _turns(record: Record, pairs: Sequence[Pair]) -> list[Pair]:
    ordered = sorted(
        pairs,
        key=lambda pair: (_RANK[pair.family], pick(1 << 32, record.id, pair.template, str(pair.start)), pair.ask.key),
    )
    taken: dict[str, int] = {}
    turns: list[tuple[int, int, Pair]] = []
    for at, pair in enumerate(ordered):
        turn = taken.get(pair.family, 0)
        taken[pair.family] = turn + 1
        turns.append((turn, at, pair))
    return [pair for _, _, pair in sorted(turns, key=lambda entry: entry[:2])]


def gold_pairs(page: Page) -> Iterator[Pair]:
    """Pairs that the source itself gives as `meta["qa"]`: one or a list of {"question", "answer"}."""
    given: Any = page.record.meta.get("qa")
    for entry in given if isinstance(given, list) else [given] if isinstance(given, dict) else []:
        question, answer = plain(str(entry.get("question") or "")), str(entry.get("answer") or "").strip()
        if len(question) < 8 or not answer:
            continue
        at = page.text.find(answer)
        start, end = (at, at + len(answer)) if at >= 0 else trimmed(page.text, 0, len(page.text))
        if start == end:
            continue
        yield Pair("gold", "gold", ask(page, "gold", start, question=question), answer, ((start, end),), 0, "gold")
