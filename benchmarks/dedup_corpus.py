"""Makes the text for the deduplication benchmarks: real English cut into documents, with near-duplicates planted.

Documents are runs of lines of one real file, of log-normal length (median 350 words, as on the web). When the real
text is used up, its sentences are dealt anew into documents of the same lengths, a different deal every round, so that
the vocabulary and every sentence stay real while no two documents are alike. A tenth of the documents is planted once
more, far from the original, with 1-10% of its words edited: six of ten edits replace a word by a random word of the
same file, two delete one and two insert one.
"""

from __future__ import annotations

import html
import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DATA = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()
PLANTED = 0.1
_MEDIAN_WORDS, _SPREAD, _LEAST, _MOST = 350, 0.9, 40, 8000


@dataclass(frozen=True, slots=True)
class Document:
    """One document; `of` names the document that it was planted as a copy of, `edits` the share of words changed."""

    id: str
    text: str
    of: str = ""
    edits: float = 0.0


def real_texts(data: Path = DATA) -> list[str]:
    """The English texts of the shared data, one a file (one a dialogue for chats), in the order of their names."""
    texts = [read(path) for path in sorted(data.glob("public-gutenberg/**/*.txt")) if path.name != "SOURCE.txt"]
    texts += [read(path) for path in sorted(data.glob("public-speeches/**/*.txt")) if path.name != "SOURCE.txt"]
    texts += [read(path) for path in sorted(data.glob("public-army-manuals-pdftext/*.pdf.txt"))]
    for path in sorted(data.glob("public-web-sample/*.jsonl")):
        texts += [str(json.loads(line)["text"]) for line in path.open(encoding="utf-8") if line.strip()]
    texts += [_plain(read(path)) for path in sorted(data.glob("ubuntu-kb-debian-html/**/*.html"))]
    texts += [read(path) for path in sorted(data.glob("ubuntu-irc/**/*.raw.txt"))]
    texts += [_dialogue(path) for path in sorted(data.glob("chats-star-bank-hotel/dialogues/*.json"))]
    return [text for text in texts if len(text.split()) >= _LEAST]


def read(path: Path) -> str:
    """A text file, whatever its encoding."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def documents(megabytes: float, *, seed: int = 1, data: Path = DATA) -> Iterator[Document]:
    """Documents of together about `megabytes` MB of UTF-8, the planted ones within reach of a few thousand others."""
    rng = random.Random(seed)
    left = int(megabytes * 1e6)
    waiting: list[Document] = []
    for number, (text, pool) in enumerate(_originals(rng, data)):
        original = Document(f"d{number:07d}", text)
        ready = [original]
        if rng.random() < PLANTED:
            share = rng.uniform(0.01, 0.1)
            waiting.append(Document(f"p{number:07d}", edited(rng, text, share, pool), original.id, share))
        if waiting and rng.random() < len(waiting) / 3000:
            ready.append(waiting.pop(rng.randrange(len(waiting))))
        for document in ready:
            yield document
            left -= len(document.text.encode())
        # What still waits is part of the amount that was asked for.
        if left - sum(len(one.text) for one in waiting) <= 0:
            break
    yield from waiting


def edited(rng: random.Random, text: str, share: float, pool: list[str]) -> str:
    """The text with this share of its words (at least one) replaced, deleted or preceded by a word of `pool`."""
    pieces = re.split(r"(\s+)", text)
    places = [k for k, piece in enumerate(pieces) if piece and not piece.isspace()]
    for place in rng.sample(places, max(1, round(share * len(places)))):
        kind = rng.random()
        other = rng.choice(pool)
        if kind < 0.6:
            pieces[place] = other
        elif kind < 0.8:
            pieces[place] = ""
        else:
            pieces[place] = f"{other} {pieces[place]}"
    return "".join(pieces)


def _originals(rng: random.Random, data: Path) -> Iterator[tuple[str, list[str]]]:
    texts = real_texts(data)
    for text in rng.sample(texts, len(texts)):
        pool = text.split()
        yield from ((part, pool) for part in _cut(rng, text.split("\n"), "\n"))
    while True:
        for text in rng.sample(texts, len(texts)):
            pool = text.split()
            if len(pool) >= 5000:
                sentences = re.split(r"(?<=[.!?])\s+|\n+", text)
                yield from ((part, pool) for part in _cut(rng, rng.sample(sentences, len(sentences)), " "))


def _cut(rng: random.Random, lines: list[str], joint: str) -> Iterator[str]:
    part: list[str] = []
    words, wanted = 0, _length(rng)
    for line in lines:
        # A page of text without line ends is cut at words.
        for piece in [line] if len(line) < 20_000 else [line[k : k + 5000] for k in range(0, len(line), 5000)]:
            part.append(piece)
            words += len(piece.split())
            if words >= wanted:
                yield joint.join(part)
                part, words, wanted = [], 0, _length(rng)
    if words >= _LEAST:
        yield joint.join(part)


def _length(rng: random.Random) -> int:
    return int(min(_MOST, max(_LEAST, _MEDIAN_WORDS * rng.lognormvariate(0, _SPREAD))))


def _plain(page: str) -> str:
    body = re.sub(r"(?is)<(script|style|head)\b.*?</\1>", " ", page)
    return re.sub(r"\n\s*\n+", "\n", html.unescape(re.sub(r"(?s)<[^>]+>", "", body)))


def _dialogue(path: Path) -> str:
    events = json.loads(path.read_bytes())["Events"]
    return "\n".join(f"{e.get('Agent', '')}: {e['Text']}" for e in events if e.get("Text"))


def templated_chats(count: int, body_words: int, *, seed: int = 1, data: Path = DATA) -> list[Document]:
    """Chats of one greeting and closing (119 words) around `body_words` words of random real sentences, all distinct.

    Every tenth is planted once more with 1-10% of its words edited, wherever they stand.
    """
    rng = random.Random(f"{seed} {body_words}")
    found: dict[str, list[str]] = {}
    for text in real_texts(data)[:60]:
        # The licence stands in every book: its sentences would make distinct chats alike.
        for sentence in re.split(r"(?<=[.!?])\s+", text.split("*** END")[0].split("***")[-1]):
            if 6 <= len(sentence.split()) <= 40:
                found[" ".join(sentence.split())] = sentence.split()
    sentences = list(found.values())
    rng.shuffle(sentences)
    pool = [word for sentence in sentences[:3000] for word in sentence]
    frame = _FRAME.split()
    chats: list[Document] = []
    for number in range(count):
        body: list[str] = []
        while len(body) < body_words:
            body += sentences.pop()
        text = " ".join([*frame[:60], *body[:body_words], *frame[60:]])
        chats.append(Document(f"d{number:05d}", text))
        if number % 10 == 0:
            share = rng.uniform(0.01, 0.1)
            chats.append(Document(f"p{number:05d}", edited(rng, text, share, pool), f"d{number:05d}", share))
    return chats


def macro_chats(count: int, *, seed: int = 1) -> list[Document]:
    """Chats made of canned answers and a few facts: all cases differ, in an error code or an order number at least."""
    rng = random.Random(seed)
    products = ["router", "printer", "laptop", "phone", "tablet", "camera", "monitor", "keyboard"]
    acts = ["restart the {p}", "update the {p}", "reset the {p} to its defaults", "unplug the {p} for a minute"]
    chats = []
    for number in range(count):
        product, day = rng.choice(products), rng.choice(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"])
        steps = ". Then please ".join(act.format(p=product) for act in rng.sample(acts, 3))
        body = (
            f"Customer: my {product} shows error {100 + number} since {day}. My order is A-{rng.randrange(10**6):06d}."
            f" Agent: I am sorry to hear about your {product}. Please {steps}. Does it still show error {100 + number}?"
            f" Customer: {rng.choice(['yes it does', 'no it works now', 'it is better', 'I have to try later'])}."
        )
        words = _FRAME.split()
        chats.append(Document(f"m{number:05d}", " ".join([*words[:60], body, *words[60:]])))
    return chats


_FRAME = (
    "Agent: Hello and welcome to our customer care, thank you for reaching out to us today. My name is on the badge at "
    "the top of this window and I will do my best to help you with whatever brought you here. Before we begin, please "
    "note that this conversation may be kept for training and quality purposes. How may I help you? Customer: Agent: "
    "Thank you for your patience while we looked into this together. Is there anything else that I can do for you? "
    "If not, you will receive a very short survey after this chat, and we would be glad about your answer. "
    "Have a wonderful day, take care and goodbye from all of us here."
)
