"""AWS that cannot be reached, and settings that cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as pb
from podyard.common.v1 import operation_pb2

from tools.stack import testing
from tools.stack.ports import free_ports

if TYPE_CHECKING:
    from tests.integration.cluster_lifecycle.conftest import Serve

ROOT = Path(__file__).resolve().parents[3]


async def test_what_aws_cannot_be_asked_is_unknown_and_the_rest_works(
    tmp_path: Path, serve: Serve
) -> None:
    with testing.ministack() as emulator:
        environment = {**emulator.environment, "AWS_MAX_ATTEMPTS": "1"}
        async with serve(tmp_path, environment) as service:
            cluster = await service.create()
            assert await service.launch_state(cluster.tag) == "NOT_STARTED"
            emulator.server.kill()
            status = await service.status(cluster.tag)
            assert await service.launch_state(cluster.tag) == "UNKNOWN"
            assert "AWS cannot be reached" in status.launch.message
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await service.stub.Configure(pb.ConfigureRequest(tag=cluster.tag))
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE

            health: Any = health_pb2_grpc.HealthStub(service.channel)
            overall = await health.Check(health_pb2.HealthCheckRequest(service=""))
            assert overall.status == health_pb2.HealthCheckResponse.SERVING
            await service.create()

            ended = await service.ended((await service.launch(cluster.tag)).id)
            assert ended.state == operation_pb2.OPERATION_STATE_FAILED
            assert "AWS cannot be reached" in ended.error.message
            assert ended.steps[0].state == operation_pb2.OPERATION_STATE_FAILED

            emulator.server.start()
            assert await service.launch_state(cluster.tag) == "FAILED"


async def test_no_credentials_is_told_as_such(tmp_path: Path, serve: Serve) -> None:
    environment = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_ports(1)[0]}",
    }
    async with serve(tmp_path, environment) as service:
        cluster = await service.create()
        status = await service.status(cluster.tag)
        assert await service.launch_state(cluster.tag) == "UNKNOWN"
        assert "AWS credentials are missing" in status.launch.message


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SCRIPTS", "/nonexistent", "PODYARD_CLUSTER_LIFECYCLE_SCRIPTS"),
        ("TEMPLATE", "/nonexistent", "PODYARD_CLUSTER_LIFECYCLE_TEMPLATE"),
        ("STACK_PARAMETERS", '{"Bad Name": "x"}', "PODYARD_CLUSTER_LIFECYCLE_STACK_PARAMETERS"),
        ("STACK_POLL_SECONDS", "0", "PODYARD_CLUSTER_LIFECYCLE_STACK_POLL_SECONDS"),
        ("LISTEN", "0.0.0.0:7402", "PODYARD_CLUSTER_LIFECYCLE_LISTEN"),
        ("STATE", "/proc/none", "cannot start: "),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    environment = os.environ | {
        "PODYARD_CLUSTER_LIFECYCLE_STATE": str(tmp_path),
        "PODYARD_CLUSTER_LIFECYCLE_LISTEN": "127.0.0.1:0",
        f"PODYARD_CLUSTER_LIFECYCLE_{name}": value,
    }
    result = subprocess.run(
        [sys.executable, "-m", "services.cluster_lifecycle"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode in (1, 2)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert told in lines[0]
