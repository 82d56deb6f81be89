"""A world on SQLite, and one on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.operations.world import World, end_programs, new_postgres_database


@pytest.fixture(autouse=True)
def nothing_left_running(tmp_path: Path) -> Iterator[None]:
    """Programs outlast what starts them, and so also a test that fails."""
    yield
    end_programs(tmp_path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, f"sqlite:///{tmp_path}/operations.db")


@pytest.fixture(params=["sqlite", "postgres"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "sqlite":
        return World(tmp_path, f"sqlite:///{tmp_path}/operations.db")
    return World(tmp_path, new_postgres_database(request.getfixturevalue("postgres").url))
