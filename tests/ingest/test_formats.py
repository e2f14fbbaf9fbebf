"""The table of formats, and faults that every reader must survive."""

from __future__ import annotations

import gzip
import subprocess
import sys
from importlib.util import find_spec

import pytest

from corpusforge.errors import UsageError
from corpusforge.ingest.formats import FORMATS, find_reader

ALL = sorted(FORMATS)
SETTINGS = {"parallel": {"answers": "answers.txt"}}
LINES = ["jsonl", "csv", "tsv"]
DOCUMENTS = ["text", "markdown", "html", "xml", "json"]


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("messages", "events", "irc")])
def test_every_name_loads_a_closed_reader_of_that_name(name):
    """A source that names a format would otherwise fail only when it is read."""
    reader = find_reader(name)
    assert reader.name == name
    assert reader.version >= 1
    assert reader.Settings.model_config["extra"] == "forbid"


@pytest.mark.parametrize("name", ALL)
def test_every_module_of_the_table_exists(name):
    """A typing mistake in the table would show only to the user of that format."""
    assert find_spec(FORMATS[name].partition(":")[0])


def test_a_misspelt_format_names_the_nearest():
    """A user would have to search the documentation for the spelling."""
    with pytest.raises(UsageError, match="Did you mean 'parquet'"):
        find_reader("parqet")


def test_looking_up_formats_imports_no_heavy_library():
    """--help and check would take seconds instead of 150 ms."""
    code = (
        "import sys\nfrom corpusforge.ingest.formats import FORMATS, find_reader\n"
        "for n in FORMATS:\n"
        "    if n not in ('messages', 'events', 'irc'): find_reader(n)\n"
        "print([m for m in ('lxml', 'trafilatura', 'pyarrow', 'warcio', 'pypdfium2', 'charset_normalizer', 'polars')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("messages", "events", "irc", "parallel")])
def test_an_empty_file_is_reported(read, name):
    """An export that failed would pass as a source without records."""
    records, bad = read(name, b"")
    assert not records
    assert [q.reason for q in bad] == ["empty-file"]


@pytest.mark.parametrize("name", [*LINES, *DOCUMENTS])
def test_binary_data_are_one_quarantined_piece(read, name):
    """A picture under the wrong name would become training text."""
    data = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 20
    records, bad = read(name, data)
    assert not records
    assert [(q.reason, q.origin.start, q.origin.end) for q in bad] == [("binary", 0, len(data))]


@pytest.mark.parametrize("name", ["text", "markdown", "html"])
def test_a_wrong_encoding_is_quarantined_not_guessed(read, name):
    """Mojibake in the corpus is found months later, if ever."""
    records, bad = read(name, "# Überschrift\n\nGrüße aus Köln".encode("latin-1"))
    assert not records
    assert [q.reason for q in bad] == ["wrong-encoding"]


@pytest.mark.parametrize("name", [*DOCUMENTS, "pdf"])
def test_a_truncated_gzip_document_is_quarantined(read, name):
    """Half an article would pass as a whole one."""
    whole = gzip.compress(b"some text and more of it " * 9000, mtime=0)
    records, bad = read(name, whole[: len(whole) // 2], name="doc.gz")
    assert not records
    assert [q.reason for q in bad] == ["truncated-stream"]
    assert bad[0].origin.end > 0


@pytest.mark.parametrize("name", ["pdf", "parquet", "warc"])
def test_text_in_place_of_a_binary_format_is_quarantined(read, name):
    """An HTML error page saved as a download must not stop the build."""
    records, bad = read(name, "<html>404 not found</html>" * 30)
    assert not records
    assert [q.reason for q in bad] == [{"pdf": "unreadable", "parquet": "not-parquet", "warc": "invalid-warc"}[name]]
