"""Documents of one file that are text: plain and Markdown."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from corpusforge.ingest.formats import find_reader
from corpusforge.record import record_id


def test_a_text_file_is_one_record_with_its_path_as_key(read):
    """The id would change with the folder that a user keeps the data in."""
    data = "Grüße.\n\nZwei.\n"
    (record,), bad = read("text", data, name="a/b.txt")
    assert not bad
    assert (record.text, record.title, record.id) == (data, "b", record_id("src", "a/b.txt"))
    assert (record.origin.file, record.origin.start, record.origin.end) == ("a/b.txt", 0, len(data.encode()))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_are_honoured(read, encoding):
    """Files saved on Windows would be quarantined, or begin with an invisible character."""
    (record,), bad = read("text", "Grüße".encode(encoding))
    assert record.text == "Grüße"
    assert not bad


def test_declared_encodings_are_tried_in_order_and_recorded(read):
    """A reviewer could not tell which files were read as what."""
    for data, found in ((b"Gr\xc3\xbc\xc3\x9fe", "utf-8"), (b"Gr\xfc\xdfe", "latin-1")):
        (record,), _ = read("text", data, encoding=["utf-8", "latin-1"])
        assert (record.text, record.meta) == ("Grüße", {"encoding": found})


def test_detection_is_opt_in_and_recorded(read):
    """A guess nobody can see is a guess nobody can check."""
    text = "Это обычный русский текст, достаточно длинный для определения кодировки. " * 5
    (record,), _ = read("text", text.encode("cp1251"), encoding="detect")
    assert record.text == text
    assert record.meta["encoding"] in ("cp1251", "windows-1251")


def test_text_splits_with_byte_offsets_and_one_group(read):
    """Pieces of one document would fall on both sides of the hold-out split."""
    data = "Käse\n\nzwei\nZeilen\n\n\nKäse\n"
    records, _ = read("text", data, split="paragraph")
    raw = data.encode()
    assert [r.text for r in records] == ["Käse", "zwei\nZeilen", "Käse"]
    assert [raw[r.origin.start : r.origin.end].decode().strip() for r in records] == [r.text for r in records]
    assert len({r.id for r in records}) == 3
    assert len({r.group for r in records}) == 1
    records, _ = read("text", "# a\nx\n# b\ny\n", split="pattern", pattern="^# ")
    assert [r.text for r in records] == ["# a\nx", "# b\ny"]


def test_text_by_lines_reports_bad_lines(read):
    """One bad byte would cost the file."""
    records, bad = read("text", b"one\n\ntw\xffo\nthree\n", split="line")
    assert [r.text for r in records] == ["one", "three"]
    assert [(q.reason, q.origin.start) for q in bad] == [("empty-line", 4), ("invalid-bytes", 5)]


def test_names_give_groups_and_languages(read):
    """Translations and versions of one article would leak from training into evaluation."""
    options = {"group_by": r"/(.*)_\w\w\.md$", "language_by": r"_(\w\w)\.md$"}
    (one,), _ = read("markdown", "# Hi", name="v1/hi_en.md", **options)
    (two,), _ = read("markdown", "# Hola", name="v2/hi_es.md", **options)
    assert one.group == two.group
    assert one.id != two.id
    assert (one.language, two.language) == ("en", "es")
    with pytest.raises(ValidationError, match="exactly one"):
        find_reader("markdown").Settings(group_by="no group")


LESSON = """---
title: "Pipes: a lesson"
tags: [shell, basics]
date: 2024-05-01
---
# Pipes

Join programs.

```
# no heading
## Quiz Question
```

## Quiz Question

What joins programs?

## Quiz Answer

A pipe, `|`

## Exercise

Try it.
"""


def test_markdown_front_matter_and_quiz(read):
    """The gold question would be trained on, then asked."""
    (record,), bad = read(
        "markdown", LESSON, meta=["tags", "date"],
        sections={"quiz question": "question", "Quiz Answer": "answer", "Exercise": "drop"},
    )  # fmt: skip
    assert not bad
    assert record.title == "Pipes: a lesson"
    assert record.text == "# Pipes\n\nJoin programs.\n\n```\n# no heading\n## Quiz Question\n```"
    assert record.meta == {
        "tags": ["shell", "basics"],
        "date": "2024-05-01",
        "qa": [{"question": "What joins programs?", "answer": "A pipe, `|`"}],
    }


def test_markdown_without_front_matter_takes_its_title_from_the_heading(read):
    """Articles would be called after their files."""
    (record,), _ = read("markdown", "# strigger\n\n> View triggers.\n{: .note}\n", remove=[r"^\{:.*\}$"])
    assert record.title == "strigger"
    assert record.text == "# strigger\n\n> View triggers."


@pytest.mark.parametrize(
    "front",
    [
        "title: [unclosed",
        "- a list",
        "title: x\nno end",
        "a: &a [1]\nb: [*a, *a]",
        "x: !!python/object/apply:os.system [ls]",
        "x: " + "[" * 3000,
        "x: " + "y" * 70_000,
    ],
)
def test_broken_or_hostile_front_matter_is_quarantined(read, front):
    """A bad header would become text, or a bomb take the worker down."""
    end = "" if "no end" in front else "\n---"
    records, bad = read("markdown", f"---\n{front}{end}\n\nBody.\n")
    assert not records
    assert [q.reason for q in bad] == ["invalid-front-matter"]


def test_fields_of_the_front_matter_may_be_the_text(read):
    """Landing pages that keep their words in the header would be empty."""
    page = "---\nintro: Hello.\nsteps: {a: One., b: Two.}\n---\n"
    assert [q.reason for q in read("markdown", page)[1]] == ["no-text"]
    (record,), _ = read("markdown", page, text=["intro", "steps.*"])
    assert record.text == "Hello.\n\nOne.\n\nTwo."
