"""Other places that a run's figures go to: TensorBoard, Weights & Biases, Trackio, MLflow, where they are installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from corpusforge_train.errors import WrongUse

Place = Literal["tensorboard", "wandb", "trackio", "mlflow"]


class Board(Protocol):
    """Takes figures by name, a step at a time. Figures are of tokens, losses and rates; never text."""

    def line(self, step: int, figures: Mapping[str, float]) -> None:
        """The figures of one step."""

    def close(self) -> None:
        """End it."""


class _TensorBoard:
    def __init__(self, folder: Path, name: str, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def line(self, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    def __init__(self, folder: Path, name: str, step: int) -> None:
        import wandb

        self._run = wandb.init(project="corpusforge", name=name, dir=str(folder))

    def line(self, step: int, figures: Mapping[str, float]) -> None:
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        self._run.finish()


class _Trackio:
    def __init__(self, folder: Path, name: str, step: int) -> None:
        import trackio

        self._trackio = trackio
        trackio.init(project="corpusforge", name=name, resume="allow")

    def line(self, step: int, figures: Mapping[str, float]) -> None:
        self._trackio.log(dict(figures), step=step)

    def close(self) -> None:
        self._trackio.finish()


class _Mlflow:
    def __init__(self, folder: Path, name: str, step: int) -> None:
        import mlflow

        self._mlflow = mlflow
        mlflow.set_experiment("corpusforge")
        mlflow.start_run(run_name=name)

    def line(self, step: int, figures: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(dict(figures), step=step)

    def close(self) -> None:
        self._mlflow.end_run()


_MADE: Mapping[Place, Callable[[Path, str, int], Board]] = {
    "tensorboard": _TensorBoard,
    "wandb": _Wandb,
    "trackio": _Trackio,
    "mlflow": _Mlflow,
}


def open_board(place: Place, folder: Path, step: int) -> Board:
    """The board of a run that has made `step` steps, named after its folder. Raises WrongUse if it is not installed."""
    try:
        return _MADE[place](folder, folder.resolve().name, step)
    except ImportError as error:
        raise WrongUse(f"{place} is not installed.", where="log", hint=f"Run pip install {place}.") from error


def flat(value: Any, prefix: str = "") -> dict[str, float]:
    """The numbers of nested figures, by their path."""
    if isinstance(value, dict):
        found: dict[str, float] = {}
        for key, one in value.items():
            found |= flat(one, f"{prefix}/{key}" if prefix else str(key))
        return found
    return {prefix: float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else {}
