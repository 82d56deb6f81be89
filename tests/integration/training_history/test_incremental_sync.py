"""What the frequent sync sees of a real MLflow server. Full syncs happen only once in these tests."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from podyard.training_history.v1 import training_history_service_pb2 as pb

from services.training_history.domain import deleted_sweep
from tests.integration.training_history.mlflow_api import DAY_MS, MlflowApi, now_ms
from tests.integration.training_history.running_service import RunningService, until
from tools.stack.testing import MlflowServer


async def test_new_experiment_and_run(service: RunningService, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, "first", user_id="ana")
    row = await service.until_row(experiment, run)
    assert (row.run_name, row.status, row.user) == ("first", pb.RUN_STATUS_RUNNING, "ana")
    assert row.experiment_name.startswith("experiment-")
    assert not row.HasField("end_time")


async def test_metrics_tags_and_params_of_a_run_at_work(
    service: RunningService, mlflow: MlflowApi
) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment)
    await service.until_row(experiment, run)
    await mlflow.log_metric(run, "loss", 0.5)
    await mlflow.set_tag(run, "model", "qwen3")
    await mlflow.set_tag(run, "mlflow.note.content", "own")
    await mlflow.log_param(run, "lr", "1e-5")
    row = await service.until_row(
        experiment, run, lambda row: bool(row.metrics and row.params and row.tags)
    )
    assert dict(row.metrics) == {"loss": 0.5}
    assert dict(row.tags) == {"model": "qwen3"}
    assert dict(row.params) == {"lr": "1e-5"}
    assert not row.system_tags


@pytest.mark.parametrize("age_days", [0, 100])
async def test_finished_run_whatever_end_time_it_states(
    service: RunningService, mlflow: MlflowApi, age_days: int
) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, start_time=now_ms() - 200 * DAY_MS)
    await service.until_row(experiment, run)
    end = now_ms() - age_days * DAY_MS
    await mlflow.finish(run, end)
    row = await service.until_row(experiment, run, lambda row: row.status == pb.RUN_STATUS_FINISHED)
    assert row.end_time.ToMilliseconds() == end
    assert row.duration.ToMilliseconds() == end - row.start_time.ToMilliseconds()


async def test_resumed_run(service: RunningService, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, start_time=now_ms() - 50 * DAY_MS)
    await mlflow.finish(run, now_ms() - 49 * DAY_MS)
    await service.until_row(experiment, run, lambda row: row.status == pb.RUN_STATUS_FINISHED)
    await mlflow.update(run, "RUNNING")
    await service.until_row(experiment, run, lambda row: row.status == pb.RUN_STATUS_RUNNING)


async def test_scheduled_run(service: RunningService, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, start_time=now_ms() - 50 * DAY_MS)
    await mlflow.update(run, "SCHEDULED")
    row = await service.until_row(
        experiment, run, lambda row: row.status == pb.RUN_STATUS_SCHEDULED
    )
    assert not row.HasField("duration")
    await mlflow.update(run, "FAILED", now_ms() - 49 * DAY_MS)
    await service.until_row(experiment, run, lambda row: row.status == pb.RUN_STATUS_FAILED)


async def test_runs_deleted_by_others(service: RunningService, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    running = await mlflow.run(experiment)
    finished = await mlflow.run(experiment, start_time=now_ms() - 50 * DAY_MS)
    await mlflow.finish(finished, now_ms() - 49 * DAY_MS)
    for run in (running, finished):
        await service.until_row(experiment, run)
        await mlflow.delete(run)
        await service.until_gone(experiment, run)


async def test_run_restored_by_others(service: RunningService, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, start_time=now_ms() - 50 * DAY_MS)
    await mlflow.finish(run, now_ms() - 49 * DAY_MS)
    await service.until_row(experiment, run)
    await mlflow.delete(run)
    await service.until_gone(experiment, run)
    await mlflow.restore(run)
    await service.until_row(experiment, run)


async def test_more_deleted_runs_than_fit_a_page(
    service: RunningService, mlflow: MlflowApi, mlflow_server: MlflowServer
) -> None:
    experiment = await mlflow.experiment()
    ids = mlflow_server.insert_runs(3 * deleted_sweep.PAGE_SIZE)
    old = await mlflow.run(experiment, start_time=now_ms() - 5000 * DAY_MS)
    await mlflow.finish(old, now_ms() - 4999 * DAY_MS)
    await service.until_row(experiment, old)
    with closing(sqlite3.connect(mlflow_server.database)) as database, database:
        database.executemany(
            "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = 1 WHERE run_uuid = ?",
            [(run,) for run in ids],
        )
    await mlflow.delete(old)
    await service.until_gone(experiment, old)
    await until(lambda: _none_listed(service, set(ids)))


async def _none_listed(service: RunningService, run_ids: set[str]) -> bool:
    return run_ids.isdisjoint(service.application.cache.runs)


async def test_deleted_and_restored_experiment(service: RunningService, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, start_time=now_ms() - 50 * DAY_MS)
    await mlflow.finish(run, now_ms() - 49 * DAY_MS)
    await service.until_row(experiment, run)
    await mlflow.post("experiments/delete", experiment_id=experiment)
    await service.until_gone(experiment, run)
    await mlflow.post("experiments/restore", experiment_id=experiment)
    await service.until_row(experiment, run)


async def test_renamed_experiment(service: RunningService, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment)
    await service.until_row(experiment, run)
    await mlflow.post("experiments/update", experiment_id=experiment, new_name=f"new-{experiment}")
    await service.until_row(experiment, run, lambda row: row.experiment_name == f"new-{experiment}")


async def test_nothing_new_changes_nothing(service: RunningService, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment)
    await mlflow.log_metric(run, "loss", "NaN")
    await service.until_row(experiment, run, lambda row: "loss" in row.metrics)
    before = service.application.cache.runs[run]
    await service.next_sync()
    await service.next_sync()
    # The very object: neither views nor encoded rows were thrown away for nothing.
    assert service.application.cache.runs[run] is before
