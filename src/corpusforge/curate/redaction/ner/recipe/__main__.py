"""Makes the shipped tagger again: `python -m corpusforge.curate.redaction.ner.recipe DATA OUT`."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from corpusforge.curate.redaction.ner.component import NameTagger, with_tagger
from corpusforge.curate.redaction.ner.fit import rehearsal_lines, write
from corpusforge.curate.redaction.ner.labelled import example
from corpusforge.curate.redaction.ner.labels import LABELS
from corpusforge.curate.redaction.ner.measured import figures
from corpusforge.curate.redaction.ner.recipe.open_data import multidogo, plain, posts, prose, varied
from corpusforge.curate.redaction.ner.recipe.sentences import Text, template_texts
from corpusforge.curate.redaction.ner.recipe.values import Values
from corpusforge.curate.redaction.ner.training import Plan, train
from corpusforge.record import stable_hash

_TEMPLATE_TEXTS = 60_000
_PROSE = 20_000
_HELD_OUT_TEXTS = 4_000
_REHEARSED = 1_500
# Natural-log units by which "nothing personal" must be likelier than a label to win over it.
_CAUTION = 1.0
_PLAN = Plan(epochs=4, forget=0.25, dropout=0.2)
_REPEATABLE = (
    "Two runs of the recipe in separate processes on one machine gave the same bytes. The texts (texts_hash) are the "
    "same on every machine with this Faker; training sums floats, which other processors may round otherwise."
)
_SOURCES = (
    ("sentences and lists of corpusforge", "Apache-2.0", "corpusforge", "templates.txt, values.txt"),
    ("Faker", "MIT", "Daniele Faraglia and other contributors", "names, streets, places and firms of many countries"),
    ("pii-chats-multidogo", "CDLA-Permissive-1.0", "Amazon Web Services", "train: seven conversations in ten"),
    ("pii-ner-wnut17", "CC-BY-4.0", "Derczynski, Nichols, van Erp and Limsopatham", "train"),
    ("task-banking77", "CC-BY-4.0", "PolyAI", "as text in which little is personal"),
    ("task-clinc150", "CC-BY-3.0", "Clinc, Inc.", "as text in which little is personal"),
    ("chats-star-bank-hotel", "MIT", "Rasa Technologies", "as text in which little is personal"),
    ("ubuntu-irc", "CC-BY-4.0", "Kummerfeld et al.", "one turn in twelve, as text in which little is personal"),
    ("ubuntu-kb-tldr", "CC-BY-4.0", "tldr-pages contributors", "half, as text in which little is personal"),
    (
        "ubuntu-kb-linuxjourney",
        "CC-BY-SA-4.0",
        "Linux Journey contributors",
        "half, as text in which little is personal",
    ),
    (
        "ubuntu-kb-gnome-help",
        "CC-BY-SA-3.0",
        "GNOME Documentation Project",
        "half, as text in which little is personal",
    ),
    ("public-gutenberg", "public domain (US)", "", "sentences whose pronouns gave way to made-up names"),
)


def training_texts(data: Path) -> list[Text]:
    """All texts that the tagger learns from, in order; the same for the same data and Faker."""
    turns = list(multidogo(data, train=True))
    values = Values(3)
    return [
        *template_texts(_TEMPLATE_TEXTS, 1, held_out=False),
        *turns * 2,
        *(varied(turn, values) for turn in turns if turn.spans or values.random.random() < 0.3),
        *list(posts(data, "wnut17train.conll")) * 4,
        *plain(data, random.Random(4)),
        *prose(data, Values(5), _PROSE),
    ]


def unseen(data: Path) -> Mapping[str, Iterable[Text]]:
    """The sets on which the card's figures are taken; training saw none of them."""
    return {
        "sentences of unseen templates": template_texts(_HELD_OUT_TEXTS, 2, held_out=True),
        "multidogo, other conversations": multidogo(data, train=False),
        "wnut17 dev": posts(data, "emerging.dev.conll"),
    }


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _epoch(number: int, loss: float) -> None:
    _say(f"epoch {number}: mean loss {loss:.4f}")


def main() -> None:
    """Train, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of open data that CORPUSFORGE_DATA names")
    parser.add_argument("out", type=Path, help="a new folder")
    chosen = parser.parse_args()
    texts = training_texts(chosen.data)
    examples = [example(text.text, text.spans) for text in texts]
    weights = train(examples, len(LABELS), _PLAN, told=_epoch)
    caution = round(_CAUTION / float(weights.score_scale[0]))
    tagger = NameTagger(LABELS, caution, weights)
    measured: dict[str, Any] = {}
    for name, held in unseen(chosen.data).items():
        measured[name] = figures(tagger, [example(text.text, text.spans) for text in held])
        _say(f"{name}: recall {measured[name]['recall']['all']}, precision {measured[name]['precision']['all']}")
    card = {
        "languages": ["en"],
        "data": [
            {"name": name, "licence": licence, "attribution": by, "use": use} for name, licence, by, use in _SOURCES
        ],
        "versions": {name: version(name) for name in ("faker", "numpy")},
        "texts": len(texts),
        "repeatable": _REPEATABLE,
        "texts_hash": stable_hash(*(f"{text.text}\t{text.spans}" for text in texts), size=16),
        "words": sum(len(words) for words, _ in examples),
        "plan": {name: getattr(_PLAN, name) for name in Plan.__slots__},
        "figures": measured,
    }
    rehearsed = ((text.text, text.spans) for text in template_texts(_REHEARSED, 9, held_out=False))
    write(with_tagger(LABELS, caution, weights), chosen.out, card, rehearsal_lines(rehearsed))


if __name__ == "__main__":
    main()
