"""Whether a difference names all that changed and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.card.diff import diff, rows
from corpusforge.card.difference import flatten
from corpusforge.card.facts import facts_of


def test_a_build_does_not_differ_from_itself(made):
    assert diff(facts_of(made.manifest()), facts_of(made.manifest())).changes == ()


def test_every_kind_of_change_is_named(made):
    found = {
        (c.where, c.what): (c.before, c.after)
        for c in diff(facts_of(made.earlier()), facts_of(made.manifest())).changes
    }
    assert found["recipe", "curate.dedup.similarity"] == ("0.85", "0.8")
    assert found["source", "desk-chats"][0].startswith("190 files, 15.0 MB")
    assert found["records", "dedup · desk-chats"] == ("27,250 → 23,131", "27,250 → 21,887")
    assert found["mix", "completion/domain/desk-chats"] == ("0.79% (1,580,001)", "0.84% (1,680,043), +6.3%")
    assert found["gate", "contamination"] == ("holds at 0", "fails at 3")
    assert found["shards", "dedup"] == ("6", "6: 5 same, 1 changed, 0 new, 0 gone")


def test_a_step_that_is_gone_is_named(made):
    before, after = made.manifest(), made.manifest()
    gone = after["steps"].pop(4)
    found = {(c.where, c.what): (c.before, c.after) for c in diff(facts_of(before), facts_of(after)).changes}
    assert found["stage", gone["name"]] == ("quality 1", "")
    assert found["shards", gone["name"]] == ("5", "0: 0 same, 0 changed, 0 new, 5 gone")


def test_rows_are_text_with_a_dash_for_an_absent_side(made):
    after = made.manifest()
    del after["recipe"]["generate"]["mcq"]
    table = rows(diff(facts_of(made.manifest()), facts_of(after)))
    assert ("recipe", "generate.mcq.far", "2", "–") in table


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("ab", min_size=1, max_size=2), JSON, max_size=4))
def test_flatten_holds_one_line_for_every_leaf(tree):
    """A changed recipe key that vanished from the flat form would vanish from the difference."""

    def leaves(value):
        return sum(leaves(v) for v in value.values()) if isinstance(value, dict) and value else 1

    assert len(flatten(tree)) == (leaves(tree) if tree else 0)
