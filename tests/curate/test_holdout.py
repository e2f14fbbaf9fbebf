"""What a user would lose if the hold-out leaked: every figure of the evaluation."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusforge.curate.dedup import Dedup
from corpusforge.curate.holdout import Holdout, HoldoutSettings
from corpusforge.curate.holdout_check import side_violations
from corpusforge.errors import UsageError
from corpusforge.record import Record

from .dedup_running import Outcome, doc, run_stage


def grouped(source: str, groups: int, size: int = 3) -> list[Record]:
    return [
        doc(f"{g}-{k}", f"text {g} {k}", source=source, group=f"{source}-g{g}")
        for g in range(groups)
        for k in range(size)
    ]


def hold(records: list[Record], folder: Path, *, seed: int = 1, **options: object) -> Outcome:
    shards: dict[str, list[Record]] = {}
    for k, record in enumerate(records):
        shards.setdefault(f"{record.source}-{k % 2:05d}", []).append(record)
    return run_stage(Holdout(), shards, folder, seed=seed, **options)


def held(out: Outcome) -> set[str]:
    return {identity for identity, record in out.kept.items() if record.side == "holdout"}


def rows(out: Outcome) -> list[tuple[str, str, tuple[str, ...], str]]:
    return [(r.id, r.group, r.parents, r.side) for r in out.kept.values()]


def test_the_share_of_records_is_met_to_one_group_in_each_source(tmp_path: Path) -> None:
    out = hold(grouped("kb", 200) + grouped("irc", 100, 7), tmp_path, share="5%")
    for source, total, size in (("kb", 600, 3), ("irc", 700, 7)):
        count = sum(identity.startswith(source) for identity in held(out))
        assert 0.05 * total <= count < 0.05 * total + size
        assert out.counts[source] == {"held_out": count}
    assert side_violations(rows(out)) == []


def test_public_text_is_held_out_only_when_asked(tmp_path: Path) -> None:
    records = grouped("pub-web", 50) + grouped("kb", 50) + grouped("lab", 50)
    assert {i.split(":")[0] for i in held(hold(records, tmp_path / "1"))} == {"kb", "lab"}
    assert {i.split(":")[0] for i in held(hold(records, tmp_path / "2", public=True))} == {"kb", "lab", "pub-web"}
    assert {i.split(":")[0] for i in held(hold(records, tmp_path / "3", sources=["lab"]))} == {"lab"}


def test_a_larger_share_contains_the_smaller(tmp_path: Path) -> None:
    """Otherwise figures of two builds with different shares are of different exams."""
    records = grouped("kb", 300)
    sets = [held(hold(records, tmp_path / s, share=s)) for s in ("0%", "1%", "2%", "3%", "10%", "50%")]
    assert sets[0] == set()
    assert all(small < large for small, large in pairwise(sets))


def test_new_groups_elsewhere_move_nothing_and_the_seed_moves_all(tmp_path: Path) -> None:
    records = grouped("kb", 100)
    before = held(hold(records, tmp_path / "1"))
    assert {i for i in held(hold(records + grouped("irc", 80), tmp_path / "2")) if i.startswith("kb")} == before
    assert held(hold(records, tmp_path / "3", seed=2)) != before


def test_a_group_over_two_sources_is_on_one_side(tmp_path: Path) -> None:
    records = grouped("kb", 60)
    records += [doc(str(k), "copy", source="pub-web", group=f"kb-g{k}") for k in range(60)]
    out = hold(records, tmp_path, share="20%")
    assert side_violations(rows(out)) == []
    assert any(identity.startswith("pub-web") for identity in held(out))


def test_a_giant_group_does_not_become_the_hold_out(tmp_path: Path) -> None:
    records = grouped("kb", 40) + [doc(f"big{k}", "t", group="giant") for k in range(60)]
    for seed in range(8):
        out = hold(records, tmp_path / str(seed), seed=seed, share="5%")
        assert len(held(out)) <= 12


def test_a_source_is_never_held_out_whole(tmp_path: Path) -> None:
    assert held(hold(grouped("kb", 1), tmp_path / "1", share="50%")) == set()
    assert len(held(hold(grouped("kb", 3, 1), tmp_path / "2", share="5%"))) == 1
    assert len(held(hold(grouped("kb", 40, 1), tmp_path / "3", share="5%", min_groups=10))) == 10


def test_mistakes_in_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sources names nowhere"):
        hold(grouped("kb", 2), tmp_path, sources=["nowhere"])
    for wrong in ("60%", "5", 1.5):
        with pytest.raises(ValidationError):
            HoldoutSettings(share=wrong)


def test_the_proof_names_groups_and_parents_on_both_sides() -> None:
    clean = [
        ("a", "g", (), "holdout"),
        ("a#0", "g", (), "holdout"),
        ("q", "g", ("a",), "holdout"),
        ("b", "", (), "train"),
    ]
    assert side_violations(clean) == []
    assert side_violations([*clean, ("c", "g", (), "train")]) == ["group g is on both sides."]
    child = ("q2", "other", ("a",), "train")
    assert side_violations([*clean, child]) == ["q2 is in train, its parent a in holdout."]
    mixed = ("q3", "x", ("a", "b"), "holdout")
    assert side_violations([mixed, *clean]) == ["q3 is in holdout, its parent b in train."]
    piece = ("q4", "x", ("whole",), "train")
    assert side_violations([piece, ("whole#1", "w", (), "holdout")]) == ["q4 is in train, its parent whole in holdout."]
    assert side_violations([("q5", "x", ("gone",), "train")]) == []


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.sampled_from(["2%", "10%", "40%"]))
def test_no_lineage_graph_leaks(seed: int, size: int, share: str) -> None:
    """Random groups, duplicate clusters over sources, split pieces and synthetic children: nothing on both sides."""
    rng = random.Random(seed)
    base = [" ".join(f"w{rng.randrange(500)}" for _ in range(30)) for _ in range(8)]
    records = [
        doc(
            str(k),
            rng.choice(base) if rng.random() < 0.4 else " ".join(f"w{rng.randrange(500)}" for _ in range(30)),
            source=rng.choice(["kb", "irc", "pub-web"]),
            group=rng.choice(["", f"g{rng.randrange(1 + size // 2)}"]),
        )
        for k in range(size)
    ]
    with TemporaryDirectory() as name:
        shards: dict[str, list[Record]] = {}
        for record in records:
            shards.setdefault(f"{record.source}-00000", []).append(record)
        deduped = run_stage(Dedup(), shards, Path(name) / "1", cap=1)
        kept = list(deduped.kept.values())
        rng.shuffle(kept)
        out = hold(kept, Path(name) / "2", seed=seed, share=share)
        again = hold(kept[::-1], Path(name) / "3", seed=seed, share=share)
    assert {k: r.side for k, r in out.kept.items()} == {k: r.side for k, r in again.kept.items()}
    assert set(out.kept) == {record.id for record in kept}
    lineage = rows(out)
    for parent in list(out.kept.values()):
        lineage.append((f"{parent.id}#0", parent.group, parent.parents, parent.side))
        lineage.append((f"qa:{parent.id}", parent.group or parent.id, (parent.id,), parent.side))
        lineage.append(
            (f"mcq:{parent.id}", parent.group or parent.id, (f"qa:{parent.id}", f"{parent.id}#0"), parent.side)
        )
    assert side_violations(lineage) == []
    sides = {record.side for record in out.kept.values()}
    if len(sides) == 2:
        other = next(r for r in out.kept.values() if r.side == "train")
        kin = next(r for r in out.kept.values() if r.side == "holdout")
        assert side_violations([*lineage, ("bad", other.group or other.id, (kin.id,), "train")])
