"""A person's approval of a build: a file in git with the manifest's sha256, who, when, answers and waivers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from corpusforge.card.card_json import Card, read_card
from corpusforge.card.questions import Question, questions, unanswered
from corpusforge.errors import GateFailed, NeedsApproval, Problem, Problems, UsageError
from corpusforge.manifest import MANIFEST, read_manifest
from corpusforge.shards import write_bytes

APPROVAL = "approval.yaml"
CARD, README, HTML = "card.json", "README.md", "card.html"
_FEWEST_WORDS = 3


class ApprovalState(StrEnum):
    """Whether a build may be used: approved, void (something changed since), or never approved."""

    APPROVED = "approved"
    VOID = "void"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Approval:
    """The content of an approval file. `card_sha256` is of the card.json that the reviewer read."""

    name: str
    build: str
    manifest_sha256: str
    card_sha256: str
    reviewer: str
    date: str
    answers: Mapping[str, str]
    waivers: Mapping[str, str]


def build_card(build_dir: Path) -> Card:
    """The card in a build's folder. Raises UsageError if there is none, or if it is not of this manifest."""
    path = build_dir / CARD
    if not path.is_file():
        raise UsageError("has no card.json.", where=str(build_dir), hint="Run corpusforge card first.")
    card = read_card(path.read_bytes(), str(path))
    if card.manifest_sha256 != _sha256(build_dir / MANIFEST):
        hint = "Run corpusforge card again and read it."
        raise UsageError("is not the card of this manifest.", where=str(path), hint=hint)
    return card


def approve(
    build_dir: Path,
    cards_dir: Path,
    *,
    reviewer: str,
    date: str,
    answers: Mapping[str, str | bool],
    waivers: Mapping[str, str] | None = None,
) -> Path:
    """Approve a build: write `cards_dir/<name>/` with the card as read and approval.yaml last; returns its path.

    `date` is YYYY-MM-DD; `answers` maps question keys to yes; `waivers` maps blocker keys to a written reason.

    Raises GateFailed where a gate fails without a waiver, NeedsApproval where a question is open, and Problems where
    the approval itself cannot be right (no name, no date, missing sentences, a waiver that nothing asks for).
    """
    read_manifest(build_dir)
    card = build_card(build_dir)
    waivers = {key: text.strip() for key, text in (waivers or {}).items()}
    asked = questions(card)
    problems = _signature_problems(card.name, reviewer, date) + _problems(card, asked, answers, waivers)
    if problems:
        raise Problems(problems)
    open_blockers = [blocker for blocker in card.verdict.blockers if blocker.key not in waivers]
    if open_blockers:
        what = " ".join(blocker.text for blocker in open_blockers)
        keys = " ".join(f"--waive {blocker.key}='why it is acceptable'" for blocker in open_blockers)
        raise GateFailed(what, where=card.name, hint=f"Mend it and build again, or sign for it: {keys}.")
    missing = unanswered(asked, answers)
    if missing:
        what = f"{len(missing)} of {len(asked)} questions are not answered with yes."
        raise NeedsApproval(what, where=card.name, hint=" ".join(f"{q.key}: {q.text}" for q in missing))
    approval = Approval(
        name=card.name,
        build=card.build,
        manifest_sha256=card.manifest_sha256,
        card_sha256=_sha256(build_dir / CARD),
        reviewer=reviewer.strip(),
        date=date,
        answers={q.key: q.text for q in asked},
        waivers=dict(sorted(waivers.items())),
    )
    return _write(build_dir, cards_dir / card.name, card, approval)


def approval_state(build_dir: Path, cards_dir: Path) -> ApprovalState:
    """Whether the build in this folder is the one that was approved, to the byte."""
    name = read_manifest(build_dir)["name"]
    approval = read_approval(cards_dir, name)
    if approval is None:
        return ApprovalState.NONE
    card = cards_dir / name / CARD
    whole = card.is_file() and _sha256(card) == approval.card_sha256
    same = approval.manifest_sha256 == _sha256(build_dir / MANIFEST)
    return ApprovalState.APPROVED if whole and same else ApprovalState.VOID


def read_approval(cards_dir: Path, name: str) -> Approval | None:
    """The approval of a recipe's corpus, or None. Raises UsageError if the file is damaged."""
    import yaml

    path = cards_dir / name / APPROVAL
    if not path.is_file():
        return None
    try:
        value: Any = yaml.safe_load(path.read_text("utf-8"))
        return Approval(**value)
    except (yaml.YAMLError, TypeError):
        hint = "Restore it from git or approve again."
        raise UsageError("is damaged or of another version.", where=str(path), hint=hint) from None


def approved_card(cards_dir: Path, name: str) -> Card | None:
    """The card approved last under this name, which a new card is compared with; None where there is none."""
    path = cards_dir / name / CARD
    if read_approval(cards_dir, name) is None or not path.is_file():
        return None
    return read_card(path.read_bytes(), str(path), "Move it away to make a card without a comparison.")


def _signature_problems(where: str, reviewer: str, date: str) -> list[Problem]:
    import datetime

    found = []
    if not reviewer.strip():
        found.append(Problem(where, "the reviewer has no name.", "Give --reviewer."))
    try:
        datetime.date.fromisoformat(date)
    except ValueError:
        found.append(Problem(where, f"{date!r} is not a date.", "Write YYYY-MM-DD."))
    return found


def _problems(
    card: Card, asked: list[Question], answers: Mapping[str, str | bool], waivers: Mapping[str, str]
) -> list[Problem]:
    found = []
    for missing in card.about.missing:
        hint = f"{missing.question} Write it in the recipe and build again."
        found.append(Problem(card.name, f"the sentence about.{missing.key} is missing.", hint))
    keys = [question.key for question in asked]
    for key in sorted(answers.keys() - set(keys)):
        found.append(Problem(card.name, f"no question is called {key!r}.", f"Questions: {', '.join(keys)}."))
    blockers = [blocker.key for blocker in card.verdict.blockers]
    for key, text in sorted(waivers.items()):
        if key not in blockers:
            known = ", ".join(blockers) or "none"
            found.append(Problem(card.name, f"nothing called {key!r} needs a waiver.", f"To be waived: {known}."))
        elif len(text.split()) < _FEWEST_WORDS:
            found.append(Problem(card.name, f"the waiver of {key} gives no reason.", "Write a sentence."))
    return found


def _write(build_dir: Path, folder: Path, card: Card, approval: Approval) -> Path:
    from dataclasses import asdict

    import yaml

    from corpusforge.card.html import card_html

    folder.mkdir(parents=True, exist_ok=True)
    old = folder / APPROVAL
    # Without its approval a half-written folder counts as not approved, so the old one goes first.
    old.unlink(missing_ok=True)
    write_bytes(folder / CARD, (build_dir / CARD).read_bytes())
    write_bytes(folder / README, (build_dir / README).read_bytes())
    write_bytes(folder / HTML, card_html(card, approval).encode())
    text = yaml.safe_dump(asdict(approval), sort_keys=False, allow_unicode=True, width=120)
    write_bytes(old, text.encode())
    return old


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
