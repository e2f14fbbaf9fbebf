"""What card.json says of a manifest."""

from __future__ import annotations

import json

import pytest

from corpusforge.card.answers import answers
from corpusforge.card.card_json import card_bytes, make_card, read_card
from corpusforge.card.facts import facts_of
from corpusforge.errors import UsageError


def card(manifest, previous=None):
    return make_card(facts_of(manifest, "a" * 64), previous)


def test_same_manifest_same_bytes_whatever_the_order_of_its_keys(made):
    """A card that changed by itself could not be signed."""
    backwards = json.loads(json.dumps(made.manifest()), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert card_bytes(card(made.manifest())) == card_bytes(card(backwards))


def test_card_json_reads_back_as_itself(made):
    """Everything else is rendered from card.json, so it must hold all of the card."""
    whole = card(made.manifest(), card(made.earlier()))
    assert read_card(card_bytes(whole)) == whole
    assert card_bytes(read_card(card_bytes(whole))) == card_bytes(whole)


def test_damaged_card_says_what_to_do():
    with pytest.raises(UsageError, match="corpusforge card"):
        read_card(b'{"format": 1}')


def test_manifest_of_another_shape_names_the_place():
    with pytest.raises(UsageError, match=r"manifest\.build"):
        facts_of({"format": 1, "name": "x", "corpusforge": "0.1.0"})


def test_held_out_rows_that_no_exam_asks_are_counted(made):
    """Rows that stand in no file must not seem to have been lost."""
    manifest = made.manifest()
    manifest["evidence"] = {**manifest.get("evidence", {"rows": 0, "proven": 0}), "aside": {"reading": 7}}
    assert card(manifest).leakage.heldout["reading (neither trained on nor examined)"] == 7


def test_a_failed_gate_is_the_verdict(made):
    """The reviewer must see in 30 seconds what fails."""
    verdict = card(made.manifest()).verdict
    assert verdict.headline == "1 of 4 gates fails: contamination."
    assert not verdict.passed
    assert [b.key for b in verdict.blockers] == ["contamination", "licences"]


def test_zero_findings_are_bounded_by_the_rule_of_three(made):
    """`0 found` is not `0 there`."""
    assert "0 of 300 checked: at most 0.99%" in card(made.manifest()).people.proof


def test_unmeasured_recall_is_said_to_be_unmeasured(made):
    manifest = made.manifest()
    del manifest["gates"][0]
    assert "not measured" in answers(card(manifest))["people"]


def test_funnel_keeps_the_accounts_of_every_source_and_step(made):
    """Nothing is lost silently on the card either."""
    funnel = card(made.manifest()).funnel
    for stream in funnel.streams:
        for flow in stream.flows:
            assert flow.read == flow.kept + flow.dropped + flow.quarantined
            assert flow.out == flow.kept + flow.added
    lost = sum(f.dropped + f.quarantined for s in funnel.streams for f in s.flows)
    assert lost == sum(reason.records for reason in funnel.reasons)


def test_splitting_records_is_not_counted_as_survival(made):
    """A manual cut into 5,000 pieces did not survive 15-fold."""
    stream = next(s for s in card(made.manifest()).funnel.streams if s.source == "admin-manual")
    assert stream.out > stream.read
    assert stream.surviving == pytest.approx(346 / 348 * 315 / 346 * 284 / 315 * 5295 / 5296)


def test_generating_steps_are_not_part_of_the_funnel(made):
    whole = card(made.manifest())
    assert {m.step for m in whole.synthetic.makers} == {"qa", "mcq", "reading"}
    assert not {"qa", "mcq", "reading"} & {f.step for s in whole.funnel.streams for f in s.flows}


def test_small_share_gets_a_lens(made):
    """2% is invisible on a bar of the whole."""
    blend = card(made.manifest()).mixture[0]
    assert blend.lens == ("domain",)
    assert sum(leaf.of_group for leaf in blend.groups[1].leaves) == pytest.approx(1)


def test_a_kind_that_the_owner_expects_and_nobody_found_is_named(made):
    """A blind detector looks exactly like clean data."""
    assert card(made.manifest()).people.expected_unfound == {"desk-chats": ("iban",)}


def test_an_e_mail_address_is_not_the_street_address_that_was_expected(made):
    manifest = made.manifest()
    manifest["sources"][1]["personal_data"] = ["address"]
    assert card(manifest).people.expected_unfound["help-centre"] == ("address",)


def test_gates_that_hold_beside_an_open_licence_are_not_a_failure(made):
    """A reviewer must tell a broken build from one that needs a lawyer's word."""
    manifest = made.blameless()
    assert card(manifest).verdict.state == "holds"
    manifest["sources"][0]["licence"] = "OurOwn-1.0"
    verdict = card(manifest).verdict
    assert (verdict.state, verdict.passed) == ("waive", False)
    assert verdict.headline == "All 4 gates hold, but 1 matter needs a written waiver."


def test_examples_are_the_closest_calls(made):
    """The first k by name would show the easy cases."""
    manifest = made.manifest()
    near = [made.near("desk-chats", i, "low-quality", 0.1 * i, 0.5, False, f"call {i}") for i in range(5)]
    next(s for s in manifest["steps"] if s["name"] == "quality")["near"] = near
    reason = next(r for r in card(manifest).funnel.reasons if r.reason == "low-quality")
    assert [e.excerpt for e in reason.dropped_near] == ["call 4", "call 3", "call 2"]


def test_missing_and_filler_sentences_are_listed(made):
    manifest = made.manifest()
    manifest["recipe"]["about"]["purpose"] = "[More Information Needed]"
    assert [m.key for m in card(manifest).about.missing] == ["purpose", "limits"]


def test_hold_out_violations_stop_an_approval(made):
    manifest = made.blameless()
    manifest["lineage"]["violations"] = 2
    whole = card(manifest)
    assert not whole.verdict.passed
    assert whole.verdict.blockers[0].key == "lineage"


def test_crowded_answer_letters_are_found(made):
    manifest = made.manifest()
    manifest["mcq_audit"]["letters"] = {"A": 2000, "B": 1300, "C": 1300, "D": 1223}
    assert not card(manifest).synthetic.audit.flat
    assert card(made.manifest()).synthetic.audit.flat


def test_mcq_marks_work_for_letters_positions_and_texts(made):
    """A reviewer who sees the wrong option marked right would reject a good item."""
    manifest = made.manifest()
    item = manifest["samples"]["mcq"][0]
    want = ["right", "near", "far", "far"]
    for gold, near, far in [
        ("A", "B", ["C", "D"]),
        (0, 1, ["A USB port", "D"]),
        ("8440", "8404", ["C", "D"]),
        (0, [1], [2, 3]),
    ]:
        item.update(gold=gold, near=near, far=far)
        assert [c.verdict for c in card(manifest).synthetic.items[0].choices] == want


def test_a_build_without_half_of_everything_still_gets_a_card(made):
    """The demo has no model, no instruct mix and no gates."""
    manifest = made.manifest()
    manifest["mix"] = {"completion": manifest["mix"]["completion"]}
    manifest["steps"] = manifest["steps"][:2]
    manifest["samples"], manifest["gates"], manifest["eval"] = {}, [], {}
    whole = card(manifest)
    assert whole.synthetic is None
    assert "no redact step" in answers(whole)["people"]
    assert "no decontaminate step" in answers(whole)["leakage"]
    assert whole.verdict.headline == "No gate was checked."


def test_a_gate_whose_findings_are_good_is_not_read_as_damage(made):
    """971 of 1,000 rows proven once read: at most 98% of all are affected."""
    gates = {gate.name: gate for gate in make_card(facts_of(made.manifest(), "a" * 64)).verdict.gates}
    assert gates["grounded"].proof == ""
    assert "affected" in gates["personal_data"].proof
