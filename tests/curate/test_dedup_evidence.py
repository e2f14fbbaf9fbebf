"""What a user would lose if dedup took two cases for one, or missed a copy because a few words were changed."""

from __future__ import annotations

import random
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.curate import dedup_table
from corpusforge.curate.dedup import Dedup
from corpusforge.curate.shingles import Ragged, shingles_of, word_hashes
from corpusforge.curate.template import PASSAGE, Template, text_parts

from .dedup_running import doc, run_stage
from .test_dedup import VOCABULARY, dedup, edited, words

# Function words and a long tail, as in a language: two bodies share a good part of their words.
COMMON, RARE = VOCABULARY[:25], [a + b for a in VOCABULARY[25:] for b in ("o", "ing", "ed")]


def sentences(rng: random.Random, count: int) -> list[str]:
    return [rng.choice(COMMON if rng.random() < 0.4 else RARE) for _ in range(count)]


@pytest.mark.parametrize("length", [50, 100, 300])
def test_templated_chats_lose_no_case_and_edited_copies_are_found(length: int, tmp_path: Path) -> None:
    """119 words of greeting and closing around distinct bodies; a tenth stands twice, with 1-10% of the words edited."""
    rng = random.Random(length)
    frame = sentences(rng, 119)
    chats, copies = [], []
    for k in range(120):
        body = [*frame[:60], *sentences(rng, length), *frame[60:]]
        chats.append(doc(f"o{k}", " ".join(body), kind="chat"))
        if k % 10 == 0:
            copy = edited(rng, body, max(1, round(rng.uniform(0.01, 0.1) * len(body))))
            copies.append(doc(f"p{k}", " ".join(copy), kind="chat"))
    out = dedup([*chats, *copies], tmp_path)
    found = [c for c in copies if {c.id, c.id.replace(":p", ":o")} & out.dropped.keys()]
    assert len(found) >= 0.98 * len(copies)
    assert len(out.dropped) == len(found)
    assert {d.reason for d in out.dropped.values()} <= {"near-duplicate", "edited-copy"}


def test_chats_put_together_from_macros_stay_when_a_fact_differs(tmp_path: Path) -> None:
    """A small vocabulary, canned steps, and an error code: 99.9% of such chats are lost where numbers are folded."""
    rng = random.Random(4)
    frame = sentences(rng, 119)
    steps = [sentences(rng, 9) for _ in range(6)]
    devices = ["router", "printer", "laptop", "camera"]
    chats = []
    for k in range(120):
        device = rng.choice(devices)
        facts = f"my {device} shows error {100 + k} after the update please look at the {device}".split()
        told = [word for step in rng.sample(steps, 3) for word in [*step, device]]
        chats.append(doc(str(k), " ".join([*frame[:60], *facts, *told, *frame[60:]]), kind="chat"))
    assert not dedup(chats, tmp_path).dropped


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("the screen says error 217 and then", "the screen says error 980 and then"),
        ("you can send it back in the first", "you cannot send it back in the first"),
        ("please run it with --force this time", "please run it with --dry-run this time"),
        ("it is covered by the plan we sold", "it is not covered by the plan we sold"),
    ],
)
def test_a_number_a_code_or_a_negation_makes_two_cases(left: str, right: str, tmp_path: Path) -> None:
    """100 equal words around it: the Jaccard similarity is above 0.9, the answers are opposite."""
    before, after = " ".join(words(random.Random(1), 50)), " ".join(words(random.Random(2), 50))
    pair = [doc(k, f"{before} {text} {after}", kind="chat") for k, text in (("a", left), ("b", right))]
    out = dedup(pair, tmp_path / "1")
    assert not out.dropped
    assert len({record.group or record.id for record in out.kept.values()}) == 1  # and yet on one side of the split
    assert len(dedup(pair, tmp_path / "2", significant=[]).dropped) == 1


def test_versions_of_one_document_are_one_though_a_number_changed(tmp_path: Path) -> None:
    """The old price list beside the new one would teach both prices."""
    body = " ".join(words(random.Random(3), 120))
    old = doc("old", f"{body} it costs 20 a month and more words", file="2025-01-01/help/price.md")
    new = doc("new", f"{body} it costs 25 a month", file="2026-08-05/help/price.md")
    other = doc("other", f"{body} it costs 30 a month", file="2026-08-05/help/fees.md")
    out = dedup([old, new, other], tmp_path)
    assert set(out.dropped) == {"kb:old"}
    assert out.dropped["kb:old"].detail["kept"] == "kb:new"


def test_a_copy_with_a_tenth_of_its_words_edited_goes_and_says_so(tmp_path: Path) -> None:
    text = words(random.Random(5), 200)
    records = [doc("a", " ".join(text)), doc("b", " ".join(edited(random.Random(6), text, 20)))]
    (dropped,) = dedup(records, tmp_path / "1").dropped.values()
    assert dropped.reason == "edited-copy"
    assert dropped.score == pytest.approx(0.9)
    assert dropped.threshold == pytest.approx(0.88)
    assert not dedup(records, tmp_path / "2", edits=0).dropped
    shuffled = list(text)
    random.Random(7).shuffle(shuffled)
    assert not dedup([records[0], doc("c", " ".join(shuffled))], tmp_path / "3").dropped


def test_containment_takes_the_article_that_lies_in_a_longer_one(tmp_path: Path) -> None:
    """The contained one goes even if its source is preferred: what is kept holds all of it, not the reverse."""
    rng = random.Random(8)
    short, long = words(rng, 120), words(rng, 500)
    records = [
        doc("short", " ".join(short), updated="2026-01-01"),
        doc("long", " ".join([*long[:300], *short, *long[300:]]), updated="2025-01-01"),
        doc("copy", " ".join(edited(rng, short, 2)), updated="2024-01-01"),
        doc("else", " ".join(words(rng, 150))),
    ]
    assert set(dedup(records, tmp_path / "1").dropped) == {"kb:copy"}
    out = dedup(records, tmp_path / "2", containment=0.9)
    assert {k: (d.reason, d.detail["kept"]) for k, d in out.dropped.items()} == {
        "kb:short": ("contained", "kb:long"),
        "kb:copy": ("near-duplicate", "kb:long"),
    }
    assert out.dropped["kb:copy"].detail["compared"] == "kb:short"
    assert out.dropped["kb:short"].score == 1.0
    assert out.dropped["kb:short"].threshold == 0.9


@pytest.mark.parametrize(
    ("prefer", "kept"),
    [(["newest", "longest", "source"], "kb:new"), (["longest"], "kb:long"), (["source", "newest"], "manual:first")],
)
def test_what_is_preferred_is_the_recipes_choice(prefer: list[str], kept: str, tmp_path: Path) -> None:
    text = " ".join(words(random.Random(9), 200))
    records = [
        doc("new", text + " then", updated="2026-08-05T10:00:00Z"),
        doc("long", text + " then some more", updated="2025-01-01"),
        doc("first", text, source="manual", updated="2024-01-01"),
    ]
    out = dedup(records, tmp_path, prefer=prefer, keep_first=["manual"])
    assert set(out.kept) == {kept}


def test_the_notes_say_how_many_would_go_at_other_thresholds(tmp_path: Path) -> None:
    """A threshold is chosen from these counts, not by building again and again."""
    rng = random.Random(10)
    records = []
    for k in range(40):
        text = words(rng, 200)
        records += [doc(f"o{k}", " ".join(text)), doc(f"p{k}", " ".join(edited(rng, text, 1 + k % 8)))]
    at = dedup(records, tmp_path / "1", edits=0).decision.notes["near_duplicates_at"]
    assert list(at.values()) == sorted(at.values(), reverse=True)
    for threshold in (0.7, 0.9):
        out = dedup(records, tmp_path / str(threshold), similarity=threshold, edits=0)
        assert len(out.dropped) == at[f"{threshold:.2f}"]


def test_pairs_just_below_the_threshold_are_shown_as_samples(tmp_path: Path) -> None:
    text = words(random.Random(11), 200)
    out = dedup([doc("a", " ".join(text)), doc("b", " ".join(edited(random.Random(1), text, 6)))], tmp_path, edits=0)
    (near,) = out.near
    assert not out.dropped
    assert (near.rule, near.threshold) == ("near-duplicate", 0.8)
    assert 0.6 <= near.score < 0.8


def test_many_records_are_decided_alike_in_memory_and_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large corpus takes temporary files; they must change nothing and leave nothing behind."""
    rng = random.Random(12)
    records = [doc(f"o{k}", " ".join(words(rng, 80))) for k in range(60)]
    records += [doc(f"p{k}", " ".join(edited(rng, records[k].text.split(), 2))) for k in range(30)]
    before = dedup(records, tmp_path / "1")
    monkeypatch.setattr(dedup_table, "_IN_MEMORY", 1000)
    after = dedup(records, tmp_path / "2")
    assert after.fates == before.fates
    assert len(before.dropped) == 30
    assert {path.name for path in (tmp_path / "2").iterdir()} == {"kb-00000.parquet"}


def test_a_template_is_what_many_records_share_word_for_word() -> None:
    """An n-gram counts once a record, however often one table repeats it; a common phrase is no template."""
    rng = random.Random(13)
    greeting, phrase = words(rng, 10), words(rng, 6)
    texts = [[*greeting, *words(rng, 40), *phrase, *words(rng, 40)] for _ in range(30)]
    texts.append(["nil"] * 400)
    hashed = word_hashes([" ".join(text) for text in texts])
    ends = [0]
    for text in texts:
        ends.append(ends[-1] + len(text))
    import numpy as np

    shingles = shingles_of(Ragged(hashed.hashes, np.array(ends)), 5)
    template = Template(len(hashed.hashes), 20)
    template.look(shingles.values)
    template.count(shingles)
    template.finish()
    common = template.common(shingles.values)
    assert len(template) == 6 + 2
    frame, own = text_parts(common, shingles)
    assert shingles.counts(frame).tolist() == [6] * 30 + [0]
    assert shingles.counts(own).tolist() == [96 - 4 - 6] * 30 + [396]
    assert PASSAGE == 12


WORD = re.compile(r"[^\W_]+")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(max_codepoint=0x24F), max_size=40), max_size=6))
def test_words_over_bytes_are_the_words_of_the_text(texts: list[str]) -> None:
    """Words are found in UTF-8 bytes for speed; cut wrong, equal texts would not look equal."""
    found = word_hashes(texts, operators=False)
    expected = [re.findall(r"[^\W]+", text.casefold()) for text in texts]
    assert found.text_of.tolist() == [k for k, one in enumerate(expected) for _ in one]
    flat = [word for one in expected for word in one]
    by_word = dict(zip(flat, found.hashes.tolist(), strict=True))
    assert found.hashes.tolist() == [by_word[word] for word in flat]
    assert len(set(by_word.values())) == len(by_word)
    assert found.numbers.tolist() == [any(c in "0123456789" for c in word) for word in flat]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([None, 0.8]))
def test_shards_and_their_order_decide_nothing(seed: int, containment: float | None) -> None:
    """The same records spread over other shards: the same fates, keepers that stay, each record once."""
    rng = random.Random(seed)
    records = []
    for k in range(12):
        base = words(rng, rng.choice([8, 45, 120]))
        records.append(doc(f"a{k}", " ".join(base)))
        if rng.random() < 0.7:
            part = base[: len(base) * 2 // 3] if rng.random() < 0.4 else edited(rng, base, len(base) // 15)
            records.append(doc(f"b{k}", " ".join(part), updated=f"202{rng.randrange(4)}-01-01"))
    with TemporaryDirectory() as name:
        one = run_stage(Dedup(), {"kb-00000": records}, Path(name) / "1", cap=1, containment=containment)
        rng.shuffle(records)
        cut = rng.randrange(len(records))
        shards = {"kb-00001": records[:cut], "kb-00000": records[cut:]}
        two = run_stage(Dedup(), shards, Path(name) / "2", cap=1, containment=containment)
    assert one.fates == two.fates
    assert {d.detail["kept"] for d in one.dropped.values()} <= set(one.kept)
