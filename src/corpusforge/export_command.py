"""What `corpusforge export` does: finds the build and writes its schedule for another trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from corpusforge import console
from corpusforge.commands import find_build
from corpusforge.errors import UsageError


def export(build: str, to: str, out: Path, outputs: Sequence[str], builds: Path | None, as_json: bool) -> None:
    """Write a build's packed schedule into `out` in the format of `to`. Raises what the writer raises."""
    from corpusforge.manifest import read_manifest
    from corpusforge.mix.export import TARGETS
    from corpusforge.mix.export import export as write
    from corpusforge.yaml_file import did_you_mean

    if to not in TARGETS:
        hint = did_you_mean(to, TARGETS) or f"Known: {', '.join(TARGETS)}."
        raise UsageError(f"no export for {to!r}.", where="--to", hint=hint)
    folder = find_build(build, builds)
    made = write(folder, read_manifest(folder), to, outputs, out)
    if as_json:
        told = {one.name: {"rows": one.rows, "sequences": one.sequences, "tokens": one.tokens} for one in made}
        console.data_json({"out": str(out), "to": to, "outputs": told})
        return
    for one in made:
        console.data(f"{one.name}: {one.sequences:,} sequences, {one.tokens:,} tokens in {one.rows:,} rows")
    console.data(f"{out / 'README.md'} says how to use it and what is lost there")
