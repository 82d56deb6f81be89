"""A world on SQLite, and one on each database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.operations.world import World, new_postgres_database


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, f"sqlite:///{tmp_path}/operations.db")


@pytest.fixture(params=["sqlite", "postgres"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "sqlite":
        return World(tmp_path, f"sqlite:///{tmp_path}/operations.db")
    return World(tmp_path, new_postgres_database(request.getfixturevalue("postgres").url))
