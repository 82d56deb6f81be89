"""Pages and syncs of the training history, on a real MLflow server."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from podyard.training_history.v1 import training_history_service_pb2 as pb
from podyard.training_history.v1 import training_history_service_pb2_grpc as pb_grpc

from bench.processes import python_process, rss_mb, wait_until
from bench.registry import Budget, Figure, Measured, Row, Scale, register
from bench.timing import grpc_channel, median_ms
from tools.stack import environments, testing
from tools.stack.ports import free_ports
from tools.stack.sample_runs import Sample, sample_runs

_RUNNING = 100
_PEER = "mlflow.search_runs + pandas, fresh process"

PAGE = Row(
    name="runs page of 100 from 10,000",
    unit="ms",
    peers=(_PEER,),
    budget=Budget(at_most=3, ratio_at_least=1000),
    about="ListRuns over gRPC, newest first, rows with all metrics, parameters and tags, the "
    "service in a process of its own. The peer is today's script: a new Python process that reads "
    "all runs into a data frame and prints them as JSON.",
)
SYNC = Row(
    name="sync of 10,000 runs, nothing new",
    unit="s",
    peers=(_PEER,),
    budget=Budget(at_most=0.3),
    about=f"What GetSyncStatus tells of a whole incremental sync, {_RUNNING} runs at work; the "
    "peer reads everything, which is what finding out that nothing is new takes it.",
)

# The panel's script: every experiment, every run, a data frame, JSON.
_TODAY = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
experiments = [e.experiment_id for e in mlflow.search_experiments()]
frame = mlflow.search_runs(experiments, max_results=50000, order_by=["start_time DESC"])
print(len(frame)); frame.to_json(sys.stdout, orient="records", date_format="iso")
"""


@register("training-history", PAGE, SYNC)
def measure(scale: Scale) -> Mapping[str, Measured]:
    count = scale.of(10_000, 300)
    with testing.mlflow_server() as mlflow, tempfile.TemporaryDirectory() as state:
        mlflow.insert_runs(_samples(count))
        listen = f"127.0.0.1:{free_ports(1)[0]}"
        environment = {
            "PODYARD_TRAINING_HISTORY_LISTEN": listen,
            "PODYARD_TRAINING_HISTORY_TRACKING_URI": mlflow.url,
            "PODYARD_TRAINING_HISTORY_STATE": state,
            "PODYARD_TRAINING_HISTORY_SYNC_SECONDS": "1",
        }
        with (
            python_process("services.training_history", environment=environment) as service,
            grpc_channel(listen) as channel,
        ):
            stub: Any = pb_grpc.TrainingHistoryServiceStub(channel)
            status = pb.GetSyncStatusRequest()
            wait_until(
                lambda: not stub.GetSyncStatus(status).freshness.stale, "all runs are read", 300
            )
            request = pb.ListRunsRequest(page_size=100)
            assert stub.ListRuns(request).total_size == count
            page = median_ms(lambda: stub.ListRuns(request), scale.of(500, 50))
            sync = statistics.median(_sync_seconds(stub, scale.of(15, 3)))
            beside = (Figure("RSS", rss_mb(service.pid), "MB"),)
        today = median_ms(lambda: _today(mlflow.url, count), scale.of(3, 1), warm_up=0)
    return {
        PAGE.name: Measured(page, {_PEER: today}, beside),
        SYNC.name: Measured(sync, {_PEER: today / 1000}, beside),
    }


def _samples(count: int) -> list[Sample]:
    samples = list(sample_runs(count, int(time.time() * 1000)))
    running = [replace(sample, status="RUNNING", end_ms=None) for sample in samples[:_RUNNING]]
    return running + samples[_RUNNING:]


def _sync_seconds(stub: Any, rounds: int) -> list[float]:
    """The durations of so many syncs that come one after the other."""
    seconds: list[float] = []
    last = stub.GetSyncStatus(pb.GetSyncStatusRequest()).freshness.confirmed_time
    while len(seconds) < rounds:
        status = stub.GetSyncStatus(pb.GetSyncStatusRequest())
        if status.freshness.confirmed_time != last:
            last = status.freshness.confirmed_time
            seconds.append(status.last_sync_duration.ToMilliseconds() / 1000)
        time.sleep(0.05)
    return seconds


def _today(url: str, count: int) -> None:
    python = environments.server_python("mlflow")
    done = subprocess.run([python, "-c", _TODAY, url], check=True, capture_output=True)
    first, _, rows = done.stdout.partition(b"\n")
    assert int(first) == len(json.loads(rows)) == count
