"""Questions from recipes of commands: a line that says what for and ends in a colon, then the command."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from corpusforge.generate.headings import is_question, read_heading
from corpusforge.generate.page import Page, stands_alone
from corpusforge.generate.passages import Block, Section, trimmed
from corpusforge.generate.qa_pair import Pair, ask
from corpusforge.generate.sentences import normalised, plain

MAX_GOAL = 160
MAX_COMMAND = 300
_CODE_SPAN = re.compile(r"`[^`\n]+`")
_PURPOSE = re.compile(
    r"(?:.*[.!]\s+)?to ((?!the\b|this\b|a\b|do (?:this|that|so)\b)[a-z][^.:!?,]{6,80})(?:,[^.,]*)?$", re.IGNORECASE
)
_PROMPT = re.compile(r"[$#>] +")
_HINT = re.compile(r"\[(\w+)\](?=\w)")


def command_pairs(page: Page) -> Iterator[Pair]:
    """A pair for each `what for:` followed by a code span or code block."""
    text = page.text
    found: list[tuple[Section, str, int, int, int]] = []
    for section in page.sections:
        blocks = section.blocks
        for at, block in enumerate(blocks):
            # What a command is for ends in a colon.
            if block.kind not in ("list", "paragraph") or text.find(":", block.start, block.end) < 0:
                continue
            command = _command(text, blocks[at + 1]) if at + 1 < len(blocks) else None
            if block.kind == "list":
                last = len(block.items) - 1
                for k, item in enumerate(block.items):
                    goal, own = _inside(text, item.start, item.end)
                    where = own or (command if k == last else None)
                    if goal and where:
                        found.append((section, goal, item.start, *where))
            elif command:
                # In prose only `To do this:` says what the command is for; other lines lead in to examples.
                goal, _ = _inside(text, block.start, block.end)
                purpose = _PURPOSE.match(goal)
                if purpose:
                    found.append((section, purpose[1], block.start, *command))
    if not found:
        return
    commands = [text[start:end].strip("`") for _, _, _, start, end in found]
    normal = [normalised(command) for command in commands]
    goals = Counter([goal for _, goal, _, _, _ in found])
    for at, (section, goal, start, first, last) in enumerate(found):
        title = page.subject(section)
        if not title or is_question(title) or not stands_alone(goal) or page.redacted(start, last) or goals[goal] > 1:
            continue
        kind, words = read_heading(goal, tells=True)
        template, words = ("command", words) if kind == "goal" else ("command-about", goal)
        mine = normal[at]
        others = tuple([c for c, same in zip(commands, normal, strict=True) if same != mine])
        question = ask(page, template, start, title=title, goal=words)
        yield Pair(
            template, "command", question, commands[at].strip(), ((first, last),), section.index, "command", others
        )


def _inside(text: str, start: int, end: int) -> tuple[str, tuple[int, int] | None]:
    # An item holds what for and, set in below it, perhaps the command.
    cut = text.find("\n\n", start, end)
    head = end if cut < 0 else cut
    if text.find(":", start, head) < 0:
        return "", None
    goal = text[start:head]
    goal = plain(_HINT.sub(r"\1", goal) if "[" in goal else goal)
    if not goal.endswith(":") or not 8 <= len(goal) <= MAX_GOAL:
        return "", None
    own = None
    if cut >= 0:
        first, last = trimmed(text, cut, end)
        match = _CODE_SPAN.fullmatch(text, first, last)
        own = (first, last) if match and last - first <= MAX_COMMAND else None
    return goal[:-1].strip(), own


def _command(text: str, block: Block) -> tuple[int, int] | None:
    if block.end - block.start > MAX_COMMAND:
        return None
    if block.kind == "paragraph" and _CODE_SPAN.fullmatch(text, block.start, block.end):
        return block.start, block.end
    if block.kind == "code":
        first, last = block.start, block.end
        if text.startswith(("```", "~~~"), first):
            first = text.find("\n", first, last) + 1
            last = text.rfind("\n", first, last)
            if first == 0 or last <= first:
                return None
        first, last = trimmed(text, first, last)
        if prompt := _PROMPT.match(text, first, last):
            first = prompt.end()
        return (first, last) if first < last and "\n" not in text[first:last] else None
    return None
