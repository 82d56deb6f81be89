"""One running system for all end-to-end tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running_stack import RunningStack, running_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """Control plane, emulators, MLflow, demo data, services and gateway."""
    state = Path(tempfile.mkdtemp(prefix="podyard-e2e-"))
    try:
        with running_stack(state) as running:
            yield running
    finally:
        shutil.rmtree(state, ignore_errors=True)
