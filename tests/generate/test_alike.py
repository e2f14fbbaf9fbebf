"""Near-duplicate questions: twice the same question teaches a wording, and one of the hold-out spoils the exam."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from corpusforge.errors import UsageError
from corpusforge.generate.alike import Alike
from corpusforge.record import Record

from .pages import run
from .proof_rows import item, row


def asked(question: str, answer: str = "It is done in the settings.", side: str = "train", key: str = "") -> Record:
    made = row(answer, question=question)
    return replace(made, id=f"{made.id}{key}", side=side)  # type: ignore[arg-type]


def kept(made: list[Record], folder: Path, **settings: object) -> list[str]:
    rows, dropped, _ = run(Alike, {"qa.kb-00000": made}, folder, **settings)
    assert len(rows["qa.kb-00000"]) + len(dropped["qa.kb-00000"]) == len(made)
    return [one.meta["question"] for one in rows["qa.kb-00000"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I change my password?", "How can I change my password?"),
        ("How do I change my account password?", "I want to change my account password. How is that done?"),
        ("How do I install packages on the server?", "What is the way to install packages on the server?"),
    ],
)
def test_one_of_two_wordings_of_a_question_stays(one: str, other: str, tmp_path: Path) -> None:
    assert len(kept([asked(one), asked(other)], tmp_path)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I connect port 80 of the server?", "How do I connect port 81 of the server?"),
        ("What does the option `-r` of the tool do?", "What does the option `-R` of the tool do?"),
        ("Which files are deleted by the clean-up?", "Which files are not deleted by the clean-up?"),
        ("Why does the printer print slowly?", "When does the printer print slowly?"),
        ("How do I turn on slow keys?", "How do I turn on sticky keys?"),
        ("What is logger?", "What is log?"),
        ("Which users may read the log?", "Which users must read the log?"),
    ],
)
def test_a_number_a_code_a_negation_or_another_name_makes_another_question(
    one: str, other: str, tmp_path: Path
) -> None:
    answers = ("Open the settings and choose slow keys.", "Open the settings and choose sticky keys.")
    made = [asked(question, answer) for question, answer in zip((one, other), answers, strict=True)]
    assert len(kept(made, tmp_path)) == 2


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_sides_the_held_out_question_stays_whatever_comes_first(order: int, tmp_path: Path) -> None:
    made = [asked("How do I change my password?", side="train"), asked("How can I change my password?", side="holdout")]
    rows, dropped, _ = run(Alike, {"qa.kb-00000": made[::order]}, tmp_path)
    assert [one.side for one in rows["qa.kb-00000"]] == ["holdout"]
    assert [one.record.side for one in dropped["qa.kb-00000"]] == ["train"]


def test_a_training_item_may_not_ask_what_the_hold_out_asks_in_another_task(tmp_path: Path) -> None:
    question = "For how long is the reset button of the router held?"
    choice = item("10 seconds", "20 seconds", "a year", "two friends", question=question)
    held = asked(question, "10 seconds", side="holdout")
    rows, dropped, _ = run(Alike, {"qa.kb-00000": [held], "mcq.kb-00000": [choice]}, tmp_path)
    assert dropped["mcq.kb-00000"]
    rows, dropped, _ = run(Alike, {"qa.kb-00000": [replace(held, side="train")], "mcq.kb-00000": [choice]}, tmp_path)
    assert rows["mcq.kb-00000"]


def test_the_order_of_shards_and_rows_changes_nothing(tmp_path: Path) -> None:
    made = [asked(f"How do I {verb} the {thing} now?", key=verb) for verb in ("open", "close") for thing in "abc"]
    made += [asked("How can I open the a now?", key="x"), asked("How can I close the b now?", key="y")]
    one, _, _ = run(Alike, {"a-00000": made[:4], "b-00000": made[4:]}, tmp_path)
    two, _, _ = run(Alike, {"b-00000": made[4:][::-1], "a-00000": made[:4][::-1]}, tmp_path)
    assert {r.id for rows in one.values() for r in rows} == {r.id for rows in two.values() for r in rows}


def a_model(folder: Path, words: dict[str, list[float]]) -> Path:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    folder.mkdir()
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, **{word: k for k, word in enumerate(words, 1)}}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    table = np.array([[0.0] * len(next(iter(words.values()))), *words.values()], "<f4")
    about = {"embeddings": {"dtype": "F32", "shape": list(table.shape), "data_offsets": [0, table.nbytes]}}
    header = orjson.dumps(about)
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + table.tobytes())
    return folder


def test_embeddings_find_a_question_in_other_words(tmp_path: Path) -> None:
    model = a_model(
        tmp_path / "model", {"delete": [1, 0, 0], "remove": [1, 0.05, 0], "mount": [0, 1, 0], "disk": [0, 0, 1]}
    )
    made = [asked("How to delete a disk"), asked("How to remove a disk"), asked("How to mount a disk")]
    (tmp_path / "without").mkdir()
    assert len(kept(made, tmp_path / "without")) == 3
    assert "How to mount a disk" in kept(made, tmp_path, embeddings=model)
    assert len(kept(made, tmp_path, embeddings=model)) == 2


def test_a_folder_that_is_no_model_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model2vec folder"):
        Alike.check(Alike.Settings(embeddings=tmp_path))
