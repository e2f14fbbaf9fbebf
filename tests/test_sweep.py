"""Sibling builds of a sweep: whoever compares their models must know that nothing but the share differs."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from corpusforge.errors import InfeasibleMix, UsageError
from corpusforge.manifest import read_manifest
from corpusforge.sweep import Sibling, sweep

from .cli_corpus import built, make_corpus

SHARES = ("10%", "20%", 0.4)


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = make_corpus(tmp_path_factory.mktemp("sweep") / "corpus")
    built(recipe)
    return recipe


@pytest.fixture
def recipe(built_once: Path, tmp_path: Path) -> Path:
    """The recipe in a private copy of the built workspace."""
    target = tmp_path / "corpus"
    shutil.copytree(built_once.parents[1], target)
    return target / "recipes" / built_once.name


def steps(recipe: Path) -> dict[str, int]:
    """Every result of every earlier step, and when it was written."""
    room = recipe.parents[1] / "builds" / "own" / "steps"
    return {str(path): path.stat().st_mtime_ns for path in room.rglob("*") if path.is_file()}


def swept(recipe: Path) -> list[Sibling]:
    return sweep(recipe, SHARES, recipe.parents[1] / "builds")


def test_a_sweep_after_a_build_runs_the_mix_and_nothing_before_it(recipe: Path) -> None:
    before = steps(recipe)
    latest = (recipe.parents[1] / "builds" / "own" / "latest").read_text()
    siblings = swept(recipe)
    assert before
    assert steps(recipe) == before
    assert (recipe.parents[1] / "builds" / "own" / "latest").read_text() == latest
    assert len({one.folder for one in siblings}) == len(SHARES)
    manifests = [read_manifest(one.folder) for one in siblings]
    assert len({str([step["shards"] for step in m["steps"]]) for m in manifests}) == 1
    assert [one.reused for one in swept(recipe)] == [True] * len(SHARES)
    assert steps(recipe) == before


def test_siblings_have_equal_tokens_and_the_shares_asked_for(recipe: Path) -> None:
    siblings = swept(recipe)
    assert [one.share for one in siblings] == [Fraction(1, 10), Fraction(1, 5), Fraction(2, 5)]
    assert len({one.wanted for one in siblings}) == 1
    for one in siblings:
        mix = read_manifest(one.folder)["mix"]["completion"]
        leaves = mix["leaves"]
        slack = sum(leaf["largest_record"] for leaf in leaves)
        assert abs(one.tokens - one.wanted) <= slack
        domain = sum(leaf["wanted"] for leaf in leaves if leaf["path"][0] == "domain")
        assert abs(domain - one.share * one.wanted) <= 1
        assert max(one.epochs.values()) <= 2
    # As many as the hungriest share allows, not fewer: some source is at its cap in one of them, to within a record.
    at_cap = [
        leaf["have"] * 2 - leaf["wanted"]
        for one in siblings
        for leaf in read_manifest(one.folder)["mix"]["completion"]["leaves"]
    ]
    assert min(at_cap) < 100


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
