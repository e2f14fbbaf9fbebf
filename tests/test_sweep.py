"""Sibling builds of a sweep: whoever compares their models must know that nothing but the share differs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from corpusforge.errors import InfeasibleMix, UsageError
from corpusforge.manifest import read_manifest
from corpusforge.progress import Progress
from corpusforge.recipe import Run
from corpusforge.sweep import Sibling, sweep

from .cli_corpus import built, copied, make_corpus

SHARES = ("10%", "20%", 0.4)


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = make_corpus(tmp_path_factory.mktemp("sweep") / "corpus")
    built(recipe)
    return recipe


@pytest.fixture
def recipe(built_once: Path, tmp_path: Path) -> Path:
    """The recipe in a private copy of the built workspace."""
    return copied(built_once, tmp_path / "corpus")


def steps(recipe: Path) -> dict[str, int]:
    """Every result of every earlier step, and when it was written."""
    room = recipe.parents[1] / "builds" / "own" / "steps"
    return {str(path): path.stat().st_mtime_ns for path in room.rglob("*") if path.is_file()}


@dataclass
class Swept:
    siblings: list[Sibling]
    before: dict[str, int]
    after: dict[str, int]
    latest: tuple[str, str]
    said: list[str]


class Listener(Progress):
    """Keeps what a sweep tells."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def said(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="module")
def swept(built_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    """One sweep after a build, with what it found and left."""
    folder = tmp_path_factory.mktemp("swept") / "corpus"
    recipe = copied(built_once, folder)
    latest = folder / "builds" / "own" / "latest"
    before, was, heard = steps(recipe), latest.read_text(), Listener()
    siblings = sweep(recipe, SHARES, folder / "builds", reporter=heard)
    return Swept(siblings, before, steps(recipe), (was, latest.read_text()), heard.lines)


def test_a_sweep_after_a_build_runs_the_mix_and_nothing_before_it(swept: Swept) -> None:
    assert swept.before
    assert swept.after == swept.before
    assert swept.latest[0] == swept.latest[1]
    assert len({one.folder for one in swept.siblings}) == len(SHARES)
    manifests = [read_manifest(one.folder) for one in swept.siblings]
    assert len({str([step["shards"] for step in m["steps"]]) for m in manifests}) == 1
    assert [m["build"] for m in manifests] == [one.folder.name for one in swept.siblings]


def test_siblings_have_equal_tokens_and_the_shares_asked_for(swept: Swept) -> None:
    assert [one.share for one in swept.siblings] == [Fraction(1, 10), Fraction(1, 5), Fraction(2, 5)]
    assert len({one.wanted for one in swept.siblings}) == 1
    mixes = [read_manifest(one.folder)["mix"]["completion"] for one in swept.siblings]
    for one, mix in zip(swept.siblings, mixes, strict=True):
        assert abs(one.tokens - one.wanted) <= sum(leaf["largest_record"] for leaf in mix["leaves"])
        domain = sum(leaf["wanted"] for leaf in mix["leaves"] if leaf["path"][0] == "domain")
        assert abs(domain - one.share * one.wanted) <= 1
        assert max(one.epochs.values()) <= 2
    # As many as the hungriest share allows, not fewer: some source is at its cap in one of them, to within a record.
    assert min(leaf["have"] * 2 - leaf["wanted"] for mix in mixes for leaf in mix["leaves"]) < 100
    assert any(f"every sibling has {swept.siblings[0].wanted:,} tokens" in line for line in swept.said)


def test_a_sweep_that_was_done_is_found_and_a_recipe_with_a_profile_is_swept_too(recipe: Path) -> None:
    text = recipe.read_text()
    recipe.write_text(text.replace("domain: {share: 2%}, public: {share: 98%}", "profile: inject, domain: {help: 10%}"))
    before = steps(recipe)
    builds = recipe.parents[1] / "builds"
    first, again = (sweep(recipe, ["20%"], builds) for _ in range(2))
    assert [one.reused for one in (*first, *again)] == [False, True]
    assert steps(recipe) == before
    leaves = read_manifest(first[0].folder)["mix"]["completion"]["leaves"]
    assert sum(leaf["share_wanted"] for leaf in leaves if leaf["path"][0] == "domain") == pytest.approx(0.2, abs=1e-4)


def test_a_sweep_before_any_build_leaves_only_the_mix_to_a_build(tmp_path: Path) -> None:
    recipe = make_corpus(tmp_path / "corpus")
    sweep(recipe, ["20%"], recipe.parents[1] / "builds", run=Run(workers=1))
    before = steps(recipe)
    assert before
    recipe.write_text(recipe.read_text().replace("2%", "20%").replace("98%", "80%"))
    built(recipe)
    assert steps(recipe) == before


def test_a_share_that_the_recipe_cannot_give_is_named_before_anything_is_written(recipe: Path) -> None:
    recipe.write_text(recipe.read_text().replace("tokens: all", "tokens: 56k"))
    builds = recipe.parents[1] / "builds"
    before = sorted((builds / "own").glob("[!.]*"))
    with pytest.raises(InfeasibleMix, match=r"at 1%: public.books.*max_epochs"):
        sweep(recipe, ["10%", "1%"], builds)
    assert sorted((builds / "own").glob("[!.]*")) == before


@pytest.mark.parametrize("shares", [["2"], ["200%"], [1.5], ["2%", 0.02], []])
def test_what_is_no_share_is_refused(recipe: Path, shares: list[str | float]) -> None:
    with pytest.raises(UsageError, match="--sweep"):
        sweep(recipe, shares, recipe.parents[1] / "builds")


def test_a_part_that_the_recipe_does_not_have_is_refused_with_what_was_meant(recipe: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'domain'"):
        sweep(recipe, ["2%"], recipe.parents[1] / "builds", part="domian")
