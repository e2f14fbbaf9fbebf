"""The language model must say the same of a text whatever came before it, and know languages in every script."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from corpusforge.curate import language_model
from corpusforge.curate.chunks import Chunks
from corpusforge.curate.language_model import WordModel, word_model
from corpusforge.curate.language_text import letters, primary, prose, word_key, words
from corpusforge.curate.language_words import FOREIGN, HEAD, SILENT, plain_keys

SENTENCES = {
    "en": "Please restart the computer before you install the update.",
    "de": "Bitte starten Sie den Rechner neu, bevor Sie die Aktualisierung installieren.",
    "es": "Reinicie el ordenador antes de instalar la actualización del sistema.",
    "ca": "Reinicieu l'ordinador abans d'instal·lar l'actualització del sistema.",
    "da": "Genstart venligst computeren, før du installerer opdateringen på den.",
    "sv": "Starta om datorn innan du installerar uppdateringen av systemet.",
    "uk": "Перезавантажте комп'ютер, перш ніж встановлювати оновлення системи.",
    "ru": "Перезагрузите компьютер, прежде чем устанавливать обновление системы.",
    "zh": "请在安装更新之前重新启动计算机。",
    "ja": "更新をインストールする前にコンピューターを再起動してください。",
    "ko": "업데이트를 설치하기 전에 컴퓨터를 다시 시작하십시오.",
    "th": "โปรดรีสตาร์ทคอมพิวเตอร์ก่อนติดตั้งการอัปเดต",
    "ar": "يرجى إعادة تشغيل الحاسوب قبل تثبيت التحديث.",
    "el": "Επανεκκινήστε τον υπολογιστή πριν εγκαταστήσετε την ενημέρωση.",
}


@pytest.fixture(scope="module")
def model() -> WordModel:
    return word_model()


def best(model: WordModel, text: str) -> str:
    chances, _ = model.probabilities([text])
    return model.languages[int(chances[0].argmax())]


@pytest.mark.parametrize(("language", "text"), SENTENCES.items())
def test_sentences_in_many_scripts(model: WordModel, language: str, text: str) -> None:
    """Scripts without spaces and neighbouring languages are told apart."""
    assert best(model, text) == language


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=80), st.sampled_from(sorted(SENTENCES.values()))), min_size=1, max_size=8))
def test_a_text_is_scored_the_same_alone_and_among_others(texts: list[str]) -> None:
    """Otherwise a build's language would depend on the size of shards and batches."""
    model = word_model()
    together, letters = model.probabilities(texts)
    alone = [model.probabilities([text]) for text in texts]
    assert np.array_equal(together, np.concatenate([chances for chances, _ in alone]))
    assert letters.tolist() == [told[0] for _, told in alone]
    assert np.allclose(together.sum(axis=1), 1, atol=0.01)


def test_forgetting_words_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded on an endless stream of new words, and the scores stay."""
    model = WordModel(["en", "de", "fr"])
    texts = [f"{text} {text[k:]}" for text in SENTENCES.values() for k in range(20)]
    before, _ = model.probabilities(texts)
    monkeypatch.setattr(language_model, "_MOST_KEYS", 50)
    model._forget()
    after = np.concatenate([model.probabilities([text])[0] for text in texts])
    assert np.array_equal(before, after)
    assert model._table.count < 200


def test_words_without_letters_are_forgotten_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are full of numbers that stand once; all of them have one key."""
    monkeypatch.setattr(language_model, "_MOST_KEYS", 50)
    model = WordModel(["en", "de"])
    most = 0
    for start in range(0, 5000, 20):
        model.scores([" ".join(map(str, range(start, start + 20)))])
        most = max(most, model.words)
    assert most < 150


def test_a_rare_language_counts_where_it_is_named() -> None:
    """Speakers of Occitan need only declare it; others do not lose Catalan turns to it."""
    occitan = "Aqueste libre parla de la vida de las gents dins los vilatges de la montanha."
    assert best(word_model(("oc",)), occitan) == "oc"
    assert "oc" not in word_model().languages


def test_a_text_may_hold_the_mark_between_texts(model: WordModel) -> None:
    """A stray control character must not shift all later texts of the batch."""
    chances, _ = model.probabilities(["a \x00 b \x00", SENTENCES["de"]])
    assert model.languages[int(chances[1].argmax())] == "de"


@pytest.mark.parametrize("word", ["--force", "/usr/bin", "foo_bar", "a@b.org", "<EMAIL_1>", "3.14", "…", "x" * 50, ""])
def test_what_is_no_word_tells_nothing(word: str) -> None:
    """Technical text is not foreign text."""
    assert word_key(word) == ""


def test_words_and_prose() -> None:
    """Code goes, punctuation goes, characters of Han are words of their own."""
    assert word_key("„Haus“,") == "haus"
    assert words("请 a b") == ["请", "a", "b"]
    assert prose("before\n```\nthe code\n```\nafter").split() == ["before", "after"]


@pytest.mark.data
def test_paragraphs_of_twenty_languages(model: WordModel) -> None:
    """At least 99% of the translated help centre's paragraphs over 50 characters are named rightly."""
    folder = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "lang-gnome-help"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist; set CORPUSFORGE_DATA")

    def paragraphs(page: Path) -> list[str]:
        return [" ".join("".join(p.itertext()).split()) for p in etree.parse(str(page)).getroot().iter("{*}p")]

    english = {text for page in (folder / "C").glob("*.page") for text in paragraphs(page)}
    rows = [
        (text, "en" if text in english else primary(page.parent.name))
        for page in sorted(folder.glob("*/*.page"))
        for text in paragraphs(page)
        if len(text) > 50
    ]
    chances, _ = model.probabilities([text for text, _ in rows])
    named = [model.languages[k] for k in chances.argmax(axis=1)]
    right = sum(found == truth for found, (_, truth) in zip(named, rows, strict=True))
    assert len(rows) > 2000
    assert right / len(rows) >= 0.99


@given(st.lists(st.lists(st.sampled_from([*"aZ.-'_@/<7(,!\x01", "www.", "word", "x" * 19]), max_size=6).map("".join)))
def test_words_together_have_the_keys_of_each_alone(made: list[str]) -> None:
    """A batch that hears other letters than a word alone names another language with the batch's size."""
    chunks = Chunks([" ".join(made)])
    told, keys, sizes = plain_keys(chunks.bytes, chunks.starts, chunks.ends)
    expected = [word_key(word) for word in " ".join(made).split()]
    assert told.tolist() == [letters(key) if key else SILENT for key in expected]
    heads = [bytes(row[:size]).decode() for row, size in zip(keys, sizes.tolist(), strict=True)]
    assert heads == [f" {key[:HEAD]} " if key else "" for key in expected]


def test_words_beyond_ascii_are_left_to_strings() -> None:
    """Their case and letters are Unicode's, which tables of bytes do not know."""
    chunks = Chunks(["plain Übung été 3"])
    told, _, _ = plain_keys(chunks.bytes, chunks.starts, chunks.ends)
    assert told.tolist() == [5, FOREIGN, FOREIGN, SILENT]
