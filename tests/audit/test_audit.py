"""The audit runs the real pipeline: what it reports adds up, a hole in redaction is found, and nothing of it remains."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from corpusforge import commands
from corpusforge.audit import measure, telling
from corpusforge.audit.battery import battery, chosen
from corpusforge.audit.canary import squeezed
from corpusforge.audit.contents import Opened, decoder
from corpusforge.audit.hosts import Host, choose_hosts, raw_format, raw_row, shortened
from corpusforge.audit.plant import MOST, Planted, plant
from corpusforge.audit.search import Search
from corpusforge.build import build, make_recipe_plan
from corpusforge.errors import GateFailed, Problems, UsageError
from corpusforge.progress import Progress
from corpusforge.recipe import Run, read_recipe
from corpusforge.record import Message, Origin, Record, render
from corpusforge.stage import SourceFacts
from corpusforge.wilson import wilson

from . import audit_running

COUNTS = ("planted", "masked", "leaked", "in_part", "not_tested")


def built(recipe: Path) -> dict[str, Any]:
    made = build(read_recipe(recipe), recipe.parents[1] / "builds", Progress(quiet=True), Run(workers=1))
    return {**made.manifest, "folder": made.folder, "reused": made.reused}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A build with a small audit of its own."""
    return built(audit_running.make(tmp_path_factory.mktemp("whole")))


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same, with a recipe that forgets e-mail addresses."""
    redact = "{entities: [PERSON, PHONE_NUMBER, CREDIT_CARD, IBAN_CODE, SECRET]}"
    gates = "gates: {canary_leak: 1%}"
    return built(audit_running.make(tmp_path_factory.mktemp("holed"), redact=redact, gates=gates, rows=60))


def test_every_planted_value_is_masked_leaked_or_not_tested(whole: dict[str, Any]) -> None:
    audit = whole["audit"]
    everything = audit["all"]
    assert everything["planted"] == sum(everything[count] for count in COUNTS[1:])
    assert everything["planted"] + sum(audit["not_planted"].values()) == 45
    assert everything["not_tested"] == sum(audit["not_tested"].values())
    for group in ("kinds", "surfaces", "contexts", "positions", "languages"):
        for count in COUNTS:
            assert sum(one[count] for one in audit[group].values()) == everything[count], (group, count)
    for count in COUNTS:
        assert sum(audit[group][count] for group in ("gated", "disguised", "other")) == everything[count]
        assert audit["structured"][count] == audit["gated"][count] + audit["disguised"][count]
    assert everything["masked"] > 10, "most plain structured values are found by redaction"
    assert len(audit["leaks"]) == everything["leaked"] + everything["in_part"]
    assert sum(leak["whole"] for leak in audit["leaks"]) == everything["leaked"]
    assert audit["before_redaction"]["canaries_seen"] == everything["planted"]


def test_a_source_without_records_does_not_fail_the_build(tmp_path: Path) -> None:
    """A day without a chat is no reason to be without a corpus."""
    recipe = audit_running.make(tmp_path, canaries=20)
    source = tmp_path / "sources" / "chats.yaml"
    source.write_text(source.read_text() + "quarantine_limit: 100%\n")
    (tmp_path / "chats.jsonl").write_bytes(b"")
    audit = built(recipe)["audit"]
    assert audit["records"]["chats"] == 0
    assert audit["all"]["planted"] > 0


def test_the_card_and_the_gate_say_what_came_of_it_and_what_so_many_can_prove(holed: dict[str, Any]) -> None:
    """A gate that rests on forty values says nothing of one in a hundred."""
    gated = holed["audit"]["gated"]
    gate = next(gate for gate in holed["gates"] if gate["name"] == "canary_leak")
    assert gate["found"] == gated["leaked"] + gated["in_part"]
    assert gate["checked"] == gate["found"] + gated["masked"]
    assert gated["planted"] >= 300, "though the recipe plants 45 without the gate"
    bound = float(re.search(r"at most ([\d.]+)%", gate["detail"])[1])  # type: ignore[index]
    assert bound >= 100 * gate["observed"]
    assert "Leak audit" in (holed["folder"] / "card.html").read_text()
    page = (holed["folder"] / "README.md").read_text()
    assert "Leak audit" in page
    assert f"Of {gated['planted']} planted as structured data is usually written" in page
    card = orjson.loads((holed["folder"] / "card.json").read_bytes())
    assert {row["name"] for row in card["planted"]["kinds"]} == set(holed["audit"]["kinds"])


def test_an_audit_that_fails_loses_no_build_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten hours of curation must not go because the check at their end stumbles; nor may the check be forgotten."""
    recipe = audit_running.make(tmp_path, canaries=10, gates="gates: {canary_leak: 1%}")
    hosts = measure.choose_hosts

    def stumbling(*_: Any) -> Any:
        raise ValueError("Katharina-7731")

    monkeypatch.setattr(measure, "choose_hosts", stumbling)
    with pytest.raises(GateFailed, match="canary_leak") as failed:
        commands.build(recipe, None, 1, None, True, True)
    assert failed.value.exit_code == 1
    told = orjson.loads(capsys.readouterr().out)
    assert "ValueError at" in told["gate_details"]["canary_leak"]
    folder = Path(told["manifest"]).parent
    written = "".join((folder / name).read_text() for name in ("manifest.json", "README.md", "card.html"))
    assert "Katharina" not in written
    assert "leak audit failed, so nothing is known" in (folder / "card.html").read_text()
    assert "leak audit failed, so nothing is known" in (folder / "README.md").read_text()
    assert list(folder.glob("completion/*.parquet"))
    assert {blocker["key"] for blocker in orjson.loads((folder / "card.json").read_bytes())["verdict"]["blockers"]} >= {
        "audit",
        "canary_leak",
    }
    monkeypatch.setattr(measure, "choose_hosts", hosts)
    again = built(recipe)
    assert again["folder"].name == folder.name
    assert not again["reused"]
    assert again["audit"]["all"]["planted"] > 0
    assert "audit_failed" not in again
    assert built(recipe)["reused"]


HALVES = """\
from dataclasses import replace
from corpusforge.record import Dropped
from corpusforge.stage import stage


@stage(version=1)
def halves(records):
    for record in records:
        if record.messages is not None:
            yield record
            continue
        middle = len(record.text) // 2
        for k, text in enumerate((record.text[:middle], record.text[middle:])):
            yield replace(record, id=f"{record.id}#{k}", text=text, spans=(), parents=(record.id,))


@stage(version=1)
def first_halves(records):
    for record in records:
        yield Dropped(record, "second half") if record.id.endswith("#1") else record
"""


def test_a_value_whose_piece_of_a_record_was_dropped_is_not_called_masked(tmp_path: Path) -> None:
    """Redaction must not be credited for what another stage threw away."""
    recipe = audit_running.make(tmp_path, canaries=40)
    (tmp_path / "halves.py").write_text(HALVES)
    also = "[{stage: 'halves.py:halves', after: redact}, {stage: 'halves.py:first_halves', after: halves}]"
    recipe.write_text(recipe.read_text().replace("  language:", f"  also: {also}\n  language:"))
    audit = built(recipe)["audit"]
    assert audit["not_tested"]["dropped by first-halves: second half"] >= 10
    assert audit["all"]["planted"] == sum(audit["all"][count] for count in COUNTS[1:])


CUTS_BEFORE = """\
from corpusforge.stage import stage


@stage(version=1)
def shorter(records):
    for record in records:
        yield record.with_parts([part[:30] for part in record.parts])
"""


def test_a_value_that_redaction_never_read_is_not_called_masked(tmp_path: Path) -> None:
    recipe = audit_running.make(tmp_path, canaries=30)
    (tmp_path / "shorter.py").write_text(CUTS_BEFORE)
    recipe.write_text(recipe.read_text().replace("  language:", "  also: [{stage: 'shorter.py:shorter', after: normalise}]\n  language:"))  # fmt: skip
    assert built(recipe)["audit"]["not_tested"]["gone before redaction"] >= 10


def test_what_is_left_of_a_value_in_part_is_counted_apart(tmp_path: Path) -> None:
    """Half a card number is less than a card number, and more than nothing."""
    pattern = "{ner: none, entities: [SECRET], patterns: {TAIL: '(?<=@)[a-z0-9.-]+'}}"
    audit = built(audit_running.make(tmp_path, canaries=45, redact=pattern))["audit"]
    assert audit["kinds"]["email"]["in_part"] > 0
    assert any(not leak["whole"] for leak in audit["leaks"] if leak["form"].startswith("email."))


def test_no_planted_value_stays_on_disk_but_the_leaks_that_are_reported(whole: dict[str, Any]) -> None:
    """The copies hold raw text: what is left of them is a leak of its own."""
    builds = whole["folder"].parent
    assert not [path for path in builds.rglob("*") if "audit-" in path.name]
    planted = planted_again(whole)
    assert len(planted.canaries) == whole["audit"]["all"]["planted"]
    files = sorted(path for path in builds.rglob("*") if path.is_file())
    opened = Opened()
    finds = Search(planted.canaries, planted.carrier).files(builds, files, decoder("bytes"), opened)
    told = {leak["form"] for leak in whole["audit"]["leaks"]}
    assert {planted.canaries[find.canary].form.label for find in finds} <= told
    assert opened.files == len(files) > 30


def planted_again(made: dict[str, Any]) -> Planted:
    """The canaries of a build's audit, drawn once more from its steps."""
    recipe = read_recipe(made["folder"].parents[2] / "recipes" / "small.yaml")
    plan, walk = make_recipe_plan(recipe, made["folder"].parents[1])
    facts = {source.name: source.facts() for source in recipe.sources}
    return plant(chosen(45, 17), choose_hosts(plan, walk.states, 45), facts, 17, 1.0)


def test_a_gates_values_are_added_to_the_others_each_form_once() -> None:
    forms = chosen(60, 17, 300)
    assert forms[:60] == chosen(60, 17)
    assert sum(form.gated for form in forms) == 300
    assert len(set(forms)) == len(forms)
    every = sum(form.gated for form in battery())
    assert sum(form.gated for form in chosen(60, 17, 5000)) == every


def test_a_second_build_audits_nothing_and_another_place_comes_to_the_same(
    whole: dict[str, Any], tmp_path: Path
) -> None:
    again = built(whole["folder"].parents[2] / "recipes" / "small.yaml")
    assert again["reused"]
    other = tmp_path / "other"
    shutil.copytree(whole["folder"].parents[2], other, ignore=shutil.ignore_patterns("builds"))
    moved = built(other / "recipes" / "small.yaml")
    assert moved["audit"] == whole["audit"]
    assert (moved["folder"] / "manifest.json").read_bytes() == (whole["folder"] / "manifest.json").read_bytes()


def test_a_recognizer_that_is_switched_off_is_found_and_the_gate_fails(holed: dict[str, Any]) -> None:
    kinds = holed["audit"]["kinds"]
    assert kinds["email"]["leaked"] > 0
    assert any(leak["form"].startswith("email.") and leak["gated"] for leak in holed["audit"]["leaks"])
    gate = next(gate for gate in holed["gates"] if gate["name"] == "canary_leak")
    assert not gate["passed"]
    leak = next(leak for leak in holed["audit"]["leaks"] if leak["form"].startswith("email."))
    assert leak["first"][0]["file"].startswith("builds/small/")
    assert leak["first"][0]["field"]


def test_the_command_prints_one_object_and_fails_with_what_to_do(
    holed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(GateFailed, match="structured values leaked") as failed:
        commands.audit(str(holed["folder"]), None, None, 45, 1.0, 20, True, True)
    assert failed.value.exit_code == 1
    assert "redact" in failed.value.problem.hint
    told = orjson.loads(capsys.readouterr().out)
    assert told["build"] == holed["folder"].name
    assert told["kinds"]["email"]["leaked"] > 0
    assert told["second_look"]["records"] == 20


def test_the_tables_for_people_name_every_kind_and_leak(
    holed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(GateFailed):
        commands.audit(str(holed["folder"]), None, None, 45, 1.0, 20, False, True)
    said = capsys.readouterr().out
    for word in (*holed["audit"]["kinds"], "second detector", "raw text by design", holed["audit"]["leaks"][0]["form"]):
        assert word in said


def test_a_build_that_its_recipe_no_longer_makes_is_not_audited(holed: dict[str, Any], tmp_path: Path) -> None:
    """The audit runs the pipeline that there is; its figures must not be printed under another build's name."""
    copy = tmp_path / "copy"
    shutil.copytree(holed["folder"].parents[2], copy)
    recipe = copy / "recipes" / "small.yaml"
    recipe.write_text(recipe.read_text().replace("share: 10%", "share: 20%"))
    with pytest.raises(UsageError, match="another state"):
        commands.audit(str(copy / "builds" / "small" / holed["folder"].name), None, None, 45, 1.0, 20, True, True)


def test_a_recipe_without_an_audit_says_so_on_its_card_and_cannot_hold_the_gate(tmp_path: Path) -> None:
    made = built(audit_running.make(tmp_path / "without", canaries=0))
    assert "audit" not in made
    assert "canary_leak" not in {gate["name"] for gate in made["gates"]}
    assert "No leak audit ran" in (made["folder"] / "card.html").read_text()
    recipe = audit_running.make(tmp_path / "gated", canaries=0, gates="gates: {canary_leak: 1%}")
    with pytest.raises(Problems, match="nothing is planted"):
        read_recipe(recipe)


def test_a_recipe_that_does_not_redact_has_nothing_to_audit(tmp_path: Path) -> None:
    recipe = audit_running.make(tmp_path, redact="false", gates="gates: {canary_leak: 1%}")
    made = built(recipe)
    gate = next(gate for gate in made["gates"] if gate["name"] == "canary_leak")
    assert gate["observed"] is None
    assert not gate["passed"]
    with pytest.raises(UsageError, match="nothing to audit"):
        commands.audit(str(made["folder"]), None, None, 45, 1.0, 20, True, True)


FACTS = {
    name: SourceFacts(name, kind, "domain", "CC0-1.0", ("en",), kinds)
    for name, kind, kinds in (("chats", "chat", ("person",)), ("docs", "doc", ()))
}


def host(source: str, i: int) -> Host:
    text = f"Page {i} is about the old router. Turn it off. Wait for the lamp. Turn it on again, and look at it."
    record = Record(f"{source}:{i}", source, "doc", text, Origin("f", 0, 9), title=f"Page {i}", meta={"a": {"b": i}})
    if source == "chats":
        turns = (Message("user", text, "ann"), Message("assistant", "Turn it off. And on."), Message("user", "Yes."))
        record = Record(f"{source}:{i}", source, "chat", render(turns), Origin("f", 0, 9), messages=turns)
    return Host(f"audit-{i:05d}", record)


@pytest.mark.parametrize(("count", "seed"), [(900, 5), (340, 7)])
def test_every_form_stands_whole_in_the_record_that_carries_it_and_none_is_forgotten(count: int, seed: int) -> None:
    """With few records each carries several values: one that is cut by another would be counted as a leak in part."""
    forms = battery()
    hosts = {source: [host(source, i) for i in range(count)] for source in FACTS}
    planted = plant(forms, hosts, FACTS, seed, 1.0)
    assert len(planted.canaries) + sum(planted.left_out.values()) == len(forms)
    assert len(planted.canaries) > 0.98 * len(forms)
    records = {one.id: one.record for room in planted.hosts.values() for one in room}
    for number, canary in planted.canaries.items():
        record = records[planted.carrier[number]]
        everything = squeezed("\n".join((record.title, record.text, *map(str, record.meta.values()))))
        assert all(piece in everything for piece in canary.whole), canary.form.label
        if not canary.form.structured:
            assert record.source == "chats", "names are planted only where somebody looks for them"
    loads = [list(planted.carrier.values()).count(one) for one in set(planted.carrier.values())]
    assert max(loads) <= MOST


def test_half_a_value_a_record_leaves_every_second_record_alone() -> None:
    forms = [form for form in battery() if form.structured and form.position in ("start", "middle", "end")][:40]
    hosts = {"docs": [host("docs", i) for i in range(200)]}
    planted = plant(forms, hosts, FACTS, 5, 0.5)
    at = sorted(int(key.key.split("-")[1]) for key in planted.hosts["docs"])
    assert len(at) == 40
    assert at[-1] >= 79


def test_copies_are_short_and_written_so_that_a_reader_reads_them_again() -> None:
    long = host("docs", 1).record
    long.text = "A word or two. " * 4000
    assert len(shortened(long).text) <= 6000
    row = raw_row(host("docs", 1))
    assert raw_format([host("docs", 1)])["reader"] == "jsonl"
    assert row["a"] == {"b": 1}
    turns = raw_row(host("chats", 1))["audit_turns"]
    assert [turn["content"] for turn in turns][1:] == ["Turn it off. And on.", "Yes."]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"), [(0, 300, 0.0, 0.0126), (300, 300, 0.9874, 1.0), (81, 263, 0.2553, 0.3662)]
)
def test_intervals_are_wilsons(successes: int, trials: int, low: float, high: float) -> None:
    """81 of 263 is the example of Newcombe (1998)."""
    found = wilson(successes, trials)
    assert found == pytest.approx((low, high), abs=6e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_nothing_tested_is_a_failure_not_a_success() -> None:
    nothing = {"gated": {"masked": 0, "leaked": 0, "in_part": 0}}
    assert "no planted value" in (telling.broken(nothing, None) or "")
    assert telling.broken({"gated": {"masked": 99, "leaked": 1, "in_part": 0}}, None) is None
    assert "2 of 100" in (telling.broken({"gated": {"masked": 98, "leaked": 1, "in_part": 1}}, None) or "")
