"""The report: what a person signs a share by must say what it rests on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corpusforge.tune.page import write_report
from corpusforge.tune.proxies import Proxies
from corpusforge.tune.tuning import Proposal, tune
from corpusforge.tune.wording import percent

from .planted import SHAPES, measured


@pytest.fixture(scope="module")
def decided() -> tuple[Proxies, Proposal]:
    proxies = measured(SHAPES["exponential, wide"], 1)
    return proxies, tune(proxies, 0.05, against="least", count=150)


def test_the_report_has_the_line_for_the_mix_the_figures_and_the_charts(
    decided: tuple[Proxies, Proposal], tmp_path: Path
) -> None:
    proxies, proposal = decided
    written = write_report(tmp_path, "desk", proxies, proposal)
    value = json.loads((tmp_path / "tune.json").read_text())
    assert value == json.loads(json.dumps(written.value))
    assert value["set"] == f"mix.completion.domain.share={percent(proposal.share or 0)}"
    assert len(value["runs"]) == 10
    assert {one["law"] for one in value["laws"]["public"]} == {"dcpt", "exponential"}
    page = written.page.read_text()
    assert value["set"] in page
    assert page.count("<svg") == 3
    assert "95% interval" in page
    for name in ("by-share", "trade-off", "over-tokens"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / f"{name}.svg").read_text().startswith("<svg")


def test_a_report_without_evidence_proposes_nothing(tmp_path: Path) -> None:
    proxies = measured(SHAPES["exponential, wide"], 2, noise=40)
    written = write_report(tmp_path, "desk", proxies, tune(proxies, 0.05, against="least", count=100))
    assert written.value["set"] is None
    assert "Not enough evidence" in written.page.read_text()
    assert "domain.share=" not in written.page.read_text()


def test_the_same_proposal_is_written_in_the_same_bytes(decided: tuple[Proxies, Proposal], tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_report(tmp_path / name, "desk", *decided)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_a_share_is_written_as_a_recipe_has_it() -> None:
    assert [percent(share) for share in (0.034, 0.22, 0.5, 0.0075, 0.1)] == ["3.4%", "22%", "50%", "0.75%", "10%"]
