"""Rows of JSON Lines, JSON, CSV, Parquet and parallel files: the mapping, the faults, the offsets."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.ingest.formats import find_reader
from corpusforge.ingest.json_scan import scan


def test_the_dirty_file_gives_exactly_997_records_and_3_quarantined(read):
    """The field's usual reader loses 783 of these 1,000 lines and reports none."""
    lines = [json.dumps({"text": f"line {i}"}).encode() + b"\n" for i in range(1000)]
    lines[100] = b'{"text": "unfinished\n'
    lines[200] = b"\n"
    lines[300] = b'{"text": "\xff\xfe"}\n'
    starts = [sum(len(line) for line in lines[:i]) for i in range(1000)]
    records, bad = read("jsonl", b"".join(lines), name="dirty.jsonl")
    assert len(records) == 997
    assert [(q.reason, q.origin.start, q.origin.end) for q in bad] == [
        (reason, starts[i], starts[i] + len(lines[i]))
        for reason, i in (("invalid-json", 100), ("empty-line", 200), ("invalid-bytes", 300))
    ]
    data = b"".join(lines)
    assert all(json.loads(data[r.origin.start : r.origin.end])["text"] == r.text for r in records)
    assert "unfinished" not in str(bad)


def test_ids_survive_reordering_and_equal_rows_stay_apart(read):
    """A re-sorted export would look like all-new records and rebuild everything."""
    rows = [{"text": t} for t in ("a", "b", "a", "c")]
    dump = lambda rs: "\n".join(map(json.dumps, rs))  # noqa: E731
    first, _ = read("jsonl", dump(rows))
    second, _ = read("jsonl", dump(rows[::-1]))
    assert sorted(r.id for r in first) == sorted(r.id for r in second)
    assert len({r.id for r in first}) == 4


def test_a_full_mapping(read):
    """Titles, groups, labels and meta would be lost on the way in."""
    row = {"n": {"body": ["one", "two"]}, "t": "T", "key": 7, "conv": "c1", "lang": "en", "extra": {"x": 1}}
    records, bad = read(
        "jsonl", json.dumps(row), text=["n.body.1", "n.body.*"], title="t", id="key", group="conv", language="lang",
        meta=["extra"],
    )  # fmt: skip
    assert not bad
    (record,) = records
    assert record.text == "two\n\none\n\ntwo"
    assert (record.title, record.language, record.meta) == ("T", "en", {"extra": {"x": 1}})
    assert record.group != record.id


def test_a_group_keeps_its_rows_together(read):
    """Turns of one conversation would fall on both sides of the hold-out split."""
    records, _ = read("jsonl", '{"text": "a", "c": 1}\n{"text": "b", "c": 1}\n{"text": "d", "c": 2}', group="c")
    assert [r.group == records[0].group for r in records] == [True, True, False]


def test_labelled_rows_become_messages(read):
    """Supervised rows would train as plain text."""
    row = '{"q": "Where is my card?", "y": 3}\n{"q": "Hello", "y": 9}'
    records, bad = read("jsonl", row, prompt="q", label="y", labels={"3": "card_arrival"}, instruction="Name it.")
    (record,) = records
    assert [(m.role, m.content) for m in record.messages] == [
        ("user", "Name it.\n\nWhere is my card?"),
        ("assistant", "card_arrival"),
    ]
    assert record.text == "user: Name it.\n\nWhere is my card?\nassistant: card_arrival"
    assert record.meta == {"label": "3"}
    assert [q.reason for q in bad] == ["unknown-label"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"x": 1}, "missing-field"),
        ({"text": None}, "missing-field"),
        ({"text": {"a": 1}}, "missing-field"),
        ({"text": "  "}, "empty-text"),
        ("text", "missing-field"),
    ],
)
def test_unusable_rows_are_reported(read, row, reason):
    """A renamed column would give an empty corpus without a word."""
    records, bad = read("jsonl", json.dumps(row))
    assert not records
    assert [q.reason for q in bad] == [reason]


def test_lone_surrogates_and_repeated_ids_are_reported(read):
    """The first crashes every writer behind it, the second lets one record shadow another."""
    assert [q.reason for q in read("jsonl", '{"text": "\\ud800"}')[1]] == ["invalid-json"]
    records, bad = read("jsonl", '{"text": "a", "k": 1}\n{"text": "b", "k": 1}', id="k")
    assert len(records) == 1
    assert [q.reason for q in bad] == ["duplicate-id"]


def test_a_language_is_a_tag_or_nothing(read):
    """A shifted column would put names and addresses where no detector looks."""
    rows = '{"text": "a", "l": "pt-BR"}\n{"text": "b", "l": "jane.roe@northwind.co.uk"}\n{"text": "c", "l": "English"}'
    assert [r.language for r in read("jsonl", rows, language="l")[0]] == ["pt-BR", "", ""]


def test_nesting_without_end_costs_one_row_and_not_the_build(read):
    """One line of brackets would stop the build of a million good ones."""
    deep = '{"text": ' + "[" * 600 + '"x"' + "]" * 600 + "}"
    meta = '{"text": "a", "m": ' + '{"a":' * 300 + "1" + "}" * 300 + "}"
    records, bad = read("jsonl", "\n".join((deep, meta, '{"text": "b", "m": 1}')), meta=["m"])
    assert [r.text for r in records] == ["b"]
    assert [q.reason for q in bad] == ["missing-field", "invalid-bytes"]


@pytest.mark.parametrize("reader", ["csv", "messages"])
def test_joined_exports_and_columns_of_one_name(read, reader):
    """A header in the middle would be trained on; of two columns of one name the last would win in silence."""
    how = {"conversation": "id", "format": "csv"} if reader == "messages" else {"id": "id"}
    records, bad = read(reader, "id,text,n,n\n1,one,a,b\nid,text,n,n\n2,two,a,b\n", **how)
    assert [r.parts[0] for r in records] == ["one", "two"]
    assert [q.reason for q in bad] == ["duplicate-column", "repeated-header"]
    records, bad = read(reader, "id,text,text\n1,first,second\n", **how)
    assert not records
    assert [q.reason for q in bad] == ["duplicate-column", "missing-field"]
    assert not read(reader, "id,text,,\n1,one,,\n", **how)[1]


@pytest.mark.parametrize(
    "settings",
    [
        {"text": "a", "prompt": "b", "answer": "c"},
        {"prompt": "a"},
        {"prompt": "a", "answer": "b", "label": "c"},
        {"question": "a"},
        {"answer": "a"},
        {"txet": "a"},
        {"encoding": "utf-9"},
        {"encoding": ["utf-8", "detect"]},
    ],
)
def test_contradicting_settings_are_refused_before_reading(settings):
    """The mistake would show only after hours, as a corpus of the wrong shape."""
    with pytest.raises(ValidationError):
        find_reader("jsonl").Settings(**settings)


def test_html_fields_become_text(read):
    """Tags would be learnt as language."""
    row = {"text": "<p>Go <b>here</b> &amp; click:</p><ol><li>one</li><li>two</li></ol>"}
    records, _ = read("jsonl", json.dumps(row), html=True)
    assert records[0].text == "Go here & click:\n\n1. one\n2. two"


FAQ = """{"hotel": {"0": {"name": "Ä-Hof", "docs": {"0": {"title": "Pets?", "body": "No."}, "1": {"title": "Wifi?",
 "body": "Yes."}}}}, "taxi": {"*": {"name": null, "docs": {"0": {"title": "Pay?", "body": "Cash."}}}}}"""


def test_json_rows_along_a_path_with_byte_offsets(read):
    """A nested FAQ would need a script before it can be read."""
    records, bad = read("json", FAQ, records="*.*.docs.*", question="title", answer="body", keys="where")
    assert not bad
    assert [(r.title, r.text, r.meta["where"]) for r in records] == [
        ("Pets?", "No.", ["hotel", "0", "docs", "0"]),
        ("Wifi?", "Yes.", ["hotel", "0", "docs", "1"]),
        ("Pay?", "Cash.", ["taxi", "*", "docs", "0"]),
    ]
    raw = FAQ.encode()
    assert [json.loads(raw[r.origin.start : r.origin.end])["title"] for r in records] == ["Pets?", "Wifi?", "Pay?"]


def test_a_broken_json_array_keeps_the_elements_before_the_break(read):
    """One missing brace at the end would cost the whole export."""
    records, bad = read("json", '[{"text": "a"}, {"text": "b"}, {"text": "c', records="*")
    assert [r.text for r in records] == ["a", "b"]
    assert [(q.reason, q.origin.start, q.origin.end) for q in bad] == [("invalid-json", 31, 42)]


def test_json_nested_too_deeply_and_paths_without_rows_are_reported(read):
    """A hostile file would end the worker; a mistyped path would give nothing, silently."""
    assert [q.reason for q in read("json", "[" * 100_000)[1]] == ["invalid-json"]
    assert [q.reason for q in read("json", '{"a": []}', records="b.*")[1]] == ["missing-field"]


@given(st.lists(st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=5), max_size=3), max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_json_scanner_agrees_with_the_parser(rows):
    """Origins would point into the middle of other records."""
    text = json.dumps({"rows": rows}, ensure_ascii=False, indent=1)
    assert [json.loads(text[e.start : e.end]) for e in scan(text, "rows.*")] == rows


def test_csv_rows_may_span_lines_and_keep_their_bytes(read):
    """A ticket with a line break would become two broken rows."""
    data = 'text,category\r\n"two\nlines, ""quoted""",x\r\nplain ä,y\r\n'
    records, bad = read("csv", data, text="text", meta=["category"])
    assert not bad
    assert [r.text for r in records] == ['two\nlines, "quoted"', "plain ä"]
    raw = data.encode()
    assert [raw[r.origin.start : r.origin.end] for r in records] == [
        b'"two\nlines, ""quoted""",x\r\n',
        "plain ä,y\r\n".encode(),
    ]


def test_faults_in_csv_cost_one_line_each(read):
    """A stray quote swallows every row behind it in other readers."""
    data = b'text,n\na,1\n"stray,2\nb,3\n\nc,4,5\n\xff\xfe,6\nd,7\n'
    records, bad = read("csv", data)
    assert [r.text for r in records] == ["a", "b", "d"]
    assert [(q.reason, q.origin.start) for q in bad] == [
        ("invalid-csv", 11), ("empty-line", 24), ("wrong-columns", 25), ("invalid-bytes", 31),
    ]  # fmt: skip


def test_tsv_without_header_and_latin1(read):
    """Older exports would need a conversion first."""
    records, _ = read("tsv", 'Gr\xfc\xdfe "an\talle\n'.encode("latin-1"), header=False, text="0", encoding="latin-1")
    assert [r.text for r in records] == ['Grüße "an']


def test_a_byte_order_mark_is_no_part_of_the_first_column(read):
    """Spreadsheet exports would miss their first column."""
    records, bad = read("csv", b"\xef\xbb\xbftext,n\na,1\n")
    assert [r.text for r in records] == ["a"]
    assert not bad


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "x.parquet"
    rows = [{"body": f"text {i}", "m": {"id": i}, "unused": "u"} for i in range(40)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=10, compression="none", use_dictionary=False)
    return path


def test_parquet_rows_with_nested_fields(read, parquet):
    """Hugging Face data sets would need conversion."""
    records, bad = read("parquet", parquet.read_bytes(), text="body", id="m.id")
    assert not bad
    assert len({r.id for r in records}) == 40
    assert (records[11].text, records[11].origin.start, records[11].origin.unit) == ("text 11", 11, "row")


def test_broken_parquet_is_accounted_for(read, parquet):
    """A truncated file would stop the build; a corrupt group would take the others along."""
    raw = parquet.read_bytes()
    assert [q.reason for q in read("parquet", raw[:-100], text="body")[1]] == ["truncated-stream"]
    at = raw.index(b"text 10") - 40
    records, bad = read("parquet", raw[:at] + b"\xff" * 80 + raw[at + 80 :], text="body")
    assert len(records) + sum(q.origin.end - q.origin.start for q in bad) == 40
    assert len(records) >= 30
    assert {q.reason for q in bad} == {"unreadable"}


def test_a_column_that_is_not_there_is_reported_for_every_row(read, parquet):
    """A renamed column would give an empty corpus."""
    records, bad = read("parquet", parquet.read_bytes(), text="boddy")
    assert not records
    assert [q.reason for q in bad] == ["missing-field"] * 40


def test_parallel_files_pair_up_and_the_unpaired_tail_is_reported(read, tmp_path):
    """A missing line would shift every answer behind it; at least the tail must show."""
    (tmp_path / "all.cm").write_bytes(b"ls -l\n\npwd\n")
    data = "list files\nnothing\nwhere am I\nlost\nalso lost\n"
    records, bad = read("parallel", data, name="all.nl", answers="{stem}.cm", instruction="One command.")
    assert [r.messages[1].content for r in records] == ["ls -l", "pwd"]
    assert records[1].meta["answer_bytes"] == [7, 11]
    assert [(q.reason, q.origin.start, q.origin.end) for q in bad] == [
        ("empty-text", 11, 19),
        ("unpaired-tail", 30, 45),
    ]


def test_parallel_files_without_their_sibling_are_reported(read):
    """A missing file of answers would be a traceback."""
    _, bad = read("parallel", "list files\n", name="b.nl", answers="{stem}.cm")
    assert [q.reason for q in bad] == ["missing-sidecar"]
