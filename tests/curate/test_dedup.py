"""What a user would lose if deduplication removed the wrong record, or kept what it should remove."""

from __future__ import annotations

import random
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.curate.dedup import Dedup
from corpusforge.errors import StepFailed, UsageError
from corpusforge.record import Record

from .dedup_running import Outcome, doc, run_stage

VOCABULARY = [f"{a}{b}{c}" for a in "bcdfgklmzp" for b in "aeiou" for c in ("r", "st", "nd", "lk", "ton", "ve")]


def words(rng: random.Random, count: int) -> list[str]:
    return [rng.choice(VOCABULARY) for _ in range(count)]


def edited(rng: random.Random, text: list[str], edits: int) -> list[str]:
    out = list(text)
    for place in rng.sample(range(len(out)), edits):
        out[place] = "new" + "".join(rng.choice("abcdefgh") for _ in range(7))
    return out


def dedup(records: list[Record], folder: Path, **options: object) -> Outcome:
    shards: dict[str, list[Record]] = {}
    for record in records:
        shards.setdefault(f"{record.source}-00000", []).append(record)
    return run_stage(Dedup(), shards, folder, **options)


LONG = words(random.Random(0), 200)


def test_an_exact_copy_goes_and_names_the_record_that_stays(tmp_path: Path) -> None:
    out = dedup([doc("b", "one two three four five six"), doc("a", "one two three\nfour five six")], tmp_path)
    assert set(out.kept) == {"kb:a"}
    dropped = out.dropped["kb:b"]
    assert (dropped.reason, dropped.score, dropped.detail) == ("exact-duplicate", None, {"kept": "kb:a"})


def test_a_near_copy_goes_with_score_and_threshold(tmp_path: Path) -> None:
    near = edited(random.Random(1), LONG, 2)
    out = dedup([doc("a", " ".join(LONG)), doc("b", " ".join(near))], tmp_path)
    (dropped,) = out.dropped.values()
    assert dropped.reason == "near-duplicate"
    assert dropped.score == pytest.approx(186 / 206, abs=0.02)
    assert dropped.threshold == 0.8


def test_case_punctuation_and_placeholder_numbers_make_no_difference(tmp_path: Path) -> None:
    left = "Write to <EMAIL_1> and we reset the password for your account today."
    right = "write to <EMAIL_7>, and we reset the password -- for your account, TODAY"
    assert len(dedup([doc("a", left), doc("b", right)], tmp_path).kept) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("the printer stops with error 217 after the update", "the printer stops with error 980 after the update"),
        ("run chmod +x on the file before you start it", "run chmod -x on the file before you start it"),
        ("which compiler do I need for C++ on this machine", "which compiler do I need for C# on this machine"),
        ("yes thanks", "Yes thanks!"),
    ],
)
def test_numbers_codes_and_short_texts_are_not_folded_together(left: str, right: str, tmp_path: Path) -> None:
    assert len(dedup([doc("a", left), doc("b", right)], tmp_path).kept) == 2


def test_labelled_records_go_only_when_prompt_and_answer_are_equal(tmp_path: Path) -> None:
    ask = "list all files in the current folder that changed within the last day " * 3
    records = [
        doc("a", ask, source="lab", kind="labelled", answer="find . -mtime -1"),
        doc("b", ask, source="lab", kind="labelled", answer="find . -mtime +1"),
        doc("c", ask, source="lab", kind="labelled", answer="find . -mtime -1"),
        doc("d", ask + "please", source="lab", kind="labelled", answer="find . -mtime -1"),
    ]
    out = dedup(records, tmp_path)
    assert set(out.dropped) == {"lab:c"}


def test_preference_keep_first_then_role_then_date_then_length(tmp_path: Path) -> None:
    text = " ".join(LONG)
    copies = [doc("x", text, source=name) for name in ("pub-web", "kb", "manual")]
    assert set(dedup(copies, tmp_path / "1").kept) == {"kb:x"}
    assert set(dedup(copies, tmp_path / "2", keep_first=["pub-web"]).kept) == {"pub-web:x"}
    dated = [doc("old", text + " more", updated="2025-01-01"), doc("new", text, updated="2026-08-05")]
    assert set(dedup(dated, tmp_path / "3").kept) == {"kb:new"}
    longer = [doc("a", text), doc("b", text + " and a last word")]
    assert set(dedup(longer, tmp_path / "4").kept) == {"kb:b"}


def test_keep_first_of_an_unknown_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keep_first names gnome"):
        dedup([doc("a", "text")], tmp_path, keep_first=["gnome"])


def test_of_a_chain_both_ends_stay(tmp_path: Path) -> None:
    """a~b and b~c but not a~c: dropping b and c for each other would lose c's text altogether."""
    rng = random.Random(5)
    first = words(rng, 300)
    second = [*first[:275], *words(rng, 25)]
    third = [*words(rng, 30), *second[30:]]
    texts = {"a": first, "b": second, "c": third}
    records = [doc(k, " ".join(text), updated=f"2026-01-{20 - ord(k) % 8}") for k, text in texts.items()]
    out = dedup(records, tmp_path)
    assert set(out.kept) == {"kb:a", "kb:c"}
    assert {r.group or r.id for r in out.kept.values()} == {"kb:a"}  # and still on one side of the split


def test_an_exact_copy_of_a_near_copy_points_to_the_record_that_stays(tmp_path: Path) -> None:
    near = " ".join(edited(random.Random(2), LONG, 2))
    out = dedup([doc("a", " ".join(LONG), updated="2026-01-01"), doc("b", near), doc("c", near)], tmp_path)
    assert set(out.kept) == {"kb:a"}
    assert {d.detail["kept"] for d in out.dropped.values()} == {"kb:a"}


def test_look_alikes_below_the_threshold_share_a_group(tmp_path: Path) -> None:
    """Half-alike articles on both sides of the split would let the model see its exam."""
    alike = [*LONG[:150], *words(random.Random(3), 50)]
    far = words(random.Random(4), 200)
    records = [
        doc("a", " ".join(LONG), group="g2"),
        doc("b", " ".join(alike), group="g1", source="other"),
        doc("c", " ".join(far), group="g3"),
        doc("d", "a fourth text of the second group", group="g2"),
    ]
    out = dedup(records, tmp_path)
    assert {k: r.group for k, r in out.kept.items()} == {"kb:a": "g1", "other:b": "g1", "kb:c": "g3", "kb:d": "g1"}


@pytest.mark.parametrize("length", [50, 100, 200])
def test_templated_chats_with_different_bodies_all_stay_and_stay_apart(length: int, tmp_path: Path) -> None:
    """The same 119-word greeting and closing: common pipelines remove up to 46 % of such chats as duplicates."""
    rng = random.Random(length)
    template = words(rng, 119)
    chats = [doc(str(k), " ".join([*template[:60], *words(rng, length), *template[60:]])) for k in range(400)]
    out = dedup(chats, tmp_path)
    assert not out.dropped
    assert len({r.group or r.id for r in out.kept.values()}) == 400


def test_short_bodies_in_a_long_template_stay(tmp_path: Path) -> None:
    """At 92 % boilerplate the Jaccard similarity alone would call every chat a copy of the first."""
    rng = random.Random(9)
    template = words(rng, 300)
    chats = [doc(str(k), " ".join([*template, *words(rng, 15)])) for k in range(100)]
    out = dedup(chats, tmp_path)
    assert not out.dropped
    assert out.decision.notes["pairs_alike_by_template"] > 0
    assert len({r.group or r.id for r in out.kept.values()}) == 100


def test_many_versions_of_one_article_are_no_template(tmp_path: Path) -> None:
    """Words changed here and there in 60 copies: the common text is frequent, yet the copies are copies."""
    rng = random.Random(10)
    out = dedup([doc(str(k), " ".join(edited(rng, LONG, 2))) for k in range(60)], tmp_path, cap="100%")
    assert len(out.dropped) >= 45
    assert len({r.group or r.id for r in out.kept.values()}) <= 10


def test_the_cap_stops_the_build_with_figures_and_pairs_but_no_text(tmp_path: Path) -> None:
    rng = random.Random(6)
    records = []
    for k in range(10):
        base = words(rng, 120)
        records += [doc(f"{k}-{v}", " ".join(edited(rng, base, 1)), updated=f"2026-01-0{v + 1}") for v in range(3)]
    with pytest.raises(StepFailed, match=r"kb would lose 20 of 30 records \(66.7%\)") as caught:
        dedup(records, tmp_path / "1")
    assert re.search(r"kb:(\d)-[01] ~ kb:\1-2 \(0\.\d\d\)", str(caught.value))
    assert not any(word in str(caught.value).split() for word in VOCABULARY)
    assert len(dedup(records, tmp_path / "2", cap="100%").kept) == 10


@pytest.mark.parametrize("edits", [1, 2, 4])
def test_planted_near_duplicates_are_found(edits: int, tmp_path: Path) -> None:
    rng = random.Random(edits)
    originals = [words(rng, 220) for _ in range(150)]
    records = [doc(f"o{k}", " ".join(text)) for k, text in enumerate(originals)]
    records += [doc(f"p{k}", " ".join(edited(rng, text, edits))) for k, text in enumerate(originals)]
    out = dedup(records, tmp_path)
    found = [d for d in out.dropped.values() if d.detail["kept"].endswith(d.record.id[4:])]
    assert len(found) == len(out.dropped) == 150


def test_a_new_record_leaves_other_shards_decisions_as_they_were(tmp_path: Path) -> None:
    """An edit in one source must not rebuild all others."""
    rng = random.Random(12)
    one, two = [[doc(str(k), " ".join(words(rng, 80)), source=name) for k in range(30)] for name in ("kb", "irc")]
    one.append(doc("copy", one[0].text + " indeed"))
    before = run_stage(Dedup(), {"kb-00000": one, "irc-00000": two}, tmp_path / "1").decision.per_shard
    more = [doc("zzz", " ".join(words(rng, 80)), source="irc"), *two, doc("copy", two[3].text + " so", source="irc")]
    after = run_stage(Dedup(), {"kb-00000": one, "irc-00000": more}, tmp_path / "2").decision.per_shard
    assert before["kb-00000"].equals(after["kb-00000"])
    assert not before["irc-00000"].equals(after["irc-00000"])


def test_a_table_of_other_records_is_refused(tmp_path: Path) -> None:
    from corpusforge.stage import StageContext

    text = " ".join(LONG)
    decision = run_stage(Dedup(), {"kb-00000": [doc("a", text), doc("b", text)]}, tmp_path).decision
    ctx = StageContext(settings=Dedup.Settings(), seed=1, sources={}, mine=decision.per_shard["kb-00000"])
    with pytest.raises(StepFailed):
        list(Dedup().apply([doc("x", text), doc("y", text)], ctx))


@st.composite
def corpora(draw: st.DrawFn) -> list[Record]:
    """Small corpora of originals, exact copies, near copies and fragments over three sources."""
    rng = random.Random(draw(st.integers(0, 10**6)))
    texts = [words(rng, draw(st.sampled_from([0, 2, 6, 40, 120]))) for _ in range(draw(st.integers(1, 4)))]
    records = []
    for k in range(draw(st.integers(1, 12))):
        base = rng.choice(texts)
        kind = rng.choice(["same", "near", "far", "part"])
        text = {
            "same": base,
            "near": edited(rng, base, min(len(base), 1)),
            "far": edited(rng, base, len(base) // 8),
            "part": base[: len(base) * 3 // 4],
        }[kind]
        source = rng.choice(["kb", "irc", "lab"])
        labelled = source == "lab"
        group = rng.choice(["", f"g{rng.randrange(5)}"])
        records.append(
            doc(str(k), " ".join(text), source=source, group=group, kind="labelled" if labelled else "article")
        )
    return records


@settings(max_examples=20, deadline=None)
@given(corpora(), st.randoms(use_true_random=False))
def test_laws_conserved_order_free_idempotent_and_keepers_kept(records: list[Record], rng: random.Random) -> None:
    """No record is lost, no result hangs on order, a second run finds nothing, every keeper is there, groups hold."""
    before = {record.id: record.group for record in records}
    with TemporaryDirectory() as name:
        folder = Path(name)
        out = dedup([doc_copy(r) for r in records], folder / "1")
        shuffled = [doc_copy(r) for r in records]
        rng.shuffle(shuffled)
        assert dedup(shuffled, folder / "2").fates == out.fates
        again = dedup([doc_copy(r) for r in out.kept.values()], folder / "3")
    assert set(out.kept) | set(out.dropped) == set(before)
    assert not set(out.kept) & set(out.dropped)
    assert not again.dropped
    assert {d.detail["kept"] for d in out.dropped.values()} <= set(out.kept)
    for group in {g for g in before.values() if g}:
        assert len({out.kept[k].group for k in out.kept if before[k] == group}) <= 1


def doc_copy(record: Record) -> Record:
    return doc(
        record.id.split(":")[1], record.text, source=record.source, group=record.group, kind=record.kind, **record.meta
    )
