"""The same engine on each database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.operations.world import World, new_postgres_database


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/operations.db"
    return new_postgres_database(request.getfixturevalue("postgres").url)


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> World:
    return World(tmp_path, database_url)
