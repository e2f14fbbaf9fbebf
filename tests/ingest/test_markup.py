"""Documents of one file that are markup: HTML and XML."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from corpusforge.ingest.formats import find_reader
from corpusforge.record import record_id

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
