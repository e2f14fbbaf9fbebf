"""Holds a finished build against its recipe's gates; each result names what was allowed, seen, and out of how many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from corpusforge.recipe import Gates
from corpusforge.record import SYNTHETIC
from corpusforge.residue import residue, upper_bound
from corpusforge.shards import Shard, read_records, read_table
from corpusforge.yields import yields


def evaluate_gates(
    gates: Gates, manifest: Mapping[str, Any], shards: Sequence[Shard], runs: Path | None
) -> list[dict[str, Any]]:
    """One result per gate, in the order of the recipe's model; `observed` is a share or a count as `allowed` is.

    `runs` is the table of word runs that decontamination decided must not be trained on.
    """
    results = [
        _personal_data(float(gates.personal_data), manifest, shards),
        _contamination(gates.contamination, manifest, shards, runs),
        _mix_error(float(gates.mix_error), manifest),
        _grounded(float(gates.grounded), manifest),
    ]
    if gates.canary_leak is not None:
        results.append(_canary_leak(float(gates.canary_leak), manifest))
    if gates.written is not None:
        results.append(_written(float(gates.written), manifest))
    return results


def _result(
    name: str, allowed: float, observed: float | None, passed: bool, detail: str, **figures: int
) -> dict[str, Any]:
    return {"name": name, "allowed": allowed, "observed": observed, "passed": passed, "detail": detail, **figures}


def _personal_data(allowed: float, manifest: Mapping[str, Any], shards: Sequence[Shard]) -> dict[str, Any]:
    """A second, different detector over a random sample of what redaction let through."""
    redacts = any(step["stage"] == "redact" for step in manifest["steps"])
    expected = [source["name"] for source in manifest["sources"] if source["personal_data"]]
    if not redacts and expected:
        return _result("personal_data", allowed, None, False, f"no redaction, though {', '.join(expected)} expect some")
    looked, found, upper = residue(shards, set(expected), manifest["seed"])
    detail = f"second detector: {found} of {looked} sampled records, so at most {upper:.2%} (95%)"
    if looked == 0:
        return _result("personal_data", allowed, 0, True, "every source is declared free of personal data")
    if found == upper * looked:
        detail = f"second detector: {found} of all {looked} records of the sources that expect some"
        return _result("personal_data", allowed, round(upper, 6), upper <= allowed, detail)
    return _result("personal_data", allowed, round(upper, 6), upper <= allowed, detail, checked=looked, found=found)


def _contamination(
    allowed: int, manifest: Mapping[str, Any], shards: Sequence[Shard], runs: Path | None
) -> dict[str, Any]:
    """What is left in training after decontamination: the rows made later, and the records that later steps changed."""
    names = [step["stage"] for step in manifest["steps"]]
    if "decontaminate" not in names:
        return _result("contamination", allowed, None, False, "the recipe leaves out decontaminate")
    at = names.index("decontaminate")
    step = manifest["steps"][at]
    later = [one for one in manifest["steps"][at + 1 :] if not one["makes"]]
    changed = any(one["stage"] not in ("tokens", "decontaminate") for one in later)
    looked, left = (0, 0) if runs is None else _leaks(shards, runs, changed, step["settings"]["min_overlap"])
    removed = sum(
        counts["dropped"].get("contaminated", 0)
        for one in manifest["steps"]
        if one["stage"] == "decontaminate"
        for counts in one["counts"].values()
    )
    detail = (
        f"{removed} records removed for sharing runs of words with the hold-out or a benchmark; "
        f"{left} of {looked} rows made or changed after that share one"
    )
    return _result("contamination", allowed, left, left <= allowed, detail)


def _leaks(shards: Sequence[Shard], runs: Path, changed: bool, overlap: float) -> tuple[int, int]:
    """Training rows looked at, and those that repeat a run that must not be trained on."""
    from corpusforge.curate.leakage import LeakIndex

    index = LeakIndex(read_table(runs))
    looked = left = 0
    for shard in shards:
        rows = (r for r in read_records(shard.path) if r.side == "train" and (changed or r.kind in SYNTHETIC))
        while batch := [record.text for record in islice(rows, 2000)]:
            looked += len(batch)
            left += sum(leak.covered >= overlap for leak in index.leaks(batch).values())
    return looked, left


def _mix_error(allowed: float, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The largest difference between a wanted and a reached share, less what one record of the source makes up."""
    worst, where = 0.0, "every share is met to within one record's tokens"
    for name, output in manifest["mix"].items():
        total = output["got_tokens"]
        for leaf in output["leaves"]:
            away = max(0, abs(leaf["wanted"] - leaf["got"]) - leaf["largest_record"])
            if total and away / total > worst:
                worst = away / total
                where = f"{name}: {' > '.join(leaf['path'])}, beyond one record's tokens"
    return _result("mix_error", allowed, round(worst, 8), worst <= allowed, where)


def _grounded(allowed: float, manifest: Mapping[str, Any]) -> dict[str, Any]:
    rows, proven = manifest["evidence"]["rows"], manifest["evidence"]["proven"]
    if rows == 0:
        return _result("grounded", allowed, None, True, "no synthetic rows")
    share = proven / rows
    detail = f"{proven} of {rows} synthetic rows have evidence that lies within their parent's text"
    return _result("grounded", allowed, round(share, 6), share >= allowed, detail, checked=rows, found=proven)


def _written(allowed: float, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The task of which least is left; one that was asked for nothing, or has no row by rules, has none."""
    found = yields(manifest)
    if not found:
        return _result("written", allowed, None, True, "no task is asked for")
    shares = [one.rows / one.asked if one.asked else float(one.rows > 0) for one in found]
    least, one = min(zip(shares, found, strict=True), key=lambda pair: pair[0])
    asked = f" of {one.asked:,} rows asked for" if one.asked is not None else " rows by rules"
    detail = f"{one.task}: {one.rows:,}{asked} are left" + (f"; {one.told}" if one.told and least < 1 else "")
    return _result("written", allowed, round(least, 6), least >= allowed, detail)


def _canary_leak(allowed: float, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the leak audit found again of the structured data that it planted."""
    audit = manifest.get("audit")
    if audit is None:
        failed = manifest.get("audit_failed")
        why = f"the leak audit failed: {failed}" if failed else "no leak audit ran: no redact, or audit.canaries is 0"
        return _result("canary_leak", allowed, None, False, why)
    gated = audit["gated"]
    leaked = gated["leaked"] + gated["in_part"]
    tested = gated["masked"] + leaked
    if tested == 0:
        return _result("canary_leak", allowed, None, False, "no planted value reached the end of the pipeline")
    share = leaked / tested
    # None of four proves little; the bound says how little.
    proven = f"{leaked} of {tested} planted structured values were found again (95%: at most"
    untested = f"{gated['not_tested']} of {gated['planted']} planted were not tested"
    detail = f"{proven} {100 * upper_bound(leaked, tested):.1f}%); {untested}"
    return _result("canary_leak", allowed, round(share, 6), share <= allowed, detail, checked=tested, found=leaked)
