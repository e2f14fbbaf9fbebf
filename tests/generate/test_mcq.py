"""Graded multiple choice: wrong options must be wrong, and nothing but the text may give the right one away."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import log
from pathlib import Path

from corpusforge.generate.mcq import MCQ
from corpusforge.generate.mcq_slots import altered
from corpusforge.generate.sentences import normalised
from corpusforge.record import Record

from .pages import evidence_text, manuals, run


def test_items_have_one_right_one_near_and_two_far_options(tmp_path: Path) -> None:
    parents = {record.id: record for record in manuals(60)}
    rows, dropped, contexts = run(MCQ, {"kb-00000": list(parents.values())}, tmp_path)
    items = rows["kb-00000"]
    assert len(items) > 100
    assert len({p for row in items for p in row.parents}) + len(dropped["kb-00000"]) == len(parents)
    assert {"mcq.cell", "mcq.next-step"} <= contexts["kb-00000"].counts["kb"].keys()
    for row in items:
        meta = row.meta
        options = meta["options"]
        assert len({normalised(option) for option in options}) == 4
        assert sorted([meta["gold"], *meta["near"], *meta["far"]]) == [0, 1, 2, 3]
        assert len(meta["near"]) == 1
        assert normalised(options[meta["gold"]]) == normalised(evidence_text(row, parents))
        told = normalised(parents[row.parents[0]].text)
        assert all(f" {normalised(options[at])} " not in f" {told} " for at in meta["far"])
        lengths = [max(len(option), 8) for option in options]
        assert all(0.5 <= length / lengths[meta["gold"]] <= 2 for length in lengths)
        user, assistant = (message.content for message in row.messages or ())
        letter = "ABCD"[meta["gold"]]
        assert assistant == f"{letter}. {options[meta['gold']]}"
        assert all(f"{key}. {option}" in user for key, option in zip("ABCD", options, strict=True))


def test_letters_and_lengths_tell_nothing_over_the_set(tmp_path: Path) -> None:
    """A model that always says C, or always the longest, must not score above chance."""
    rows, _, _ = run(MCQ, {"kb-00000": manuals(60)}, tmp_path)
    items = rows["kb-00000"]
    letters = Counter(row.meta["gold"] for row in items)
    assert max(letters.values()) <= 0.32 * len(items)
    longest = sum(
        len(row.meta["options"][row.meta["gold"]])
        > max(len(row.meta["options"][k]) for k in row.meta["near"] + row.meta["far"])
        for row in items
    )
    assert longest <= 0.4 * len(items)


def test_no_far_option_is_used_over_and_over(tmp_path: Path) -> None:
    rows, _, _ = run(MCQ, {"kb-00000": manuals(60)}, tmp_path)
    used = Counter(row.meta["options"][at] for row in rows["kb-00000"] for at in row.meta["far"])
    assert used.most_common(1)[0][1] <= 0.15 * len(rows["kb-00000"])


def test_how_often_an_option_stands_in_the_set_does_not_tell_the_right_one(tmp_path: Path) -> None:
    """Who counts the options of all items must not learn that what stands in many of them is wrong."""
    rows, _, _ = run(MCQ, {"kb-00000": manuals(60)}, tmp_path)
    told = Counter(option for row in rows["kb-00000"] for option in row.meta["options"])
    right = wrong = 0.0
    for row in rows["kb-00000"]:
        counts = [log(told[option]) for option in row.meta["options"]]
        right += counts[row.meta["gold"]]
        wrong += (sum(counts) - counts[row.meta["gold"]]) / (len(counts) - 1)
    assert abs(right - wrong) <= 0.2 * len(rows["kb-00000"])


def test_hold_out_values_never_reach_training_items(tmp_path: Path) -> None:
    """The exam's answers as wrong options of the training set would be a leak."""
    records = manuals(60)
    mixed = [replace(record, side="holdout") if at % 3 == 0 else record for at, record in enumerate(records)]
    rows, _, _ = run(MCQ, {"kb-00000": mixed}, tmp_path)
    sides = {record.id: record for record in mixed}
    held = " ".join(normalised(record.text) for record in mixed if record.side == "holdout")
    learnt = " ".join(normalised(record.text) for record in mixed if record.side == "train")
    checked = 0
    for row in rows["kb-00000"]:
        assert row.side == sides[row.parents[0]].side
        if row.side == "train":
            for at in row.meta["far"]:
                value = normalised(row.meta["options"][at])
                assert value in learnt or value not in held
                checked += 1
    assert checked > 50


def test_an_item_without_far_options_is_not_made(tmp_path: Path) -> None:
    rows, dropped, contexts = run(MCQ, {"kb-00000": manuals(1)}, tmp_path)
    assert not rows["kb-00000"]
    assert dropped["kb-00000"][0].reason.startswith("no-")
    assert contexts["kb-00000"].counts["kb"]["no-far-distractor"] > 0


def test_items_stay_when_another_shard_changes(tmp_path: Path) -> None:
    """A shard with enough values of its own must not be rebuilt because another one changed."""
    records = manuals(60)
    before, _, _ = run(MCQ, {"kb-00000": records[:40], "kb-00001": records[40:50]}, tmp_path / "a")
    after, _, _ = run(MCQ, {"kb-00000": records[:40], "kb-00001": records[40:60]}, tmp_path / "b")
    same = [row for row in after["kb-00000"] if row in before["kb-00000"]]
    assert len(same) >= 0.9 * len(before["kb-00000"])


def test_settings_change_the_number_of_wrong_options(tmp_path: Path) -> None:
    rows, _, _ = run(MCQ, {"kb-00000": manuals(60)}, tmp_path, near=1, far=1)
    item: Record = rows["kb-00000"][0]
    assert (len(item.meta["options"]), len(item.meta["near"]), len(item.meta["far"])) == (3, 1, 1)


def test_altered_answers_differ_in_one_thing() -> None:
    assert altered("Wait for 30 seconds", "entry", "s")[0] in {f"Wait for {n} seconds" for n in (10, 20, 40, 50)}
    assert altered("Check-out is by 11:00", "faq", "s")[0].endswith(":00")
    assert altered("Automatically adds the name", "entry", "s")[0] in {
        "Manually adds the name",
        "Automatically removes the name",
    }
    assert altered("See RFC 2822-1 of 2024-01-02, 1.2.3", "entry", "s") in ([], ["See RFC 2822-1 of 2024-01-02, 1.2.3"])
    assert not altered("Click on the button", "next-step", "s")
