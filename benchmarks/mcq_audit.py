"""Whether the multiple-choice items of `ubuntu-support` can be guessed, and a sample of them for a person to read.

    python benchmarks/mcq_audit.py [--recipe NAME] [--list FILE]     FILE gets 100 items drawn by hash, to be read

Items are made by the extractive engine with the recipe's settings from the domain sources, then pass `verify` and
`alike`. Letters are tested against an even spread by chi-square at 0.05; the probes are those of the card. The last
line is JSON.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from extractive_rows import read, run
from scipy.stats import chi2

from corpusforge.generate.alike import Alike
from corpusforge.generate.mcq import MCQ
from corpusforge.generate.verify.probe import Audit
from corpusforge.generate.verify.stage import Verify
from corpusforge.record import Record, stable_hash

SETTINGS = {"ubuntu-support": {"per_passage": 1}}


def main() -> None:
    """Make the items, audit them, and write out a sample."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", default="ubuntu-support")
    parser.add_argument("--list", type=Path)
    options = parser.parse_args()
    facts, shards = read(options.recipe, 4_000)
    made = run(MCQ, shards, facts, **SETTINGS.get(options.recipe, {}))
    proven = run(Verify, made, facts)
    kept = run(Alike, proven, facts)
    rows = [row for own in kept.values() for row in own]
    audit = Audit()
    audit.add(rows)
    expected = len(rows) / audit.places
    chi = sum((audit.letters[k] - expected) ** 2 / expected for k in range(audit.places))
    families = Counter(row.meta["template"].partition(":")[2] for row in rows)
    figures = {
        "made": sum(map(len, made.values())),
        "proven": sum(map(len, proven.values())),
        "items": len(rows),
        "letters": [audit.letters[k] for k in range(audit.places)],
        "letters_p": round(float(chi2.sf(chi, audit.places - 1)), 4),
        "right_is_longest": audit.longest,
        "probe": audit.probed(),
    }
    print(f"templates: {dict(families.most_common())}")
    if options.list:
        chosen = sorted(rows, key=lambda row: stable_hash("read", row.id))[:100]
        options.list.write_text("\n\n".join(_shown(k, row) for k, row in enumerate(chosen, 1)))
    print(json.dumps(figures))


def _shown(number: int, row: Record) -> str:
    meta = row.meta
    marks = {meta["gold"]: "*", **dict.fromkeys(meta["near"], "~")}
    options = [f"  {marks.get(k, ' ')} {text}" for k, text in enumerate(meta["options"])]
    passage = meta["context"]["text"].replace("\n", " / ")[:500]
    return "\n".join([f"{number}. [{row.source}, {meta['template']}] {meta['question']}", *options, f"    < {passage}"])


if __name__ == "__main__":
    main()
