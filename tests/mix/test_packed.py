"""If packing is wrong, the model is trained on something else than the mix that was signed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.errors import NotConserved
from corpusforge.mix.packed import PackSpec, write_packed
from corpusforge.mix.packed_bins import OPEN, pack
from corpusforge.mix.packed_order import order
from corpusforge.mix.packed_tokens import BYTES_EOS, Encoder
from corpusforge.mix.write import MixSpec, write_mix
from corpusforge.packed_settings import ROLES, Packed
from corpusforge.record import Message, Record

LENGTH = 128
TREE = {"domain": {"share": "30%", "kb": "50%", "chats": "rest"}, "public": {"share": "70%", "web": "rest"}}
TASKS = {"qa": "40%", "intents": "rest"}
Row = dict[str, Any]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9)), max_size=120), st.integers(1, 64), st.integers(1, OPEN)
)
def test_no_token_is_dropped_or_doubled_and_no_document_cut_that_fits(
    documents: list[tuple[int, int]], length: int, keep_open: int
) -> None:
    """trl's `bfd` truncated a quarter of all tokens (trl#5076); LLaMA-Factory drops each thousandth row's remainder."""
    packing = pack(((row, size, str(record)) for row, (size, record) in enumerate(documents)), length, keep_open)
    pieces: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for sequence in range(len(packing)):
        rows = [packing.row[piece] for piece in packing.pieces(sequence)]
        sizes = [packing.size[piece] for piece in packing.pieces(sequence)]
        assert 0 < sum(sizes) <= length
        assert sum(sizes) == packing.tokens()[sequence]
        records = [documents[row][1] for row in rows]
        assert len(set(records)) == len(records), "a record meets itself in one sequence"
        for piece in packing.pieces(sequence):
            pieces[packing.row[piece]].append((packing.start[piece], packing.size[piece]))
    for row, (size, _) in enumerate(documents):
        own = pieces.get(row, [])
        assert len(own) == -(-size // length), "cut more often than it must be"
        # In the order of training the pieces come as they stand in the document, and join without a gap.
        assert [start for start, _ in own] == [length * k for k in range(len(own))]
        assert sum(size for _, size in own) == size


@given(st.lists(st.integers(1, 60), min_size=1, max_size=400), st.integers(1, 6))
def test_no_document_waits_long_for_its_sequence_to_fill(sizes: list[int], keep_open: int) -> None:
    """trl packs each thousand rows longest first: what the mix had spread evenly comes in lumps."""
    packing = pack(((row, size, str(row)) for row, size in enumerate(sizes)), 64, keep_open)
    places = {packing.row[piece]: s for s in range(len(packing)) for piece in packing.pieces(s)}
    earliest = len(packing)
    for row in reversed(range(len(sizes))):
        assert places[row] - earliest <= 6 * keep_open
        earliest = min(earliest, places[row])


@given(st.lists(st.lists(st.integers(1, 64), min_size=1, max_size=60), min_size=1, max_size=9))
def test_at_every_place_each_source_is_within_one_sequence_of_its_share(sizes: list[list[int]]) -> None:
    """A random sampler gave one source 1.5% to 36% of a batch that should hold 13% of it."""
    places, deviation = order(sizes, 64)
    totals = [sum(own) for own in sizes]
    had, taken = [0] * len(sizes), [0] * len(sizes)
    worst = 0.0
    for source in places.tolist():
        had[source] += sizes[source][taken[source]]
        taken[source] += 1
        for one, total in enumerate(totals):
            worst = max(worst, abs(had[one] - total / sum(totals) * sum(had)))
    assert taken == [len(own) for own in sizes]
    assert worst / 64 <= 1
    assert deviation == pytest.approx(worst / 64)


def test_nothing_packed_is_no_order() -> None:
    places, deviation = order([], 64)
    assert len(places) == 0
    assert deviation == 0


@pytest.fixture
def records(make: SimpleNamespace) -> list[Record]:
    rows = [make.text("kb", k, words=2 + k % 30) for k in range(30)]
    rows += [make.text("chats", k, "chat", words=1 + k % 20) for k in range(60)]
    rows += [make.text("web", k, "public", words=3 + k % 50) for k in range(150)]
    rows += [make.text("kb", k, side="holdout") for k in range(900, 905)]
    rows += [make.text("web", k, "public", side="holdout") for k in range(900, 930)]
    rows += [make.talk("kb", k, "qa") for k in range(25)]
    rows += [make.talk("intents", k, "labelled", answer=f"intent-{k % 5} — öffnen") for k in range(40)]
    return list(make.counted(rows))


def packed(
    out: Path, make: SimpleNamespace, records: list[Record], shards: int = 3, **settings: Any
) -> tuple[dict[str, Any], dict[str, list[Row]], dict[str, list[Row]]]:
    """What the manifest says, the packed rows by output, and the rows that were mixed."""
    paths = make.sharded(out / "in", records, shards)
    spec = MixSpec(make.output("completion", TREE), make.output("instruct", TASKS, epochs=2), 7)
    mix = {name: report.to_json() for name, report in write_mix(paths, spec, out / "out").items()}
    roles = {"kb": "domain", "chats": "domain", "web": "public", "intents": "labelled"}
    told = write_packed(paths, PackSpec(Packed(length=LENGTH, **settings), "bytes", 7, roles), mix, out / "out")
    rows = {
        name: [row for file in one["files"] for row in pq.read_table(out / "out" / file["path"]).to_pylist()]
        for name, one in {**told["outputs"], "holdout": told["holdout"]}.items()
    }
    mixed = {
        name: [row for file in one["files"] for row in pq.read_table(out / "out" / file["path"]).to_pylist()]
        for name, one in mix.items()
    }
    return told, rows, mixed


def documents(rows: list[Row]) -> dict[tuple[str, int], list[int]]:
    """The token ids of each document by record and epoch, joined from the packed rows alone."""
    found: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        first = 0
        for k, size in enumerate(row["seq_lengths"]):
            own = found.setdefault((row["ids"][k], row["repeats"][k]), [])
            assert len(own) == row["starts"][k], "a piece is missing, doubled or out of order"
            own.extend(row["input_ids"][first : first + size])
            first += size
            if len(own) == row["sizes"][k]:
                assert own[-1] == BYTES_EOS
        assert first == len(row["input_ids"]) == len(row["loss_weights"]) == len(row["roles"]) <= LENGTH
    return found


def test_the_packed_tokens_are_those_of_the_mix(tmp_path: Path, make: SimpleNamespace, records: list[Record]) -> None:
    told, rows, mixed = packed(tmp_path, make, records)
    for name in ("completion", "instruct"):
        found = documents(rows[name])
        assert len(found) == len(mixed[name]) == told["outputs"][name]["documents"]
        for row in mixed[name]:
            text = (
                row["text"]
                if name == "completion"
                else "\n".join(f"{m['role']}: {m['content']}" for m in row["messages"])
            )
            assert found[row["id"], row["repeat"]] == [*text.encode(), BYTES_EOS]
        tokens = sum(row["tokens"] for row in mixed[name])
        one = told["outputs"][name]
        assert one["tokens"] == tokens == sum(len(row["input_ids"]) for row in rows[name])
        assert one["efficiency"] == tokens / (one["sequences"] * LENGTH)
        assert one["largest_deviation"] <= 1
        for file in one["files"]:
            assert hashlib.sha256((tmp_path / "out" / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert told["outputs"]["completion"]["efficiency"] > 0.9
    assert {source for row in rows["instruct"] for source in [row["source"]]} == {"qa", "intents"}


def test_repeats_of_a_document_are_spread_and_each_epoch_has_its_own_order(
    tmp_path: Path, make: SimpleNamespace, records: list[Record]
) -> None:
    _, rows, _ = packed(tmp_path, make, records)
    places: dict[str, list[int]] = defaultdict(list)
    epochs: dict[int, list[str]] = defaultdict(list)
    for place, row in enumerate(rows["completion"]):
        assert len(set(row["ids"])) == len(row["ids"])
        for identity, repeat, start in zip(row["ids"], row["repeats"], row["starts"], strict=True):
            if row["source"] == "kb" and not start:
                places[identity].append(place)
                epochs[repeat].append(identity)
    assert max(len(own) for own in places.values()) == 4
    gaps = [b - a for own in places.values() for a, b in pairwise(sorted(own))]
    assert min(gaps) > len(rows["completion"]) / 20
    assert epochs[0] != epochs[1]


def test_bytes_do_not_depend_on_how_records_are_sharded(
    tmp_path: Path, make: SimpleNamespace, records: list[Record]
) -> None:
    one, _, _ = packed(tmp_path / "one", make, records, 1)
    two, _, _ = packed(tmp_path / "two", make, records[::-1], 4)
    assert one == two


def test_only_answers_are_learned_unless_the_recipe_says_otherwise(
    tmp_path: Path, make: SimpleNamespace, records: list[Record]
) -> None:
    """A mask that falls on the wrong turn trains the question (trl#4147, #3927); its end must be learned too."""
    _, rows, _ = packed(tmp_path / "a", make, records)
    for row in rows["instruct"]:
        learned = bytes(i if i < 256 else 10 for i, w in zip(row["input_ids"], row["loss_weights"], strict=True) if w)
        answers = learned.decode().strip().split("\n")
        assert len(answers) == len(row["starts"])
        assert all(answer == "Yes, it is." or answer.startswith("intent-") for answer in answers), answers
    weights = {"intents": {"user": 0.05}, "kb": {"text": 0.5}}
    _, rows, _ = packed(tmp_path / "b", make, records, loss_weights=weights)
    for row in (*rows["instruct"], *rows["completion"]):
        firsts = [sum(row["seq_lengths"][:k]) for k in range(len(row["seq_lengths"]))]
        for place, (role, weight) in enumerate(zip(row["roles"], row["loss_weights"], strict=True)):
            name = ROLES[role]
            wanted = {"text": 1.0, "assistant": 1.0}.get(name, 0.0)
            wanted = weights.get(row["source"], {}).get(name, wanted)
            assert weight == pytest.approx(0.0 if place in firsts else wanted)


def test_the_holdout_is_packed_apart_and_never_mixed(
    tmp_path: Path, make: SimpleNamespace, records: list[Record]
) -> None:
    told, rows, mixed = packed(tmp_path, make, records, holdout_tokens=2000)
    held = {record.id: record for record in records if record.side == "holdout"}
    used = {identity for name in mixed for row in rows[name] for identity in row["ids"]}
    assert used.isdisjoint(held)
    sides = {
        side: {i for row in rows["holdout"] if row["source"] == side for i in row["ids"]}
        for side in ("domain", "public")
    }
    assert sides["domain"] == {identity for identity in held if identity.startswith("kb")}
    assert 0 < len(sides["public"]) < 30, "the cap of tokens holds"
    assert told["holdout"]["sources"]["public"]["tokens"] <= 2000
    counted = sum(size for row in rows["holdout"] for size in row["bytes"])
    assert counted == sum(len(held[i].text.encode()) for own in sides.values() for i in own)


def test_roles_follow_the_tokens_of_a_real_tokenizer(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(["user: Où est l'été ? assistant: Là-bas 🙂 encore"] * 20, trainer)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoder = Encoder(str(tmp_path / "tokenizer.json"), None)
    talk = (
        Message("user", "Où est l'été ?"),
        Message("assistant", "Là-bas 🙂"),
        Message("user", "encore"),
        Message("assistant", "Là"),
    )
    (tokens,) = encoder.conversations([talk])
    learned = [int(i) for i, role in zip(tokens.ids, tokens.roles, strict=True) if ROLES[role] == "assistant"]
    decoder = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    from tokenizers import decoders

    decoder.decoder = decoders.ByteLevel()
    assert decoder.decode(learned, skip_special_tokens=False).replace(" ", "") == "Là-bas🙂\nLà</s>"
    assert encoder.eos == decoder.token_to_id("</s>")


def test_a_row_that_another_tokenizer_counted_stops_the_build(
    tmp_path: Path, make: SimpleNamespace, records: list[Record]
) -> None:
    paths = make.sharded(tmp_path / "in", records)
    report = write_mix(paths, MixSpec(make.output("completion", TREE), None, 7), tmp_path)["completion"].to_json()
    path = tmp_path / report["files"][0]["path"]
    table = pq.read_table(path)
    place = table.schema.get_field_index("tokens")
    import pyarrow as pa

    pq.write_table(table.set_column(place, "tokens", pa.array([one + 1 for one in table["tokens"].to_pylist()])), path)
    with pytest.raises(NotConserved, match="counts"):
        write_packed(paths, PackSpec(Packed(length=LENGTH), "bytes", 7, {}), {"completion": report}, tmp_path)
