"""Documents of one file: text, Markdown, HTML, XML, PDF and WARC."""

from __future__ import annotations

import ctypes
import gzip
import io

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


PAGE = """<!DOCTYPE html><html lang="en-GB"><head><title>Site: Mounts</title><style>p{}</style></head><body>
<div class="navheader"><a href="p">Prev</a> <a href="n">Next</a></div>
<nav><ul><li><a href="/">Home</a></li></ul></nav><div id="sidebar"><a href="x">Other pages</a></div>
<h1>Mounting <em>disks</em></h1><div class="toc"><a href="#a">1. Steps</a></div>
<p>First   line<br>second line &amp; <code>fstab</code>.</p><script>track()</script>
<h2>Steps</h2><ol><li>Plug it in.</li><li><p>Type</p><pre>mount  /dev/sdb
  ls</pre></li><li>Check:<ul><li>space</li><li>owner</li></ul></li></ol>
<table><tr><th>Option</th><th>Meaning</th></tr><tr><td>ro</td><td>read | only</td></tr></table>
<table><tr><td></td><td></td></tr><tr><td>A tip in a frame.</td></tr></table>
<dl><dt>UUID</dt><dd>An identifier.</dd></dl><blockquote><p>Quoted.</p></blockquote>
<footer>Copyright</footer></body></html>"""
PAGE_TEXT = """# Mounting disks

First line
second line & `fstab`.

## Steps

1. Plug it in.
2. Type

   ```
   mount  /dev/sdb
     ls
   ```
3. Check:
   - space
   - owner

| Option | Meaning |
| --- | --- |
| ro | read \\| only |

A tip in a frame.

- UUID
  An identifier.

> Quoted."""


def test_html_keeps_structure_and_drops_navigation(read):
    """Menus would be the most frequent sentences of the corpus, and commands would lose their lines."""
    (record,), bad = read("html", PAGE)
    assert not bad
    assert record.text == PAGE_TEXT
    assert (record.title, record.language) == ("Mounting disks", "en")


def test_html_by_statistics_and_with_dropped_elements(read):
    """Unknown sites need the other method, known ones a word about their frames."""
    body = "".join(f"<p>Sentence number {i} of a long article about disks and mounts.</p>" for i in range(30))
    page = f"<html><body><div class='x'>Ad!</div><article>{body}</article></body></html>"
    (record,), _ = read("html", page, extract="article")
    assert "Sentence number 29" in record.text
    (record,), _ = read("html", page.replace("article>", "div>"), drop=["//div[@class='x']"])
    assert "Ad!" not in record.text
    with pytest.raises(ValidationError, match="not an XPath"):
        find_reader("html").Settings(drop=["//["])


def test_html_of_navigation_alone_is_reported(read):
    """An index page would count as read and be nowhere."""
    _, bad = read("html", "<html><body><nav><a href='a'>A</a></nav></body></html>")
    assert [q.reason for q in bad] == ["no-text"]


def test_html_encoding_is_declared_by_the_page(read):
    """Old pages would be quarantined, or turn to mojibake."""
    page = "<html><head><meta charset='iso-8859-1'></head><body><p>Grüße</p></body></html>"
    (record,), _ = read("html", page.encode("latin-1"))
    assert record.text == "Grüße"


MALLARD = """<page xmlns="http://projectmallard.org/1.0/" id="p" xml:lang="de">
<info><desc>Hidden.</desc><credit><name>N</name><email>e@example.org</email></credit></info>
<title>Copy <gui>files</gui></title>
<comment><p>Editor's note.</p></comment>
<p>Use <keyseq><key>Ctrl</key><key>C</key></keyseq>; see <link xref="files-move"/>.</p>
<steps><item><p>Open <app>Files</app>.</p></item><item><p>Drag it.</p><note><title>Note</title>
<p>Slowly.</p></note></item></steps>
<section id="s"><title>More</title><list><item><p>one</p></item><item><p>two</p></item></list>
<screen>cp a b
cp c d</screen>
<terms><item><title>Inode</title><p>A number.</p></item></terms></section></page>"""


def test_mallard_pages(read):
    """GNOME's help would need a converter, and its credits hold e-mail addresses."""
    (record,), bad = read("xml", MALLARD, name="p.page", dialect="mallard")
    assert not bad
    assert (record.title, record.language) == ("Copy files", "de")
    assert record.text == (
        "# Copy files\n\nUse Ctrl+C; see files-move.\n\n1. Open Files.\n2. Drag it.\n\n   Note\n\n   Slowly.\n\n"
        "## More\n\n- one\n- two\n\n```\ncp a b\ncp c d\n```\n\n- Inode\n  A number."
    )


def test_cnxml_modules_keep_option_letters(read):
    """The key says `B`; with bullets nobody knows which option that is."""
    module = """<document xmlns="http://cnx.rice.edu/cnxml"><title>Votes</title>
    <metadata xmlns:md="http://cnx.rice.edu/mdml"><md:title>Votes</md:title><md:uuid>u</md:uuid></metadata><content>
    <para>People vote (<link target-id="f"/>).<cite><note>Ref.</note></cite></para>
    <exercise><problem><para>Who?</para><list list-type="enumerated" number-style="lower-alpha">
    <item>no one</item><item>all</item></list></problem><solution><para>B</para></solution></exercise></content>
    <glossary><definition><term>caucus</term><meaning>a meeting</meaning></definition></glossary></document>"""
    (record,), _ = read("xml", module, dialect="cnxml")
    assert record.text == "# Votes\n\nPeople vote.\n\nWho?\n\na. no one\nb. all\n\nB\n\n- caucus\n  a meeting"


def test_xml_by_a_declared_mapping(read):
    """A vendor's export would need a script."""
    data = """<kb xmlns:v="urn:v"><v:art no="7"><v:name>One</v:name><v:body>
    <para>A.</para><secret>x</secret></v:body></v:art>
    <v:art no="8"><v:name>Two</v:name><v:body/></v:art></kb>"""
    records, bad = read(
        "xml",
        data,
        namespaces={"v": "urn:v"},
        record="//v:art",
        title="v:name",
        text="v:body",
        id="@no",
        drop=["secret"],
    )
    assert [(r.title, r.text, r.id) for r in records] == [("One", "A.", record_id("src", "a/file.txt#7"))]
    assert [(q.reason, q.origin.start, q.origin.unit) for q in bad] == [("no-text", 1, "row")]
    with pytest.raises(ValidationError, match="undeclared prefix"):
        find_reader("xml").Settings(record="//w:art")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><l>&b;</l>', "xml-entities"),
        ('<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/hostname">]><l>&x;</l>', "xml-entities"),
        ("<a>" * 400 + "</a>" * 400, "invalid-xml"),
        ("<a><b></a>", "invalid-xml"),
        ("<a/>", "no-text"),
    ],
)
def test_hostile_and_broken_xml_is_quarantined(read, data, reason):
    """A kilobyte of entities can fill the memory, or fetch a file of the machine into the corpus."""
    records, bad = read("xml", data)
    assert not records
    assert [q.reason for q in bad] == [reason]


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
    ("http://x.org/a", "200 OK", "text/html; charset=utf-8", PAGE.encode()),
    ("http://x.org/i.png", "200 OK", "image/png", b"\x89PNG"),
    ("http://x.org/gone", "404 Not Found", "text/html", b"<p>Gone</p>"),
    ("http://x.org/b.txt", "200 OK", "text/plain", b"Plain words."),
)


def test_warc_captures(read, capsys):
    """Pictures and error pages would count as documents, or vanish uncounted."""
    data = _warc(*CAPTURES)
    records, bad = read("warc", data, name="x.warc.gz", extract="structure")
    assert [(r.text, r.meta["url"]) for r in records] == [
        (PAGE_TEXT, "http://x.org/a"),
        ("Plain words.", "http://x.org/b.txt"),
    ]
    assert records[0].id == record_id("src", "http://x.org/a")
    assert [q.reason for q in bad] == ["not-text", "http-error"]
    plain = gzip.decompress(data)
    assert b"http://x.org/b.txt" in plain[records[1].origin.start : records[1].origin.end]
    assert capsys.readouterr() == ("", "")


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
        ("Content-Encoding: gzip", gzip.compress(b"Plain words.")),
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
