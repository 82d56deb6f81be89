"""The fixtures others build on: they start, do what they say, and stop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from mlflow.tracking import MlflowClient

from tools.stack import layout, processes, testing
from tools.stack.testing import AwsEmulator, FakeSageMaker, MlflowServer, Postgres


def test_emulator_answers_and_keeps_its_state(aws_emulator: AwsEmulator) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=aws_emulator.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    s3.create_bucket(Bucket="fixture-check")
    aws_emulator.server.stop()
    with pytest.raises(EndpointConnectionError):
        s3.list_buckets()
    aws_emulator.server.start()
    assert "fixture-check" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_mlflow_takes_bulk_runs_and_restarts(mlflow_server: MlflowServer) -> None:
    inserted = mlflow_server.insert_runs(600)
    client = MlflowClient(mlflow_server.url)
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(ids, max_results=1000, order_by=["attributes.start_time DESC"])
    assert {run.info.run_id for run in found} >= set(inserted)
    run = client.get_run(inserted[-1])
    assert run.data.tags["model"]
    assert run.data.metrics["train_samples_per_second"] > 0
    history = client.get_metric_history(inserted[-1], "loss")
    assert history[-1].value == run.data.metrics["loss"]
    mlflow_server.stop()
    mlflow_server.start()
    assert client.get_run(inserted[0]).info.run_id == inserted[0]


def test_postgres_answers(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_sagemaker_answers(fake_sagemaker: FakeSageMaker) -> None:
    client = boto3.client(
        "sagemaker",
        endpoint_url=fake_sagemaker.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    with pytest.raises(ClientError) as caught:
        client.describe_cluster(ClusterName="absent")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"


def test_killed_session_is_cleaned_up_after_by_the_next() -> None:
    code = (
        "import os, signal; from tools.stack import testing\n"
        "with testing.fake_sagemaker() as fake, testing.control_plane('abandoned') as plane:\n"
        "    print(fake.server.pid, *(one.pid for one in plane.identities().values()), flush=True)\n"
        "    print(plane.folder, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code], cwd=layout.CHECKOUT, capture_output=True, text=True
    )
    pids, folder = killed.stdout.splitlines()
    left = [identity for pid in pids.split() if (identity := processes.identify(int(pid)))]
    assert len(left) == 6
    with testing.fake_sagemaker():
        assert not any(processes.is_alive(identity) for identity in left)
        assert not Path(folder).exists()
