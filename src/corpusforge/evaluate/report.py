"""The report of an evaluation: figures with intervals beside their baselines, paired tests, and what was not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corpusforge.evaluate.answering import UNASKABLE, Answer, Asked, Sitting
from corpusforge.evaluate.calibrate import KAPPA_GATE, Agreement
from corpusforge.evaluate.intervals import bootstrap, mcnemar, paired, sign_test
from corpusforge.evaluate.judge import COMPARE, JUDGE, Compared, Judged
from corpusforge.evaluate.likelihoods import figures
from corpusforge.wilson import wilson

# Metrics that are 0 or 1 for an item, unless its orders were rotated.
SHARES = ("acc", "exact", "correct")
WHY_NOT = "needs likelihoods: --likelihoods asks a server that gives them, lm-evaluation-harness any model"


def with_verdicts(answers: Sequence[Answer], judged: Sequence[Judged]) -> list[Answer]:
    """Answers with the judge's verdict among their scores: `correct` (0 or 1) and `judged` (partly is 0.5)."""
    return [
        Answer(
            answer.item,
            answer.cluster,
            answer.source,
            answer.reply,
            {**answer.scores, "correct": float(one.verdict == "correct"), "judged": one.score},
            answer.trouble,
            answer.weight,
        )
        for answer, one in zip(answers, judged, strict=True)
    ]


def task_reports(
    tasks: Sequence[Asked], sittings: Mapping[str, Sitting], baselines: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """One entry for each task that was asked, in the order of names, with each model's figures and their difference."""
    return [_task(task, sittings, baselines.get(task.name, {})) for task in tasks if _was_run(task, sittings)]


def not_run(tasks: Sequence[Asked], sittings: Mapping[str, Sitting], lost: Mapping[str, str]) -> list[dict[str, str]]:
    """The tasks that were not asked, and why; `lost` says of a model why its likelihoods were not given."""
    failed = "; ".join(f"of model {key} {what.rstrip('.')}" for key, what in lost.items())
    why = f"needs likelihoods, which were not given: {failed}" if lost else WHY_NOT
    return [{"task": task.name, "why": why} for task in tasks if not _was_run(task, sittings)]


def _was_run(task: Asked, sittings: Mapping[str, Sitting]) -> bool:
    return all(task.name in sitting.answers for sitting in sittings.values())


def own_questions(tasks: Sequence[Asked], models: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """How many of the asked questions each model wrote itself, where it wrote any."""
    writers = [str(row.get("writer", "")) for task in tasks if task.kind not in UNASKABLE for row in task.rows]
    names = {key: f"{told['model']}@{told['revision']}" for key, told in models.items()}
    return {key: n for key, name in names.items() if (n := writers.count(name))}


def _task(task: Asked, sittings: Mapping[str, Sitting], baselines: Mapping[str, Any]) -> dict[str, Any]:
    models = {name: _model(sitting, task.name) for name, sitting in sittings.items()}
    made: dict[str, Any] = {
        "task": task.name,
        "kind": task.kind,
        "items": len(task.rows),
        "prompt_sha256": task.told["prompt_sha256"],
        "baselines": {name: value for name, value in baselines.items() if name != "items"},
        "models": models,
    }
    if len(sittings) == 2:
        first, second = (sitting.answers[task.name] for sitting in sittings.values())
        made["difference"] = _difference(first, second)
    return made


def _model(sitting: Sitting, task: str) -> dict[str, Any]:
    answers = sitting.answers[task]
    metrics = sorted({metric for answer in answers for metric in answer.scores})
    told = {metric: bootstrap(**figures(answers, metric)).to_json() for metric in metrics}
    return {"metrics": told, "troubles": sitting.troubles(task), "by_source": _by_source(answers, metrics)}


def _by_source(answers: Sequence[Answer], metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    made: dict[str, dict[str, float]] = {}
    for source in sorted({answer.source for answer in answers}):
        own = [answer for answer in answers if answer.source == source]
        made[source] = {"items": len(own)}
        for metric in metrics:
            having = [answer for answer in own if metric in answer.scores]
            if whole := sum(answer.weight for answer in having):
                made[source][metric] = round(sum(a.scores[metric] * a.weight for a in having) / whole, 6)
    return made


def _difference(first: Sequence[Answer], second: Sequence[Answer]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for metric in sorted({metric for answer in first for metric in answer.scores}):
        told = figures(first, metric)
        one, two = told["values"], figures(second, metric)["values"]
        made[metric] = paired(one, two, told["clusters"], told["weights"]).to_json()
        if metric in SHARES and {*one.values(), *two.values()} <= {0.0, 1.0}:
            only_first, only_second, p = mcnemar(one, two)
            made[metric] |= {"only_first": only_first, "only_second": only_second, "mcnemar_p": round(p, 6)}
    return made


def judge_report(
    identity: Mapping[str, Any], troubles: Mapping[str, int], agreement: Agreement | None, same: Sequence[str]
) -> dict[str, Any]:
    """What is to be known of the judge: its model and prompts by hash, failures, and whether people agree with it."""
    told = agreement.to_json() if agreement else {"state": "not calibrated", "gate": KAPPA_GATE}
    return {
        "model": dict(identity),
        "prompt": JUDGE.name,
        "prompt_sha256": JUDGE.sha256,
        "compare_prompt": COMPARE.name,
        "compare_sha256": COMPARE.sha256,
        "troubles": dict(troubles),
        "calibration": told,
        "judges_itself": list(same),
    }


def pair_report(
    task: str, compared: Compared, first: Sequence[str | None], second: Sequence[str | None]
) -> dict[str, Any]:
    """Which model the judge prefers, both orders agreeing: its share of the decided pairs and the sign test's p.

    `longer_share` is how often the longer of two answers won: far from what the figures of correct answers explain, the
    judge goes by length.
    """
    counts = compared.count()
    wins, losses = counts.get("first", 0), counts.get("second", 0)
    low, high = wilson(wins, wins + losses)
    flip = compared.flip_rate
    return {
        "task": task,
        "outcomes": counts,
        "first_share": None if wins + losses == 0 else round(wins / (wins + losses), 6),
        "low": round(low, 6),
        "high": round(high, 6),
        "sign_p": round(sign_test(wins, losses), 6),
        "longer_share": _longer(compared, first, second),
        "flip_rate": None if flip is None else round(flip, 6),
    }


def _longer(compared: Compared, first: Sequence[str | None], second: Sequence[str | None]) -> float | None:
    won = [
        (len(one or "") > len(two or "")) == (outcome == "first")
        for outcome, one, two in zip(compared.outcomes, first, second, strict=True)
        if outcome in ("first", "second") and len(one or "") != len(two or "")
    ]
    return round(sum(won) / len(won), 6) if won else None
