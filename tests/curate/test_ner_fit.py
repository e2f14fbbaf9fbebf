"""`corpusforge fit names`: learns from a user's turns, tells figures on turns it never saw, and refuses what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from corpusforge.cli import app
from corpusforge.curate.redaction import ner
from corpusforge.curate.redaction.ner.component import FACTORY, NameTagger
from corpusforge.curate.redaction.ner.fit import fit_names, read_labelled
from corpusforge.curate.redaction.ner.labelled import example
from corpusforge.curate.redaction.ner.labels import LABELS
from corpusforge.curate.redaction.ner.measured import figures, runs
from corpusforge.curate.redaction.ner.recipe.sentences import Text, joined, templates
from corpusforge.curate.redaction.ner.split import trained_on
from corpusforge.curate.redaction.ner.training import Plan, train
from corpusforge.errors import Problems, UsageError
from corpusforge.wilson import wilson

# A way to give one's badge that no other text has.
NAMES = ["qorvan", "zeltri", "muxapo", "brindolf", "ysquel", "tapwen", "drovik", "lumezo", "karquin", "ofelwick"]


def turns(n: int) -> list[dict[str, Any]]:
    rows = []
    for at in range(n):
        name = NAMES[at % len(NAMES)] + "aeiou"[at % 5]
        before = ("badge reads ", "roster has ", "crew slot goes to ")[at % 3]
        rows.append(
            {
                "text": f"{before}{name} tonight",
                "spans": [{"start": len(before), "end": len(before) + len(name), "label": "PERSON"}],
                "conversation": str(at // 2),
            }
        )
        rows.append({"text": f"the printer on floor {at} is out of paper", "spans": [], "conversation": str(at // 2)})
    return rows


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: Any, name: str = "turns.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("fit")
    path = folder / "turns.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in turns(120)), encoding="utf-8")
    done = CliRunner().invoke(
        app, ["fit", "names", str(path), "--out", str(folder / "made"), "--epochs", "1", "--json"]
    )
    assert done.exit_code == 0, done.output
    return folder / "made", json.loads(done.stdout), path


def test_what_was_learned_shows_on_turns_held_out(fitted: tuple[Path, dict[str, Any], Path]) -> None:
    """A user who labels turns must see what it bought, on turns that training never saw."""
    _, told, _ = fitted
    before, after = told["base"]["recall"]["PERSON"], told["fitted"]["recall"]["PERSON"]
    assert after["n"] == before["n"] > 10
    assert after["share"] > before["share"]
    assert after["share"] > 0.9
    assert after["low"] <= after["share"] <= after["high"]
    assert told["trained"] + told["held_out"] == 240


def test_the_folder_is_a_pipeline_that_redaction_accepts(fitted: tuple[Path, dict[str, Any], Path]) -> None:
    made, told, _ = fitted
    nlp = ner.pipeline(str(made))
    assert [e.text for e in nlp("crew slot goes to qorvana tonight").ents] == ["qorvana"]
    # What the shipped tagger knew is not forgotten.
    assert [e.text for e in nlp("My name is Kathrin Obermeier.").ents] == ["Kathrin Obermeier"]
    card = ner.model_card(str(made))
    assert card is not None
    assert card["figures"]["held out"] == told["fitted"]
    assert not [path for path in made.parent.iterdir() if path.name.startswith(".")]


def test_the_same_turns_give_the_same_bytes(fitted: tuple[Path, dict[str, Any], Path], tmp_path: Path) -> None:
    made, _, path = fitted
    fit_names([path], tmp_path / "again", epochs=1)
    for one in sorted(file for file in made.rglob("*") if file.is_file()):
        assert one.read_bytes() == (tmp_path / "again" / one.relative_to(made)).read_bytes(), one.name


def test_one_can_train_further_on_ones_own(
    fitted: tuple[Path, dict[str, Any], Path], tmp_path: Path, written: Callable[..., Path]
) -> None:
    made, _, _ = fitted
    result = fit_names([written(*turns(30))], tmp_path / "more", base=str(made), epochs=1, held_out=0.3)
    assert result.base["recall"]["PERSON"]["share"] > 0.9


def test_a_taken_folder_is_left_alone(written: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").write_text("x")
    with pytest.raises(UsageError, match="already"):
        fit_names([written(*turns(30))], tmp_path / "taken")
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["mine"]


def test_too_few_texts_and_foreign_bases_are_told(written: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few"):
        fit_names([written(*turns(3))], tmp_path / "out")
    with pytest.raises(UsageError, match="no name tagger"):
        fit_names([written(*turns(30))], tmp_path / "out", base=str(tmp_path))
    assert not (tmp_path / "out").exists()


SECRET = "Kathrin Obermeier lives here"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "no JSON"),
        ("[]", "`text` and `spans`"),
        ({"text": SECRET}, "`text` and `spans`"),
        ({"text": SECRET, "spans": [], "extra": 1}, "unknown key 'extra'"),
        ({"text": SECRET, "spans": [], "conversation": 4}, "`conversation`"),
        ({"text": SECRET, "spans": [{"start": 0, "end": 7}]}, "a span has"),
        ({"text": SECRET, "spans": [{"start": 0, "end": 99, "label": "PERSON"}]}, "does not lie"),
        ({"text": SECRET, "spans": [{"start": 5, "end": 5, "label": "PERSON"}]}, "does not lie"),
        ({"text": SECRET, "spans": [{"start": True, "end": 5, "label": "PERSON"}]}, "does not lie"),
        ({"text": SECRET, "spans": [{"start": 0, "end": 7, "label": "NAME"}]}, "unknown label 'NAME'"),
        ({"text": SECRET, "spans": [{"start": 7, "end": 8, "label": "PERSON"}]}, "white space"),
        (
            {"text": SECRET, "spans": [{"start": a, "end": 9, "label": "PERSON"} for a in (0, 8)]},
            "overlap",
        ),
    ],
)
def test_a_wrong_line_is_told_with_its_number_and_without_its_text(
    line: Any, what: str, written: Callable[..., Path]
) -> None:
    """Labelled turns hold personal data: an error may end in a log."""
    path = written({"text": "fine", "spans": []}, "", line)
    with pytest.raises(Problems) as error:
        read_labelled(path)
    assert f"{path}:3: " in str(error.value)
    assert what in str(error.value)
    assert "Kathrin" not in str(error.value)


def test_labels_go_to_words_they_touch() -> None:
    words, labels = example("call Ann-Lee, ok", [(5, 12, "PERSON"), (14, 16, "?")])
    assert list(zip(words, [LABELS[n] if n >= 0 else "?" for n in labels], strict=True)) == [
        ("call", "O"), ("Ann", "PERSON"), ("-", "PERSON"), ("Lee", "PERSON"), (",", "O"), ("ok", "?"),
    ]  # fmt: skip
    assert runs(labels) == [(1, 4, "PERSON")]


def test_wilson_is_the_published_interval() -> None:
    """Wilson's interval for 8 of 10 is 0.490 to 0.943."""
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 300)[1] < 0.013


def test_rounding_to_integers_keeps_what_was_learned_and_training_goes_on_from_it() -> None:
    """The shipped integers are what users train further: a step with no rate must decide the same."""
    rows = [example(r["text"], [(s["start"], s["end"], s["label"]) for s in r["spans"]]) for r in turns(60)]
    weights = train(rows, len(LABELS), Plan(epochs=30, rows=2048, width=16, hidden=16, batch_words=64))
    tagger = NameTagger(LABELS, 0, weights)
    assert figures(tagger, rows)["recall"]["all"]["share"] > 0.9
    again = train(rows, len(LABELS), Plan(epochs=1, rate=0.0), base=weights)
    other = NameTagger(LABELS, 0, again)
    texts = [list(words) for words, _ in rows]
    same = [a == b for a, b in zip(tagger.spans(texts), other.spans(texts), strict=True)]
    assert np.mean(same) > 0.95


def test_the_split_keeps_three_in_ten_conversations_unseen() -> None:
    share = np.mean([trained_on(f"conversation {at}") for at in range(2000)])
    assert 0.66 < share < 0.74


def test_the_recipe_has_its_templates_and_keeps_some_unseen() -> None:
    used, kept = templates(held_out=False), templates(held_out=True)
    assert len(used) + len(kept) >= 250
    assert not set(used) & set(kept)
    assert joined([Text("a b", ((0, 1, "PERSON"),)), Text("c", ((0, 1, "LOCATION"),))], " ").spans == (
        (0, 1, "PERSON"),
        (4, 5, "LOCATION"),
    )


def test_made_up_texts_are_the_same_each_time() -> None:
    pytest.importorskip("faker", reason="Faker is needed only to make the shipped tagger again")
    from corpusforge.curate.redaction.ner.recipe.sentences import template_texts

    once, again = (list(template_texts(5, 7, held_out=True)) for _ in range(2))
    assert once == again
    for text in once:
        for start, end, label in text.spans:
            assert label in LABELS
            assert text.text[start:end].strip()


@pytest.mark.slow
def test_made_up_texts_are_the_same_in_every_process() -> None:
    """Faker takes some towns from a set; the shipped tagger could then not be made again."""
    pytest.importorskip("faker")
    code = (
        "from corpusforge.curate.redaction.ner.recipe.sentences import template_texts as t\n"
        "from corpusforge.record import stable_hash as h\n"
        "import sys; sys.stdout.write(h(*(f'{x.text}{x.spans}' for x in t(700, 9, held_out=False))))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": n}, capture_output=True, check=True
        ).stdout
        for n in "12"
    }
    assert len(told) == 1


@pytest.mark.data
def test_labelled_turns_are_read_and_the_held_out_ones_stay_out(real_data: Path) -> None:
    from corpusforge.curate.redaction.ner.recipe.open_data import multidogo

    pytest.importorskip("faker")
    used, kept = (sum(1 for _ in multidogo(real_data, train=part)) for part in (True, False))
    assert 0.6 < used / (used + kept) < 0.8


def test_the_shipped_card_and_weights_belong_together() -> None:
    tagger = NameTagger().from_disk(ner.embedded_folder() / FACTORY)
    rehearsal = read_labelled(ner.embedded_folder() / "rehearsal.jsonl")
    rows = [example(row.text, row.spans) for row in rehearsal[:300]]
    assert figures(tagger, rows)["recall"]["all"]["share"] > 0.9
