"""ListRuns, GetRun and ListColumns over a real connection, on runs of a real MLflow server."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from podyard.training_history.v1 import training_history_service_pb2 as pb

from services.training_history.run_messages import MAX_PAGE_BYTES
from tests.integration.training_history.mlflow_api import MlflowApi, now_ms
from tests.integration.training_history.running_service import RunningService
from tools.stack.sample_runs import Sample
from tools.stack.testing import MlflowServer

NOW = int(time.time() * 1000)


def sample(experiment: str, name: str, **fields: Any) -> Sample:
    """A finished run of a minute, unless `fields` say otherwise."""
    values: dict[str, Any] = {
        "status": "FINISHED",
        "start_ms": NOW - 3_600_000,
        "end_ms": NOW - 3_540_000,
        "tags": {},
        "params": {},
        "metrics": [],
    }
    return Sample(uuid.uuid4().hex, experiment, name, **(values | fields))


async def experiment_of(
    service: RunningService, mlflow_server: MlflowServer, samples: list[Sample]
) -> str:
    """Insert runs of one new experiment and wait until they are in the cache; its id."""
    ids = mlflow_server.insert_runs(samples)
    runs = service.application.cache.runs
    await service.next_sync()
    await service.fresh()
    assert set(ids) <= runs.keys()
    return runs[ids[0]].experiment_id


async def names(service: RunningService, experiment: str, order_by: str) -> list[str]:
    answer = await service.stub.ListRuns(
        pb.ListRunsRequest(experiment_ids=[experiment], order_by=order_by)
    )
    return [run.run_name for run in answer.runs]


async def test_order_by_every_kind_of_column(
    service: RunningService, mlflow_server: MlflowServer
) -> None:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    minute = 60_000
    experiment = await experiment_of(
        service,
        mlflow_server,
        [
            sample(name, "a", start_ms=NOW - 50 * minute, end_ms=NOW - 10 * minute,
                   tags={"batch": "16"}, params={"lr": "1e-5"}, metrics=[("loss", 1, 0.5)]),
            sample(name, "b", start_ms=NOW - 40 * minute, end_ms=NOW - 30 * minute,
                   status="FAILED", tags={"batch": "8"}, params={"lr": "5e-6"},
                   metrics=[("loss", 1, -3.0)]),
            sample(name, "c", start_ms=NOW - 30 * minute, end_ms=NOW - 25 * minute,
                   tags={"batch": "many"}, metrics=[("loss", 1, 7.5)]),
            sample(name, "d", start_ms=NOW - 20 * minute, end_ms=None, status="RUNNING"),
        ],
    )  # fmt: skip
    expected = {
        "": "dcba",
        "start_time": "abcd",
        "start_time desc": "dcba",
        "end_time": "bcad",
        "end_time DESC": "acbd",
        "duration": "cbda",
        "duration desc": "adbc",
        "run_name desc": "dcba",
        "metrics.loss": "bacd",
        "metrics.loss desc": "cabd",
        "params.lr, run_name": "bacd",
        "tags.batch": "bacd",
        "tags.`batch` desc": "cabd",
        "status, start_time desc": "bcad",
        "experiment_name, run_name": "abcd",
    }
    got = {order: "".join(await names(service, experiment, order)) for order in expected}
    assert got == expected


async def test_pages_hold_every_run_once_while_runs_come_change_and_go(
    service: RunningService, mlflow: MlflowApi, mlflow_server: MlflowServer
) -> None:
    name = f"pages-{uuid.uuid4().hex[:8]}"
    samples = [sample(name, f"r{n:02}", start_ms=NOW - n * 1000) for n in range(25)]
    experiment = await experiment_of(service, mlflow_server, samples)
    request = pb.ListRunsRequest(experiment_ids=[experiment], page_size=10)
    first = await service.stub.ListRuns(request)
    assert (len(first.runs), first.total_size) == (10, 25)
    newest = await mlflow.run(experiment, "newest")
    await service.until_row(experiment, newest)
    await service.stub.DeleteRuns(
        pb.DeleteRunsRequest(run_ids=[first.runs[9].run_id, samples[20].run_id])
    )
    request.page_token = first.next_page_token
    second = await service.stub.ListRuns(request)
    request.page_token = second.next_page_token
    third = await service.stub.ListRuns(request)
    seen = [run.run_name for page in (first, second, third) for run in page.runs]
    assert seen == [f"r{n:02}" for n in range(25) if n != 20]
    assert (third.next_page_token, third.total_size) == ("", 24)


async def test_selection_by_status_and_experiment(
    service: RunningService, mlflow_server: MlflowServer
) -> None:
    names = [f"selection-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    one, other = [
        await experiment_of(
            service,
            mlflow_server,
            [sample(name, "good"), sample(name, "bad", status="FAILED")],
        )
        for name in names
    ]
    failed = await service.rows(one, statuses=[pb.RUN_STATUS_FAILED, pb.RUN_STATUS_KILLED])
    assert [run.run_name for run in failed.values()] == ["bad"]
    both = await service.stub.ListRuns(pb.ListRunsRequest(experiment_ids=[one, other]))
    assert both.total_size == 4
    nowhere = await service.stub.ListRuns(pb.ListRunsRequest(experiment_ids=["none"]))
    assert (nowhere.total_size, nowhere.next_page_token) == (0, "")


async def test_duration_of_a_run_at_work_goes_on(
    service: RunningService, mlflow: MlflowApi
) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, start_time=now_ms() - 5000)
    first = await service.until_row(experiment, run)
    assert first.duration.ToMilliseconds() >= 5000
    await service.until_row(
        experiment,
        run,
        lambda row: row.duration.ToMilliseconds() > first.duration.ToMilliseconds(),
    )


async def test_metrics_that_are_no_numbers_and_endless_texts(
    service: RunningService, mlflow: MlflowApi
) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment)
    for key, value in (("nan", "NaN"), ("up", "Infinity"), ("down", "-Infinity"), ("two", 2)):
        await mlflow.log_metric(run, key, value)
    await mlflow.set_tag(run, "story", "ä" * 5000)
    await mlflow.finish(run)
    row = await service.until_row(experiment, run, lambda row: row.HasField("end_time"))
    assert math.isnan(row.metrics["nan"])
    assert (row.metrics["up"], row.metrics["down"]) == (math.inf, -math.inf)
    assert row.tags["story"] == "ä" * 5000
    for order in ("metrics.nan", "metrics.up desc", "tags.story"):
        request = pb.ListRunsRequest(experiment_ids=[experiment], order_by=order, page_size=1)
        assert (await service.stub.ListRuns(request)).runs[0].run_id == run


async def test_page_of_huge_rows_fits_a_message(
    service: RunningService, mlflow_server: MlflowServer
) -> None:
    """Clients take 4 MiB by default; a page of a thousand such rows would be 20 MB."""
    name = f"huge-{uuid.uuid4().hex[:8]}"
    tags = {f"t{n}": "x" * 5000 for n in range(20)}
    samples = [sample(name, f"r{n:02}", tags=tags, start_ms=NOW + n) for n in range(70)]
    experiment = await experiment_of(service, mlflow_server, samples)
    request = pb.ListRunsRequest(
        experiment_ids=[experiment], order_by="tags.t0, start_time", page_size=1000
    )
    seen: list[str] = []
    while True:
        page = await service.stub.ListRuns(request)
        assert page.ByteSize() < MAX_PAGE_BYTES + 1000
        seen += [run.run_name for run in page.runs]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [f"r{n:02}" for n in range(70)]


async def test_get_run_has_everything(service: RunningService, mlflow: MlflowApi) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, "whole")
    await mlflow.log_metric(run, "loss", 1.5)
    await mlflow.log_param(run, "lr", "0.1")
    await mlflow.set_tag(run, "model", "m")
    await service.until_row(experiment, run, lambda row: "model" in row.tags)
    answer = await service.stub.GetRun(pb.GetRunRequest(run_id=run))
    assert not answer.freshness.live
    assert (answer.run.metrics["loss"], answer.run.params["lr"]) == (1.5, "0.1")
    assert answer.run.system_tags["mlflow.runName"] == "whole"
    assert answer.run.artifact_uri.endswith(f"{run}/artifacts")


async def test_get_run_that_the_cache_does_not_have(
    service: RunningService, mlflow: MlflowApi
) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment, "seen")
    await service.until_row(experiment, run)
    service.application.cache.remove([run])
    # Asked in the same turn of the loop, or a sync might bring it back.
    answer = await service.application.lookup.get(run)
    assert answer.freshness.live
    assert (answer.run.run_name, answer.experiment_name[:11]) == ("seen", "experiment-")


async def test_get_run_that_is_missing_or_deleted(
    service: RunningService, mlflow: MlflowApi
) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment)
    await service.until_row(experiment, run)
    await mlflow.delete(run)
    await service.until_gone(experiment, run)
    with pytest.raises(grpc.aio.AioRpcError, match="restored in MLflow") as deleted:
        await service.stub.GetRun(pb.GetRunRequest(run_id=run))
    with pytest.raises(grpc.aio.AioRpcError, match='run "no-such-run" does not exist') as missing:
        await service.stub.GetRun(pb.GetRunRequest(run_id="no-such-run"))
    for caught in (deleted, missing):
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_columns_have_the_tags_of_the_runs(
    service: RunningService, mlflow: MlflowApi
) -> None:
    experiment = await mlflow.experiment()
    run = await mlflow.run(experiment)
    key = f"zz-{uuid.uuid4().hex[:8]}"
    for tag in (key, "replica_count", "instance_type", "mlflow.hidden"):
        await mlflow.set_tag(run, tag, "2")
    await service.until_row(experiment, run, lambda row: len(row.tags) == 3)
    answer = await service.stub.ListColumns(pb.ListColumnsRequest())
    keys = [column.key for column in answer.columns]
    tags = [c.key for c in answer.columns if c.source == pb.COLUMN_SOURCE_TAG]
    assert keys[:3] == ["experiment_name", "run_name", "status"]
    assert tags.index("instance_type") < tags.index("replica_count") < tags.index(key)
    assert not any(tag.startswith("mlflow.") for tag in tags)
    assert keys[-1] == "actions"
    await service.stub.DeleteRuns(pb.DeleteRunsRequest(run_ids=[run]))
    after = await service.stub.ListColumns(pb.ListColumnsRequest())
    assert key not in [column.key for column in after.columns]


Call = Callable[[RunningService], Awaitable[Any]]


async def token_of_another_query(service: RunningService) -> Any:
    page = await service.stub.ListRuns(pb.ListRunsRequest(page_size=1))
    return await service.stub.ListRuns(
        pb.ListRunsRequest(page_token=page.next_page_token, order_by="run_name")
    )


@pytest.mark.parametrize(
    ("call", "field", "text"),
    [
        (
            lambda s: s.stub.ListRuns(pb.ListRunsRequest(page_token="x")),
            "page_token",
            "not a token",
        ),
        (token_of_another_query, "page_token", "other fields"),
        (
            lambda s: s.stub.ListRuns(pb.ListRunsRequest(order_by="colour")),
            "order_by",
            "unknown column",
        ),
        (
            lambda s: s.stub.ListRuns(pb.ListRunsRequest(order_by="run_name up")),
            "order_by",
            "asc or desc",
        ),
        (
            lambda s: s.stub.ListRuns(pb.ListRunsRequest(order_by="run_name,")),
            "order_by",
            "character 10",
        ),
        (lambda s: s.stub.ListRuns(pb.ListRunsRequest(page_size=1001)), "page_size", "1000"),
        (
            lambda s: s.stub.ListRuns(pb.ListRunsRequest(statuses=cast(Any, [3, 77]))),
            "statuses[1]",
            "not a status",
        ),
        (lambda s: s.stub.GetRun(pb.GetRunRequest()), "run_id", "at least 1"),
    ],
)
async def test_bad_input_names_the_field(
    service: RunningService, mlflow_server: MlflowServer, call: Call, field: str, text: str
) -> None:
    mlflow_server.insert_runs(2)
    await service.next_sync()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(service)
    bad = error_details_pb2.BadRequest()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert rpc_status.from_call(cast(Any, caught.value)).details[1].Unpack(bad)
    assert bad.field_violations[0].field == field
    assert text in bad.field_violations[0].description
