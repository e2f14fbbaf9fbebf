"""The settings of a recipe's packed output: what `mix: {packed: …}` may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from corpusforge.units import parse_share
from corpusforge.yaml_file import Location, YamlFile, did_you_mean, validate

TokenRole = Literal["text", "system", "user", "assistant", "frame"]
ROLES: tuple[TokenRole, ...] = ("text", "system", "user", "assistant", "frame")
DEFAULT_WEIGHTS: Mapping[TokenRole, float] = {"text": 1.0, "system": 0.0, "user": 0.0, "assistant": 1.0, "frame": 0.0}
GROUPS = ("domain", "labelled", "public")
Weight = Annotated[float, Field(ge=0, le=100)]


Part = Annotated[Fraction, BeforeValidator(parse_share), Field(ge=0, le=1)]


class MixStage(BaseModel):
    """A part of the run with shares of its own; what is left of each source comes after the last one written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    until: Annotated[Part, Field(gt=0, lt=1)] = Field(description="Where it ends, as a share of the output's tokens.")
    shares: dict[str, Part] = Field(
        min_length=1, description="Shares of the stage's tokens, by group (domain, public, labelled), source or task."
    )


class Packed(BaseModel):
    """Fixed-length token sequences for the trainer, beside the rows of text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    length: int = Field(default=4096, ge=32, le=1_048_576, description="Tokens in a sequence, at most.")
    eos: str | None = Field(
        default=None, description="The token that ends a document; by default the tokenizer's own, where it has one."
    )
    loss_weights: dict[str, dict[TokenRole, Weight]] = Field(
        default_factory=dict,
        description="Weight of a token in the loss, by source or task and role (text, system, user, assistant, frame). "
        "By default text and assistant weigh 1, all else 0.",
    )
    holdout_tokens: int = Field(
        default=200_000, ge=0, description="Held-out tokens packed for each of domain and public, at most."
    )
    stages: dict[Literal["completion", "instruct"], tuple[MixStage, ...]] = Field(
        default_factory=dict,
        description="Another order of the same tokens, by output: [{until: 80%, shares: {domain: 2%}}] keeps the "
        "domain small at first and leaves the rest of it for the end.",
    )

    def weights_of(self, source: str) -> tuple[float, ...]:
        """The weights of a source's tokens, in the order of `ROLES`."""
        own = self.loss_weights.get(source, {})
        return tuple(own.get(role, DEFAULT_WEIGHTS[role]) for role in ROLES)


def read_packed(value: Any, file: YamlFile, leaves: Sequence[str]) -> Packed | None:
    """Read `mix.packed`; mistakes go to `file.problems`. `leaves` are the sources and tasks that the mix can hold."""
    at = ("mix", "packed")
    if value is None or value is True:
        value = {}
    if value is False:
        return None
    if not isinstance(value, Mapping):
        file.problems.append(file.problem(at, "must be a mapping of settings, or false to leave it out."))
        return None
    packed = validate(Packed, value, file, at)
    for name in packed.loss_weights if packed is not None else ():
        if name not in leaves:
            hint = did_you_mean(name, leaves)
            file.problems.append(file.problem((*at, "loss_weights", name), f"no source or task named {name!r}.", hint))
    for output, stages in packed.stages.items() if packed is not None else ():
        _check_stages(stages, file, (*at, "stages", output), (*GROUPS, *leaves))
    return packed


def _check_stages(stages: Sequence[MixStage], file: YamlFile, at: Location, names: Sequence[str]) -> None:
    before = Fraction(0)
    for number, stage in enumerate(stages):
        if stage.until <= before:
            file.problems.append(file.problem((*at, number, "until"), "ends no later than the stage before it."))
        before = stage.until
        for name in stage.shares:
            if name not in names:
                hint = did_you_mean(name, names)
                what = f"no group, source or task named {name!r}."
                file.problems.append(file.problem((*at, number, "shares", name), what, hint))
        if (total := sum(stage.shares.values(), Fraction(0))) > 1:
            what = f"the shares add up to {float(total):.0%}."
            file.problems.append(file.problem((*at, number, "shares"), what, "What no line names is the rest."))
