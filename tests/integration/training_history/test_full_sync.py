"""What only the periodic full sync can see."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.integration.training_history.conftest import StartService
from tests.integration.training_history.mlflow_api import DAY_MS, MlflowApi, now_ms
from tests.integration.training_history.running_service import RunningService
from tools.stack.testing import MlflowServer


@pytest.fixture
async def thorough(mlflow_server: MlflowServer, start_service: StartService) -> RunningService:
    """A service that reads every experiment in full again after a second."""
    running: RunningService = await start_service(mlflow_server.url, full_sync_seconds=1)
    await running.fresh()
    return running


async def _old_run(mlflow: MlflowApi, experiment: str) -> str:
    run = await mlflow.run(experiment, start_time=now_ms() - 50 * DAY_MS)
    await mlflow.finish(run, now_ms() - 49 * DAY_MS)
    return run


async def test_tag_on_a_finished_run(thorough: RunningService, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    run = await _old_run(mlflow, experiment)
    await thorough.until_row(experiment, run)
    await mlflow.set_tag(run, "verdict", "keep")
    await thorough.until_row(experiment, run, lambda row: row.tags["verdict"] == "keep")


async def test_run_imported_late(
    thorough: RunningService, mlflow: MlflowApi, mlflow_server: MlflowServer
) -> None:
    experiment = await mlflow.experiment()
    await thorough.until_row(experiment, await _old_run(mlflow, experiment))
    late = await _old_run(mlflow, experiment)
    await thorough.until_row(experiment, late)


async def test_run_that_is_gone_without_a_trace(
    thorough: RunningService, mlflow: MlflowApi, mlflow_server: MlflowServer
) -> None:
    """As after `mlflow gc`: neither active nor deleted."""
    experiment = await mlflow.experiment()
    kept, gone = await _old_run(mlflow, experiment), await _old_run(mlflow, experiment)
    await thorough.until_row(experiment, kept)
    await thorough.until_row(experiment, gone)
    with closing(sqlite3.connect(mlflow_server.database)) as database, database:
        database.execute("DELETE FROM tags WHERE run_uuid = ?", (gone,))
        database.execute("DELETE FROM runs WHERE run_uuid = ?", (gone,))
    await thorough.until_gone(experiment, gone)
    assert kept in await thorough.rows(experiment)


async def test_more_runs_than_fit_a_page(
    mlflow_server: MlflowServer, start_service: StartService
) -> None:
    ids = mlflow_server.insert_runs(600)
    running: RunningService = await start_service(mlflow_server.url)
    await running.fresh()
    assert set(ids) <= running.application.cache.runs.keys()
