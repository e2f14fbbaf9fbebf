"""`corpusforge tune`: proxies are trained once, go on where they were killed, and end in a report and one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="needs the extra [train]: make test-train")

from corpusforge import proxy_runs, tune_command
from corpusforge.errors import CorpusforgeError, StepFailed, UsageError
from corpusforge.packed_settings import MixStage, Packed
from corpusforge.recipe import read_recipe
from corpusforge_train.checkpoint import newest
from corpusforge_train.config import Config
from corpusforge_train.log import read_log

from .conftest import write_build

RECIPE = Path(__file__).parents[2] / "recipes" / "train-demo.yaml"
SHARES = ("10%", "30%", "60%")


@dataclass
class Sibling:
    folder: Path


@pytest.fixture(scope="module")
def siblings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three mixes of equal tokens."""
    made = []
    for share in SHARES:
        rest = f"{100 - int(share[:-1])}%"
        tree = {"domain": {"share": share, "chats": "rest", "kb": "50%"}, "public": {"share": rest, "web": "rest"}}
        made.append(write_build(tmp_path_factory.mktemp("sibling"), tree=tree, total=2400).folder)
    return made


@pytest.fixture
def config_file(configure: Callable[..., Config], tmp_path: Path) -> Path:
    path = tmp_path / "proxy.yaml"
    config = configure(batch={"sequences": 4, "micro": 4}, schedule={"kind": "constant", "peak": 3e-3, "warmup": 0.1})
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    return path


@pytest.fixture
def tuned(
    siblings: list[Path], config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """The command over the three mixes, whatever recipe it is given."""
    monkeypatch.setattr("corpusforge.sweep.sweep", lambda *words, **more: [Sibling(one) for one in siblings])

    def run(**words: Any) -> None:
        given: dict[str, Any] = {"shares": ",".join(SHARES), "budget": 0.05, "seeds": 2, "tokens": None}
        given |= {"out": tmp_path / "out", "builds": None, "changes": [], "as_json": True, "quiet": True, **words}
        tune_command.tune(RECIPE, given.pop("config", config_file), *given.values())

    return run


def test_proxies_are_trained_once_and_end_in_a_report(
    tuned: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[CorpusforgeError | None] = []
    for _ in range(2):
        try:
            tuned()
            ended.append(None)
        except StepFailed as error:
            ended.append(error)
        # The second time nothing may be trained.
        monkeypatch.setattr("corpusforge_train.cli.start", None)
    first, second = capsys.readouterr().out.split("\n}\n")[:2]
    assert first == second
    assert str(ended[0]) == str(ended[1])
    value = json.loads(first + "}")
    assert (value["share"] is None) == (ended[0] is not None)
    assert [round(run["share"], 1) for run in value["runs"]] == [0.1, 0.1, 0.3, 0.3, 0.6, 0.6]
    assert all(len(run["tokens"]) == 5 for run in value["runs"])
    assert all(run["domain"][-1] < run["before"]["domain"] for run in value["runs"])
    assert (tmp_path / "out" / "tune.html").is_file()
    runs = list((tmp_path / "out" / "proxies").iterdir())
    assert len(runs) == 6
    for run in runs:
        assert {one.name for one in run.iterdir()} == {"base_holdout.json", "log.jsonl", "proxy.json", "receipt.json"}
        receipt = json.loads((run / "receipt.json").read_text())
        losses = json.loads((run / "proxy.json").read_text())
        assert losses["tokens"][-1] == sum(one["tokens"] for one in receipt["ledger"])


def test_a_killed_proxy_goes_on_and_measures_the_same(
    siblings: list[Path], config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corpusforge_train.config import load_config
    from corpusforge_train.loop import Run

    config = load_config(config_file)
    whole, killed = (proxy_runs.tasks(siblings[:1], config, [17], tmp_path / name)[0] for name in ("whole", "killed"))
    changes = ["checkpoint.every=3"]
    expected = proxy_runs.run(whole, config_file, changes, config, True)
    step = Run._step

    def crash(self: Run) -> None:
        if self.progress.step == 5:
            raise KeyboardInterrupt
        step(self)

    monkeypatch.setattr(Run, "_step", crash)
    with pytest.raises(KeyboardInterrupt):
        proxy_runs.run(killed, config_file, changes, config, True)
    assert newest(killed.folder) is not None
    assert not proxy_runs.finished(killed)
    monkeypatch.setattr(Run, "_step", step)
    found = proxy_runs.run(killed, config_file, changes, config, True)
    assert found.tokens == expected.tokens
    assert found.domain == pytest.approx(expected.domain, abs=1e-5)
    assert found.public == pytest.approx(expected.public, abs=1e-5)


def test_a_rate_that_falls_leaves_the_end_of_a_run_alone(
    siblings: list[Path], config_file: Path, tmp_path: Path
) -> None:
    """The loss in the middle of a cosine is not that of a run that ends there."""
    from corpusforge_train.config import load_config

    changes = ["schedule.kind=cosine"]
    config = load_config(config_file, tuple(changes))
    task = proxy_runs.tasks(siblings[:1], config, [17], tmp_path)[0]
    proxy = proxy_runs.run(task, config_file, changes, config, True)
    assert len(proxy.tokens) == len(proxy.domain) == 1
    assert len([line for line in read_log(task.folder) if "holdout" in line]) > 2
    other = proxy_runs.tasks(siblings[:1], load_config(config_file), [17], tmp_path)[0]
    assert other.folder != task.folder
    assert proxy_runs.tasks(siblings[:1], config, [18], tmp_path)[0].folder != task.folder
    assert proxy_runs.tasks(siblings[1:2], config, [17], tmp_path)[0].folder != task.folder


def test_what_cannot_be_right_is_said_before_anything_is_built(
    tuned: Callable[..., None], config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*words: object, **more: object) -> None:
        raise AssertionError("nothing may be built")

    monkeypatch.setattr("corpusforge.sweep.sweep", never)
    with pytest.raises(UsageError, match="too few"):
        tuned(shares="1%,2%")
    with pytest.raises(UsageError, match="no such config"):
        tuned(config=tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="completion alone"):
        tuned(changes=["data.outputs=[completion, instruct]"])
    with pytest.raises(UsageError, match="a seed changes nothing"):
        tuned(changes=["model={path: somewhere}"])
    with pytest.raises(UsageError, match=r"--shares.*'some'"):
        tuned(shares="1%,2%,some")
    for count in ("many", "0"):
        with pytest.raises(UsageError, match="--tokens"):
            tuned(tokens=count)
    with pytest.raises(UsageError, match="--budget"):
        tuned(budget=float("inf"))
    whole = read_recipe(RECIPE)
    stage = MixStage.model_validate({"until": "80%", "shares": {"domain": "2%"}})
    for other, said in (
        (replace(whole, packed=None), "packs no completion"),
        (replace(whole, packed=Packed(stages={"completion": (stage,)})), "trained in stages"),
        (replace(whole, curate=()), r"no public text is held out.*public: true"),
    ):
        monkeypatch.setattr("corpusforge.recipe.read_recipe", lambda path, other=other: other)
        with pytest.raises(UsageError, match=said):
            tuned()


def test_a_build_without_public_hold_out_is_refused(
    siblings: list[Path], configure: Callable[..., Config], tmp_path: Path
) -> None:
    manifest = json.loads((siblings[0] / "manifest.json").read_text())
    del manifest["packed"]["holdout"]["sources"]["public"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match=r"no public text is held out.*public: true"):
        proxy_runs.tasks([tmp_path], configure(), [17], tmp_path)


def test_a_run_beyond_the_law_is_refused_before_any_proxy_is_trained(
    tuned: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*words: object) -> None:
        raise AssertionError("nothing may be trained")

    monkeypatch.setattr(proxy_runs, "run", never)
    with pytest.raises(UsageError, match="reaches 10 times"):
        tuned(tokens="1M")
    with pytest.raises(UsageError, match="rate of these runs is not constant"):
        tuned(tokens="4000", changes=["schedule.kind=cosine"])


def test_shares_of_the_same_records_are_not_counted_as_two_runs(
    siblings: list[Path], configure: Callable[..., Config], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"same records.*further apart"):
        proxy_runs.tasks([siblings[0], siblings[1], siblings[0]], configure(), [17], tmp_path)


def test_another_model_under_the_same_name_is_another_run(
    siblings: list[Path], configure: Callable[..., Config], tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    config = configure(model={"path": str(base), "random": None})
    folders = set()
    for weights in (b"one", b"two", b"one"):
        (base / "model.safetensors").write_bytes(weights)
        folders.add(proxy_runs.tasks(siblings[:1], config, [17], tmp_path)[0].folder)
    assert len(folders) == 2


def test_without_the_extra_it_says_what_to_install(tuned: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(UsageError, match=r"corpusforge\[train\]"):
        tuned()
