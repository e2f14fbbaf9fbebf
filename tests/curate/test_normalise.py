"""Normalise must clean the form of a text and never its content."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.curate.cleaning import tidy_lines
from corpusforge.curate.normalise import Normalise
from corpusforge.curate.unwrap import unwrap
from corpusforge.record import Dropped, Message, Origin, Record, Span, render
from corpusforge.shards import write_table
from corpusforge.stage import StageContext, Survey

ORIGIN = Origin("a.txt", 0, 1)


def record(text: str = "", kind: str = "doc", number: int = 0, **more: object) -> Record:
    return Record(id=f"s:{number}", source="s", kind=kind, text=text, origin=ORIGIN, **more)  # type: ignore[arg-type]


def context(**settings: object) -> StageContext:
    return StageContext(settings=Normalise.Settings(**settings), seed=1, sources={})


def chat(*turns: tuple[str, str], number: int = 0) -> Record:
    return record("", "chat", number).with_messages([Message(role, text) for role, text in turns])


def one(item: Record, **settings: object) -> Record | Dropped:
    (made,) = Normalise().apply([item], context(**settings))
    assert isinstance(made, Record | Dropped)
    return made


def surveyed(records: list[Record], folder: Path, shards: int = 3, **settings: object) -> StageContext:
    """Survey in several shards, decide, and give the first shard's decision to apply."""
    ctx = context(**settings)
    surveys = []
    for k in range(shards):
        path = folder / f"s-{k:05d}.parquet"
        write_table(path, Normalise().survey(records[k::shards], ctx))
        surveys.append(Survey(path.stem, "s", path, path))
    decided = Normalise().decide(surveys, ctx)
    assert decided == Normalise().decide(surveys[::-1], ctx)
    ctx.mine = decided.per_shard.get("s-00000")
    return ctx


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("donâ€™t", "don’t"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("e\u0301", "é"),
        ("\x1b[31mred\x1b[0m \x0304,12loud\x03", "red loud"),
        ("end   \n\n\n\n\n\nnext", "end\n\n\nnext"),
        ("a\x00b\x07", "ab"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("half\ud800", "half\ufffd"),
        ("“quoted” ﬁne ｆｕｌｌ &lt;b&gt;", "“quoted” ﬁne ｆｕｌｌ &lt;b&gt;"),
        ("if x:\n    y = 'a'\n\tz = 2", "if x:\n    y = 'a'\n\tz = 2"),
    ],
)
def test_golden_characters(dirty: str, clean: str) -> None:
    """Broken encodings and invisible characters are repaired; quotes, entities, code and scripts are not harmed."""
    assert one(record(dirty)).text == clean  # type: ignore[union-attr]


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=300))
def test_a_second_run_changes_nothing(text: str) -> None:
    """Rebuilding from normalised text must not drift."""
    first = one(record(text))
    if isinstance(first, Record):
        second = one(first)
        assert isinstance(second, Record)
        assert second.text == first.text


@given(st.lists(st.text("abc .,\n-é’", max_size=60), min_size=1, max_size=5))
def test_conversations_keep_text_and_turns_in_step(turns: list[str]) -> None:
    """A chat's text always is its rendered turns."""
    item = chat(*(("user" if i % 2 == 0 else "assistant", turn) for i, turn in enumerate(turns)))
    made = one(item)
    if isinstance(made, Record):
        assert made.messages is not None
        assert made.text == render(made.messages)


WORDS = st.lists(st.text("abcdefghij", min_size=1, max_size=9), min_size=120, max_size=260)


@given(WORDS, st.integers(50, 90))
def test_hard_wrapped_prose_becomes_one_line(words: list[str], width: int) -> None:
    """A book's line ends are the printer's, not the author's; every other character stays."""
    lines, line = [], words[0]
    for word in words[1:]:
        if len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}"
    wrapped = "\n".join([*lines, line])
    made = unwrap(wrapped)
    assert re.sub(r"\s", "", made) == re.sub(r"\s", "", wrapped)
    if len(lines) >= 12:
        assert "\n" not in made


@given(st.text("abc XY.,-#|`\n0123456789", max_size=600))
def test_unwrapping_loses_no_character(text: str) -> None:
    """Whatever the text, only whitespace may change."""
    assert re.sub(r"\s", "", unwrap(text)) == re.sub(r"\s", "", text)


PROSE = "\n".join(["The quick brown fox jumps over the lazy dog and then runs home"] * 15)
CODE = "```\n" + "\n".join(["some_call(with_arguments, that_are_long, and_fill_the_line_up)"] * 3) + "\n```"
VERSE = "Shall I compare thee\nto a summer's day?\nThou art more lovely\nand more temperate"
TABLE = "| a column with words | another column with words | more |\n| 1 | 2 | 3 |"
LIST = "- the first item of a list that is rather long, as they are\n- the second item"


@pytest.mark.parametrize("block", [CODE, VERSE, TABLE, LIST, "    four = spaces\n    are = code"])
def test_code_verse_tables_and_lists_survive_unwrapping(block: str) -> None:
    """In a wrapped document, lines that mean something keep their ends."""
    made = one(record(f"{PROSE}\n\n{block}\n\nEnd."))
    assert isinstance(made, Record)
    assert block in made.text
    assert PROSE not in made.text


def test_unwrap_can_be_switched_off_and_labelled_lines_stay() -> None:
    """Labels belong to exact text."""
    assert one(record(PROSE), unwrap="never").text == PROSE  # type: ignore[union-attr]
    assert one(record(f"{PROSE}  \n", "labelled")).text == f"{PROSE}  \n"  # type: ignore[union-attr]


def test_gutenberg_licence_is_cut_where_its_markers_are() -> None:
    """A thousand copies of the same licence teach a model nothing."""
    book = (
        "The Project Gutenberg eBook of X\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nChapter I.\n\n"
        "*** END OF THE PROJECT GUTENBERG EBOOK X ***\n\nLicence."
    )
    ctx = context()
    (made,) = Normalise().apply([record(book, "public")], ctx)
    assert isinstance(made, Record)
    assert made.text == "Chapter I."
    assert ctx.counts == {"s": {"trimmed-gutenberg": 1}}
    assert "Licence." in one(record(book, "public"), trim=()).text  # type: ignore[union-attr]
    assert "Licence." in one(record(book, "doc")).text  # type: ignore[union-attr]


def test_only_invisible_text_is_dropped_as_empty() -> None:
    """An empty record would count as a document in every later figure."""
    made = one(record("\u200b\n \x00"))
    assert isinstance(made, Dropped)
    assert made.reason == "empty"


def navigated(number: int) -> Record:
    body = "\n".join(f"Sentence {k} of article {number} says {number * k}." for k in range(6))
    return record(f"Home > Help > Search\nContact us\n{body}\nLast paragraph.\nPrevious page\nNext page", number=number)


def test_navigation_is_learned_and_removed_from_the_ends_only(tmp_path: Path) -> None:
    """Navigation left in each page would dominate deduplication and training alike."""
    records = [navigated(n) for n in range(60)]
    ctx = surveyed(records, tmp_path)
    made = [item for item in Normalise().apply(records, ctx) if isinstance(item, Record)]
    assert len(made) == len(records)
    assert made[7].text.startswith("Sentence 0 of article 7")
    assert "Next page" not in made[7].text
    assert ctx.counts["s"]["boilerplate-lines"] == 60 * 5


def test_repeated_steps_headings_and_code_stay(tmp_path: Path) -> None:
    """Instructions repeat their steps; removing them would leave articles that do not work."""
    text = "# Set the {n} up\n\n1. Open the Activities overview and start typing the word Settings.\n2. Do {n}.\n{n}\n"
    text += "```\nsudo apt-get update && sudo apt-get install the-package-you-need\n```\n3. Click Apply."
    records = [record(text.format(n=n), number=n) for n in range(80)]
    made = list(Normalise().apply(records, surveyed(records, tmp_path)))
    assert [item.text for item in made if isinstance(item, Record)] == [r.text for r in records]


def test_a_licence_in_a_large_share_goes_from_everywhere(tmp_path: Path) -> None:
    """A notice between the paragraphs of every page is no content."""
    notice = "This page is available under the terms of the documentation licence, version three."
    records = [record("\n".join([*(f"Line {k} of {n}." for k in range(14)), notice] * 2), number=n) for n in range(50)]
    made = next(iter(Normalise().apply(records[3:4], surveyed(records, tmp_path))))
    assert isinstance(made, Record)
    assert notice not in made.text
    assert made.text.count("\n") == 27


def test_a_record_of_nothing_but_boilerplate_is_dropped(tmp_path: Path) -> None:
    """It would otherwise stay as an empty document."""
    notice = "We use cookies to make this site as good as it can be for you."
    records = [record(f"{notice}\nArticle number {n}.", number=n) for n in range(40)] + [record(notice, number=99)]
    made = list(Normalise().apply(records, surveyed(records, tmp_path)))
    assert isinstance(made[-1], Dropped)
    assert made[-1].reason == "only-boilerplate"


GREETING = "Welcome to the Acme help desk, my name is Al, how can I help you?"
MACRO = "Please note that our office is closed on all public holidays of the year."
CLOSING = "Thank you for contacting the Acme help desk, we wish you a nice day."


def supported(n: int) -> Record:
    return chat(
        ("assistant", GREETING),
        ("user", f"My printer {n} is broken."),
        ("assistant", MACRO),
        ("assistant", f"Restart number {n}."),
        ("user", "Thanks, bye."),
        ("assistant", CLOSING),
        number=n,
    )


def test_chat_macros_go_and_answers_stay(tmp_path: Path) -> None:
    """Greetings make different chats look alike; without the only answer a chat teaches nothing."""
    records = [supported(n) for n in range(40)]
    answer = "To reset your password, open the account page and press the reset button."
    records += [chat(("user", f"Where is my password {n}?"), ("assistant", answer), number=100 + n) for n in range(40)]
    ctx = surveyed(records, tmp_path)
    made = list(Normalise().apply([records[0], records[-1]], ctx))
    assert isinstance(made[0], Record)
    assert isinstance(made[1], Record)
    assert made[0].parts == ("My printer 0 is broken.", "Restart number 0.", "Thanks, bye.")
    assert made[1].parts == records[-1].parts
    assert ctx.counts["s"]["boilerplate-turns"] == 3


def test_what_the_asker_answered_keeps_its_question(tmp_path: Path) -> None:
    """`1990` alone means nothing without the agent's question before it."""
    question = "Could you please tell me the year in which you were born?"
    records = [
        chat(("user", f"Hi, case {n}."), ("assistant", f"Hello {n}."), ("assistant", question), ("user", "1990"))
        for n in range(40)
    ]
    made = list(Normalise().apply(records, surveyed(records, tmp_path)))
    assert [item.text for item in made if isinstance(item, Record)] == [r.text for r in records]


def test_boilerplate_of_one_source_does_not_touch_another(tmp_path: Path) -> None:
    """A change in one source must not rebuild the others."""
    ctx = context()
    surveys = []
    for source in ("a", "b"):
        path = tmp_path / f"{source}-00000.parquet"
        records = [navigated(n) for n in range(40)] if source == "a" else [record("One.\nTwo.\nThree.\nFour.")]
        write_table(path, Normalise().survey(records, ctx))
        surveys.append(Survey(path.stem, source, path, path))
    decided = Normalise().decide(surveys, ctx)
    assert decided.per_shard["a-00000"].num_rows > 0
    assert decided.per_shard["b-00000"].num_rows == 0
    assert decided.per_shard["a-00000"].equals(Normalise().decide(surveys[:1], ctx).per_shard["a-00000"])


def test_boilerplate_can_be_switched_off(tmp_path: Path) -> None:
    """A user who wants every line keeps it."""
    records = [navigated(n) for n in range(40)]
    ctx = surveyed(records, tmp_path, boilerplate=None)
    assert next(iter(Normalise().apply(records, ctx))).text == records[0].text  # type: ignore[union-attr]


@given(st.lists(st.sampled_from(["word ", "\u200b", "  \n", "\r\n", "â€™", "<NAME_1>", "\n\n\n\n\n"]), max_size=30))
def test_redactions_move_with_their_text(pieces: list[str]) -> None:
    """A span that points beside its placeholder would make the leak report wrong."""
    text = "".join(pieces)
    spans = tuple(Span("NAME", m.start(), m.end(), "rule", 1.0) for m in re.finditer("<NAME_1>", text))
    for item in (
        record(text, spans=spans),
        record(kind="chat").with_messages([Message("user", "hi"), Message("assistant", text, "al")]),
    ):
        if item.messages:
            shift = len("user: hi\nal: ")
            item.spans = tuple(Span("NAME", s.start + shift, s.end + shift, "rule", 1.0) for s in spans)
        made = one(item)
        if isinstance(made, Record):
            assert [made.text[s.start : s.end] for s in made.spans] == ["<NAME_1>"] * text.count("<NAME_1>")


@given(st.text(alphabet=" \t\na\u00a0\u2003", max_size=60), st.integers(1, 4))
def test_tidy_lines_is_what_two_patterns_say(text, blanks):
    """A faster way to the same text; a difference would show in every record."""
    slow = re.sub(r"[ \t]+(?=\n)|[ \t]+\Z", "", text)
    slow = re.sub(rf"\n{{{blanks + 2},}}", "\n" * (blanks + 1), slow).strip("\n")
    assert tidy_lines(text, blanks) == slow
