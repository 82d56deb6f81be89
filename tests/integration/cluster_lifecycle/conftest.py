"""The cluster-lifecycle service as a process, on the AWS emulator and the fake SageMaker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import grpc
import httpx
import pytest
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as pb
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2_grpc as pb_grpc
from podyard.cluster_lifecycle.v1 import cluster_pb2
from podyard.common.v1 import operation_pb2

from services.cluster_lifecycle.__main__ import running
from services.cluster_lifecycle.settings import ClusterLifecycleSettings
from tools.stack import testing
from tools.stack.ports import free_ports

ROOT = Path(__file__).resolve().parents[3]
REGION = "us-east-1"

# Its wait condition holds the stack in progress until a test signals it.
HELD_TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  ClusterTag: {Type: String}
  Secret: {Type: String, NoEcho: true, Default: none}
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Instances:
    Type: AWS::CloudFormation::WaitCondition
    DependsOn: Queue
    Properties: {Handle: !Ref Handle, Timeout: "3600"}
Outputs:
  VpcId: {Value: vpc-0123456789}
"""


class LifecycleService:
    """The process, which can be killed and started again on the same state."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.state = folder / "state"
        self.log = folder / "service.log"
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            "PODYARD_CLUSTER_LIFECYCLE_STATE": str(self.state),
            "PODYARD_CLUSTER_LIFECYCLE_LISTEN": self.address,
            "PODYARD_CLUSTER_LIFECYCLE_STACK_POLL_SECONDS": "0.1",
            "PODYARD_CLUSTER_LIFECYCLE_OPERATION_POLL_SECONDS": "0.05",
            "PODYARD_CLUSTER_LIFECYCLE_DRAIN_SECONDS": "5",
            "PODYARD_CLUSTER_LIFECYCLE_K8S_RESOURCE_ADDRESS": "127.0.0.1:1",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.channel: grpc.aio.Channel
        self.stub: Any

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it is waited for in a thread
                [sys.executable, "-m", "services.cluster_lifecycle"],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.channel = grpc.aio.insecure_channel(self.address)
        self.stub = pb_grpc.ClusterLifecycleServiceStub(self.channel)
        try:
            await self.stub.ListClusters(pb.ListClustersRequest(), wait_for_ready=True, timeout=30)
        except grpc.aio.AioRpcError as error:
            raise AssertionError(self.log.read_text()) from error

    async def kill(self) -> None:
        """kill -9 of the service alone: what it started lives in sessions of its own."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    def terminate(self) -> None:
        """Ask it to stop, and go on."""
        assert self._process is not None
        self._process.terminate()

    async def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        await self.channel.close()
        self._process.send_signal(number)
        await asyncio.to_thread(self._process.wait, 30)
        self._process = None

    async def end_operations(self) -> None:
        """Cancel what is unfinished, so that no program outlives its test."""
        unfinished = [
            operation_pb2.OPERATION_STATE_QUEUED,
            operation_pb2.OPERATION_STATE_RUNNING,
            operation_pb2.OPERATION_STATE_CANCELLING,
        ]
        listed = await self.stub.ListOperations(pb.ListOperationsRequest(states=unfinished))
        for operation in listed.operations:
            await self.stub.CancelOperation(pb.CancelOperationRequest(id=operation.id))
            await self.ended(operation.id)

    async def create(self, tag: str = "", **config: Any) -> cluster_pb2.Cluster:
        """A new cluster, with a tag of its own unless one is given."""
        cluster = cluster_pb2.Cluster(
            tag=tag or f"t{uuid.uuid4().hex[:10]}",
            config=cluster_pb2.ClusterConfig(gpu_instance_count=2, **config),
        )
        answer = await self.stub.CreateCluster(pb.CreateClusterRequest(cluster=cluster))
        created: cluster_pb2.Cluster = answer.cluster
        return created

    async def launch(self, tag: str, request_id: str = "") -> operation_pb2.Operation:
        answer = await self.stub.Launch(pb.LaunchRequest(tag=tag, request_id=request_id))
        operation: operation_pb2.Operation = answer.operation
        return operation

    async def status(self, tag: str) -> pb.GetStatusResponse:
        answer: pb.GetStatusResponse = await self.stub.GetStatus(
            pb.GetStatusRequest(tag=tag, consistent=True)
        )
        return answer

    async def launch_state(self, tag: str) -> str:
        status = await self.status(tag)
        return str(cluster_pb2.StepState.Name(status.launch.state)).removeprefix("STEP_STATE_")

    async def ended(self, operation_id: str) -> operation_pb2.Operation:
        """The operation once it has ended, as its watch tells."""
        last = operation_pb2.Operation()
        async with asyncio.timeout(60):
            watch = self.stub.WatchOperations(pb.WatchOperationsRequest(id=operation_id))
            async for message in watch:
                for event in message.events:
                    if event.type == pb.OPERATION_EVENT_TYPE_STATE:
                        last = event.operation
        return last

    async def log_until(self, tag: str, text: str, step: str = "launch") -> str:
        """The step's newest log up to the first message with `text` in it."""
        content = ""
        async with asyncio.timeout(60):
            tail = self.stub.TailLog(pb.TailLogRequest(tag=tag, log_id=step))
            async for message in tail:
                content += str(message.content)
                if text in content:
                    tail.cancel()
                    return content
        raise AssertionError(f"the log ended without {text!r}:\n{content}")

    async def whole_log(self, tag: str, step: str = "launch") -> str:
        """The step's newest log to its end."""
        content = ""
        async with asyncio.timeout(60):
            async for message in self.stub.TailLog(pb.TailLogRequest(tag=tag, log_id=step)):
                content += str(message.content)
        return content


class Aws:
    """Clients of the emulator, and the signals that stacks wait for."""

    def __init__(self, emulator: testing.AwsEmulator) -> None:
        self._emulator = emulator

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self._emulator.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def signal(self, stack: str, status: str, reason: str = "") -> None:
        """Let the held stack end: SUCCESS or FAILURE."""
        handle = self.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId="Handle"
        )["StackResourceDetail"]["PhysicalResourceId"]
        body = json.dumps({"Status": status, "Reason": reason, "UniqueId": "1", "Data": ""})
        httpx.put(handle, content=body.encode()).raise_for_status()

    def stacks(self, name: str) -> list[str]:
        """The states of all stacks of the name, deleted ones included."""
        listed = self.client("cloudformation").list_stacks()["StackSummaries"]
        return [stack["StackStatus"] for stack in listed if stack["StackName"] == name]


@pytest.fixture
def aws(aws_emulator: testing.AwsEmulator) -> Aws:
    return Aws(aws_emulator)


@pytest.fixture
def aws_environment(
    aws_emulator: testing.AwsEmulator, fake_sagemaker: testing.FakeSageMaker
) -> dict[str, str]:
    return {
        **aws_emulator.environment,
        **fake_sagemaker.environment,
        # What the emulator has no resource types for.
        "PODYARD_CLUSTER_LIFECYCLE_STACK_PARAMETERS": json.dumps(
            {"CreateHyperPodCluster": "false", "CreateNatGateway": "false"}
        ),
    }


@asynccontextmanager
async def serving(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[LifecycleService]:
    service = LifecycleService(folder, environment)
    await service.start()
    try:
        yield service
    finally:
        await service.end_operations()
        await service.stop()


Serve = Callable[[Path, Mapping[str, str]], AbstractAsyncContextManager[LifecycleService]]


@pytest.fixture
def serve() -> Serve:
    """Starts a service with other settings."""
    return serving


@pytest.fixture
async def service(
    tmp_path: Path, aws_environment: dict[str, str]
) -> AsyncIterator[LifecycleService]:
    """The service with Podyard's own template."""
    async with serving(tmp_path, aws_environment) as running:
        yield running


@pytest.fixture
def held_environment(tmp_path: Path, aws_environment: dict[str, str]) -> dict[str, str]:
    """Settings with the template whose stacks wait for a signal."""
    template = tmp_path / "held.yaml"
    template.write_text(HELD_TEMPLATE)
    return aws_environment | {
        "PODYARD_CLUSTER_LIFECYCLE_TEMPLATE": str(template),
        "PODYARD_CLUSTER_LIFECYCLE_STACK_PARAMETERS": '{"Secret": "do-not-log-me"}',
        "PODYARD_CLUSTER_LIFECYCLE_MLFLOW_ROLE_ARN": "arn:aws:iam::000000000000:role/mlflow",
    }


@pytest.fixture
async def held_service(
    tmp_path: Path, held_environment: dict[str, str]
) -> AsyncIterator[LifecycleService]:
    """The service with a template whose stacks wait for a signal."""
    async with serving(tmp_path, held_environment) as running:
        yield running


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder for the user's own scripts."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    return folder


@pytest.fixture
async def stub(
    tmp_path: Path, aws_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """The service within the test's own process, for what needs no process of its own."""
    for name, value in aws_environment.items():
        monkeypatch.setenv(name, value)
    settings = ClusterLifecycleSettings(
        listen="127.0.0.1:0",
        state=tmp_path / "state",
        k8s_resource_address="127.0.0.1:1",
        stack_poll_seconds=0.1,
        operation_poll_seconds=0.05,
    )
    async with running(settings) as server:
        port = await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield pb_grpc.ClusterLifecycleServiceStub(channel)
        await server.stop()
