"""Whether an approval is what it says: this build, this card, a person's word for every open matter."""

from __future__ import annotations

import json

import pytest
import yaml

from corpusforge.card.approve import ApprovalState, approval_state, approve, approved_card, read_approval
from corpusforge.card.card_json import read_card
from corpusforge.card.questions import questions
from corpusforge.card.write import write_card
from corpusforge.errors import GateFailed, NeedsApproval, Problems, UsageError


def all_yes(build):
    return {q.key: "yes" for q in questions(read_card((build / "card.json").read_bytes()))}


def sign(build, cards, **more):
    given = {"reviewer": "R. Viewer", "date": "2026-11-21", "answers": all_yes(build), **more}
    return approve(build, cards, **given)


def change(build):
    manifest = json.loads((build / "manifest.json").read_bytes())
    manifest["seed"] += 1
    (build / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def cards(tmp_path):
    return tmp_path / "data_cards"


@pytest.fixture
def good(good_build):
    write_card(good_build)
    return good_build


def test_an_approval_is_a_file_with_who_when_and_what(good, cards):
    path = sign(good, cards)
    found = yaml.safe_load(path.read_text())
    assert (found["reviewer"], found["date"], found["build"]) == ("R. Viewer", "2026-11-21", "7f3a91c2d4e6")
    assert len(found["manifest_sha256"]) == 64
    assert set(found["answers"]) == set(all_yes(good))
    assert {p.name for p in path.parent.iterdir()} == {"README.md", "card.json", "card.html", "approval.yaml"}
    assert "R. Viewer" in (path.parent / "card.html").read_text()
    assert "Not approved" not in (path.parent / "card.html").read_text()


def test_state_goes_from_none_to_approved_to_void(good, cards):
    """A rebuild that changes the manifest must not ride on an old signature."""
    assert approval_state(good, cards) is ApprovalState.NONE
    sign(good, cards)
    assert approval_state(good, cards) is ApprovalState.APPROVED
    change(good)
    assert approval_state(good, cards) is ApprovalState.VOID


def test_a_card_altered_after_signing_voids_the_approval(good, cards):
    path = sign(good, cards)
    card = path.parent / "card.json"
    card.write_text(card.read_text().replace("Support Operations", "Nobody"))
    assert approval_state(good, cards) is ApprovalState.VOID


def test_a_failed_gate_needs_a_waiver(build_dir, cards, made):
    manifest = made.manifest()
    manifest["recipe"]["about"]["limits"] = "Mostly English."
    (build_dir / "manifest.json").write_text(json.dumps(manifest))
    write_card(build_dir)
    with pytest.raises(GateFailed, match="contamination") as caught:
        sign(build_dir, cards)
    assert "licences" in str(caught.value)
    assert not cards.exists()
    reasons = {"contamination": "The three were read; they are a menu.", "licences": "Internal use only, says legal."}
    path = sign(build_dir, cards, waivers=reasons)
    assert yaml.safe_load(path.read_text())["waivers"] == reasons
    assert "they are a menu" in (path.parent / "card.html").read_text()


def test_missing_sentences_stop_an_approval(build_dir, cards):
    write_card(build_dir)
    with pytest.raises(Problems, match=r"about\.limits"):
        sign(build_dir, cards, waivers={"contamination": "read and accepted", "licences": "internal use only"})


def test_an_open_question_stops_an_approval(good, cards):
    answers = all_yes(good) | {"redacted": "no"}
    with pytest.raises(NeedsApproval, match="redacted") as caught:
        sign(good, cards, answers=answers)
    assert caught.value.exit_code == 3
    assert approval_state(good, cards) is ApprovalState.NONE


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"reviewer": "  "}, "no name"),
        ({"date": "21.11.2026"}, "not a date"),
        ({"answers": {"purpos": "yes"}}, "no question is called"),
        ({"waivers": {"contamination": "it holds anyway"}}, "nothing called"),
    ],
)
def test_what_cannot_be_right_is_refused(good, cards, more, words):
    with pytest.raises(Problems, match=words):
        sign(good, cards, **more)


def test_an_empty_waiver_is_no_reason(build_dir, cards):
    write_card(build_dir)
    with pytest.raises(Problems, match="gives no reason"):
        sign(build_dir, cards, waivers={"contamination": "ok"})


def test_a_card_of_another_manifest_cannot_be_signed(good, cards):
    """The reviewer must have read the card of these very bytes."""
    change(good)
    with pytest.raises(UsageError, match="not the card of this manifest"):
        sign(good, cards)


def test_a_build_without_a_card_or_manifest_says_so(tmp_path, good_build, cards):
    with pytest.raises(UsageError, match="corpusforge card"):
        approve(good_build, cards, reviewer="R", date="2026-11-21", answers={})
    with pytest.raises(UsageError, match="not a build"):
        approval_state(tmp_path / "nothing", cards)


def test_the_next_card_is_compared_with_the_approved_one(good, build_dir, cards):
    """A reviewer of version 12 should mostly read the difference."""
    sign(good, cards)
    card = write_card(build_dir, cards)
    assert card.difference.before == "7f3a91c2d4e6"
    assert "contamination" in {c.what for c in card.difference.changes if c.where == "gate"}
    assert approved_card(cards, "support-mix").name == "support-mix"
    assert "changes" in {q.key for q in questions(card)}


def test_a_damaged_approval_is_an_error_not_a_pass(good, cards):
    sign(good, cards).write_text("reviewer: [")
    with pytest.raises(UsageError, match="damaged"):
        read_approval(cards, "support-mix")


def test_close_calls_promise_no_bound(good):
    """Samples chosen for being near the line are not random: a bound from them would be a lie."""
    asked = {q.key: q for q in questions(read_card((good / "card.json").read_bytes()))}
    assert asked["dropped"].why == ""
    assert "at most" in asked["redacted"].why


def test_cards_on_disk_are_the_same_bytes_again(good):
    names = ["card.json", "README.md", "card.html", "croissant.json"]
    before = [(good / name).read_bytes() for name in names]
    write_card(good)
    assert [(good / name).read_bytes() for name in names] == before
