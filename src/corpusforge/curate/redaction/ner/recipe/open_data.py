"""Openly licensed text for training: labelled turns and posts, and plain text in which little is personal."""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from corpusforge.curate.redaction.ner.recipe.sentences import Text, joined, noisy
from corpusforge.curate.redaction.ner.recipe.values import CITIES, Values
from corpusforge.curate.redaction.ner.split import trained_on
from corpusforge.curate.redaction.words import AMBIGUOUS, COMMON, GIVEN

# A span whose words teach nothing: they may be personal or not.
DOUBT = "?"
_SLOTS = {
    "name": "PERSON", "booking_confirmation_number": "ORDER_ID", "ssn": "US_SSN", "email_address": "EMAIL_ADDRESS",
    "card_number": "CREDIT_CARD", "address": "STREET_ADDRESS", "claimid": "TICKET_ID", "policyid": "CUSTOMER_ID",
    "phone_number": "PHONE_NUMBER", "account_number": "ACCOUNT_NUMBER", "target_account_number": "ACCOUNT_NUMBER",
    "arrival_city": "LOCATION", "departure_city": "LOCATION",
}  # fmt: skip
_DRAWN = {
    "PERSON": "PERSON", "ORDER_ID": "ORDER", "EMAIL_ADDRESS": "EMAIL", "STREET_ADDRESS": "ADDRESS",
    "TICKET_ID": "TICKET", "CUSTOMER_ID": "CUSTOMER", "PHONE_NUMBER": "PHONE", "ACCOUNT_NUMBER": "ACCOUNT",
    "LOCATION": "CITY", "US_SSN": "SSN", "CREDIT_CARD": "CARD",
}  # fmt: skip
_WNUT = {"person": "PERSON", "location": "LOCATION", "corporation": "ORGANIZATION", "group": "ORGANIZATION"}
_WORD = re.compile(r"[^\W\d_]+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_TAG = re.compile(r"<[^>]+>")


def multidogo(root: Path, *, train: bool) -> Iterator[Text]:
    """Customers' turns with their labelled spans, in the order of the files."""
    for domain in ("airline", "finance", "insurance"):
        with (root / "pii-chats-multidogo" / domain / "train.tsv").open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
                words, labels = (row["utterance"] or "").split(" "), (row["slot-labels"] or "").split(" ")
                if len(words) == len(labels) and trained_on(row["conversationId"]) == train:
                    yield _turn(words, labels)


def _turn(words: list[str], labels: list[str]) -> Text:
    spans: list[tuple[int, int, str]] = []
    at, before = 0, ""
    for word, label in zip(words, labels, strict=True):
        kind = _SLOTS.get(label)
        if kind and label == before:
            spans[-1] = (spans[-1][0], at + len(word), kind)
        elif kind:
            spans.append((at, at + len(word), kind))
        before = label
        at += len(word) + 1
    return Text(" ".join(words), tuple(spans))


def varied(turn: Text, values: Values) -> Text:
    """A turn with other values of the same kinds, written more neatly than it was."""
    made, done = "", 0
    spans: list[tuple[int, int, str]] = []
    for start, end, label in turn.spans:
        made += turn.text[done:start]
        value = values.of(_DRAWN[label])
        spans.append((len(made), len(made) + len(value), label))
        made += value
        done = end
    made += turn.text[done:]
    if values.random.random() < 0.5 and made and len(made[0].upper()) == 1 and (not spans or spans[0][0] > 0):
        made = re.sub(r"\bi\b", "I", made[0].upper() + made[1:])
    if values.random.random() < 0.3:
        made += "."
    return noisy(Text(made, tuple(spans)), values.random)


def posts(root: Path, name: str) -> Iterator[Text]:
    """WNUT-17 posts of one file; titles and products are in doubt."""
    for block in re.split(r"\n\s*\n", (root / "pii-ner-wnut17" / name).read_text(encoding="utf-8")):
        text = ""
        spans: list[tuple[int, int, str]] = []
        for line in block.splitlines():
            word, _, label = line.rpartition("\t")
            if not word:
                continue
            start = len(text) + bool(text)
            text = f"{text} {word}" if text else word
            if label.startswith("I-") and spans:
                spans[-1] = (spans[-1][0], len(text), spans[-1][2])
            elif label != "O":
                spans.append((start, len(text), _WNUT.get(label[2:], DOUBT)))
        if text:
            yield Text(text, tuple(spans))


def plain(root: Path, draw: random.Random) -> Iterator[Text]:
    """Queries, turns, articles and manual pages without labels: words that may be names are in doubt, others are not
    personal.
    """
    with (root / "task-banking77" / "train.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield in_doubt(row["text"].strip())
    clinc = json.loads((root / "task-clinc150" / "data_full.json").read_text(encoding="utf-8"))
    for part in ("train", "oos_train"):
        for text, _ in clinc[part]:
            yield in_doubt(text)
    for path in sorted((root / "chats-star-bank-hotel" / "dialogues").glob("*.json")):
        for event in json.loads(path.read_text(encoding="utf-8"))["Events"]:
            if event["Action"] == "utter" and event["Agent"] == "User":
                yield in_doubt(event["Text"])
    pages = [
        *sorted((root / "ubuntu-kb-linuxjourney").rglob("*.md")), *sorted((root / "ubuntu-kb-tldr").rglob("*.md")),
        *sorted((root / "ubuntu-kb-gnome-help").rglob("*.page")),
    ]  # fmt: skip
    for path in pages:
        if path.name.isupper() or draw.random() > 0.5:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix != ".md":
            text = _TAG.sub(" ", text)
        lines = [line.strip() for line in text.splitlines() if len(line.split()) > 2 and line.isascii()]
        for at in range(0, min(len(lines), 60), 3):
            yield in_doubt("\n".join(lines[at : at + draw.choice((1, 2, 3))]))
    for path in sorted((root / "ubuntu-irc").rglob("*.raw.txt")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            said = re.match(r"\[\d\d:\d\d\] <[^>]+> (?:[^\s:,]+[:,] )?(.*)", line)
            if said and draw.random() < 0.08:
                yield in_doubt(said[1])


@cache
def _known() -> frozenset[str]:
    """Given names and words of cities, in lower case, that are no common words."""
    cities = {word for city in CITIES for word in _WORD.findall(city.casefold())}
    return frozenset({name.casefold() for name in GIVEN} | cities) - COMMON


def in_doubt(text: str) -> Text:
    """A text in which capitalised words (within a sentence) and known names may be personal; other words are not."""
    first = _WORD.search(text)
    start = first.start() if first else 0
    known = _known()
    spans = [
        (match.start(), match.end(), DOUBT)
        for match in _WORD.finditer(text)
        if match[0].casefold() in known
        or (
            match[0][0].isupper()
            and match.start() > start
            and (match[0].casefold() not in COMMON or match[0] in AMBIGUOUS)
        )
    ]
    return Text(text, tuple(spans))


_PEOPLE = re.compile(
    r"\b(?:(?P<she>[Hh]e|[Ss]he)(?= [a-z]+(?:s|ed|d|t)\b)|(?P<him>(?<=to |th |or |om |by )(?:him|her))(?=[.,;!?])|"
    r"(?P<there>(?<=[a-z] )there(?=[.,;!?]))|(?P<firm>\b[Tt]he (?:company|firm|bank|hotel|government|army|airline))\b)"
)


def prose(root: Path, values: Values, n: int) -> Iterator[Text]:
    """Sentences of old books and of queries in which a pronoun gave way to a name, a place or a firm."""
    found: list[str] = []
    for path in sorted((root / "public-gutenberg").rglob("*.txt")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for sentence in _SENTENCE.split(text):
            if 20 < len(sentence) < 240 and _PEOPLE.search(sentence):
                found.append(" ".join(sentence.split()))
    for plain_text in plain(root, random.Random(values.random.random())):
        if _PEOPLE.search(plain_text.text):
            found += [plain_text.text] * 2
    for sentence in values.random.sample(found, min(n, len(found))):
        yield noisy(_renamed(sentence, values), values.random)


def _renamed(sentence: str, values: Values) -> Text:
    parts, done = [], 0
    for match in _PEOPLE.finditer(sentence):
        form = match.lastgroup
        slot = {"there": "CITY", "firm": "ORG"}.get(str(form)) or values.random.choice(
            ("PERSON", "FIRST", "FIRST", "TITLED", "LAST")
        )
        value = values.of(slot)
        label = {"CITY": "LOCATION", "ORG": "ORGANIZATION"}.get(slot, "PERSON")
        before = sentence[done : match.start()] + ("in " if form == "there" else "")
        parts += [in_doubt(before), Text(value, ((0, len(value), label),))]
        done = match.end()
    parts.append(in_doubt(sentence[done:]))
    return joined([part for part in parts if part.text], "")
