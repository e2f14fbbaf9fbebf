"""A model's answer is read strictly: what is whole is a row, what is not is counted, nothing is guessed."""

from __future__ import annotations

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.generate.write.output import Field, Form, instructions, parse, schema

from .scripted import written

FIELDS = (Field("question", "the question"), Field("answer", "its answer"), Field("quote", "a quote", many=True))
SAID = (
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
    .map(str.strip)
    .filter(
        lambda text: (
            text
            and not any(
                f"<{mark}{name}>" in text for mark in ("", "/") for name in ("row", "question", "answer", "quote")
            )
        )
    )
)
ROWS = st.lists(
    st.fixed_dictionaries({"question": SAID, "answer": SAID, "quote": st.lists(SAID, min_size=1, max_size=3)}),
    max_size=5,
)


@given(ROWS, st.sampled_from(["json", "tagged"]))
def test_trap_23_what_is_written_is_read_back_with_commas_newlines_and_all(
    rows: list[dict[str, object]], form: Form
) -> None:
    found = parse(written(rows, form), FIELDS, form)
    assert [dict(row) for row in found.rows] == rows
    assert found.broken == 0


@given(st.text(max_size=300), st.sampled_from(["json", "tagged"]))
def test_no_answer_whatever_it_is_ends_a_build(text: str, form: Form) -> None:
    found = parse(text, FIELDS, form)
    assert found.broken >= 0
    assert all(set(row) == {"question", "answer", "quote"} for row in found.rows)


ROW = (
    "<row>\n<question>Why, and how?</question>\n<answer>So:\n1. first,\n2. then.</answer>\n<quote>a < b</quote>\n</row>"
)


@pytest.mark.parametrize(
    ("text", "rows", "broken"),
    [
        (ROW, 1, 0),
        (f"Here you are:\n{ROW}\n{ROW}\nI hope this helps.", 2, 0),
        (f"<think>a <row> of thoughts</think>{ROW}", 1, 0),
        (ROW.replace("<quote>a < b</quote>\n", ""), 0, 1),
        (ROW.replace("Why, and how?", "  "), 0, 1),
        (ROW.replace("</answer>", "</answer><answer>again</answer>"), 0, 1),
        (ROW.replace("<quote>", "<note>x</note><quote>"), 0, 1),
        (ROW.replace("</question>", ""), 0, 1),
        (f"{ROW}\n{ROW[:60]}", 1, 1),
        (f"<row>\n<question>cut off\n{ROW}", 1, 1),
        ("I cannot help with that.", 0, 0),
        ("", 0, 0),
    ],
)
def test_trap_16_a_row_that_is_not_whole_is_counted_and_its_neighbours_stay(text: str, rows: int, broken: int) -> None:
    found = parse(text, FIELDS, "tagged")
    assert (len(found.rows), found.broken) == (rows, broken)


@pytest.mark.parametrize(
    "value",
    [
        {"rows": [{"question": "Q?", "answer": "A"}]},
        {"rows": [{"question": "Q?", "answer": "A", "quote": "q"}]},
        {"rows": [{"question": "Q?", "answer": "A", "quote": []}]},
        {"rows": [{"question": "Q?", "answer": 3, "quote": ["q"]}]},
        {"rows": [{"question": "Q?", "answer": "A", "quote": ["q"], "more": 1}]},
        {"rows": "none"},
        [],
        {"rows": [], "note": "x"},
    ],
)
def test_json_of_another_shape_gives_no_row(value: object) -> None:
    text = orjson.dumps(value).decode()
    assert parse(text, FIELDS, "json").rows == ()
    assert parse(f"```json\n{text}\n```", FIELDS, "json").rows == ()


def test_the_schema_asks_for_exactly_as_many_rows_as_the_words_do() -> None:
    rows = [{"question": f"Q{n}?", "answer": "A", "quote": ["q"]} for n in range(4)]
    jsonschema.validate({"rows": rows[:3]}, schema(FIELDS, 3))
    for wrong in (rows[:2], rows):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"rows": wrong}, schema(FIELDS, 3))
    for form in ("json", "tagged"):
        assert "exactly 3 rows" in instructions(FIELDS, 3, form)
        assert "exactly one row" in instructions(FIELDS, 1, form)
