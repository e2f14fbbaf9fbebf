"""Short cuts of the rules: what they spare must not change what a rule says, or rows would change silently."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.generate import page as pages
from corpusforge.generate import sentences
from corpusforge.generate.mcq_cues import NO_CUE, Cues
from corpusforge.generate.mcq_items import Question, Told
from corpusforge.generate.passages import split
from corpusforge.generate.qa_pair import Ask, Pair

from .pages import page

WRITTEN = st.text(st.sampled_from("aB 1.,*_`[]()#>\n’“…é€%$-\xa0İß→"), max_size=40)
OPENINGS = st.lists(
    st.sampled_from(
        ["this", "This ", "it", "the above", "a", " x", "*it*", "[so", "> but", "é", "ſo", "\n", "in this"]
    ),
    max_size=6,
).map("".join)
LINES = st.lists(
    st.sampled_from(
        ["so it is", "Then", "  in", "\xa0x", "#x", "1.5 is", "-x", "*x* y", "~~ x", "", "- a", "# b", "| c |"]
    ),
    min_size=1,
    max_size=8,
)
COMMANDS = st.lists(
    st.lists(
        st.sampled_from(["list", "--all", "-l", "file", "server", "show", "{{path}}"]), min_size=1, max_size=4
    ).map(lambda words: " ".join(["tool", *words])),
    min_size=4,
    max_size=7,
    unique=True,
)


@given(WRITTEN)
def test_words_are_normalised_as_the_pattern_does_it(text: str) -> None:
    """Two spellings of one answer must stay one answer, whatever marks stand between its words."""
    assert sentences._bare(text).split() == sentences._NOISE.sub(" ", text.lower()).split()


@given(OPENINGS)
def test_an_opening_points_out_of_its_text_by_the_pattern_alone(text: str) -> None:
    """A row that begins with `it` has no sense alone; a short cut must not let one through."""
    assert pages.stands_alone(text) == (not pages._DANGLING.match(sentences.plain(text[:80])))


@given(LINES)
def test_a_paragraph_ends_where_something_else_begins(lines: list[str]) -> None:
    """A heading or an item inside a paragraph would be lost to all rules."""
    for block in (block for section in split("\n".join(lines)) for block in section.blocks):
        if block.kind == "paragraph":
            further = "\n".join(lines)[block.start : block.end].split("\n")[1:]
            assert not {"", "- a", "# b", "| c |"} & {line.strip() for line in further}


@given(COMMANDS, st.integers(0, 30))
def test_what_is_not_weighed_could_not_have_won(commands: list[str], number: int) -> None:
    """Wrong options that are passed over unweighed must be such that none of their sets would be taken."""
    gold, *others = commands
    ask = Ask("command", f"r:{number}", (("goal", "list all the files of a server"), ("title", "tool")))
    pair = Pair("command", "command", ask, gold, ((0, 4),), 0, "command", tuple(others))
    question = Question(f"row:{number}", pair, gold, page("text"), Told("text"))
    cues = Cues(question, 3)
    if cues.hopeless(others):
        assert all(cues.cost(wrong, NO_CUE) >= NO_CUE for wrong in combinations(others, 3))
