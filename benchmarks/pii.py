"""Measures what redaction masks and what it should not have, by kind, on labelled sets and on technical docs.

    python benchmarks/pii.py [--ner none|NAME] [--sets research,multidogo,wnut,irc,docs] [--misses]

Data: $CORPUSFORGE_DATA (default ../shared/data). Definitions:

* masked recall: labelled spans all of whose letters and digits lie in findings of any kind;
* precision: findings at least half of whose letters and digits lie in a labelled span (of any kind, also the
  kinds of the set that are not scored, such as dates of charges);
* over-masked: words outside all labelled spans that a finding touches, of all words outside.

Default and strict policy are measured in the same run. Multidogo: only the conversations that the name model never
trains on. IRC: the truth is an independent expression over the raw lines. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import csv
import ipaddress
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusforge.curate.redact import Redact
from corpusforge.curate.redaction.ner.recipe.open_data import posts
from corpusforge.curate.redaction.strict import words_of
from corpusforge.record import Message, Origin, Record, stable_hash

DATA = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[2] / "shared/data"))
WORD = re.compile(r"\w+(?:['’-]\w+)*")
TRAINED_OF_TEN = 7
MULTIDOGO = {
    "name": "PERSON", "ssn": "US_SSN", "email_address": "EMAIL_ADDRESS", "card_number": "CREDIT_CARD",
    "account_number": "ACCOUNT", "target_account_number": "ACCOUNT", "phone_number": "PHONE_NUMBER",
    "claimid": "ID", "policyid": "ID", "booking_confirmation_number": "ID", "address": "STREET_ADDRESS",
}  # fmt: skip
QUASI = ("arrival_city", "departure_city", "charge_date", "lastuseddate", "start_date", "end_date")
DOCS = ("ubuntu-kb-debian-html", "ubuntu-kb-gnome-help", "ubuntu-kb-linuxjourney", "ubuntu-kb-tldr",
        "public-army-manuals-pdftext")  # fmt: skip
DOC_BYTES = 400_000

Labelled = tuple[int, int, str, bool]  # start, end, kind, scored


@dataclass
class Sample:
    """A record and, for each of its parts, the labelled spans."""

    record: Record
    gold: list[list[Labelled]]


@dataclass
class Tally:
    """Counts over one set."""

    spans: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    words: int = 0
    over: int = 0
    size: int = 0

    def add(self, text: str, gold: list[Labelled], found: Iterable[Any]) -> list[Labelled]:
        """Count one text; returns the scored spans that are not fully masked."""
        hidden = bytearray(len(text))
        truth = bytearray(len(text))
        found = list(found)
        for f in found:
            hidden[f.start : f.end] = b"\1" * (f.end - f.start)
        for start, end, _, _ in gold:
            truth[start:end] = b"\1" * (end - start)
        missed = []
        for span in gold:
            start, end, kind, scored = span
            if not scored:
                continue
            self.spans[kind] += 1
            if all(hidden[i] for i in range(start, end) if text[i].isalnum()):
                self.masked[kind] += 1
            else:
                missed.append(span)
        for f in found:
            letters = [i for i in range(f.start, f.end) if text[i].isalnum()]
            self.findings[f.kind] += 1
            self.right[f.kind] += 2 * sum(truth[i] for i in letters) >= len(letters) > 0
        for word in WORD.finditer(text):
            if not any(truth[word.start() : word.end()]):
                self.words += 1
                self.over += any(hidden[word.start() : word.end()])
        self.size += len(text)
        return missed

    def report(self) -> dict[str, Any]:
        rate = {k: round(self.masked[k] / n, 4) for k, n in sorted(self.spans.items())}
        total = self.findings.total()
        return {
            "spans": dict(sorted(self.spans.items())),
            "masked_recall": rate,
            "masked_recall_all": round(self.masked.total() / max(1, self.spans.total()), 4),
            "precision": round(self.right.total() / max(1, total), 4),
            "precision_by_kind": {
                k: [n, round(self.right[k] / n, 3)] for k, n in sorted(self.findings.items())
            },
            "over_masked_words": round(self.over / max(1, self.words), 4),
        }  # fmt: skip


def _record(source: str, key: str, kind: Any, text: str) -> Record:
    return Record(id=f"{source}:{key}", source=source, kind=kind, text=text, origin=Origin(source, 0, 1))


def research() -> Iterator[Sample]:
    rows = json.loads((DATA / "pii-presidio-research/synth_dataset_v2.json").read_text("utf-8"))
    for n, row in enumerate(rows):
        gold = [(s["start_position"], s["end_position"], s["entity_type"], True) for s in row["spans"]]
        yield Sample(_record("research", str(n), "labelled", row["full_text"]), [gold])


def _ner_has_seen(conversation: str) -> bool:
    try:
        from corpusforge.curate.redaction.ner.split import trained_on
    except ImportError:
        return int(stable_hash(conversation), 16) % 10 < TRAINED_OF_TEN
    return bool(trained_on(conversation))


def multidogo() -> Iterator[Sample]:
    for file in sorted(DATA.glob("pii-chats-multidogo/*/train.tsv")):
        turns: dict[str, list[tuple[float, str, str]]] = defaultdict(list)
        with file.open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
                words, labels = (row["utterance"] or "").split(" "), (row["slot-labels"] or "").split(" ")
                if len(words) == len(labels) and re.fullmatch(r"[\d.]+", row["turnNumber"] or ""):
                    turns[row["conversationId"]].append(
                        (float(row["turnNumber"]), row["utterance"], row["slot-labels"])
                    )
        for conversation, rows in sorted(turns.items()):
            if _ner_has_seen(conversation):
                continue
            rows.sort(key=lambda row: row[0])
            record = _record("multidogo", conversation, "chat", "").with_messages(
                Message("user", utterance) for _, utterance, _ in rows
            )
            yield Sample(record, [_labelled(utterance, labels) for _, utterance, labels in rows])


def _labelled(utterance: str, labels: str) -> list[Labelled]:
    spans: list[Labelled] = []
    at, before = 0, ""
    for word, label in zip(utterance.split(" "), labels.split(" "), strict=True):
        end = at + len(word)
        if label == "O" or not word:
            before = ""
        elif label == before:
            spans[-1] = (spans[-1][0], end, *spans[-1][2:])
        elif label in MULTIDOGO or label in QUASI:
            spans.append((at, end, MULTIDOGO.get(label, label), label in MULTIDOGO))
            before = label
        at = end + 1
    return spans


def wnut() -> Iterator[Sample]:
    for n, post in enumerate(posts(DATA, "emerging.dev.conll")):
        gold = [(start, end, label, label == "PERSON") for start, end, label in post.spans]
        yield Sample(_record("wnut", str(n), "labelled", post.text), [gold])


IRC_FORMS = (
    ("EMAIL_OR_HOST", re.compile(r"(?<![^\s<(\[:\"',])[\w.~^+=-]+@(?:[a-z0-9-]+\.)+[a-z]{2,}(?![\w@])", re.I)),
    ("MAC_ADDRESS", re.compile(r"(?<![\w:.-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])", re.I)),
    ("IP_ADDRESS", re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")),
)
_NO_HOST = re.compile(r"@(?:.*\.)?(?:example\.\w+|localhost)|^(?:git|root|user|you|name|username|login)@", re.I)


def irc() -> Iterator[Sample]:
    """Raw log lines, joins and parts with their masks among them, fifty to a record."""
    for file in sorted(DATA.glob("ubuntu-irc/logs/*.raw.txt"))[::8]:
        lines = file.read_text("utf-8", "replace").splitlines()
        for start in range(0, len(lines), 50):
            text = "\n".join(lines[start : start + 50])
            yield Sample(_record("irc", f"{file.name}:{start}", "chat", text), [list(_irc_truth(text))])


def _irc_truth(text: str) -> Iterator[Labelled]:
    for kind, form in IRC_FORMS:
        for match in form.finditer(text):
            if kind == "IP_ADDRESS" and not _public(match[0]):
                continue
            if kind == "IP_ADDRESS" and re.search(
                r"(?i)(?:version|\bv|kernel|driver|[-_=])\s*$", text[: match.start()]
            ):
                continue
            if kind == "EMAIL_OR_HOST" and _NO_HOST.search(match[0]):
                continue
            yield (*match.span(), kind, True)


def _public(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast


# A real e-mail address in a manual is personal data: neither contender is charged with it.
ADDRESS = re.compile(r"[\w.+-]+@(?:[\w-]+\.)+[a-z]{2,}")


def docs() -> Iterator[tuple[str, str]]:
    """(folder, text) of technical docs as the readers give them, about DOC_BYTES of each folder."""
    from lxml import etree, html

    for folder in DOCS:
        size = 0
        for file in sorted((DATA / folder).rglob("*"), key=lambda p: stable_hash(p.name)):
            if size > DOC_BYTES or file.suffix not in (".html", ".page", ".md", ".txt") or file.stem.isupper():
                continue
            raw = file.read_bytes()
            if file.suffix == ".html":
                text = html.fromstring(raw).text_content()
            elif file.suffix == ".page":
                page = etree.fromstring(raw)
                for info in page.findall("{*}info"):
                    page.remove(info)
                text = "".join(page.itertext())
            else:
                text = raw.decode("utf-8", "replace")
            size += len(text)
            yield folder, text[: 200_000]  # fmt: skip


def settings(policy: str, ner: str | None) -> Any:
    chosen: dict[str, Any] = {"policy": policy}
    if ner:
        chosen["ner"] = ner
    return Redact.Settings(**chosen)


def common_words(records: list[Record], chosen: Any) -> frozenset[int]:
    """What the stage's survey of these records finds common."""
    used = Counter(word for record in records for word in words_of(record))
    return frozenset(word for word, n in used.items() if n >= chosen.common_in)


def measured(samples: list[Sample], policy: str, ner: str | None, misses: Counter[str] | None) -> dict[str, Any]:
    from corpusforge.curate import redact

    chosen = settings(policy, ner)
    redactor = redact.redactor_of(chosen)
    common = common_words([sample.record for sample in samples], chosen) if policy == "strict" else None
    tally = Tally()
    for sample in samples:
        outcome = redactor.redact(sample.record, redact.policy_of(sample.record, None, chosen, common))
        for text, gold, found in zip(sample.record.parts, sample.gold, outcome.parts, strict=True):
            for start, end, kind, _ in tally.add(text, gold, found):
                if misses is not None:
                    shown = "".join(
                        "_" if any(f.start <= i < f.end for f in found) else text[i] for i in range(start, end)
                    )
                    misses[f"{kind}\t{text[max(0, start - 30) : start]}[{text[start:end]}]→[{shown}]"] += 1
            if misses is not None:
                _wrong(text, gold, found, misses)
    return tally.report()


def _wrong(text: str, gold: list[Labelled], found: Iterable[Any], misses: Counter[str]) -> None:
    for f in found:
        if not any(start < f.end and f.start < end for start, end, _, _ in gold):
            misses[f"+{f.kind}/{f.detector}\t{text[max(0, f.start - 25) : f.start]}[[{text[f.start : f.end]}]]"] += 1


def on_docs(ner: str | None, misses: Counter[str] | None) -> dict[str, Any]:
    """Findings per MB of technical text, ours (every kind, as if the source declared everything) and Presidio's."""
    from corpusforge.curate import redact

    ours = {policy: redact._redactor(settings(policy, ner).model_dump_json()) for policy in ("standard", "strict")}
    vanilla = _vanilla()
    size: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    words = over = 0
    for folder, text in docs():
        size[folder] += len(text.encode())
        record = _record("docs", folder, "doc", text)
        for policy, redactor in ours.items():
            chosen = settings(policy, ner)
            found = [f for f in redactor.redact(record, redact.policy_of(record, None, chosen)).parts[0]
                     if not ADDRESS.fullmatch(text[f.start : f.end])]  # fmt: skip
            counts[policy][folder] += len(found)
            kinds[policy].update(f.kind for f in found)
            if misses is not None:
                _wrong(text, [], found, misses)
            if policy == "standard":
                tally = Tally()
                tally.add(text, [], found)
                words, over = words + tally.words, over + tally.over
        results = [r for r in vanilla.analyze(text, "en") if not ADDRESS.fullmatch(text[r.start : r.end])]
        counts["presidio"][folder] += len(results)
        counts["presidio-from-0.4"][folder] += sum(r.score >= 0.4 for r in results)
        kinds["presidio"].update(r.entity_type for r in results)
    total = sum(size.values()) / 1e6
    return {
        "mb": round(total, 2),
        "per_mb": {who: round(c.total() / total, 1) for who, c in counts.items()},
        "per_mb_by_folder": {
            who: {folder: round(1e6 * c[folder] / size[folder], 1) for folder in size} for who, c in counts.items()
        },
        "by_kind": {who: dict(c.most_common()) for who, c in kinds.items()},
        "times_fewer": round(counts["presidio"].total() / max(1, counts["standard"].total()), 1),
        "times_fewer_from_0.4": round(counts["presidio-from-0.4"].total() / max(1, counts["standard"].total()), 1),
        "over_masked_words": round(over / max(1, words), 4),
    }


def _vanilla() -> Any:
    """Presidio's analyzer with all of its recognizers for English, also those that it does not load by itself."""
    import logging

    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers

    from corpusforge.curate.redaction import presidio

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    registry = RecognizerRegistry(supported_languages=["en"])
    for name in sorted(dir(predefined_recognizers)):
        made = getattr(predefined_recognizers, name)
        if not (isinstance(made, type) and hasattr(made, "PATTERNS")) and name != "PhoneRecognizer":
            continue
        try:
            recognizer = presidio.offline_email(made())
        except TypeError:
            continue
        if recognizer.supported_language == "en":
            registry.add_recognizer(recognizer)
    return AnalyzerEngine(registry=registry, nlp_engine=presidio.blank_engine(), supported_languages=["en"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ner", default=None, help="as in the recipe; nothing: the default")
    parser.add_argument("--sets", default="research,multidogo,wnut,irc,docs")
    parser.add_argument("--policies", default="standard,strict")
    parser.add_argument("--every", type=int, default=1, help="one record in so many, for a quick look")
    parser.add_argument("--misses", type=Path, help="write what was missed or wrongly masked here (personal data!)")
    chosen = parser.parse_args()
    result: dict[str, Any] = {}
    makers = {"research": research, "multidogo": multidogo, "wnut": wnut, "irc": irc}
    misses: Counter[str] | None = Counter() if chosen.misses else None
    for name in chosen.sets.split(","):
        if name == "docs":
            result["docs"] = on_docs(chosen.ner, misses)
            print("\ndocs", json.dumps(result["docs"], indent=1))
            continue
        samples = list(makers[name]())[:: chosen.every]
        result[name] = {}
        for policy in chosen.policies.split(","):
            made = result[name][policy] = measured(samples, policy, chosen.ner, misses)
            print(f"\n{name}, {policy}: masked recall {made['masked_recall_all']}, precision {made['precision']}, "
                  f"over-masked words {made['over_masked_words']}")  # fmt: skip
            for kind, rate in made["masked_recall"].items():
                print(f"  {kind:20} {made['spans'][kind]:6}  {rate:.4f}")
            print("  findings [n, share right]:", made["precision_by_kind"])
    if chosen.misses and misses is not None:
        chosen.misses.write_text("".join(f"{n}\t{line!r}\n" for line, n in sorted(misses.items())), "utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
