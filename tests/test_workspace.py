"""`corpusforge init --training`: the demo of the trainer finds all that its three recipes read."""

from __future__ import annotations

from pathlib import Path

from corpusforge.recipe import read_recipe
from corpusforge.workspace import MODULES, make_workspace


def test_the_trainers_demo_has_its_recipes_and_text_that_the_base_model_never_saw(tmp_path: Path) -> None:
    """Where replay repeats what the base model was trained on, what it forgets is not to be seen."""
    written, _ = make_workspace(tmp_path, training=True)
    library = sorted(path.stem for path in (tmp_path / "demo" / "library").iterdir())
    assert len(library) > 200
    assert not set(library) & set(MODULES)
    assert not any({"test", "tests", "idlelib", "site-packages"} & set(name.split(".")) for name in library)
    configs = Path(__file__).parents[1] / "train" / "configs"
    made = {path.name: path.read_bytes() for path in (tmp_path / "train" / "configs").iterdir()}
    assert made == {path.name: path.read_bytes() for path in configs.iterdir()}
    for name in ("train-demo-base", "train-demo", "train-demo-inject"):
        recipe = read_recipe(tmp_path / "recipes" / f"{name}.yaml")
        assert recipe.spec.mix["packed"]["length"] == 512
    assert make_workspace(tmp_path, training=True) == ([], len(written))
