"""Fixtures of the generators' tests."""

from __future__ import annotations

import pytest

from .scripted import Scripted, plugged


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """A scripted model behind every session of this process."""
    return plugged(monkeypatch, Scripted())
