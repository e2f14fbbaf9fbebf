"""The readers on real data of the kinds that users have; exact counts, because a lost record must not go unseen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}; set CORPUSFORGE_DATA"),
]
QUIZ = {"Quiz Question": "question", "Quiz Questions": "question", "Quiz Answer": "answer"}


@pytest.mark.parametrize(
    ("reader", "pattern", "records", "reasons", "settings"),
    [
        ("xml", "ubuntu-kb-gnome-help/**/*.page", 348, {}, {"dialect": "mallard"}),
        ("xml", "task-mcq-openstax-gov/**/*.cnxml", 70, {}, {"dialect": "cnxml"}),
        ("html", "ubuntu-kb-debian-html/debian-faq/*.html", 17, {}, {}),
        ("markdown", "ubuntu-kb-linuxjourney/en_english/**/*.md", 147, {}, {"sections": QUIZ}),
        ("text", "public-speeches/*/*.txt", 117, {"wrong-encoding": 7}, {}),
        ("text", "public-speeches/*/*.txt", 124, {}, {"encoding": ["utf-8", "cp1252", "latin-1"]}),
        ("csv", "task-banking77/train.csv", 10_003, {}, {"prompt": "text", "label": "category"}),
        ("parallel", "ubuntu-qa-nl2bash/all.nl", 10_123, {}, {"answers": "{stem}.cm"}),
        (
            "json", "support-kb-dstc9-faq/knowledge.json", 2_900, {},
            {"records": "*.*.docs.*", "question": "title", "answer": "body"},
        ),
        (
            "json", "qa-webapps-stackexchange/Web*.json", 86, {"missing-field": 3},
            {"records": "sentences.*", "question": "text", "answer": "answer.text", "html": True},
        ),
        ("pdf", "public-army-manuals-pdftext/*.pdf", 47, {"no-text-layer": 1}, {"per": "page"}),
        ("warc", "public-web-sample/*.warc.gz", 22, {}, {"extract": "structure"}),
    ],
)  # fmt: skip
def test_every_record_of_a_real_source_is_read_or_reported(read_path, reader, pattern, records, reasons, settings):
    """A change that loses records of a kind of source would show only in a customer's corpus."""
    found, counts = set(), {}
    for path in sorted(DATA.glob(pattern)):
        good, bad = read_path(reader, path, path.relative_to(DATA).as_posix(), **settings)
        found.update(record.id for record in good)
        assert all(record.text.strip() for record in good)
        for piece in bad:
            counts[piece.reason] = counts.get(piece.reason, 0) + 1
    assert (len(found), counts) == (records, reasons)


def test_real_documentation_keeps_its_text_and_loses_its_navigation(read_path):
    """Extraction tuned to news articles loses a fifth of the words of documentation and nearly all its headings."""
    from lxml import etree

    folder = DATA / "ubuntu-kb-debian-html" / "debian-handbook"
    headings = kept = 0
    for path in sorted(folder.glob("*.html"))[:12]:
        good, _ = read_path("html", path, path.name)
        text = "\n".join(" ".join(line.split()) for line in good[0].text.split("\n")).replace("`", "")
        page = etree.fromstring(path.read_bytes(), etree.HTMLParser(encoding="utf-8"))
        for heading in page.iter("h1", "h2", "h3"):
            headings += 1
            kept += f"# {' '.join(''.join(heading.itertext()).split())}" in text
        assert "Table of Contents" not in text
        assert "\nPrev" not in text
    assert headings > 30
    assert kept / headings > 0.95
