"""Questions from numbered procedures: all the steps, and what comes after one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpusforge.generate.headings import asked_by_me, read_heading
from corpusforge.generate.page import Page, link_list
from corpusforge.generate.passages import Block, Section
from corpusforge.generate.phrasings import pick
from corpusforge.generate.qa_pair import Pair, ask
from corpusforge.generate.sentences import normalised, plain

MIN_STEPS = 3
MAX_STEP = 240
MAX_PROCEDURE = 2000
_PURPOSE = re.compile(
    r"(?:.*[.!]\s+)?to ([a-z][^.:!?]{8,100})(?:, (?:follow|do|use|perform|complete|take)[^.:]*)?:$", re.IGNORECASE
)


def step_pairs(page: Page) -> Iterator[Pair]:
    """For each numbered list of at least three steps: the whole procedure, and one next-step question."""
    for section in page.sections:
        for at, block in enumerate(section.blocks):
            if block.kind != "list" or not block.ordered or len(block.items) < MIN_STEPS or link_list(page.text, block):
                continue
            if any(later.number < earlier.number for earlier, later in zip(block.items, block.items[1:], strict=False)):
                # Markdown writers number every step 1; anything that falls is two lists in one.
                continue
            kind, goal = purpose(page, section, section.blocks[at - 1] if at else None)
            if goal:
                yield from _pairs(page, section, block, kind, goal)


def purpose(page: Page, section: Section, before: Block | None) -> tuple[str, str]:
    """What a procedure is for: `To change your password:` before it, else the section's heading or title.

    The kind is `goal` (change your password) or `thing` (password recovery).
    """
    if before is not None and before.kind == "paragraph" and before.end - before.start < 400:
        lead = plain(page.text[before.start : before.end])
        if match := _PURPOSE.match(lead):
            return "goal", match[1].strip()
    kind, words = read_heading(page.subject(section))
    if kind == "question":
        return "", ""
    return ("goal" if kind == "goal" else "thing"), words


def _pairs(page: Page, section: Section, block: Block, kind: str, goal: str) -> Iterator[Pair]:
    text = page.text
    family = "steps" if kind == "goal" else "steps-about"
    context = page.context(section, goal)
    if block.end - block.start <= MAX_PROCEDURE:
        slots = {"goal": asked_by_me(goal)} | ({"title": context} if context else {})
        template = f"{family}-titled" if context else family
        question = ask(page, template, block.start, **slots)
        answer = text[block.start : block.end]
        yield Pair(template, "steps", question, answer, ((block.start, block.end),), section.index, "procedure")
    steps = [plain(text[item.start : item.end]) for item in block.items]
    normal = [normalised(step) for step in steps]
    usable = [
        at
        for at in range(len(steps) - 1)
        if max(len(steps[at]), len(steps[at + 1])) <= MAX_STEP
        and min(len(steps[at]), len(steps[at + 1])) >= 12
        and normal.count(normal[at]) == 1
        and normal.count(normal[at + 1]) == 1
        and not any("```" in step for step in steps[at : at + 2])
    ]
    if not usable:
        return
    at = usable[pick(len(usable), page.record.id, "next-step", str(block.start))]
    after = block.items[at + 1]
    named_goal = f"{goal[:1].upper()}{goal[1:]}" + (f" ({context})" if context else "")
    question = ask(page, "next-step", block.items[at].start, goal=named_goal, step=steps[at])
    answer = " ".join(text[after.start : after.end].split())
    others = tuple(step for k, step in enumerate(steps) if k not in (at, at + 1) and len(step) <= MAX_STEP)
    yield Pair(
        "next-step", "next-step", question, answer, ((after.start, after.end),), section.index, "step", others
    )  # fmt: skip
