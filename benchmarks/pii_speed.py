"""Measures how fast personal data is found, beside vanilla Presidio, with the findings compared in the same run.

    python benchmarks/pii_speed.py [--seconds 100] [--quick]

Data: $CORPUSFORGE_DATA (default ../shared/data): IRC conversations, chats (STAR and multidogo), docs (debian-html as
text, linuxjourney, gnome-help). Contenders take turns on the same small batches of records; a figure is the ratio of
the medians of their processor seconds. Nothing is measured on a text that the fast side has seen before.

* patterns: FastAnalyzer beside AnalyzerEngine with Presidio's default recognizers, context words on and off;
* names: both with the shipped name tagger as the spaCy pipeline (AnalyzerEngine called per record, ours in batches);
* bad input: processor seconds per character over the median of the three kinds of text, patterns only and whole stage;
* stage: `redact` as a build runs it, with and without the name tagger.

The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from corpusforge.curate.redact import Redact
from corpusforge.curate.redaction.analyzer import FastAnalyzer
from corpusforge.curate.redaction.context import Words
from corpusforge.curate.redaction.ner import pipeline
from corpusforge.curate.redaction.presidio import blank_engine, offline_email
from corpusforge.record import Message, Origin, Record
from corpusforge.stage import StageContext

DATA = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[2] / "shared/data"))
TURNS = 40
# Characters that the contenders take in turn; with names as many as a stage has in a batch, or nearly.
BATCH = 8_000
NAMES_BATCH = 64_000
SAID = re.compile(r"\[\d\d:\d\d\] <([^>]+)> (.*)")
TAG = re.compile(r"<(?:script|style).*?</(?:script|style)>|<[^>]+>", re.DOTALL | re.IGNORECASE)
BAR = {"context": 6.0, "plain": 10.0, "names": 3.0, "names_kib_s": 300.0, "bad": 3.0}


def irc() -> Iterator[Record]:
    for file in sorted((DATA / "ubuntu-irc/logs").glob("*raw*"))[::7]:
        said = [m for line in file.read_text("utf-8", errors="replace").splitlines() if (m := SAID.match(line))]
        for at in range(0, len(said), TURNS):
            yield _chat(f"{file.name}:{at}", [Message("user", m[2], name=m[1]) for m in said[at : at + TURNS]])


def chats() -> Iterator[Record]:
    for file in sorted((DATA / "chats-star-bank-hotel").rglob("*.json"))[::6]:
        events = json.loads(file.read_text("utf-8"))
        events = events.get("Events", []) if isinstance(events, dict) else []
        turns = [Message("user" if e["Agent"] == "User" else "assistant", e["Text"]) for e in events if e.get("Text")]
        if turns:
            yield _chat(file.stem, turns)
    for file in sorted((DATA / "pii-chats-multidogo").glob("*/train.tsv")):
        spoken: dict[str, list[str]] = defaultdict(list)
        with file.open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
                spoken[row["conversationId"]].append(row["utterance"] or "")
        for key in sorted(spoken)[:150]:
            yield _chat(key, [Message("user", said) for said in spoken[key]])


def docs() -> Iterator[Record]:
    files = [*sorted((DATA / "ubuntu-kb-debian-html").rglob("*.html"))[::7],
             *sorted((DATA / "ubuntu-kb-linuxjourney").rglob("*.md"))[::9],
             *sorted((DATA / "ubuntu-kb-gnome-help").rglob("*.page"))[::5]]  # fmt: skip
    for file in files:
        text = re.sub(r"\n\s*\n+", "\n\n", TAG.sub("", file.read_text("utf-8", errors="replace"))).strip()
        if text:
            yield Record(id=f"d:{file.name}", source="d", kind="doc", text=text, origin=Origin("d", 0, 1))


def _chat(key: str, messages: Sequence[Message]) -> Record:
    return Record(id=f"c:{key}", source="c", kind="chat", text="", origin=Origin("c", 0, 1)).with_messages(messages)


def bad_inputs() -> dict[str, str]:
    leaders = "".join(f"{n}.{n % 7} Chapter about things {'. ' * 30}{n * 3}\n" for n in range(900))
    table = "".join(f"{n * 7919 % 9973} {n * 31 % 997}\t{n / 7:.3f} {n * 104729 % 99991}\n" for n in range(2000))
    return {
        "dot leaders": leaders,
        "tight dot leaders": "".join(f"{n} Chapter {'.' * 60} {n * 3}\n" for n in range(900)),
        "a.a.a.": "a." * 25_000,
        "1.1.1.1.": "1." * 25_000,
        "number table": table,
        "no blank": "".join(chr(97 + (n * n + n // 7) % 26) for n in range(100_000)),
        "no blank, base64": "".join("ABCDEFGHijklmnop0123456789+/"[(n * n * 31 + n) % 28] for n in range(100_000)),
        "brackets": '("' * 10_000,
    }  # fmt: skip


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = run()
    return time.process_time() - started, result


def batches(records: Sequence[Record], size: int = BATCH) -> list[list[str]]:
    made: list[list[str]] = [[]]
    for record in records:
        if sum(map(len, made[-1])) >= size:
            made.append([])
        made[-1].append(record.text)
    return made


def engines(nlp: Any, context: bool, names: bool) -> tuple[Any, FastAnalyzer]:
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer
    from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider

    provider = RecognizerRegistryProvider(registry_configuration={"supported_languages": ["en"]})
    recognizers = [offline_email(r) for r in provider.create_recognizer_registry().recognizers]
    engine = blank_engine() if context else SpacyNlpEngine()
    engine.nlp = {"en": nlp or spacy.blank("en")}
    words: Words | None = Words(engine.nlp["en"])
    if names:
        labels = sorted({label for name in nlp.pipe_names for label in nlp.get_pipe(name).labels} - {"O", ""})
        engine.ner_model_configuration = NerModelConfiguration(
            model_to_presidio_entity_mapping={label: label for label in labels}, labels_to_ignore=[],
            low_score_entity_names=[],
        )  # fmt: skip
        recognizers.append(SpacyRecognizer(supported_entities=labels))
        words = None
    vanilla = AnalyzerEngine(registry=RecognizerRegistry(recognizers=recognizers), nlp_engine=engine)
    enhancer = LemmaContextAwareEnhancer() if context else None
    return vanilla, FastAnalyzer(recognizers, enhancer=enhancer, words=words, nlp_engine=engine)


def rows(results: Any) -> list[tuple[str, int, int, float]]:
    return [(r.entity_type, r.start, r.end, r.score) for r in results]


def compared(work: Sequence[list[str]], vanilla: Any, fast: FastAnalyzer, seconds: float) -> dict[str, Any]:
    """Both contenders in turns until the time is up; texts that ours reads alone go on to the end for its own speed."""
    warm = work[0]
    fast.analyze(warm)
    [vanilla.analyze(text, "en", score_threshold=0) for text in warm]
    slow, quick, sizes = [], [], []
    texts = different = found = 0
    started = time.process_time()
    for n, batch in enumerate(work[1:]):
        size = sum(map(len, batch)) / 1024
        spent, ours = timed(lambda batch=batch: fast.analyze(batch))
        if n and time.process_time() - started > seconds:
            break
        cost, theirs = timed(lambda batch=batch: [vanilla.analyze(t, "en", score_threshold=0) for t in batch])
        quick.append(spent / size)
        slow.append(cost / size)
        sizes.append(size)
        texts += len(batch)
        found += sum(map(len, theirs))
        different += sum(rows(a) != rows(b) for a, b in zip(ours, theirs, strict=True))
    return {
        "ratio": round(median(slow) / median(quick), 2),
        "kib_s": round(1 / median(quick)),
        "vanilla_kib_s": round(1 / median(slow)),
        "texts": texts,
        "kib": round(sum(sizes)),
        "findings": found,
        "different": different,
    }


def stage(records: Sequence[Record], ner: str, seconds: float) -> float:
    """KiB per processor second of the whole stage, median over groups of records."""
    ctx = StageContext(settings=Redact.Settings(ner=ner), seed=1, sources={})
    warm, rest = records[:30], records[30:]
    list(Redact().apply(warm, ctx))
    speeds = []
    started = time.process_time()
    for at in range(0, len(rest), 30):
        group = rest[at : at + 30]
        spent, _ = timed(lambda group=group: list(Redact().apply(group, ctx)))
        speeds.append(sum(len(r.text) for r in group) / 1024 / spent)
        if time.process_time() - started > seconds:
            break
    return round(median(speeds))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=110, help="processor seconds in all, about")
    options.add_argument("--quick", action="store_true", help="a tenth of that")
    chosen = options.parse_args()
    budget = chosen.seconds / (10 if chosen.quick else 1)
    corpora = {"irc": list(irc()), "chats": list(chats()), "docs": list(docs())}
    for records in corpora.values():
        # A fixed shuffle: every batch is a sample of the whole.
        records.sort(key=lambda record: record.id[::-1])
    result: dict[str, Any] = {}
    for mode, context in (("context", True), ("plain", False)):
        for name, records in corpora.items():
            vanilla, fast = engines(None, context, names=False)
            result[f"{mode} {name}"] = compared(batches(records), vanilla, fast, budget / 10)
            print(f"{mode} {name}", result[f"{mode} {name}"], flush=True)
    for name, records in corpora.items():
        vanilla, fast = engines(pipeline(), context=True, names=True)
        result[f"names {name}"] = compared(batches(records, NAMES_BATCH), vanilla, fast, budget / 12)
        print(f"names {name}", result[f"names {name}"], flush=True)
    _, fast = engines(None, context=True, names=False)
    fast.analyze([record.text for records in corpora.values() for record in records[:40]])
    usual = median(
        timed(lambda batch=batch: fast.analyze(batch))[0] / sum(map(len, batch))
        for records in corpora.values() for batch in batches(records)[-12:]
    )  # fmt: skip
    long = "\n\n".join(record.text for record in corpora["docs"])
    inputs = {"512 KB document": (long * 2)[: 512 << 10], **bad_inputs()}
    result["bad"] = {n: round(timed(lambda t=t: fast.analyze([t]))[0] / len(t) / usual, 2) for n, t in inputs.items()}
    print("cost per character over the median", result["bad"], flush=True)
    for ner in ("embedded", "none"):
        result[f"stage {ner}"] = {name: stage(records, ner, budget / 20) for name, records in corpora.items()}
        print(f"stage {ner}, KiB/s", result[f"stage {ner}"], flush=True)
    result["met"] = {
        **{m: all(result[f"{m} {n}"]["ratio"] >= BAR[m] for n in corpora) for m in ("context", "plain", "names")},
        "names_kib_s": result["names chats"]["kib_s"] >= BAR["names_kib_s"],
        "bad": max(result["bad"].values()) <= BAR["bad"],
        "equal": not sum(r["different"] for r in result.values() if "different" in r),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
