"""Quality must decide as the published rules do, say by how much, and spare what each kind of text is made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.curate.measured import Measured
from corpusforge.curate.quality import PRESETS, Quality
from corpusforge.curate.quality_rules import RULES, judge
from corpusforge.curate.quality_thresholds import PUBLISHED
from corpusforge.record import Dropped, Message, Origin, Record
from corpusforge.stage import SourceFacts, StageContext

SAID = (
    "the of and to with have that printer network driver settings window password kernel update reboots slowly while "
    "a user clicks through every menu in order Windows files are copied from one folder into another by hand"
)
VOCABULARY = SAID.split(" ")


def record(text: str, kind: str = "doc", **more: object) -> Record:
    return Record(id="s:1", source="s", kind=kind, text=text, origin=Origin("a", 0, 1), **more)  # type: ignore[arg-type]


def judged(item: Record, **chosen: object) -> Record | Dropped:
    ctx = StageContext(settings=Quality.Settings(**chosen), seed=1, sources={})
    (made,) = Quality().apply([item], ctx)
    assert isinstance(made, Record | Dropped)
    return made


WORDS = st.lists(st.sampled_from(VOCABULARY), min_size=3, max_size=14)
LINES = st.one_of(
    WORDS.map(lambda words: " ".join(words) + "."),
    WORDS.map(" ".join),
    st.sampled_from(["- an item", "• another", "and so on ...", "# # #", "1 2 3 4 5", "", "use {curly} words here."]),
    st.just("The same line again and again, word for word."),
)
TEXTS = st.lists(LINES, min_size=1, max_size=40).map("\n".join)


@pytest.mark.parametrize("rules", ["gopher-quality", "gopher-repetition", "c4", "fineweb"])
@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_decisions_are_those_of_datatrove(rules: str, text: str) -> None:
    """Who names Gopher in a data card must have run Gopher's rules."""
    from datatrove.data import Document
    from datatrove.pipeline import filters

    block = {
        "gopher-quality": filters.GopherQualityFilter,
        "gopher-repetition": filters.GopherRepetitionFilter,
        "c4": filters.C4QualityFilter,
        "fineweb": filters.FineWebQualityFilter,
    }[rules]()
    if not text.strip():
        return
    expected = block.filter(Document(text=text, id="1"))
    kept = expected if isinstance(expected, bool) else expected[0]
    (verdict,) = judge([text], [PUBLISHED[rules]])
    assert (verdict.failed is None) == kept


@given(TEXTS)
def test_bounds_are_never_below_their_values(text: str) -> None:
    """A bound too low would keep a text that its rule drops."""
    measured, rows = Measured([text, "Some other text.", text]), np.arange(3)
    for name, rule in RULES.items():
        if rule.bound is not None:
            gap = rule.bound(measured, rows) - rule.value(measured, rows)
            assert ((gap if rule.side == "max" else -gap) >= -1e-12).all(), name


@given(st.text(max_size=400))
def test_any_text_can_be_measured(text: str) -> None:
    """No text, however odd, stops a build."""
    measured = Measured([text])
    for rule in RULES.values():
        assert float(rule.value(measured, np.arange(1))[0]) >= 0


@given(st.text(max_size=300), st.sampled_from(sorted(PRESETS)))
def test_a_drop_carries_its_evidence(text: str, preset: str) -> None:
    """The near-the-line samples of the card need value and threshold of each drop."""
    made = judged(record(text), preset=preset)
    if isinstance(made, Dropped):
        rule = RULES[made.reason]
        assert made.score is not None
        assert made.threshold == PRESETS[preset][made.reason]
        assert made.score < made.threshold if rule.side == "min" else made.score > made.threshold
    else:
        assert made.text == text


def test_labelled_and_synthetic_records_pass() -> None:
    """A label set is chosen by hand: `ls -la` is a right answer."""
    assert isinstance(judged(record("ls -la", "labelled")), Record)
    assert isinstance(judged(record("?", "qa")), Record)
    assert isinstance(judged(record("?", "doc"), preset="none"), Record)


def test_auto_chooses_by_kind() -> None:
    """A how-to of three steps is a good article and a bad web page."""
    text = "To restart the printer, press its button and wait until the light turns green. Then print a test page."
    assert isinstance(judged(record(text, "article")), Record)
    assert isinstance(judged(record(text, "public")), Dropped)


def test_speakers_names_do_not_count() -> None:
    """In a short chat the names would be the most frequent words."""
    turns = [Message("user", "Hi, my printer is broken and does not print any page today.", "al")] * 2
    assert isinstance(judged(record("", "chat").with_messages(turns[:1])), Record)


def test_rules_override_and_switch_off() -> None:
    """One threshold can be changed without writing out a preset."""
    made = judged(record("three short words"), rules={"min_words": 2})
    assert isinstance(made, Record)
    assert isinstance(judged(record("word"), rules={"min_words": None}), Record)
    dropped = judged(record("a " * 50), preset="none", rules={"min_mean_word": 2})
    assert isinstance(dropped, Dropped)
    assert (dropped.reason, dropped.score, dropped.threshold) == ("min_mean_word", 1.0, 2)


def test_an_unknown_rule_names_its_neighbours() -> None:
    """A typo must not be a rule that never fires."""
    with pytest.raises(ValidationError, match="Did you mean min_words"):
        Quality.Settings(rules={"min_word": 3})  # type: ignore[call-arg]


def test_other_languages_are_not_judged_by_english_words() -> None:
    """A German page has no English stop words and a Chinese one no spaces."""
    german = "Der Drucker lässt sich über das Menü einrichten. Danach druckt er eine Seite. Fertig ist alles. " * 3
    chosen = {"preset": "none", "rules": {"min_stop_words": 2, "min_words": 20}}
    assert isinstance(judged(record(german, language="de"), **chosen), Record)
    assert isinstance(judged(record(german), **chosen), Dropped)
    assert isinstance(judged(record("打印机设置" * 30, language="zh"), **chosen), Record)


def test_a_short_answer_is_judged_below_its_question():
    """Seven of ten answers of a real FAQ would go as too short."""
    answer = "Yes, it is free in all rooms."
    assert isinstance(judged(record(answer, "article")), Dropped)
    assert isinstance(judged(record(answer, "article", title="Is there wireless network in the hotel?")), Record)
    assert isinstance(judged(record(f"# {answer}", "article", title=answer)), Dropped)


def test_kept_records_near_a_line_are_offered_as_samples() -> None:
    """A reviewer sees only one side of the line, and cannot tell whether the threshold is right."""
    facts = {"s": SourceFacts("s", "doc", "domain")}
    ctx = StageContext(settings=Quality.Settings(preset="none", rules={"min_words": 20}), seed=1, sources=facts)
    origin = Origin("f", 0, 1)
    records = [Record(f"s:{n}", "s", "doc", " ".join(["plain words"] * (n // 2)), origin) for n in (10, 18, 20, 22, 60)]
    kept = [item.id for item in Quality().apply(records, ctx) if isinstance(item, Record)]
    assert kept == ["s:20", "s:22", "s:60"]
    assert [(near.record.id, near.rule, near.score) for near in ctx.take_near()] == [
        ("s:20", "min_words", 20.0),
        ("s:22", "min_words", 22.0),
    ]


def test_a_rule_that_forbids_has_no_near_side() -> None:
    """Every record would be a sample of a page that does not say lorem ipsum, and hide the real ones."""
    text = "To restart the printer, press its button and wait until the light turns green. Then print a test page."
    ctx = StageContext(settings=Quality.Settings(preset="docs"), seed=1, sources={})
    assert list(Quality().apply([record(text)], ctx)) == [record(text)]
    assert ctx.take_near() == []
