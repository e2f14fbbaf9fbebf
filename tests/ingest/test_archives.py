"""PDF files and web archives: pages, captures, and what is damaged in them."""

from __future__ import annotations

import ctypes
import gzip
import io

import pytest

from corpusforge.record import record_id


def _pdf(lines: list[str]) -> bytes:
    """A PDF with a page of text for each line; an empty line makes a page without a text layer."""
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    document = pdfium.PdfDocument.new()
    font = raw.FPDFText_LoadStandardFont(document.raw, b"Helvetica")
    for line in lines:
        page = document.new_page(300, 300)
        if line:
            text = raw.FPDFPageObj_CreateTextObj(document.raw, font, 12)
            encoded = (line + "\0").encode("utf-16-le")
            raw.FPDFText_SetText(text, ctypes.cast(ctypes.create_string_buffer(encoded), raw.FPDF_WIDESTRING))
            raw.FPDFPageObj_Transform(text, 1, 0, 0, 1, 20, 200)
            raw.FPDFPage_InsertObject(page.raw, text)
            raw.FPDFPage_GenerateContent(page.raw)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_pdf_pages(read):
    """Nobody could find the page that a sentence came from."""
    data = _pdf(["Page one.", "", "Page three."])
    (record,), bad = read("pdf", data, name="m.pdf")
    assert not bad
    assert record.text == "Page one.\n\n\n\nPage three."
    assert [record.text[at:][:8] for at in record.meta["pages"]] == ["Page one", "\n\nPage t", "Page thr"]
    assert (record.origin.end, record.origin.unit) == (3, "page")
    records, bad = read("pdf", data, name="m.pdf", per="page")
    assert [(r.text, r.origin.start) for r in records] == [("Page one.", 0), ("Page three.", 2)]
    assert [(q.reason, q.origin.start) for q in bad] == [("no-text-layer", 1)]


def test_a_scanned_pdf_is_reported(read):
    """Scans would pass as empty documents."""
    _, bad = read("pdf", _pdf(["", ""]))
    assert [q.reason for q in bad] == ["no-text-layer"]
    _, bad = read("pdf", _pdf(["x"])[:200])
    assert [q.reason for q in bad] == ["unreadable"]


def _warc(*captures: tuple[str, str, str, bytes]) -> bytes:
    """Captures as ISO 28500 lays them down, each a gzip member of its own."""
    members = []
    for uri, status, kind, body in captures:
        http = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n\r\n".encode() + body
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {uri}\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
            f"WARC-Record-ID: <urn:uuid:0>\r\nContent-Type: application/http; msgtype=response\r\n"
            f"Content-Length: {len(http)}\r\n\r\n"
        )
        members.append(gzip.compress(head.encode() + http + b"\r\n\r\n", mtime=0))
    return b"".join(members)


CAPTURES = (
    (
        "http://x.org/a",
        "200 OK",
        "text/html; charset=utf-8",
        b"<html><body><nav>Home</nav><h1>Mounts</h1><p>Plug it in.</p></body></html>",
    ),
    ("http://x.org/i.png", "200 OK", "image/png", b"\x89PNG"),
    ("http://x.org/gone", "404 Not Found", "text/html", b"<p>Gone</p>"),
    ("http://x.org/b.txt", "200 OK", "text/plain", b"Plain words."),
)


def test_warc_captures(read, capsys):
    """Pictures and error pages would count as documents, or vanish uncounted."""
    data = _warc(*CAPTURES)
    records, bad = read("warc", data, name="x.warc.gz", extract="structure")
    assert [(r.text, r.meta["url"]) for r in records] == [
        ("# Mounts\n\nPlug it in.", "http://x.org/a"),
        ("Plain words.", "http://x.org/b.txt"),
    ]
    assert records[0].id == record_id("src", "http://x.org/a 2024-01-01T00:00:00Z")
    assert [q.reason for q in bad] == ["not-text", "http-error"]
    plain = gzip.decompress(data)
    assert b"http://x.org/b.txt" in plain[records[1].origin.start : records[1].origin.end]
    assert capsys.readouterr() == ("", "")


def test_two_crawls_of_one_page_are_two_records_of_one_group(read):
    """The second day's crawl of a site would stop the build: two files, one id."""
    first = gzip.decompress(_warc(CAPTURES[0]))
    (monday,), _ = read("warc", first, name="1.warc")
    (tuesday,), _ = read("warc", first.replace(b"2024-01-01", b"2024-01-02"), name="2.warc")
    assert monday.id != tuesday.id
    assert monday.group == tuesday.group


def test_a_truncated_warc_keeps_the_captures_before_the_break(read):
    """A download that broke off would be lost whole, or pass as complete."""
    data = _warc(*CAPTURES)
    records, bad = read("warc", data[:-60], name="x.warc.gz", extract="structure")
    assert [r.meta["url"] for r in records] == ["http://x.org/a"]
    assert bad[-1].reason == "truncated-stream"
    records, bad = read("warc", gzip.decompress(data)[:-20], name="x.warc", extract="structure")
    assert len(records) == 1
    assert bad[-1].reason == "truncated-stream"


def test_a_damaged_warc_header_costs_its_record_alone(read):
    """One flipped byte would take the rest of an archive of a gigabyte with it."""
    plain = gzip.decompress(_warc(*CAPTURES)).replace(b"Content-Length: ", b"Content-Lengt\xff: ", 1)
    records, bad = read("warc", plain, name="x.warc")
    assert [r.meta["url"] for r in records] == ["http://x.org/b.txt"]
    assert [q.reason for q in bad] == ["invalid-warc", "not-text", "http-error"]
    assert bad[0].origin.end == bad[1].origin.start


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Encoding: gzip", gzip.compress(b"Plain words.", mtime=0)),
        ("Content-Encoding: gzip", b"Plain words."),
        ("Transfer-Encoding: chunked", b"6\r\nPlain \r\n6;x=y\r\nwords.\r\n0\r\n\r\n"),
    ],
)
def test_http_codings_are_undone(read, headers, body):
    """Pages would be quarantined as binary."""
    data = _warc(("http://x.org/b", f"200 OK\r\n{headers}", "text/plain", body))
    records, bad = read("warc", data, name="x.warc.gz")
    assert [r.text for r in records] == ["Plain words."]
    assert not bad
