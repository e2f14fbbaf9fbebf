"""What `mix` prints: the ratio screen, before and after a change, once or at every save; sequences; a sweep."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusforge import console
from corpusforge.errors import CorpusforgeError, InfeasibleMix, Problems, UsageError
from corpusforge.folders import builds_folder

if TYPE_CHECKING:
    from corpusforge.ratio import Counted
    from corpusforge.recipe import Recipe
    from corpusforge.yaml_file import Change

COLUMNS = ("part", "asked", "of all", "records", "had", "taken", "epochs", "realised", "error", "")
# A save is seen within this many seconds.
EVERY = 0.25
_INDENT = "  "
Screen = Mapping[str, Mapping[str, Any]]


def mix(
    recipe: Path,
    sets: Sequence[str],
    write: bool,
    watch: bool,
    peek: int | None,
    sweep: str | None,
    builds: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print what a mix comes to, try another one, or show or sweep it."""
    if write and not sets:
        raise UsageError("keeps what --set tries, and nothing is set.", where="--write", hint="Add --set KEY=VALUE.")
    ways = [name for name, on in (("--peek", peek), ("--sweep", sweep), ("--watch", watch), ("--write", write)) if on]
    if len(ways) > 1 or (sets and ways and ways[0] in ("--peek", "--sweep")):
        raise UsageError("cannot be had together.", where=" and ".join([*(["--set"] if sets else []), *ways]))
    if peek is not None:
        _peek(recipe, peek, builds, as_json)
    elif sweep is not None:
        _sweep(recipe, sweep, builds, as_json, quiet)
    elif watch:
        _watch(recipe, sets, builds, as_json)
    else:
        _show(recipe, sets, write, builds, as_json)


def _show(recipe: Path, sets: Sequence[str], write: bool, builds: Path | None, as_json: bool) -> None:
    found = _Found(builds)
    read = _bytes(recipe)
    changes = _changes(recipe, sets)
    before, after = _screens(recipe, changes, found)
    build = found.counted.build if found.counted else None
    _tell(recipe, build, changes, before, after, as_json)
    if (short := next((one for one in after.items() if one[1]["short"]), None)) is not None:
        name, output = short
        ways = [way["text"] for way in output["remedies"]]
        hint = f"Either {', or '.join(ways)}." if ways else "Add data or change the shares."
        raise InfeasibleMix(output["short"], where=f"mix.{name}", hint=hint)
    if write:
        from corpusforge.yaml_edit import write_changes
        from corpusforge.yaml_file import shown_path

        write_changes(recipe, changes, read)
        console.say(f"wrote {_told(changes)} into {shown_path(recipe)}; corpusforge build makes it")


def _watch(recipe: Path, sets: Sequence[str], builds: Path | None, as_json: bool) -> None:
    """Show again whenever the file's content changes, until interrupted; mistakes are told, and waited out."""
    found = _Found(builds)
    before: bytes | None = None
    if _bytes(recipe) is None:
        _changes(recipe, sets)
    console.say("shows the mix at every save; Ctrl-C ends it")
    while True:
        # Some editors take the old file away before the new one is there.
        if (now := _bytes(recipe)) is not None and now != before:
            before = now
            try:
                changes = _changes(recipe, sets)
                first, last = _screens(recipe, changes, found)
                build = found.counted.build if found.counted else None
                console.clear()
                _tell(recipe, build, changes, first, last, as_json)
                console.flush()
            except CorpusforgeError as error:
                console.say(str(error))
        time.sleep(EVERY)


def _bytes(recipe: Path) -> bytes | None:
    try:
        return recipe.read_bytes()
    except OSError:
        return None


class _Found:
    """The counted records; looked for again only where the recipe's earlier steps change."""

    def __init__(self, builds: Path | None) -> None:
        self.builds = builds
        self.counted: Counted | None = None
        self._steps: Any = None

    def of(self, recipe: Recipe) -> Counted:
        """Those of a recipe."""
        from corpusforge.plan import steps_of
        from corpusforge.ratio import counted

        steps = (recipe.name, recipe.spec.seed, [(step.identity, step.facts) for step in steps_of(recipe)])
        if self.counted is None or steps != self._steps:
            self.counted, self._steps = counted(recipe, builds_folder(self.builds, recipe.path)), steps
        return self.counted


def _changes(recipe: Path, sets: Sequence[str]) -> list[Change]:
    from corpusforge.mix_changes import changes_for, read_wish
    from corpusforge.yaml_file import load_yaml

    return changes_for(load_yaml(recipe).value or {}, [read_wish(text) for text in sets])


def _screens(recipe: Path, changes: Sequence[Change], found: _Found) -> tuple[Screen | None, Screen]:
    """The mix as the file has it (None where nothing is changed, or where it is a mistake), and as it would be."""
    from corpusforge.ratio import screen
    from corpusforge.recipe import read_recipe

    wanted = read_recipe(recipe, changes)
    after = screen(wanted, found.of(wanted))
    if not changes:
        return None, after
    try:
        written = read_recipe(recipe)
    except Problems:
        # What is tried mends it: there is no mix to compare with.
        return None, after
    return screen(written, found.of(written)), after


def _told(changes: Sequence[Change]) -> str:
    return ", ".join(f"{'.'.join(map(str, one.at))}: {'(taken out)' if one.gone else one.value}" for one in changes)


def _tell(
    recipe: Path, build: str | None, changes: Sequence[Change], before: Screen | None, after: Screen, as_json: bool
) -> None:
    if as_json:
        told: dict[str, Any] = {"recipe": str(recipe), "build": build, "outputs": after}
        if changes:
            told["before"] = before
            told["changes"] = {".".join(map(str, one.at)): None if one.gone else one.value for one in changes}
        console.data_json(told)
        return
    if changes:
        console.say(f"tried, not written: {_told(changes)}")
    for name, output in after.items():
        old = None if before is None else before.get(name)
        if output == old:
            console.data(f"{name}: unchanged\n")
            continue
        console.data(f"{name}: {_headline(output, old)}")
        console.table(COLUMNS, _rows(output, old), right=range(1, 9))
        for line in _binding(output):
            console.data(line)
        console.data("")


def _headline(output: Mapping[str, Any], old: Mapping[str, Any] | None) -> str:
    asked = "all that fits" if output["asked"] is None else f"{output['asked']:,} {output['unit']} asked for"
    taken = _moved(old, output, lambda one: "no" if one["short"] else f"{one['tokens']:,}")
    epochs = output["max_epochs"]
    most = f"at most {epochs:g} {'epoch' if epochs == 1 else 'epochs'}"
    rows = _moved(old, output, lambda one: f"{one['rows']:,}")
    return f"{taken} tokens in {rows} rows ({asked}, {most})"


def _rows(output: Mapping[str, Any], old: Mapping[str, Any] | None) -> Iterator[tuple[str, ...]]:
    before: dict[tuple[str, ...], Any] = {tuple(line["path"]): line for line in old["lines"]} if old else {}
    shows: tuple[Callable[[Any], str], ...] = (
        lambda one: str(one["asked"]),
        lambda one: f"{one['share_asked']:.2%}",
        lambda one: f"{one['records']:,}",
        lambda one: f"{one['have']:,}",
        lambda one: "–" if one["share"] is None else f"{one['taken']:,}",
        lambda one: f"{one['epochs']:.2f}",
        lambda one: "–" if one["share"] is None else f"{one['share']:.2%}",
        lambda one: "–" if one["error"] is None else f"{one['error']:+.3%}",
    )
    for line in output["lines"]:
        then = before.get(tuple(line["path"]), None if old is None else line)
        name = _INDENT * (len(line["path"]) - 1) + line["path"][-1]
        yield (name, *(_moved(then, line, show) for show in shows), "← binds" if line["binds"] else "")


def _moved(old: Any, new: Any, show: Callable[[Any], str]) -> str:
    """One figure, with what it was before where that differs."""
    now = show(new)
    was = now if old is None else show(old)
    return now if was == now else f"{was} → {now}"


def _binding(output: Mapping[str, Any]) -> Iterator[str]:
    parts, total = output["binds"]["parts"], output["binds"]["total"]
    if output["short"]:
        yield f"cannot be had: {output['short']}"
    elif parts and output["asked"] is None:
        verb = "binds" if len(parts) == 1 else "bind"
        yield f"{', '.join(parts)} {verb}: used max_epochs times, and more of the others would break the shares."
    elif parts:
        yield f"at most {total:,} tokens fit these shares; then {', '.join(parts)} would bind."
    if output["remedies"] and not output["short"]:
        yield f"For {output['more']:,} tokens, a quarter more than fits:"
    yield from (f"  - {way['text']}" for way in output["remedies"])


def _sweep(recipe: Path, text: str, builds: Path | None, as_json: bool, quiet: bool) -> None:
    from corpusforge.progress import Progress
    from corpusforge.sweep import shown, sweep

    part, equals, shares = text.partition("=")
    if not equals:
        raise UsageError("is not PART=SHARE,SHARE.", where=f"--sweep {text}", hint="Write domain=1%,2%,5%,10%.")
    found = sweep(recipe, shares.split(","), builds, part=part.strip(), reporter=Progress(quiet or as_json))
    if as_json:
        siblings = [
            {
                "share": shown(one.share),
                "build": one.folder.name,
                "folder": str(one.folder),
                "wanted_tokens": one.wanted,
                "tokens": one.tokens,
                "epochs": one.epochs,
                "reused": one.reused,
            }
            for one in found
        ]
        console.data_json({"part": part.strip(), "siblings": siblings})
        return
    rows = [
        (
            shown(one.share),
            one.tokens,
            f"{max(one.epochs.values()):.2f}",
            "there already" if one.reused else "built",
            str(one.folder),
        )
        for one in found
    ]
    console.table((part.strip(), "tokens", "most epochs", "", "build"), rows, right=(0, 1, 2))


def _peek(recipe: Path, n: int, builds: Path | None, as_json: bool) -> None:
    from corpusforge.peek import peek
    from corpusforge.recipe import read_recipe

    found = peek(read_recipe(recipe), builds_folder(builds, recipe), n)
    if as_json:
        console.data_json(found)
        return
    changed = "" if found["as_recipe"] else "; the recipe's mix has changed since"
    console.say(found["made_up"] or f"from build {found['build']}{changed}")
    paint = console.painter(found["sources"])
    for one in found["sequences"]:
        where = f"sequence {one['place'] + 1:,} of {one['of']:,}"
        size = f"{one['tokens']:,} of {found['length']:,} tokens"
        console.data(f"━━ {one['output']}, {where}: {one['source']}, {size}, {len(one['documents'])} documents")
        for document in one["documents"]:
            for line in _document(document, paint):
                console.data(line)
        console.data("")


def _document(document: Mapping[str, Any], paint: Callable[[str, str], str]) -> Iterator[str]:
    source, tokens = document["source"], document["tokens"]
    whole = "whole" if tokens == document["of"] else f"from token {document['start'] + 1:,} of {document['of']:,}"
    border = f"┌─ {source} · epoch {document['epoch']} · {tokens:,} tokens · {whole} · {document['id']}"
    yield paint(source, console.harmless(border))
    margin = f"{source} │ "
    yield from (paint(source, f"{margin}{console.harmless(line)}".rstrip()) for line in document["text"].splitlines())
    yield paint(source, "└─")
