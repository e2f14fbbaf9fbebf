"""The settings of a recipe's preference pairs: what `mix: {preference: …}` may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from corpusforge.mix_tree import OutputTree
from corpusforge.yaml_file import YamlFile, validate


class Preference(BaseModel):
    """The multiple-choice rows of the instruct mix as pairs of a right and a wrong answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    against: Literal["near", "all"] = Field(
        default="near",
        description="near: the right answer against each slightly wrong one; all: against each wrong one.",
    )


def read_preference(
    mix: Mapping[str, Any], file: YamlFile, instruct: OutputTree | None, *, made: bool
) -> Preference | None:
    """Read `mix.preference`; mistakes go to `file.problems`.

    `instruct` is None also where it could not be read; `made` says whether multiple choice is generated.
    """
    at = ("mix", "preference")
    value = mix.get("preference", False)
    if value is False:
        return None
    if value is None or value is True:
        value = {}
    if not isinstance(value, Mapping):
        file.problems.append(file.problem(at, "must be a mapping of settings, or false to leave it out."))
        return None
    if "instruct" not in mix or (instruct is not None and "mcq" not in instruct.root.leaves()) or not made:
        what = "pairs are made of the instruct mix's multiple-choice rows, and it has none."
        file.problems.append(file.problem(at, what, "Add mcq: to generate and to mix.instruct, or remove preference."))
    return validate(Preference, value, file, at)
