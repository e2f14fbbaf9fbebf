"""What a reader of the rows stumbled over once: questions that are no English, give-aways, answers that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusforge.generate.headings import read_heading
from corpusforge.generate.mcq import MCQ
from corpusforge.generate.mcq_slots import altered
from corpusforge.generate.qa_miner import mine
from corpusforge.generate.reading import Reading
from corpusforge.record import Span

from .pages import chat, page, run

BODY = "Hold the button for ten seconds until the lamp turns green, then let it go."


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("Return value of the command", "thing"),
        ("Search method options with aptitude", "thing"),
        ("kill (Terminate)", "thing"),
        ("Search for a package", "goal"),
        ("Print only certain pages", "goal"),
        ("Display the battery status", "goal"),
        ("Update packages", "goal"),
    ],
)
def test_a_noun_is_not_taken_for_something_to_do(heading: str, kind: str) -> None:
    assert read_heading(heading)[0] == kind


@pytest.mark.parametrize("heading", ["My card isn’t working", "I lost my phone", "Forgot or lost your personal key"])
def test_a_heading_that_is_a_clause_is_quoted(heading: str) -> None:
    """Nobody asks: what should I know about I lost my phone?"""
    (question,) = (pair.question for pair in mine(page(f"# Help\n\n## {heading}\n\n{BODY}")))
    assert f"“{heading}”" in question


@pytest.mark.parametrize("seed", range(6))
def test_a_command_keeps_its_letters(seed: int) -> None:
    text = "# ls\n\n> List files.\n\n- List all files:\n\n`ls --all`\n\n- List files by time:\n\n`ls -t`\n"
    for pair in mine(page(text, key=str(seed))):
        assert "Ls" not in pair.question


def test_a_commands_summary_answers_what_it_does() -> None:
    questions = {pair.question for pair in mine(page("# lvrename\n\n> Rename a logical volume of a group of volumes."))}
    assert questions <= {"What does lvrename do?", "What is lvrename for?"}
    assert questions


@pytest.mark.parametrize(
    "body",
    [
        "Follow the steps below to add and delete addresses that belong to your account.",
        "There are many of them, which you can tell apart by their names.\n\nTable 9.8. List of tools",
    ],
)
def test_an_answer_never_promises_what_was_cut_off(body: str) -> None:
    answers = [pair.answer for pair in mine(page(f"# Acme\n\n## Change the address\n\n{body}")) if pair.family == "how"]
    assert not any("below" in answer or "Table" in answer for answer in answers)


def test_no_answer_of_an_article_holds_a_placeholder() -> None:
    text = f"# Acme\n\n## Reset the lamp\n\n{BODY} Or write to <EMAIL_1> about it."
    at = text.index("<EMAIL_1>")
    assert mine(page(text.replace("<EMAIL_1>", "the desk")))
    assert not mine(page(text, spans=(Span("EMAIL", at, at + 9, "test", 1.0),)))


def test_chat_answers_do_not_begin_with_a_name() -> None:
    """A model trained on them would greet everybody with a placeholder."""
    question = ("<USERNAME_1>", "how do I mount a usb stick on my laptop?")
    thanks = ("<USERNAME_1>", "thanks, that worked")
    told = "<USERNAME_1>: plug the stick in and run udisksctl mount"
    (pair,) = mine(chat(question, ("<USERNAME_2>", told), thanks))
    assert pair.answer == "plug the stick in and run udisksctl mount"
    assert [chat(question, ("<USERNAME_2>", told), thanks).text[a:b] for a, b in pair.spans] == [pair.answer]


@pytest.mark.parametrize(
    "answer",
    [
        "<USERNAME_1>: you came to the right place for that",
        "<USERNAME_1>: better ask that in #laptops",
        "<USERNAME_1>: mount it in your dreams, lol",
        "<USERNAME_1>: http://example.org/mount-usb-stick",
        "<USERNAME_1>: see my other laptop",
        "the balance of that laptop stick account is $122.22",
    ],
)
def test_chat_lines_that_answer_nothing_are_left(answer: str) -> None:
    question = ("<USERNAME_1>", "how do I mount a usb stick on my laptop?")
    assert not mine(chat(question, ("<USERNAME_2>", answer), ("<USERNAME_1>", "thanks, that worked")))


def test_the_program_in_the_question_does_not_give_the_command_away(tmp_path: Path) -> None:
    """With commands of other programs beside it, shared words alone found the right one in 77% of the items."""
    verbs = {"show": "list", "drop": "remove", "copy": "duplicate", "move": "shift", "fold": "wrap"}
    pages = [
        page(
            f"# tool{n}\n\n> Works on things.\n\n"
            + "\n".join(
                f"- {verb.title()} one thing:\n\n`tool{n} {word} {{{{name}}}}`\n" for verb, word in verbs.items()
            ),
            key=f"tool{n}",
        )
        for n in range(30)
    ]
    rows, _, _ = run(MCQ, {"kb-00000": pages}, tmp_path)
    assert len(rows["kb-00000"]) >= 30
    for row in rows["kb-00000"]:
        assert len({option.split()[0] for option in row.meta["options"]}) == 1


def test_altered_answers_stay_possible() -> None:
    assert altered("The desk is open 24 hours", "faq", "a") == []
    assert altered("Read through the page", "next-step", "a") == []
    assert altered("Do the work that is left", "entry", "a") == []


def test_a_questions_title_is_no_topic(tmp_path: Path) -> None:
    """Nobody writes a sentence about: Is there a gym?"""
    text = "The Wobblefit lounge and the Gymnarium stand beside the Saunarium of the house for every guest."
    pages = [
        page(f"{text} `Wobblefit` `Gymnarium` `Saunarium` {n}.", key=str(n), title="Is there a gym?") for n in "ab"
    ]
    rows, _, _ = run(Reading, {"kb-00000": pages}, tmp_path)
    assert not {row.meta["template"] for row in rows["kb-00000"]} & {"cloze", "word-to-text"}


def test_a_site_generators_marks_are_no_text_to_complete(tmp_path: Path) -> None:
    words = "The lamp of the router turns green when the line is up and the house has been told of it. " * 3
    text = f"# Lamp\n\n{words}\n\n{{% include alert.html %}}\n\n{words}\n\n<div class='x'>\n\n{words}\n\n</div>"
    rows, _, _ = run(Reading, {"kb-00000": [page(text)]}, tmp_path)
    assert rows["kb-00000"]
    for row in rows["kb-00000"]:
        assert "{%" not in row.text
        assert "<div" not in row.text
