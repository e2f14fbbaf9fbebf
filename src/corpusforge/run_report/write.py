"""Writes a run's report into its folder, and a page of several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corpusforge.run_report.charts import run_charts, runs_chart
from corpusforge.run_report.page import Page, run_page, runs_page
from corpusforge.run_report.read import read_run
from corpusforge.shards import write_bytes, write_json


def write_run(run: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write `report.json`, `report.md`, `report.html` and `plots/` of a run; what report.json says."""
    report = read_run(run, manifest)
    charts = run_charts(report)
    write_json(run / "report.json", report)
    _write(run_page(report, charts), charts, run)
    return report


def write_runs(reports: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Write a page of several runs into a folder, the same files."""
    rows = [
        {"run": report["run"], "side": side, **{key: points[-1][key] for key in ("change", "low", "high")}}
        for report in reports
        for side, points in report["holdout"].items()
        if len(points) > 1 and points[-1]["low"] is not None
    ]
    charts = {"runs": runs_chart(rows, min(report["alarm"]["warn"] for report in reports))} if rows else {}
    write_json(out / "report.json", {"format": 1, "runs": list(reports)})
    _write(runs_page(reports, charts), charts, out)


def _write(page: Page, charts: Mapping[str, str], folder: Path) -> None:
    for name, drawn in charts.items():
        write_bytes(folder / "plots" / f"{name}.svg", drawn.encode())
    write_bytes(folder / "report.md", page.markdown().encode())
    write_bytes(folder / "report.html", page.html().encode())
