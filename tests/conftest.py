"""A small workspace that every end-to-end test starts from, and the door to the real data."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every machine: a property that fails must fail for whoever looks next. `make test-slow` explores.
# A slow machine is no fault of a property.
SLOW = [HealthCheck.too_slow]
settings.register_profile("same", derandomize=True, database=None, suppress_health_check=SLOW)
settings.register_profile("explore", max_examples=500, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("CORPUSFORGE_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def demo_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace as `corpusforge init` makes it; tests copy it before they change anything."""
    from corpusforge.workspace import make_workspace

    folder = tmp_path_factory.mktemp("demo")
    make_workspace(folder)
    return folder


@pytest.fixture
def workspace(demo_workspace: Path, tmp_path: Path) -> Path:
    """A private copy of the demo's sources, recipe and data."""
    target = tmp_path / "workspace"
    shutil.copytree(demo_workspace, target)
    return target


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; a test that needs it is skipped, and says so, where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"CORPUSFORGE_DATA is not there ({DATA}): nothing real was tested")
    return DATA
