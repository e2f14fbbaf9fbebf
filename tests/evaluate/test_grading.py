"""If a reply is read wrongly, the model pays for the parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.evaluate import grading

OPTIONS = ["a router", "the modem", "A 5 GHz band", "nothing"]


@pytest.mark.parametrize(
    ("said", "picked"),
    [
        ("B", 1), (" b.", 1), ("(C)", 2), ("**D**", 3), ("B. the modem", 1), ("B) The modem.", 1), ("Answer: C", 2),
        ("The answer is D", 3), ("The correct option is **B**.", 1), ("\n\nA\nbecause it routes", 0), ("A. A router", 0),
        ("A router", 0), ("A router does it", None), ("A, because of B", None), ("E", None), ("", None), ("I think B", None),
        ("B or C", None), ("BC", None), ("B. a router", None), ("the modem", 1), ("None", None),
        ("The modem, I think", None), ("Nothing.", 3), ("**Answer:** B", 1), ("**Answer: B**", 1), ("**Answer**: C.", 2),
        ("Option B is correct.", 1), ("**Option B** is the right option.", 1), ("B is correct", 1),
        ("<think>A or B?\nA, no.</think>\n\nB", 1), ("<think>A or", None), ("Option B is correct or C.", None),
        ("Option B is not correct.", None), ("B <think>no</think>", None),
    ],
)  # fmt: skip
def test_a_letter_is_read_only_where_the_reply_names_one_option(said: str, picked: int | None):
    assert grading.read_letter(said, OPTIONS) == (None if picked is None else OPTIONS[picked])


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool), min_size=2, max_size=8, unique=True), st.data())
def test_every_letter_alone_is_read_whatever_the_options_say(options: list[str], data: st.DataObject):
    place = data.draw(st.integers(0, len(options) - 1))
    assert grading.read_letter(grading.LETTERS[place], options) == options[place]


@given(st.permutations(range(4)), st.integers(0, 3))
def test_trap_a_a_grade_follows_its_option_through_a_shuffle(order: list[int], picked: int):
    """Grades by index gave 1.0 where accuracy was 0.083."""
    row = {"choices": OPTIONS, "gold": 2, "near_indices": [0], "far_indices": [1, 3]}
    shuffled = [OPTIONS[place] for place in order]
    said = grading.read_letter(grading.LETTERS[picked], shuffled)
    assert grading.grades(row)[said or ""] == {2: 1.0, 0: 0.5, 1: 0.0, 3: 0.0}[order[picked]]


def test_an_option_that_says_another_is_correct_is_not_guessed_at():
    said = "A is correct."
    assert grading.read_letter(said, ["both are", "A is correct", "none"]) is None
    assert grading.read_letter(said, ["A is correct", "both are", "none"]) == "A is correct"


def test_what_a_model_thinks_aloud_is_no_answer():
    """As the writers read it; else a model that reasons gets nothing for what it knows."""
    assert grading.read_label("<think>card or age?</think>\nAge limit", ["card", "Age limit"]) == "Age limit"
    assert grading.cut("<think>\nQuestion: which?\n</think>\n\nParis.\nQuestion: next?", ["\nQuestion:"]) == "Paris."
    assert grading.open_answer({"answers": ["Paris"]}, ["<think>Rome? No.</think> Paris."])["exact"] == 1.0


def test_labels_are_read_up_to_case_and_punctuation():
    labels = ["card_arrival", "Age limit", "1"]
    for said in ("card_arrival", " Card arrival.\nIt is about", "`card-arrival`"):
        assert grading.read_label(said, labels) == "card_arrival"
    for said in ("card", "card_arrival or Age limit", ""):
        assert grading.read_label(said, labels) is None
    assert grading.read_label("a b", ["A-b", "a.B"]) is None, "two labels fit"


def test_a_reply_ends_where_the_model_goes_on_to_something_else():
    assert grading.cut("\n\n Paris.\nQuestion: next?", ["\nQuestion:"]) == "Paris."
    assert grading.cut("one\ntwo", []) == "one\ntwo"
    assert grading.cut("\nyes\nno", ["\n"]) == "yes"


@given(st.text(), st.text())
def test_words_are_compared_without_case_and_punctuation(one: str, two: str):
    assert grading.exact(one, one) == 1.0
    assert grading.exact(f" {one.upper()} ", one) == grading.exact(one, f"{one.upper()}")
    assert grading.word_f1(one, two) == pytest.approx(grading.word_f1(two, one))
    assert 0.0 <= grading.word_f1(one, two) <= 1.0


def test_likelihoods_are_graded_by_the_option_they_choose():
    doc = {"choices": ["long option here", "b", "c"], "gold": 1, "near_indices": [0], "far_indices": [2]}
    told = grading.cloze(doc, [(-8.0, False), (-2.0, False), (-1.5, False)])
    assert told == {"acc": 0.0, "acc_norm": 0.0, "graded": 0.5, "near": 1.0}
    assert grading.letter(doc, [(-8.0, False), (-1.0, True), (-1.5, False)]) == {"acc": 1.0, "graded": 1.0, "near": 0.0}
    assert grading.label(doc, [(-3.0, False), (-1.0, True), (-2.0, False)]) == {"acc": 1.0}
    assert grading.open_answer({"answers": ["Fin", "The end."]}, [" the END "]) == {"exact": 1.0, "word_f1": 1.0}
