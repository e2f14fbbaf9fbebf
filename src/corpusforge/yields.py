"""What came of each task of a recipe: rows that a model was asked for, rows that are left, and why others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# They pass rows on; what they make is another step's.
_PASSING = frozenset({"verify", "alike", "decontaminate"})
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Yield:
    """One task: `asked` rows of a model (None: rules, which are asked for nothing), `rows` left, reasons of others."""

    task: str
    asked: int | None
    rows: int
    reasons: tuple[tuple[str, int], ...]

    @property
    def told(self) -> str:
        """The commonest reasons as words; empty where there are none."""
        more = f" and {len(self.reasons) - _SHOWN} more reasons" if len(self.reasons) > _SHOWN else ""
        return ", ".join(f"{n:,} {reason}" for reason, n in self.reasons[:_SHOWN]) + more


def yields(manifest: Mapping[str, Any]) -> list[Yield]:
    """The tasks of a build in the order of its steps.

    Rows of a model count where they passed every check; reasons are those of its missing rows, and for a task that was
    never asked anything, or is done by rules, those of its records.
    """
    generate = manifest["recipe"].get("generate") or {}
    engine = (generate.get("engine") or {}).get("kind", "extractive") if isinstance(generate, Mapping) else "extractive"
    found: list[Yield] = []
    for step in manifest["steps"]:
        if not step["makes"] or step["stage"] in _PASSING:
            continue
        counted: Counter[str] = Counter()
        records: Counter[str] = Counter()
        for source, counts in step["counts"].items():
            counted.update(step["counted"].get(source, {}))
            records.update(counts["dropped"])
        missing = Counter({k.removeprefix("missing."): n for k, n in counted.items() if k.startswith("missing.")})
        by_model = "asked" in counted or (engine != "extractive" and step["stage"].endswith("-written"))
        rows = sum(counts["out"] for counts in step["counts"].values())
        if by_model:
            rows = manifest["evidence"]["by_model"].get(step["name"], 0)
        asked = counted["asked"] if by_model else None
        if asked and asked > rows + missing.total():
            missing["refused by a check or a near-duplicate"] = asked - rows - missing.total()
        reasons = (missing if asked else records).items()
        found.append(Yield(step["name"], asked, rows, tuple(sorted(reasons, key=lambda pair: (-pair[1], pair[0])))))
    return found


def silence(manifest: Mapping[str, Any]) -> list[str]:
    """One sentence for each task that the recipe asks for and of which no row is left."""
    told = []
    for one in yields(manifest):
        if one.rows:
            continue
        asked = f" of {one.asked:,} asked for" if one.asked else ""
        why = f": {one.told}" if one.told else ""
        told.append(f"{one.task} gave no row{asked}{why}.")
    return told
