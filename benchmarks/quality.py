"""Measures how well the quality model, each rule and fastText tell the pages that people keep from those they drop.

    python benchmarks/quality.py

Data: $CORPUSFORGE_DATA/quality-dclm-human, 238 web pages with a human majority label. The model's scores are out of
fold (3 times 10 stratified folds by content, penalty and word weights chosen within each training part); a rule's
figure needs no training, and the better of its two directions counts. The difference to the best rule has a paired
bootstrap interval over pages. fastText is trained with 12 threads, as its wheel must be, so its figure varies from run
to run. The presets' drops are counted as [of pages labelled keep, of those labelled drop]. The last line is JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from corpusforge.curate.measured import Measured
from corpusforge.curate.quality import PRESETS
from corpusforge.curate.quality_figures import FIGURES, Counted, figures
from corpusforge.curate.quality_fit import auc, fit_quality, folds, mean_auc, measured
from corpusforge.curate.quality_rules import RULES, judge
from corpusforge.curate.quality_thresholds import PUBLISHED
from corpusforge.record import stable_hash

DATA = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[2] / "shared/data"))
PAGES = DATA / "quality-dclm-human/majority_data.jsonl"
DRAWS = 2000


def pages() -> tuple[list[str], np.ndarray]:
    """Texts and labels in the order in which `fit_quality` keeps them."""
    rows = {stable_hash(row["text"], size=16): row for row in map(json.loads, PAGES.open())}
    ordered = [rows[key] for key in sorted(rows)]
    return [row["text"] for row in ordered], np.array([row["label"] for row in ordered])


def directed(values: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    found = auc(values, labels)
    return (found, values) if found >= 0.5 else (1 - found, -values)


def difference(model: np.ndarray, rule: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    draw = np.random.Generator(np.random.PCG64(3))
    keep, drop = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    found = []
    for _ in range(DRAWS):
        rows = np.concatenate((draw.choice(keep, len(keep)), draw.choice(drop, len(drop))))
        found.append(mean_auc(model[:, rows], labels[rows]) - auc(rule[rows], labels[rows]))
    low, high = np.quantile(found, (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


def by_fasttext(texts: list[str], labels: np.ndarray) -> float:
    import fasttext

    labelled = measured(texts, labels.tolist(), [stable_hash(text, size=16) for text in texts])
    fold = folds(labelled, np.arange(len(labels)), 10, "round 0")
    lines = [" ".join(text.lower().split()) for text in texts]
    scores = np.zeros(len(labels))
    with tempfile.TemporaryDirectory() as folder:
        for k in range(10):
            train = Path(folder) / "train.txt"
            rows = np.flatnonzero(fold != k)
            train.write_text("".join(f"__label__{labels[row]} {lines[row]}\n" for row in rows), "utf-8")
            model = fasttext.train_supervised(
                str(train), dim=16, wordNgrams=2, epoch=25, lr=0.3, thread=12, bucket=1 << 16, minCount=1, verbose=0
            )
            for row in np.flatnonzero(fold == k):
                found = {label: score for score, label in model.f.predict(lines[row] + "\n", 2, 0.0, "strict")}
                scores[row] = found.get("__label__1", 0.0)
    return auc(scores, labels)


def preset_drops(texts: list[str], labels: np.ndarray) -> dict[str, list[int]]:
    """How many pages labelled keep and drop the preset `web` drops, each of its rules alone, and the published ones."""
    web = dict(PRESETS["web"])
    published = {rule: value for rules in PUBLISHED.values() for rule, value in rules.items()}
    asked = {"web": web, "published": published}
    asked |= {f"web, {name} >= {value}" if name[:3] == "min" else f"web, {name} <= {value}": {name: value}
              for name, value in web.items()}  # fmt: skip
    asked |= {
        f"published, {name} {value}": {name: value} for name, value in published.items() if web.get(name) != value
    }
    found = {}
    for name, thresholds in asked.items():
        counts = [0, 0]
        for verdict, label in zip(judge(texts, [thresholds] * len(texts)), labels.tolist(), strict=True):
            counts[1 - label] += verdict.failed is not None
        if any(counts):
            found[name] = counts
    return found


def main() -> None:
    texts, labels = pages()
    everyone = np.arange(len(texts))
    batch = Measured(texts)
    rules = {name: directed(np.asarray(rule.value(batch, everyone), float), labels) for name, rule in RULES.items()}
    columns = figures(Counted(texts))
    single = {name: directed(columns[:, k], labels) for k, name in enumerate(FIGURES)}
    best_rule = max(rules, key=lambda name: rules[name][0])
    best_figure = max(single, key=lambda name: single[name][0])

    fitted = fit_quality([PAGES])
    hashes = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            fit_quality([PAGES]).model.write(Path(folder) / "m.json")
            hashes.append(hashlib.sha256((Path(folder) / "m.json").read_bytes()).hexdigest())
    size = sum(len(text.encode()) for text in texts)
    rates = []
    for _ in range(5):
        begin = time.process_time()
        fitted.model.scores(texts)
        rates.append(size / 1e6 / (time.process_time() - begin))
    report = {
        "pages": len(texts),
        "keep": int(labels.sum()),
        "auc": round(fitted.auc, 4),
        "interval": [round(fitted.low, 4), round(fitted.high, 4)],
        "auc_by_round": [round(auc(row, labels), 4) for row in fitted.scores],
        "best_rule": [best_rule, round(rules[best_rule][0], 4)],
        "above_best_rule": round(fitted.auc - rules[best_rule][0], 4),
        "above_best_rule_interval": difference(fitted.scores, rules[best_rule][1], labels),
        "best_figure": [best_figure, round(single[best_figure][0], 4)],
        "fasttext_alone": round(by_fasttext(texts, labels), 4),
        "kept_of_keep_and_drop_at": {
            f"{at:g}": [round(share, 3) for share in fitted.at(at)] for at in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
        },
        "same_bytes_twice": hashes[0] == hashes[1],
        "MB_s": round(statistics.median(rates), 1),
        "drops_of_keep_and_drop": preset_drops(texts, labels),
        "rules": {name: round(found, 4) for name, (found, _) in sorted(rules.items(), key=lambda item: -item[1][0])},
    }
    for name, value in report.items():
        if isinstance(value, dict):
            print(name)
            for inner, figure in value.items():
                print(f"  {inner:<40} {figure}")
        else:
            print(f"{name:<42} {value}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
