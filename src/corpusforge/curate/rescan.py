"""Looks for personal data once more, in rows that a model wrote: it can invent some, or guess what was masked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpusforge.curate.redact import Redact, RedactSettings, batches_of, policy_of, redactor_of
from corpusforge.errors import CorpusforgeError
from corpusforge.record import SYNTHETIC, Dropped, Quarantined, Record
from corpusforge.stage import Item, NamedFile, Stage, StageContext

_PLACEHOLDER = re.compile(r"<+[A-Z][A-Z_]*_\d+>+")
_SPACE = re.compile(r"\s+")


class Rescan(Stage):
    """Drops a row with a finding that its passage does not hold; with the settings of the recipe's `redact`.

    What the passage holds was redacted, or judged to be nobody's. Rows made of spans, and other records, pass. Counts
    per source: `scanned`, `found:<KIND>` (findings that the passage does not hold). Dropped rows come out redacted.
    """

    name = "rescan"
    version = 1
    libraries = Redact.libraries
    Settings = RedactSettings

    @classmethod
    def files(cls, settings: RedactSettings) -> Iterator[NamedFile]:
        """Those of `redact`."""
        yield from Redact.files(settings)

    @classmethod
    def also_identity(cls, settings: RedactSettings) -> Mapping[str, str]:
        """That of `redact`."""
        return Redact.also_identity(settings)

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """Those of `redact`."""
        return Redact.resources()

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Each row kept, `Dropped` with `personal-data`, or `Quarantined` where it could not be searched."""
        settings: RedactSettings = ctx.settings
        for batch in batches_of(records):
            chosen = settings.of(batch[0].source)
            facts = ctx.sources.get(batch[0].source)
            written = [record for record in batch if _written(record)]
            read = [(_shown(record), policy_of(record, facts, chosen)) for record in written]
            outcomes = dict(zip((r.id for r in written), redactor_of(chosen).redact_all(read), strict=True))
            for record in batch:
                outcome = outcomes.get(record.id)
                if outcome is None:
                    yield record
                elif isinstance(outcome, CorpusforgeError):
                    raise outcome
                elif isinstance(outcome, Exception):
                    yield Quarantined(record.source, record.origin, "rescan-failed", type(outcome).__name__)
                else:
                    yield self._judged(record, outcome, ctx)

    def _judged(self, record: Record, outcome: Any, ctx: StageContext) -> Item:
        passage = _plain(_passage(record))
        new: list[str] = []
        for part, findings in zip(_shown(record).parts, outcome.parts, strict=True):
            for finding in findings:
                value = _plain(part[finding.start : finding.end])
                if not _PLACEHOLDER.fullmatch(value) and value not in passage:
                    new.append(finding.kind)
        ctx.count(record.source, "scanned")
        for kind in new:
            ctx.count(record.source, f"found:{kind}")
        if not new:
            return record
        # Not even among what was left out may the value stand.
        hidden = replace(outcome.record, meta={"task": record.meta.get("task", record.kind)})
        return Dropped(hidden, "personal-data", len(new), 0)


def _written(record: Record) -> bool:
    return record.kind in SYNTHETIC and record.meta.get("engine") != "extractive"


def _shown(record: Record) -> Record:
    return replace(record, meta={})


def _passage(record: Record) -> str:
    context = record.meta.get("context")
    text = context.get("text") if isinstance(context, dict) else None
    return f"{text if isinstance(text, str) else ''}\n{record.title}"


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).casefold().strip()
