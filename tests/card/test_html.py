"""Whether card.html is one page that stands alone and cannot be turned against its reader."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from corpusforge.card import charts
from corpusforge.card.card_json import make_card
from corpusforge.card.facts import facts_of
from corpusforge.card.html import card_html, marked


@pytest.fixture(scope="module")
def page(made):
    previous = make_card(facts_of(made.earlier(), "b" * 64))
    return card_html(make_card(facts_of(made.manifest(), "a" * 64), previous))


VOID = {"meta", "link", "br", "img", "input", "hr"}


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_tag_is_closed(page):
    assert Tags(page).open == []


def test_nothing_is_fetched_and_nothing_runs(page):
    """The card is mailed, archived and opened offline; a request would tell somebody that it was read."""
    for tag, attrs in Tags(page).tags:
        assert tag not in {"script", "iframe", "object", "embed", "img", "image", "use"}
        for name, value in attrs.items():
            assert not name.startswith("on")
            if name in {"href", "src", "xlink:href"}:
                assert value == "data:,"
    css = re.search(r"<style>(.*?)</style>", page, re.S)[1]
    assert "url(" not in css
    assert "@import" not in css
    assert "@font-face" not in page


def test_text_from_records_is_escaped(page):
    """A chat that holds a script must not run in the reviewer's browser."""
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_recipe_and_source_words_are_escaped_in_charts_too(made):
    manifest = made.manifest()
    manifest["mix"]["completion"]["leaves"][0]["path"][1] = '"><b onload=x>'
    page = card_html(make_card(facts_of(manifest, "a" * 64)))
    assert "<b onload" not in page
    Tags(page)


def test_placeholders_stand_out():
    assert marked("<EMAIL_1> & <b>") == '<span class="redacted">&lt;EMAIL_1&gt;</span> &amp; &lt;b&gt;'


def test_same_card_same_bytes(made, page):
    previous = make_card(facts_of(made.earlier(), "b" * 64))
    assert card_html(make_card(facts_of(made.manifest(), "a" * 64), previous)) == page


def test_verdict_comes_before_the_difference_and_the_difference_before_the_evidence(page):
    places = [
        page.index(words) for words in ("1 of 4 gates fails", "What changed", "What is in it?", "May we?", "Sign")
    ]
    assert places == sorted(places)


def test_charts_have_words_for_those_who_do_not_see_them(page):
    drawn = [attrs for tag, attrs in Tags(page).tags if tag == "svg"]
    assert len(drawn) == 5
    assert all(attrs["role"] == "img" and "%" in attrs["aria-label"] for attrs in drawn)


def test_every_colour_of_a_chart_follows_the_theme(page):
    """A dark page with black labels would hide half of the card."""
    figures = "".join(re.findall(r"<svg.*?</svg>", page, re.S))
    used = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{3,6})"', figures))
    assert used <= {*charts.THEMED.values(), charts.ON_FILL}


def test_ids_do_not_meet(page):
    ids = [attrs["id"] for _, attrs in Tags(page).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_a_build_with_nothing_in_it_still_renders(made):
    manifest = made.manifest()
    manifest.update(mix={}, steps=[], samples={}, gates=[], eval={}, sources=[], mcq_audit={})
    page = card_html(make_card(facts_of(manifest, "a" * 64)))
    assert "Nothing was mixed." in page
