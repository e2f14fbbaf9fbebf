"""The quality model must learn what its user labelled, say the same for ever, and drop only what it was asked about."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.curate.quality import Quality
from corpusforge.curate.quality_figures import FIGURES, Counted, figures
from corpusforge.curate.quality_fit import auc, fit_quality
from corpusforge.curate.quality_model import QualityModel, read_model
from corpusforge.errors import UsageError
from corpusforge.fit import fit_quality as command
from corpusforge.record import Dropped, Origin, Record
from corpusforge.stage import Item, SourceFacts, StageContext

GOOD = (
    "The engineers who maintain the bridge explained that it was built in the last century, when few of them were born. "
    "It has been repaired since, and those who cross it every day would not want it to be replaced by another one."
)
BAD = "BUY NOW | SALE | $19.99 | Click\nHome | Shop | Cart | Login\nFree Shipping!!! Best Price!!! Order Today\n"


def page(kind: str, k: int) -> str:
    draw = random.Random(f"{kind} {k}")
    words = (GOOD if kind == "keep" else BAD).split(" ")
    for _ in range(6):
        words.insert(draw.randrange(len(words)), draw.choice(["city", "river", "2020", "garden", "offer", "and"]))
    return " ".join(words * draw.randint(1, 3))


def labelled(path: Path, n: int = 30, order: int = 0) -> Path:
    rows = [{"text": page(kind, k), "label": kind} for kind in ("keep", "drop") for k in range(n)]
    random.Random(order).shuffle(rows)
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quality")
    fit_quality([labelled(folder / "a.jsonl")]).model.write(folder / "model.json")
    return folder / "model.json"


def judged(text: str, kind: str = "public", **chosen: object) -> tuple[Item, StageContext]:
    record = Record(id="s:1", source="s", kind=kind, text=text, origin=Origin("a", 0, 1))  # type: ignore[arg-type]
    facts = {"s": SourceFacts("s", record.kind, "public")}
    rules = {"min_sentences": None, "min_words": None, "max_top_2_gram": None}
    ctx = StageContext(settings=Quality.Settings.model_validate({"rules": rules, **chosen}), seed=1, sources=facts)
    (item,) = Quality().apply([record], ctx)
    return item, ctx


def test_it_learns_what_was_labelled(model_file: Path) -> None:
    """Pages like the kept ones score high, others low, though the model saw none of them."""
    model = read_model(model_file)
    scores = model.scores([page("keep", 99), page("drop", 99)])
    assert scores[0] > 0.8
    assert scores[1] < 0.2


def test_the_same_labels_give_the_same_bytes_in_any_order(tmp_path: Path, model_file: Path) -> None:
    """The file's hash is part of a build's identity: training again must not make everything stale."""
    again = fit_quality([labelled(tmp_path / "b.jsonl", order=3)])
    again.model.write(tmp_path / "model.json")
    assert (tmp_path / "model.json").read_bytes() == model_file.read_bytes()
    assert again.low <= again.auc <= again.high


def test_a_model_that_was_read_scores_as_the_one_that_was_trained(tmp_path: Path) -> None:
    """What is measured at training is what runs."""
    fitted = fit_quality([labelled(tmp_path / "a.jsonl")]).model
    fitted.write(tmp_path / "m.json")
    texts = [page("keep", 7), page("drop", 7), "", "x"]
    assert np.array_equal(fitted.scores(texts), read_model(tmp_path / "m.json").scores(texts))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=200), st.just(GOOD), st.just(BAD)), min_size=1, max_size=6))
def test_a_text_has_the_same_figures_alone_and_among_others(texts: list[str]) -> None:
    """Otherwise a page's fate would depend on the pages beside it."""
    together = figures(Counted(texts))
    assert together.shape == (len(texts), len(FIGURES))
    assert np.isfinite(together).all()
    for row, text in zip(together, texts, strict=True):
        assert np.array_equal(row, figures(Counted([text]))[0])


def test_scores_do_not_depend_on_the_batch(model_file: Path) -> None:
    """The same drop for any shard size."""
    model = read_model(model_file)
    texts = [page(kind, k) for kind in ("keep", "drop") for k in range(100)]
    alone = np.concatenate([model.scores([text]) for text in texts])
    assert np.array_equal(model.scores(texts), alone)
    assert len(model.scores([])) == 0


def test_the_stage_drops_by_the_model_with_score_and_threshold(model_file: Path) -> None:
    """A reviewer sees that the model, not a rule, left a page out, and by how much."""
    item, _ = judged(page("drop", 50), model=str(model_file), preset="web", model_for=["web", "none"])
    assert isinstance(item, Dropped)
    item, _ = judged(page("drop", 50), "public", preset="none", model=str(model_file), model_for=["none"])
    assert isinstance(item, Dropped)
    assert (item.reason, item.threshold) == ("model", 0.4)
    assert item.score is not None
    assert item.score < 0.4
    kept, _ = judged(page("keep", 50), preset="none", model=str(model_file), model_for=["none"])
    assert isinstance(kept, Record)


def test_only_the_presets_named_are_judged(model_file: Path) -> None:
    """A model of web pages must not judge chats and manuals."""
    kept, _ = judged(BAD, preset="none", model=str(model_file))
    assert isinstance(kept, Record)


def test_a_kept_page_near_the_line_is_offered_as_a_sample(model_file: Path) -> None:
    """Both sides of the line can be looked at."""
    text = page("keep", 50)
    score = float(read_model(model_file).scores([text])[0])
    line = {"preset": "none", "model": str(model_file), "model_for": ["none"], "min_model_score": score - 0.01}
    kept, ctx = judged(text, **line)
    assert isinstance(kept, Record)
    assert [(near.rule, near.score) for near in ctx.take_near()] == [("model", score)]


def test_a_text_labelled_both_ways_is_left_out_and_counted(tmp_path: Path) -> None:
    """Contradictions are told, not averaged away."""
    path = labelled(tmp_path / "a.jsonl")
    path.write_text(path.read_text() + "\n" + json.dumps({"text": page("keep", 0), "label": "drop"}), "utf-8")
    fitted = fit_quality([path])
    assert (fitted.left_out, len(fitted.labels)) == (1, 59)


@pytest.mark.parametrize(
    "line", ["{", '{"text": "a"}', '{"text": 1, "label": "keep"}', '{"text": "a", "label": "maybe"}']
)
def test_a_line_that_is_no_labelled_text_stops_the_training(tmp_path: Path, line: str) -> None:
    """The line is named, its text is not."""
    path = labelled(tmp_path / "a.jsonl")
    path.write_text(path.read_text() + "\n" + line, "utf-8")
    with pytest.raises(UsageError, match=r"a\.jsonl:61: no labelled text"):
        fit_quality([path])


def test_too_few_labels_are_refused(tmp_path: Path) -> None:
    """A model of ten examples would look like one of a thousand."""
    with pytest.raises(UsageError, match="10 texts are labelled keep"):
        fit_quality([labelled(tmp_path / "a.jsonl", n=10)])
    with pytest.raises(UsageError, match="does not exist"):
        fit_quality([tmp_path / "none.jsonl"])


def test_another_file_is_no_model(tmp_path: Path) -> None:
    """A wrong path stops the build before anything is judged."""
    (tmp_path / "m.json").write_text('{"format": "other"}')
    with pytest.raises(UsageError, match="no quality model"):
        read_model(tmp_path / "m.json")
    with pytest.raises(UsageError, match="does not exist"):
        read_model(tmp_path / "none.json")


def test_auc_counts_ties_half() -> None:
    """The figure that is printed is the textbook's."""
    labels = np.array([1, 1, 0, 0])
    assert auc(np.array([0.9, 0.8, 0.2, 0.1]), labels) == 1
    assert auc(np.array([0.5, 0.5, 0.5, 0.5]), labels) == 0.5
    assert auc(np.array([0.9, 0.1, 0.5, 0.1]), labels) == 0.625


def test_the_command_writes_the_model_and_says_how_good_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command from labels to a file that a recipe can name."""
    command([labelled(tmp_path / "a.jsonl")], tmp_path / "new" / "m.json", True)
    told = json.loads(capsys.readouterr().out)
    assert (told["keep"], told["drop"]) == (30, 30)
    assert told["auc"] > 0.9
    assert isinstance(read_model(tmp_path / "new" / "m.json"), QualityModel)


def fasttext_model(folder: Path, lines: list[str]) -> str:
    """Trained with 12 threads: fewer leave a part of fastText's matrix uninitialised. A race may still end in NaN."""
    import fasttext

    (folder / "train.txt").write_text("\n".join(lines), "utf-8")
    for attempt in range(8):
        try:
            model = fasttext.train_supervised(
                str(folder / "train.txt"), dim=8, minCount=1, thread=12, lr=0.05, verbose=0
            )
        except RuntimeError:
            assert attempt < 7
            continue
        model.save_model(str(folder / "model.bin"))
        break
    return str(folder / "model.bin")


@pytest.mark.filterwarnings("ignore")
def test_a_published_fasttext_classifier_can_be_named(tmp_path: Path) -> None:
    """Users of DCLM's classifier, or of their own, need no other stage."""
    names = {"keep": "hq", "drop": "cc"}
    lines = [f"__label__{names[kind]} {' '.join(page(kind, k).split())}" for kind in names for k in range(200)]
    chosen = {"preset": "none", "model": fasttext_model(tmp_path, lines), "model_for": ["none"]}
    assert isinstance(judged(page("keep", 777), **chosen)[0], Record)
    item, _ = judged(page("drop", 777), **chosen)
    assert isinstance(item, Dropped)
    assert item.reason == "model"


@pytest.mark.filterwarnings("ignore")
def test_a_classifier_must_say_which_label_is_good(tmp_path: Path) -> None:
    """Guessing would keep the spam and drop the rest."""
    model = fasttext_model(tmp_path, ["__label__a good page", "__label__b bad page"] * 40)
    with pytest.raises(UsageError, match="which label"):
        judged(BAD, preset="none", model=model, model_for=["none"])
