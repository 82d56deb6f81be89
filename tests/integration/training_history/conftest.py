"""The service in this process, on a real MLflow server."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.training_history.fault_proxy import FaultProxy
from tests.integration.training_history.mlflow_api import MlflowApi
from tests.integration.training_history.running_service import RunningService
from tools.stack.testing import MlflowServer

StartService = Callable[..., Any]


@pytest.fixture(autouse=True)
def _leave_no_runs(mlflow_server: MlflowServer) -> Iterator[None]:
    """Every service reads all runs there are: those of one test must not slow the next ones."""
    with closing(sqlite3.connect(mlflow_server.database, timeout=30)) as database:
        (experiment,) = database.execute("SELECT max(experiment_id) FROM experiments").fetchone()
        (run,) = database.execute("SELECT max(rowid) FROM runs").fetchone()
        yield
        with database:
            for table in ("tags", "params", "metrics", "latest_metrics", "runs"):
                database.execute(
                    f"DELETE FROM {table} WHERE run_uuid IN"  # noqa: S608 - a fixed name
                    " (SELECT run_uuid FROM runs WHERE rowid > ?)",
                    (run or 0,),
                )
            database.execute("DELETE FROM experiments WHERE experiment_id > ?", (experiment or 0,))


@pytest.fixture
async def mlflow(mlflow_server: MlflowServer) -> AsyncIterator[MlflowApi]:
    """MLflow's REST API, as training scripts use it."""
    async with MlflowApi(mlflow_server.url) as api:
        yield api


@pytest.fixture
async def start_service(tmp_path: Path) -> AsyncIterator[StartService]:
    """Starts services; all share one state folder unless told otherwise, and end with the test."""
    async with AsyncExitStack() as stack:

        async def start(url: str, **options: Any) -> RunningService:
            service = RunningService(url, options.pop("folder", tmp_path / "state"), **options)
            await stack.enter_async_context(service)
            return service

        yield start


@pytest.fixture
async def service(mlflow_server: MlflowServer, start_service: StartService) -> RunningService:
    """A service that has read all the runs there are."""
    running: RunningService = await start_service(mlflow_server.url)
    await running.fresh()
    return running


@pytest.fixture
async def proxy(mlflow_server: MlflowServer) -> AsyncIterator[FaultProxy]:
    """A way to MLflow that can be disturbed."""
    async with FaultProxy(mlflow_server.url) as proxy:
        yield proxy
