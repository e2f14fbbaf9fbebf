"""Measures language identification: accuracy by paragraph, page, sentence and chat turn, and speed beside py3langid.

    python benchmarks/language.py

Data: $CORPUSFORGE_DATA. Truth: in lang-gnome-help the folder, except that a paragraph that stands word for word in the
English folder C is English (partly translated pages hold such); in Gutenberg the file's `Language:` line, and of a file
with several the paragraph's is unknown and left out; in XQuAD and login.gov the file's name; the chats are English.
All figures are of the text alone, except where a row says that the source declared the language. `unjudged` holds texts
of fewer than 20 letters outside markup (the stage's default is 60). Intervals are Wilson's, 95%. `first_pass` begins
with no word known, as a new process does. The last line is JSON.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from lxml import etree

from corpusforge.curate.language import Language
from corpusforge.curate.language_model import word_model
from corpusforge.curate.language_text import glance, primary
from corpusforge.record import Dropped, Message, Origin, Record
from corpusforge.stage import SourceFacts, StageContext
from corpusforge.wilson import wilson

Row = tuple[str, str]  # text, true language
DATA = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[2] / "shared/data"))
NAMES = {"English": "en", "Spanish": "es", "German": "de", "Chinese": "zh", "Tagalog": "tl", "French": "fr"}
ROUNDS = 3


def mallard_paragraphs(page: Path) -> list[str]:
    found = []
    for element in etree.parse(str(page)).getroot().iter("{*}p", "{*}title", "{*}desc"):
        inside = {etree.QName(parent).localname for parent in element.iterancestors()}
        if "info" not in inside:
            found.append(" ".join("".join(element.itertext()).split()))
    return found


def gnome() -> dict[str, list[Row]]:
    folder = DATA / "lang-gnome-help"
    english = {text for page in (folder / "C").glob("*.page") for text in mallard_paragraphs(page)}
    rows: list[Row] = []
    pages: list[Row] = []
    for language in sorted(path for path in folder.iterdir() if path.is_dir()):
        truth = "en" if language.name == "C" else primary(language.name)
        for page in sorted(language.glob("*.page")):
            found = [(text, "en" if text in english else truth) for text in mallard_paragraphs(page)]
            rows += found
            if sum(len(text) for text, named in found if named == truth) * 2 > sum(len(text) for text, _ in found):
                pages.append(("\n\n".join(text for text, _ in found), truth))
    return {
        "gnome pages, half translated": pages,
        "gnome paragraphs over 50": [row for row in rows if len(row[0]) > 50],
        "gnome paragraphs 10 to 50": [row for row in rows if 10 <= len(row[0]) <= 50],
    }


def gutenberg() -> dict[str, list[Row]]:
    files: list[Row] = []
    paragraphs: list[Row] = []
    for path in sorted((DATA / "public-gutenberg").rglob("*.txt")):
        text = path.read_text("utf-8", errors="replace")
        named = re.search(r"^Language: (.+)$", text, re.MULTILINE)
        if named is None:
            continue
        start = re.search(r"\*\*\* ?START OF.*\n", text)
        end = re.search(r"\*\*\* ?END OF", text)
        body = text[start.end() if start else named.end() : end.start() if end else len(text)]
        spoken = [NAMES[name.strip()] for name in named[1].split(",")]
        files.append((body, spoken[0]))
        if len(spoken) == 1:
            pieces = [" ".join(piece.split()) for piece in re.split(r"\n\s*\n", body)]
            paragraphs += [(piece, spoken[0]) for piece in pieces if len(piece) > 50][:: max(1, len(pieces) // 200)]
    return {"gutenberg files": files, "gutenberg paragraphs over 50": paragraphs}


def xquad() -> dict[str, list[Row]]:
    rows = []
    for path in sorted((DATA / "task-rc-xquad").glob("xquad.*.json")):
        language = path.name.split(".")[1]
        for article in json.loads(path.read_text("utf-8"))["data"]:
            rows += [(qa["question"], language) for part in article["paragraphs"] for qa in part["qas"]]
    return {"xquad questions": rows}


def login_gov() -> dict[str, list[Row]]:
    pages, paragraphs = [], []
    for path in sorted((DATA / "support-kb-login-gov").rglob("*.md")):
        named = re.search(r"[_-](en|es|fr|zh)\.md$", path.name)
        if named is None:
            continue
        body = re.sub(r"\A---\n.*?\n---\n", "", path.read_text("utf-8"), flags=re.DOTALL)
        if len(body) > 200:
            pages.append((body, named[1]))
        pieces = re.split(r"\n\s*\n", body)
        paragraphs += [(piece, named[1]) for piece in pieces if len(piece) > 50 and not re.search(r"[{<]", piece)]
    return {"login.gov pages": pages, "login.gov paragraphs over 50": paragraphs}


def irc_turns() -> list[str]:
    found = []
    for path in sorted((DATA / "ubuntu-irc/logs").glob("*.raw.txt"))[::4]:
        for line in path.read_text("utf-8", errors="replace").splitlines():
            said = re.match(r"\[\d\d:\d\d\] <[^>]+> (.+)", line)
            if said:
                found.append(said[1])
    return found


def star_turns() -> list[str]:
    found = []
    for path in sorted((DATA / "chats-star-bank-hotel").rglob("*.json"))[:400]:
        dialogue = json.loads(path.read_text("utf-8"))
        if isinstance(dialogue, dict) and "Events" in dialogue:
            found += [e["Text"] for e in dialogue["Events"] if e.get("Agent") == "User" and e.get("Text")]
    return found


def accuracy(rows: list[Row], least: int) -> dict[str, object]:
    """What the stage names the texts of at least `least` letters when any language is kept."""
    keep = ("en", *(code for code in word_model().languages if code != "en"))
    ctx = StageContext(settings=Language.Settings(keep=keep, min_score=0, min_letters=least), seed=1, sources={})
    # Of a language that is not kept, so that texts too short to tell come out as dropped.
    records = [replace(record(k, text), language="und") for k, (text, _) in enumerate(rows)]
    wrong: Counter[str] = Counter()
    unjudged = 0
    for item, (_, truth) in zip(Language().apply(records, ctx), rows, strict=True):
        if isinstance(item, Dropped):
            unjudged += 1
        elif item.language != truth:  # type: ignore[union-attr]
            wrong[f"{truth} as {item.language}"] += 1  # type: ignore[union-attr]
    judged = len(rows) - unjudged
    low, high = wilson(judged - wrong.total(), judged)
    return {
        "n": judged,
        "unjudged": unjudged,
        "accuracy": round(1 - wrong.total() / judged, 4),
        "interval": [round(low, 4), round(high, 4)],
        "most_wrong": dict(wrong.most_common(4)),
    }


def record(k: int, text: str = "", turns: Iterable[str] = ()) -> Record:
    made = Record(id=f"s:{k}", source="s", kind="doc", text=text, origin=Origin("a", 0, 1), language="en")
    return made.with_messages([Message("user", turn) for turn in turns]) if turns else made


def staged(records: list[Record], declared: tuple[str, ...]) -> tuple[int, dict[str, int]]:
    facts = {"s": SourceFacts("s", "doc", "domain", languages=declared)}
    ctx = StageContext(settings=Language.Settings(keep=("en",)), seed=1, sources=facts)
    dropped = sum(isinstance(item, Dropped) for item in Language().apply(records, ctx))
    return dropped, ctx.counts.get("s", {})


def chat_figures(name: str, said: list[str]) -> dict[str, object]:
    """Turns of 20 letters or more named English; conversations of 12 turns kept; all of them English by declaration."""
    model = word_model()
    english = model.languages.index("en")
    judged = right = right_declared = 0
    for start in range(0, len(said), 256):
        chances, letters = model.probabilities([glance(text, 240) for text in said[start : start + 256]])
        chances = chances[letters >= 20]
        judged += len(chances)
        right += int((chances.argmax(axis=1) == english).sum())
        chances[:, english] *= 10
        right_declared += int((chances.argmax(axis=1) == english).sum())
    chats = [record(k, turns=said[k : k + 12]) for k in range(0, len(said) - 12, 12)]
    dropped, counts = staged(chats, ("en",))
    return {
        "turns": len(said),
        "judged": judged,
        "english": round(right / judged, 4),
        "interval": [round(x, 4) for x in wilson(right, judged)],
        "english_where_declared": round(right_declared / judged, 4),
        "foreign_turns": round(counts.get("foreign-turns", 0) / max(1, counts.get("judged-turns", 0)), 4),
        "chats": len(chats),
        "chats_dropped": dropped,
    }


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def speed() -> dict[str, object]:
    """Megabytes a second of one core: the stage, with words already known and from none, beside py3langid alone."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    theirs = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    markdown = [path.read_text("utf-8") for path in sorted((DATA / "support-kb-login-gov").rglob("*.md"))]
    web = [json.loads(line)["text"] for line in (DATA / "quality-dclm-human/majority_data.jsonl").open()]
    tldr = [path.read_text("utf-8") for path in sorted((DATA / "ubuntu-kb-tldr").rglob("*.md"))]
    books = [p.read_text("utf-8", errors="replace") for p in sorted((DATA / "public-gutenberg").rglob("*.txt"))]
    said = irc_turns()
    corpora = {
        "help centre": [record(k, text) for k, text in enumerate(markdown)],
        "web pages": [record(k, text) for k, text in enumerate(web)],
        "command help": [record(k, text) for k, text in enumerate(tldr)],
        "books": [record(k, text) for k, text in enumerate(books)],
        "pages of books": [
            record(k, t[at : at + 3000]) for t in books for k, at in enumerate(range(0, len(t), 30_000))
        ],
        "IRC, 12 turns a chat": [record(k, turns=said[k : k + 12]) for k in range(0, len(said) - 12, 12)],
    }
    model = word_model(("en",))
    found: dict[str, object] = {}
    for name, records in corpora.items():
        size = sum(len(r.text.encode("utf-8", "surrogatepass")) for r in records)
        few = records[:: max(1, len(records) // 60)]
        few_size = sum(len(r.text[:100_000].encode("utf-8", "surrogatepass")) for r in few)
        cold, warm, vanilla = [], [], []
        for _ in range(ROUNDS):
            model._forget()
            cold.append(size / seconds(lambda records=records: staged(records, ("en",))))
            warm.append(size / seconds(lambda records=records: staged(records, ("en",))))
            vanilla.append(few_size / seconds(lambda few=few: [theirs.classify(r.text[:100_000]) for r in few]))
        rates = [round(statistics.median(each) / 1e6, 1) for each in (cold, warm, vanilla)]
        found[name] = {
            "records": len(records),
            "MB": round(size / 1e6, 2),
            "first_pass_MB_s": rates[0],
            "MB_s": rates[1],
            "py3langid_MB_s": rates[2],
            "times": round(rates[1] / rates[2], 1),
        }
    return found


def main() -> None:
    sets = {**gnome(), **gutenberg(), **xquad(), **login_gov()}
    report: dict[str, object] = {
        "accuracy": {name: accuracy(rows, 0 if "10 to 50" in name else 20) for name, rows in sets.items()}
    }
    report["chats"] = {
        "ubuntu-irc": chat_figures("ubuntu-irc", irc_turns()),
        "star": chat_figures("star", star_turns()),
    }
    report["speed"] = speed()
    for part, rows in report.items():
        print(part)
        for name, figures in rows.items():  # type: ignore[attr-defined]
            print(f"  {name:<30} " + "  ".join(f"{key} {value}" for key, value in figures.items()))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
