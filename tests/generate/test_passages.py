"""Offsets that are off by one would cite the wrong words as evidence."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.generate.passages import split
from corpusforge.generate.sentences import plain, sentences

TEXT = """Lead-in text
over two lines.

# Printing

## Check
1. Open **the** lid.
   It is heavy.

2. Close it.

- a
- b

| key | use |
|---|---|
| F1 | help \\| more |

```
# not a heading
```

> Quoted.
"""


def test_structure_and_offsets_of_a_page() -> None:
    sections = split(TEXT)
    assert [(s.level, s.heading, s.path) for s in sections] == [
        (0, "", ()),
        (1, "Printing", ()),
        (2, "Check", ("Printing",)),
    ]
    blocks = sections[2].blocks
    assert [block.kind for block in blocks] == ["list", "list", "table", "code", "quote"]
    steps, bullets, table, code, _ = blocks
    assert [TEXT[i.start : i.end] for i in steps.items] == ["Open **the** lid.\n   It is heavy.", "Close it."]
    assert steps.ordered
    assert not bullets.ordered
    assert [[TEXT[c.start : c.end] for c in row] for row in table.rows] == [["key", "use"], ["F1", "help \\| more"]]
    assert "# not a heading" in TEXT[code.start : code.end]
    assert TEXT[sections[0].blocks[0].start : sections[0].blocks[0].end] == "Lead-in text\nover two lines."


MARKDOWN = st.text(alphabet=st.sampled_from(list("ab1 .#-|*>`\n\t:[]()\u00e9\U0001f600")), max_size=200)


@settings(max_examples=300)
@given(MARKDOWN)
def test_no_text_is_lost_or_read_twice(text: str) -> None:
    sections = split(text)
    assert sections[0].start == 0
    assert sections[-1].end == len(text)
    for before, after in itertools.pairwise(sections):
        assert before.end == after.start
    blocks = [block for section in sections for block in section.blocks]
    for before, after in itertools.pairwise(blocks):
        assert before.end <= after.start
    for block in blocks:
        assert text[block.start : block.end] == text[block.start : block.end].strip()
        pieces = [*block.items, *(cell for row in block.rows for cell in row)]
        assert all(block.start <= piece.start <= piece.end <= block.end for piece in pieces)


@settings(max_examples=300)
@given(st.text(alphabet=st.sampled_from(list("aB1 .!?\"'\n)")), max_size=120))
def test_sentences_cover_the_words_in_order(text: str) -> None:
    found = list(sentences(text, 0, len(text)))
    assert "".join("".join(text[start:end].split()) for start, end in found) == "".join(text.split())


def test_sentences_run_across_line_wraps_and_abbreviations() -> None:
    text = "Use a tool, e.g. Tar, as Dr. Smith\nsays. However, it is\nslow. Done"
    assert [text[a:b] for a, b in sentences(text, 0, len(text))] == [
        "Use a tool, e.g. Tar, as Dr. Smith\nsays.",
        "However, it is\nslow.",
        "Done",
    ]


def test_plain_keeps_code_and_file_patterns_readable() -> None:
    assert plain("Use **`rm *.txt`** in [the shell](x.html), my_file_name") == "Use rm *.txt in the shell, my_file_name"
