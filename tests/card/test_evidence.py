"""What the card says of who redacted, what was hidden, and what dedup and a quality model rest on."""

from __future__ import annotations

import orjson
import pytest

from corpusforge.card.card_json import make_card, read_card
from corpusforge.card.facts import facts_of
from corpusforge.card.html import card_html
from corpusforge.card.questions import questions
from corpusforge.card.readme import readme


@pytest.fixture
def card(made):
    return make_card(facts_of(made.manifest(), "a" * 64))


def test_a_model_is_shown_with_its_figures_their_intervals_and_its_data(card):
    """A recall without its test set and its interval cannot be judged, nor used data without its licence be thanked."""
    (model,) = card.people.redactor.models
    assert model.said == f"desk-names ({model.version}), made for en, trained further from embedded."
    (row,) = model.measured
    assert (row.on, row.spans, row.recall) == ("held out", 613, "62.8% (58.9 to 66.5)")
    assert (row.person_recall, row.over_masked) == ("67.7% (63.3 to 71.8)", "2.4% (2.1 to 2.6)")
    for text in (readme(card), card_html(card)):
        assert "62.8% (58.9 to 66.5)" in text
        assert "CC-BY-4.0" in text
        assert "Derczynski et al." in text


def test_records_that_no_model_read_are_counted_by_language(card):
    """Names in German chats would else look as if they had been sought."""
    said = card.people.redactor.said
    assert "3 records had none for the language (de 2, unknown 1)" in said
    assert "10,123 records of sources that declare no personal data" in said
    treated = {one.source: one for one in card.people.redactor.sources}
    assert treated["desk-chats"].model == 39_621 - 3
    assert treated["desk-chats"].languages == {"de": 2, "unknown": 1}
    assert treated["shell-pairs"].form_only == 10_123
    for text in (readme(card), card_html(card)):
        assert "de 2, unknown 1" in text


def test_each_source_has_its_own_policy_and_what_strict_hid(card):
    """Over-masking is the price of strict; without the figure nobody knows what was paid."""
    treated = {one.source: one for one in card.people.redactor.sources}
    assert (treated["speeches"].policy, treated["desk-chats"].policy) == ("strict", "standard")
    assert treated["speeches"].name_model == "desk-names"
    assert treated["speeches"].strict == "1,000 of 50,000 words (2.0%)"
    assert "1,000 of 50,000 words (2.0%)" in card_html(card)


def test_counts_that_have_a_place_are_not_listed_again(card):
    assert card.people.other == {}


def test_no_model_is_said_in_words(made):
    manifest = made.manifest()
    redact = next(step for step in manifest["steps"] if step["name"] == "redact")
    redact["facts"] = {}
    assert "No name model was used" in card_html(make_card(facts_of(manifest)))


def test_a_pipeline_made_elsewhere_is_not_credited_with_figures(made):
    manifest = made.manifest()
    redact = next(step for step in manifest["steps"] if step["name"] == "redact")
    redact["facts"] = {"name_models": [{"name": "xx_sm", "version": "1.0", "stated": {"recall": 0.84}}]}
    (model,) = make_card(facts_of(manifest)).people.redactor.models
    assert "Its makers state recall 84.0%" in model.said
    assert model.said.endswith("Nothing was measured here.")


def test_what_was_hidden_is_shown_by_kind_and_asked_about(card):
    """Precision is the reviewer's to judge: several kinds, several sources, a few words around each."""
    page = card_html(card)
    section = page[page.index("Was it right to hide this?") :]
    assert section.index("ip address") < section.index("person")
    assert '<span class="redacted">&lt;PERSON_1&gt;</span>: &lt;b&gt;hello&lt;/b&gt; there' in section
    assert "version &lt;IP_1&gt; of the" in readme(card)
    assert any(question.key == "hidden" and "3 places" in question.text for question in questions(card))


def test_dedup_shows_its_pairs_and_what_other_lines_would_drop(card):
    (found,) = card.funnel.duplicates
    assert found.would_drop == {"0.70": 5_120, "0.80": 3_373, "0.90": 1_010}
    reasons = {one.reason: one for one in found.reasons}
    assert (reasons["near-duplicate"].records, reasons["near-duplicate"].nearest) == (3_373, (0.81,))
    for text in (readme(card), card_html(card)):
        assert "90,412 pairs were compared" in text
        assert "66 pairs stayed for a number" in text
        assert "5,120" in text
    assert "help-centre:the-one-that-stays" in card_html(card)


def test_a_quality_model_is_named_with_its_auc(card):
    for text in (readme(card), card_html(card)):
        assert "pages.json" in text
        assert "0.881 of the time (AUC, 95% interval 0.840 to 0.920)" in text


def test_a_manifest_without_any_of_it_still_makes_a_card(made):
    """Builds and approvals of before must stay readable."""
    manifest = made.manifest()
    for step in manifest["steps"]:
        step.update(facts={}, notes={}, settings={})
    del manifest["samples"]["hidden"]
    card = make_card(facts_of(manifest))
    assert card.people.redactor is None
    assert card.funnel.duplicates == ()
    whole = card.model_dump(mode="json")
    for key in ("hidden", "redactor"):
        del whole["people"][key]
    for key in ("duplicates", "models"):
        del whole["funnel"][key]
    assert read_card(orjson.dumps(whole)) == card
    assert "Who looked for names" not in card_html(card)
