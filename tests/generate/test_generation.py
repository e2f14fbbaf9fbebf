"""The section `generate` of a recipe: what is written by a model is checked, previewed, predicted and accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import yaml

from corpusforge import plan_commands
from corpusforge.build import make_recipe_plan
from corpusforge.errors import Problems
from corpusforge.estimate import estimates
from corpusforge.generation import without_model
from corpusforge.preview import preview
from corpusforge.recipe import Run, read_recipe
from corpusforge.writing import written_lines

from .factory import ENGINE, RECIPE, Silent, built, counted, records_of, rows_of, workspace
from .scripted import Scripted, plugged

DOCUMENTS = dict.fromkeys(range(30), 0)
PRICED = {**ENGINE, "output": "tagged", "prompt_price": 1, "completion_price": 4}


def problems(folder: Path, **generate: Any) -> list[str]:
    workspace(folder, DOCUMENTS)
    recipe = {**RECIPE, "generate": generate}
    (folder / "recipes" / "written.yaml").write_text(yaml.safe_dump(recipe))
    try:
        read_recipe(folder / "recipes" / "written.yaml")
    except Problems as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("generate", "told"),
    [
        ({"rewrite": {}}, "rewrite needs a model"),
        ({"qa": {}, "tone": "Brief."}, "tone needs a model"),
        ({"engine": PRICED, "mcq": {}}, "mcq is made of the rows of qa"),
        ({"engine": PRICED, "qa": {"tone": "Brief."}}, "tone is the same for all tasks"),
        ({"engine": PRICED, "qa": {"per_pasage": 2}}, "Did you mean 'per_passage'"),
        ({"engine": PRICED, "qa": {}, "prompts": "nowhere"}, "no folder lies at nowhere"),
        ({"engine": PRICED, "qa": {}, "prompts": "bad"}, "qa.j2 lacks {{ n }}"),
        ({"engine": PRICED, "qa": {"chunk_tokens": 9000}}, "do not fit into the engine's context"),
        ({"engine": PRICED, "qa": {}, "verify": False}, "cannot be told from invented ones"),
        ({"engine": PRICED, "qa": {}, "question": {}}, "unknown task 'question'"),
        ({"engine": PRICED, "qa": {"unanswerable": "6"}}, "is not a share"),
    ],
)
def test_a_mistake_in_generate_is_told_at_once_and_with_its_place(
    tmp_path: Path, generate: dict[str, Any], told: str
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "qa.j2").write_text("{# version: 1 #}{{ format }}")
    found = problems(tmp_path, **generate)
    assert len(found) == 1, found
    assert told in found[0]
    assert "written.yaml:" in found[0]


def test_what_is_told_once_reaches_every_task(tmp_path: Path) -> None:
    tasks = {"qa": {"unanswerable": "5%"}, "mcq": {}, "reading": {}, "rewrite": {}, "turns": {}}
    folder = workspace(tmp_path, DOCUMENTS, tone="Brief.", product="Acme", languages=["en"], **tasks)
    recipe = read_recipe(folder / "recipes" / "written.yaml")
    assert [use.name for use in recipe.generate] == list(tasks)
    for use in recipe.generate:
        settings: Any = use.settings
        assert (settings.tone, settings.product, settings.languages) == ("Brief.", "Acme", ("en",))
        assert settings.engine.model == "scripted"
    assert [use.name for use in recipe.proofs] == ["verify", "alike"]
    assert recipe.generate[0].settings.unanswerable == 0.05  # type: ignore[attr-defined]
    by_rules = without_model(recipe.generate)
    assert [use.written for use in by_rules] == ["qa", "mcq", "reading"]


def test_a_passage_that_a_row_was_checked_against_reaches_no_output(engine: Scripted, tmp_path: Path) -> None:
    folder = workspace(tmp_path, DOCUMENTS, mcq={}, rewrite={"styles": ["facts"]}, tone="Brief.")
    done = built(folder)
    rows = rows_of(done)
    assert {row.kind for row in rows.values()} == {"qa", "mcq", "rewrite"}
    assert all("text" not in row.meta["context"] and row.meta["context"]["end"] for row in rows.values())
    before = records_of(done, "decontaminate-rows")
    assert all(row.meta["context"]["text"] for row in before.values())
    for path in done.folder.rglob("*.parquet"):
        columns = pq.read_schema(path).names
        assert "meta" not in columns, path
        if "id" in columns:
            for row in pq.read_table(path).to_pylist():
                assert "context" not in row, path
    for name, task in (("qa", "qa"), ("mcq", "mcq"), ("rewrite", "rewrite")):
        counts = counted(done, name)
        missing = sum(n for key, n in counts.items() if key.startswith("missing."))
        assert counts["asked"] == counts["written"] + missing
        assert done.manifest["evidence"]["by_model"][task] <= counts["written"]
    card = orjson.loads((done.folder / "card.json").read_bytes())["synthetic"]
    assert [proof["step"] for proof in card["proofs"]] == ["verify", "alike", "decontaminate-rows"]
    assert all(maker["model"]["calls"] > 0 for maker in card["makers"])
    assert "address" not in card["engine"]


def test_rows_of_a_task_never_depend_on_another_shard_or_worker(engine: Scripted, tmp_path: Path) -> None:
    folder = workspace(tmp_path, DOCUMENTS, rewrite={"styles": ["faq"]})
    one = rows_of(built(folder))
    for path in (folder / "data").glob("*.jsonl"):
        path.rename(path.with_name(f"z-{path.name}"))
    calls = engine.calls.total()
    other = rows_of(built(folder))
    assert engine.calls.total() == calls, "the same chunks in files of another name are not paid for again"
    assert {r.id: r.meta for r in one.values()} == {r.id: r.meta for r in other.values()}


def test_a_preview_shows_what_a_build_will_have_and_is_not_paid_for_twice(engine: Scripted, tmp_path: Path) -> None:
    folder = workspace(tmp_path, DOCUMENTS, mcq={}, rewrite={"styles": ["faq"]})
    recipe = read_recipe(folder / "recipes" / "written.yaml")
    shown = preview(recipe, folder / "builds", 4, None, Silent(), Run(workers=1))
    assert {entry["task"] for entry in shown} == {"qa", "mcq", "rewrite"}
    assert len([entry for entry in shown if entry["task"] == "qa"]) == 4
    for entry in shown:
        assert entry["passage"]
        for call in entry["exchanges"]:
            assert entry["passage"].strip() in call["prompt"]
        for row in entry["rows"]:
            assert row["verdict"] in ("yes", "")
            assert row["verify"]
            assert all(quote in entry["passage"] for quote in row["evidence"])
    asked = engine.calls.total()
    done = built(folder)
    made = rows_of(done)
    kept = [row["id"] for entry in shown if entry["task"] != "mcq" for row in entry["rows"] if row["verify"] == "kept"]
    assert kept
    assert set(kept) <= made.keys()
    total = sum(counted(done, name)["calls"] for name in ("qa", "mcq", "rewrite"))
    assert engine.calls.total() <= total + asked * 0.1
    assert preview(recipe, folder / "builds", 4, "qa", Silent(), Run(workers=1)) == [
        entry for entry in shown if entry["task"] == "qa"
    ]


def test_a_preview_works_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = workspace(tmp_path, DOCUMENTS)
    recipe = {**RECIPE, "generate": {"qa": {}, "reading": {}}}
    (folder / "recipes" / "written.yaml").write_text(yaml.safe_dump(recipe))
    plan_commands.generate(folder / "recipes" / "written.yaml", 3, None, folder / "builds", False, True)
    told = capsys.readouterr().out
    assert told.count("━━ reading:") == 3
    assert "verify says kept" in told
    assert "passage: # The " in told


def test_a_plan_predicts_calls_and_tokens_of_what_is_then_asked(engine: Scripted, tmp_path: Path) -> None:
    folder = workspace(tmp_path, dict.fromkeys(range(120), 0), engine=PRICED, rewrite={"styles": ["faq"]})
    recipe = read_recipe(folder / "recipes" / "written.yaml")
    assert estimates(*make_recipe_plan(recipe, folder / "builds"), 2) is None, "nothing is curated yet"
    preview(recipe, folder / "builds", 5, None, Silent(), Run(workers=1))
    found = estimates(*make_recipe_plan(recipe, folder / "builds"), 1)
    assert found is not None
    done = built(folder)
    for one in found:
        counts = counted(done, one.task)
        for name in ("chunks", "calls", "prompt_tokens"):
            told = getattr(one, name)
            assert told.low * 0.85 <= counts[name] <= told.high * 1.15, (one.task, name, told, counts[name])
        assert one.money is not None
        assert one.seconds is not None, "the preview asked this model something"
        assert one.measured
        assert one.completion_tokens.low * 0.7 <= counts["completion_tokens"] <= one.completion_tokens.high * 1.3
    after = estimates(*make_recipe_plan(recipe, folder / "builds"), 1)
    assert after is not None
    assert all(one.known == 1 and one.seconds is not None and one.seconds.high == 0 for one in after)


def test_a_plan_says_what_it_does_not_know(
    engine: Scripted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workspace(tmp_path, DOCUMENTS)
    recipe = folder / "recipes" / "written.yaml"
    plan_commands.plan(recipe, folder / "builds", False)
    assert "not known before records are curated" in capsys.readouterr().err
    built(folder)
    (folder / "builds" / "written" / ".pulse" / "speed.jsonl").unlink()
    workspace(tmp_path, {**DOCUMENTS, 3: 1})
    plan_commands.generate(recipe, 1, "qa", folder / "builds", True, True)
    (folder / "builds" / "written" / ".pulse" / "speed.jsonl").unlink(missing_ok=True)
    capsys.readouterr()
    plan_commands.plan(recipe, folder / "builds", False)
    told = capsys.readouterr()
    assert "unknown" in told.out
    assert "no price" in told.out
    assert "time is unknown until this model has been asked something" in told.err


def test_progress_tells_rows_tokens_time_and_reasons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("corpusforge.generate.write.pulse.EVERY", 0.0)
    plugged(monkeypatch, Scripted(lambda kind, d, n: "No" if kind == "qa-check" and "0" in d[:30] else None))
    folder = workspace(tmp_path, DOCUMENTS)
    recipe = read_recipe(folder / "recipes" / "written.yaml")
    seen: list[str] = []

    class Watching(Silent):
        def progress(self, plan: Any) -> None:
            _, walk = made
            seen.extend(written_lines(plan, walk.states, {}))

    from corpusforge.build import build
    from corpusforge.generate.write.pulse import Pulse

    made = make_recipe_plan(recipe, folder / "builds")
    add = Pulse.add

    def told(self: Pulse, record: str, written: Any) -> None:
        add(self, record, written)
        seen.extend(written_lines(made[0], made[1].states, {}))

    monkeypatch.setattr(Pulse, "add", told)
    build(recipe, folder / "builds", Watching(), Run(workers=1))
    assert any("rows accepted of" in line and "tokens/s" in line for line in seen)
    assert any("verdict-no" in line for line in seen)


@pytest.mark.slow
def test_the_leak_audit_asks_no_model_and_what_a_model_wrote_is_searched_again(
    engine: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curate = {name: value for name, value in RECIPE["curate"].items() if name != "redact"}
    monkeypatch.setitem(RECIPE, "curate", curate)
    monkeypatch.setitem(RECIPE, "audit", {"canaries": 20})
    folder = workspace(tmp_path, DOCUMENTS, mcq={}, rewrite={"styles": ["faq"]})
    source = folder / "sources" / "notes.yaml"
    source.write_text(source.read_text().replace("personal_data: none", "personal_data: [person, email]"))
    done = built(folder)
    assert engine.calls.total() == sum(counted(done, name)["calls"] for name in ("qa", "mcq", "rewrite"))
    assert done.manifest["audit"]["all"]["planted"] > 0
    assert counted(done, "rescan")["scanned"] == sum(
        counted(done, name)["written"] for name in ("qa", "mcq", "rewrite")
    )
