"""Compares the quality rules with datatrove's blocks on real records: each decision, and throughput side by side.

    python benchmarks/filters.py [--list FILE]     FILE gets every record that differs: id, rule set, both values

Both sides see the same records in the same process, a group at a time, in turn; times are CPU times, and ratios are of
the medians over groups. datatrove's four filters run in the order that lets them share its word cache, each on the text
as it came; they see the sample only. Ours and the language stage are timed three times: `cold`, a process's first 15
MB (the sample); `first_pass`, 70 MB of text met for the first time, words becoming known as in a build, which is the
claim; `warm`, the sample again at once. Beside each stands what `text.lower().split()` takes alone in the same groups:
the machine's speed then. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

from filter_records import records

from corpusforge.curate.language import Language
from corpusforge.curate.language_model import word_model
from corpusforge.curate.measured import _shared, shared_vocabulary
from corpusforge.curate.quality_rules import Judged, Measured, Verdict, judged
from corpusforge.curate.quality_thresholds import PUBLISHED
from corpusforge.record import Origin, Record
from corpusforge.stage import SourceFacts, StageContext

GROUP = 400_000
"""Characters of a group, as the stage makes its batches."""
REASONS = {
    "gopher_short_doc": "min_words", "gopher_long_doc": "max_words", "gopher_below_avg_threshold": "min_mean_word",
    "gopher_above_avg_threshold": "max_mean_word", "gopher_too_many_hashes": "max_hashes",
    "gopher_too_many_ellipsis": "max_ellipses", "gopher_too_many_bullets": "max_bullet_lines",
    "gopher_too_many_end_ellipsis": "max_ellipsis_lines", "gopher_below_alpha_threshold": "min_alphabetic",
    "gopher_enough_stop_words": "min_stop_words", "dup_para_frac": "max_duplicate_paragraphs",
    "dup_para_char_frac": "max_duplicate_paragraph_chars", "dup_line_frac": "max_duplicate_lines",
    "dup_line_char_frac": "max_duplicate_line_chars", "lorem_ipsum": "max_lorem_ipsum",
    "curly_bracket": "max_curly_brackets", "too_few_sentences": "min_sentences",
    "line_punct_ratio": "min_ending_lines", "short_line_ratio": "max_short_lines",
    "char_dup_ratio": "max_repeated_line_chars", "list_ratio": "max_newlines",
    **{f"top_{n}_gram": f"max_top_{n}_gram" for n in (2, 3, 4)},
    **{f"duplicated_{n}_n_grams": f"max_repeated_{n}_grams" for n in range(5, 11)},
}  # fmt: skip
Row = tuple[str, str]


def theirs(blocks: dict[str, Any], group: list[Row]) -> list[dict[str, str | None]]:
    """What datatrove's blocks decide: for each record and rule set the reason, None where it is kept."""
    from datatrove.data import Document

    decided: list[dict[str, str | None]] = []
    for key, text in group:
        row: dict[str, str | None] = {}
        for name, block in blocks.items():
            verdict = block.filter(Document(text=text, id=key))
            row[name] = None if verdict is True else str(verdict[1])
        decided.append(row)
    return decided


def ours(group: list[Row]) -> dict[str, list[Verdict]]:
    """What our rules decide on the same records, measured once for the four rule sets."""
    measured = Measured([text for _, text in group])
    return {name: judged(measured, rules) for name, rules in PUBLISHED.items()}


def named(group: list[Record]) -> None:
    """Names the languages of the records with the stage of this tree."""
    facts = {"b": SourceFacts("b", "public", "public", languages=("en",))}
    ctx = StageContext(settings=Language.Settings(), seed=1, sources=facts)
    for _ in Language().apply(group, ctx):
        pass


def as_records(group: list[Row]) -> list[Record]:
    return [Record(key, "b", "public", text, Origin("b", 0, 1)) for key, text in group]


def timed(work: Any, *given: Any) -> tuple[float, Any]:
    started = time.process_time()
    made = work(*given)
    return time.process_time() - started, made


def groups(rows: list[Row]) -> list[list[Row]]:
    # Every k-th record, so that each group holds all sources.
    count = max(1, sum(len(text) for _, text in rows) // GROUP)
    return [rows[start::count] for start in range(count)]


def in_order(rows: list[Row]) -> list[list[Row]]:
    """The rows as a build meets them, source after source."""
    made: list[list[Row]] = [[]]
    size = 0
    for row in rows:
        if size >= GROUP:
            made.append([])
            size = 0
        made[-1].append(row)
        size += len(row[1])
    return made


def megabytes(batches: list[list[Row]]) -> list[float]:
    return [sum(len(text.encode()) for _, text in batch) / 1e6 for batch in batches]


def split(group: list[Row]) -> None:
    for _, text in group:
        text.lower().split()


def forget() -> None:
    """As a new process: no word known to either stage."""
    _shared.cache_clear()
    word_model(("en",))._forget()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", type=Path)
    chosen = parser.parse_args()
    from datatrove.pipeline import filters

    blocks: dict[str, Any] = {
        "gopher-repetition": filters.GopherRepetitionFilter(),
        "gopher-quality": filters.GopherQualityFilter(),
        "fineweb": filters.FineWebQualityFilter(),
        "c4": filters.C4QualityFilter(),
    }
    warm_up = [("w", "The words of a text that both sides load their tables with. " * 20)]
    theirs(blocks, warm_up), ours(warm_up), named(as_records(warm_up))
    rows = records()
    batches = groups(rows)
    sizes = megabytes(batches)
    spent: dict[str, list[float]] = {"datatrove": []}
    differences: list[tuple[str, str, str | None, Judged | None]] = []
    dropped: Counter[str] = Counter()
    other_reason = 0

    def timed_pass(name: str, batch: list[Row]) -> Any:
        seconds, decided = timed(ours, batch)
        spent.setdefault(f"{name}/rules", []).append(seconds)
        spent.setdefault(f"{name}/language", []).append(timed(named, as_records(batch))[0])
        spent.setdefault(f"{name}/lower_and_split_alone", []).append(timed(split, batch)[0])
        return decided

    for batch in batches:
        seconds, expected = timed(theirs, blocks, batch)
        spent["datatrove"].append(seconds)
        decided = timed_pass("cold", batch)
        for row, ((key, _), want) in enumerate(zip(batch, expected, strict=True)):
            for name in blocks:
                reason, failed = want[name], decided[name][row].failed
                dropped[name] += reason is not None
                if (reason is None) != (failed is None):
                    differences.append((key, name, reason, failed))
                elif reason is not None and failed is not None and REASONS.get(reason) != failed[0]:
                    other_reason += 1
    for batch in batches:
        timed_pass("warm", batch)
    forget()
    everything = in_order(records({}))
    for batch in everything:
        timed_pass("first_pass", batch)
    speeds = {}
    for name, over in {"cold": sizes, "first_pass": megabytes(everything), "warm": sizes}.items():
        parts = {part: spent[f"{name}/{part}"] for part in ("rules", "language", "lower_and_split_alone")}
        parts["rules_and_language"] = [a + b for a, b in zip(parts["rules"], parts["language"], strict=True)]
        speeds[name] = {part: round(sum(over) / sum(seconds), 2) for part, seconds in parts.items()}
        for part in ("rules", "rules_and_language"):
            median = statistics.median(s / size for s, size in zip(parts[part], over, strict=True))
            theirs_median = statistics.median(s / size for s, size in zip(spent["datatrove"], sizes, strict=True))
            speeds[name][f"{part}_times_datatrove"] = round(theirs_median / median, 1)
    if chosen.list:
        chosen.list.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in differences))
    share = {name: 1 - sum(row[1] == name for row in differences) / len(rows) for name in blocks}
    result = {
        "bench": "filters",
        "records": len(rows),
        "megabytes": round(sum(sizes), 1),
        "agreement": {name: round(value, 5) for name, value in share.items()},
        "dropped_by_datatrove": dict(dropped),
        "same_decision_other_reason": other_reason,
        "differences": differences[:50],
        "megabytes_of_first_pass": round(sum(megabytes(everything)), 1),
        "datatrove_mb_per_s": round(sum(sizes) / sum(spent["datatrove"]), 3),
        "mb_per_s_per_core": speeds,
        "load": os.getloadavg()[0],
        "chunks_learned": shared_vocabulary().size,
    }
    for name in blocks:
        print(f"{name:20} {share[name]:8.3%} of {len(rows)} records decided alike; datatrove drops {dropped[name]}")
    for key, name, reason, failed in differences:
        print(f"  {key}: {name}: datatrove {reason or 'keeps'}, ours {failed or 'keeps'}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
