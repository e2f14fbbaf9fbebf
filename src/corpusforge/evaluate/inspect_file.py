"""The file with inspect_ai's tasks: what is the same for every build, and one function for each task of this one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from corpusforge.evaluate.tasks import EvalTask

_LETTER = '''@task
def {name}(shuffle: int | None = None):
    """{items}, options by letter; `-T shuffle=SEED` puts them in another order."""
    return _choices("{name}", shuffle)
'''
_LABEL = '''@task
def {name}():
    """{items}, each answered with one of {labels} labels."""
    return _answers("{name}", by_label("{name}"))
'''
_OPEN = '''@task
def {name}():
    """{items}, answers compared by words."""
    return _answers("{name}", by_words("{name}"))
'''
_JUDGED = '''@task
def {name}_judged():
    """{items}, answers graded by `--model-role grader=MODEL`."""
    return _answers("{name}", by_judge("{name}"))
'''


def inspect_names(tasks: Sequence[EvalTask]) -> dict[str, str]:
    """Each function of the file, with the task that it asks. What needs likelihoods is not among them."""
    made: dict[str, str] = {}
    for task in tasks:
        if task.kind in ("letter", "label", "open"):
            made[task.name] = task.name
        if task.kind == "open" and task.table == "qa":
            made[f"{task.name}_judged"] = task.name
    return made


def inspect_file(tasks: Sequence[EvalTask]) -> bytes:
    """The file's bytes."""
    parts = [files("corpusforge.evaluate").joinpath("exported", "inspect_benchmark.py").read_text("utf-8")]
    templates = {"letter": _LETTER, "label": _LABEL, "open": _OPEN}
    for task in tasks:
        told = {"name": task.name, "items": f"Rows of {task.file}", "labels": len(task.labels)}
        if task.kind in templates:
            parts.append(templates[task.kind].format(**told))
        if task.kind == "open" and task.table == "qa":
            parts.append(_JUDGED.format(**told))
    return "\n\n".join(part.rstrip("\n") + "\n" for part in parts).encode()
