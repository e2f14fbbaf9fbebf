"""`--set` turns the dial that was meant: however the recipe writes it, and with what must follow, or it says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from corpusforge.errors import Problems, UsageError
from corpusforge.mix_changes import changes_for, read_wish
from corpusforge.recipe import Recipe, read_recipe
from corpusforge.schema import recipe_schema
from corpusforge.units import Share
from corpusforge.yaml_file import load_yaml

from .cli_corpus import make_corpus

LONG = "{tokens: all, max_epochs: 2, domain: {share: 2%}, public: {share: 98%}}"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("changes") / "corpus")


def tried(mix: str, *sets: str) -> dict[str, Any]:
    """What each key becomes; None for one that is taken out."""
    changes = changes_for({"mix": yaml.safe_load(mix)}, [read_wish(text) for text in sets])
    return {".".join(map(str, one.at))[4:]: None if one.gone else one.value for one in changes}


@pytest.mark.parametrize(
    ("mix", "sets", "expected"),
    [
        # However a share is written, and however it is asked for.
        ("{completion: {domain: 2%, public: rest}}", "mix.completion.domain.share=3%", {"completion.domain": "3%"}),
        ("{completion: {domain: {share: 2%, kb: 1x}}}", "mix.completion.domain=3%", {"completion.domain.share": "3%"}),
        ("{completion: {domain: {kb: 1x}}}", "mix.completion.domain=3%", {"completion.domain.share": "3%"}),
        ("{completion: {}}", "mix.completion.domain.share=2 epochs", {"completion.domain": "2 epochs"}),
        ("{completion: {tokens: all}}", "mix.completion.tokens=2B", {"completion.tokens": "2B"}),
        ("{completion: {}}", "mix.completion.max_epochs=3", {"completion.max_epochs": 3}),
        ("{packed: {}}", "mix.packed.length=512", {"packed.length": 512}),
        # The one share that is left follows; where several could, none does.
        (f"{{completion: {LONG}}}", "mix.completion.domain.share=3%", {"completion.domain.share": "3%", "completion.public.share": "97%"}),
        (f"{{completion: {LONG}}}", "mix.completion.domain.share=0.125%", {"completion.domain.share": "0.125%", "completion.public.share": "99.875%"}),
        ("{completion: {domain: {share: 2%, a: 40%, b: 60%}, public: 98%}}", "mix.completion.domain.a=30%", {"completion.domain.a": "30%", "completion.domain.b": "70%"}),
        ("{completion: {domain: 2%, web: 8%, public: 90%}}", "mix.completion.domain=3%", {"completion.domain": "3%"}),
        ("{completion: {domain: 2%, public: rest}}", "mix.completion.public=97%", {"completion.public": "97%"}),
        ("{completion: {domain: 2%, public: 98%}}", "mix.completion.domain=6M", {"completion.domain": "6M"}),
        # A profile and shares take each other's place.
        (f"{{completion: {LONG}}}", "mix.completion.profile=inject", {"completion.domain.share": "90%", "completion.public.share": "10%"}),
        ("{completion: {profile: replay}}", "mix.completion.profile=inject", {"completion.profile": "inject"}),
        ("{completion: {domain: {kb: 1x}}}", "mix.completion.profile=inject", {"completion.profile": "inject"}),
        ("{completion: {profile: replay}}", "mix.completion.domain=3%", {"completion.profile": None, "completion.domain": "3%", "completion.public": "97%"}),
    ],
)  # fmt: skip
def test_a_dial_is_found_and_what_must_follow_follows(mix: str, sets: str, expected: dict[str, Any]) -> None:
    assert tried(mix, sets) == expected


def test_nothing_follows_that_was_asked_for_itself() -> None:
    sets = ("mix.completion.domain.share=3%", "mix.completion.public.share=90%")
    assert tried(f"{{completion: {LONG}}}", *sets) == {
        "completion.domain.share": "3%",
        "completion.public.share": "90%",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mix.completion.domain.share", "KEY=VALUE"),
        ("completion.domain.share=3%", "Did you mean 'mix.completion.domain.share'"),
        ("mux.completion.domain=3%", "Did you mean 'mix'"),
        ("mix=3%", "whole mix"),
        ("mix.completion.domain={share: 3%}", "one key at a time"),
        ("mix.completion.domain=", "one key at a time"),
        ("seed=3", "no key of the mix"),
    ],
)
def test_what_is_no_setting_of_the_mix_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_wish(text)


@pytest.mark.parametrize("word", ["2024-13-45", "0x_", "!!int few", "!!bool maybe", "!!timestamp now", "9" * 5000])
def test_a_word_that_yaml_only_seems_to_know_is_taken_as_it_was_typed(corpus: Path, word: str) -> None:
    wish = f"mix.completion.domain.share={word}"
    assert read_wish(wish).value == word
    with pytest.raises(Problems, match="is not an amount"):
        changed(corpus, wish)


def changed(recipe: Path, *sets: str) -> Recipe:
    wishes = [read_wish(text) for text in sets]
    return read_recipe(recipe, changes_for(load_yaml(recipe).value, wishes))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mix.completion.domian.share=3%", r"--set mix\.completion\.domian.*Did you mean 'domain'"),
        ("mix.complation.domain.share=3%", r"--set mix\.complation.*Did you mean 'completion'"),
        ("mix.completion.domain.chat=3%", r"--set mix\.completion\.domain\.chat=3%.*Did you mean 'chats'"),
        ("mix.completion.domain.share=103%", "103% is more than 100%"),
        ("mix.completion.domain.share=lots", "Write a share"),
        ("mix.completion.profile=reply", "Did you mean 'replay'"),
        ("mix.completion.tokens=many", "not a number of tokens"),
        ("mix.completion.tokens.x=1", "not a mapping"),
        ("mix.instruct.profile=replay", "completion alone"),
    ],
)
def test_a_mistake_is_told_in_the_recipes_own_words_at_what_was_typed(corpus: Path, text: str, said: str) -> None:
    with pytest.raises(Problems, match=said):
        changed(corpus, text)


@pytest.mark.parametrize(("profile", "domain"), [("replay", "2%"), ("inject", "90%")])
def test_a_profile_stands_for_its_two_shares(corpus: Path, tmp_path: Path, profile: str, domain: str) -> None:
    text = corpus.read_text().replace(
        "domain: {share: 2%}, public: {share: 98%}", f"profile: {profile}, domain: {{help: 1x}}"
    )
    recipe = corpus.with_name(f"{profile}.yaml")
    recipe.write_text(text)
    tree = read_recipe(recipe).completion
    assert tree is not None
    shares = {node.name: node.amount for node in tree.root.children}
    as_written = changed(corpus, f"mix.completion.domain.share={domain}").completion
    assert as_written is not None
    assert shares == {node.name: node.amount for node in as_written.root.children}
    assert all(isinstance(amount, Share) for amount in shares.values())
    assert recipe_schema()["properties"]["mix"]["properties"]["completion"]["properties"]["profile"]["enum"]


@pytest.mark.parametrize("line", ["domain: 2%", "domain: {share: 2%}", "public: {share: 10%}"])
def test_a_profile_beside_a_share_is_a_mistake(corpus: Path, line: str) -> None:
    text = corpus.read_text().replace("domain: {share: 2%}, public: {share: 98%}", f"profile: replay, {line}")
    recipe = corpus.with_name("both.yaml")
    recipe.write_text(text)
    with pytest.raises(Problems, match=r"both\.yaml:\d+:\d+: .*has a share of its own.*Remove one"):
        read_recipe(recipe)
