"""Launching on the real emulator: the stack decides what the status says."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as pb
from podyard.common.v1 import operation_pb2, stream_pb2

if TYPE_CHECKING:
    from tests.integration.cluster_lifecycle.conftest import Aws, LifecycleService, Serve

SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED
CANCELLED = operation_pb2.OPERATION_STATE_CANCELLED


async def test_a_cluster_is_launched_with_our_template(service: LifecycleService, aws: Aws) -> None:
    cluster = await service.create()
    tag, config = cluster.tag, cluster.config
    assert await service.launch_state(tag) == "NOT_STARTED"
    operation = await service.ended((await service.launch(tag)).id)
    log = await service.whole_log(tag)
    assert operation.state == SUCCEEDED, log
    assert [step.name for step in operation.steps] == ["bucket", "stack", "tracking-server"]
    assert all(step.state == SUCCEEDED for step in operation.steps)
    status = await service.status(tag)
    assert status.launch.stack_status == "CREATE_COMPLETE"
    assert status.launch.outputs["EksClusterName"] == config.eks_cluster_name
    assert await service.launch_state(tag) == "COMPLETED"

    s3 = aws.client("s3")
    assert s3.get_public_access_block(Bucket=config.model_bucket)[
        "PublicAccessBlockConfiguration"
    ] == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    assert s3.get_bucket_encryption(Bucket=config.model_bucket)
    stack = aws.client("cloudformation").describe_stacks(StackName=config.stack_name)["Stacks"][0]
    given = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}
    assert given["GpuInstanceType"] == "ml.g5.12xlarge"
    assert given["GpuInstanceCount"] == "2"
    assert given["GpuAvailabilityZone"] != given["SecondAvailabilityZone"]
    assert {"Key": "podyard-cluster", "Value": tag} in stack["Tags"]
    events = aws.client("cloudformation").describe_stack_events(StackName=config.stack_name)
    tokens = {event["ClientRequestToken"] for event in events["StackEvents"]}
    assert tokens == {operation.id.replace(".", "-")}
    # Each event stands in the log once, in order.
    logged = re.findall(r"((?:CREATE)_\w+) +(\w[\w-]*) \(", log)
    happened = [
        (event["ResourceStatus"], event["LogicalResourceId"])
        for event in reversed(events["StackEvents"])
    ]
    assert logged == happened

    folder = service.state / "managed_clusters_info" / tag
    recorded = json.loads((folder / "metadata" / "stack_outputs.json").read_text())
    assert recorded["outputs"] == dict(status.launch.outputs)
    assert "tracking server asked for" in log


async def test_a_second_launch_leaves_alone_what_exists(service: LifecycleService) -> None:
    cluster = await service.create()
    first = await service.ended((await service.launch(cluster.tag)).id)
    second = await service.ended((await service.launch(cluster.tag)).id)
    log = await service.whole_log(cluster.tag)
    assert (first.state, second.state) == (SUCCEEDED, SUCCEEDED)
    assert first.log_id != second.log_id
    assert f"bucket {cluster.config.model_bucket} exists" in log
    assert "is asked for" not in log
    assert "tracking server mlflow-server" in log
    listed = await service.stub.ListLogs(pb.ListLogsRequest(tag=cluster.tag))
    assert [entry.id for entry in listed.logs] == [second.log_id, first.log_id]


async def test_the_status_follows_the_stack(held_service: LifecycleService, aws: Aws) -> None:
    service = held_service
    cluster = await service.create()
    tag = cluster.tag
    assert await service.launch_state(tag) == "NOT_STARTED"
    operation = await service.launch(tag, request_id="once")
    await service.log_until(tag, "Instances (AWS::CloudFormation::WaitCondition)")
    assert await service.launch_state(tag) == "RUNNING"
    assert (await service.status(tag)).launch.stack_status == "CREATE_IN_PROGRESS"

    assert (await service.launch(tag, request_id="once")).id == operation.id
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await service.launch(tag)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert operation.id in str(refused.value.details())
    with pytest.raises(grpc.aio.AioRpcError) as early:
        await service.stub.Configure(pb.ConfigureRequest(tag=tag))
    assert early.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    with pytest.raises(grpc.aio.AioRpcError) as kept:
        await service.stub.DeleteCluster(pb.DeleteClusterRequest(tag=tag))
    assert kept.value.code() is grpc.StatusCode.FAILED_PRECONDITION

    aws.signal(cluster.config.stack_name, "SUCCESS")
    assert (await service.ended(operation.id)).state == SUCCEEDED
    assert await service.launch_state(tag) == "COMPLETED"
    assert "do-not-log-me" not in await service.whole_log(tag)
    assert "do-not-log-me" not in service.log.read_text()


async def test_the_resource_that_failed_first_is_named(
    held_service: LifecycleService, aws: Aws
) -> None:
    service = held_service
    cluster = await service.create()
    operation = await service.launch(cluster.tag)
    await service.log_until(cluster.tag, "Instances (AWS::CloudFormation::WaitCondition)")
    aws.signal(cluster.config.stack_name, "FAILURE", "no capacity left")
    ended = await service.ended(operation.id)
    assert ended.state == FAILED
    assert ended.exit_code == 1
    assert "Instances (AWS::CloudFormation::WaitCondition)" in ended.error.message
    assert "no capacity left" in ended.error.message
    assert "delete the stack" in ended.error.message
    assert [step.state for step in ended.steps][:2] == [SUCCEEDED, FAILED]
    assert await service.launch_state(cluster.tag) == "FAILED"
    # Launching again explains the same, from the stack's events.
    again = await service.ended((await service.launch(cluster.tag)).id)
    assert again.state == FAILED
    assert "no capacity left" in again.error.message
    assert aws.stacks(cluster.config.stack_name) == ["ROLLBACK_COMPLETE"]


@pytest.mark.parametrize("signal_while_down", [True, False])
async def test_kill_9_in_the_middle_loses_nothing_and_starts_nothing_twice(
    held_service: LifecycleService, aws: Aws, signal_while_down: bool
) -> None:
    service = held_service
    cluster = await service.create()
    stack = cluster.config.stack_name
    operation = await service.launch(cluster.tag)
    await service.log_until(cluster.tag, "Instances (AWS::CloudFormation::WaitCondition)")
    await service.kill()
    if signal_while_down:
        aws.signal(stack, "SUCCESS")
        await service.start()
    else:
        await service.start()
        assert await service.launch_state(cluster.tag) == "RUNNING"
        aws.signal(stack, "SUCCESS")
    ended = await service.ended(operation.id)
    assert ended.state == SUCCEEDED
    log = await service.whole_log(cluster.tag)
    for once in (f"launching {cluster.tag}", f"stack {stack} is asked for", "is launched"):
        assert log.count(once) == 1, log
    assert aws.stacks(stack) == ["CREATE_COMPLETE"]
    listed = await service.stub.ListOperations(pb.ListOperationsRequest(tag=cluster.tag))
    assert [found.id for found in listed.operations] == [operation.id]
    record = (
        service.state / "managed_clusters_info" / cluster.tag / "metadata" / "launch_status.json"
    )
    await asyncio.to_thread(wait_for_status, record, "succeeded")


async def test_a_cancelled_launch_says_what_it_leaves(
    held_service: LifecycleService, aws: Aws
) -> None:
    service = held_service
    cluster = await service.create()
    operation = await service.launch(cluster.tag)
    await service.log_until(cluster.tag, "Instances (AWS::CloudFormation::WaitCondition)")
    await service.stub.CancelOperation(pb.CancelOperationRequest(id=operation.id))
    assert (await service.ended(operation.id)).state == CANCELLED
    assert "goes on in CloudFormation" in await service.whole_log(cluster.tag)
    # The stack is the truth: it is still being created, and a new launch follows it.
    assert await service.launch_state(cluster.tag) == "RUNNING"
    again = await service.launch(cluster.tag)
    await service.log_until(cluster.tag, "Instances (AWS::CloudFormation::WaitCondition)")
    aws.signal(cluster.config.stack_name, "SUCCESS")
    assert (await service.ended(again.id)).state == SUCCEEDED
    assert aws.stacks(cluster.config.stack_name) == ["CREATE_COMPLETE"]


async def test_a_log_is_followed_from_where_it_was_left(
    held_service: LifecycleService, aws: Aws
) -> None:
    service = held_service
    cluster = await service.create()
    await service.launch(cluster.tag)
    first, token = "", ""
    tail = service.stub.TailLog(pb.TailLogRequest(tag=cluster.tag, log_id="launch"))
    async for message in tail:
        first, token = first + message.content, message.resume_token
        if "is asked for" in first:
            tail.cancel()
            break
    aws.signal(cluster.config.stack_name, "SUCCESS")
    rest, end = "", None
    request = pb.TailLogRequest(tag=cluster.tag, log_id="launch", resume_token=token)
    async for message in service.stub.TailLog(request):
        rest += message.content
        end = message.end if message.HasField("end") else end
    folder = service.state / "managed_clusters_info" / cluster.tag
    assert first + rest == (folder / "current" / "launch.log").read_text()
    assert end is not None
    assert end.reason == stream_pb2.STREAM_END_REASON_FINISHED


async def test_a_stop_of_the_server_ends_a_tail_with_a_reason(
    held_service: LifecycleService,
) -> None:
    service = held_service
    cluster = await service.create()
    await service.launch(cluster.tag)
    await service.log_until(cluster.tag, "is asked for")
    tail = service.stub.TailLog(pb.TailLogRequest(tag=cluster.tag, log_id="launch"))
    await tail.read()
    service.terminate()
    last = await tail.read()
    while (message := await tail.read()) is not grpc.aio.EOF:
        last = message
    assert last.end.reason == stream_pb2.STREAM_END_REASON_DRAINING
    assert last.end.HasField("retry_after")
    await service.stop()
    await service.start()


async def test_the_zone_must_exist_in_the_account(service: LifecycleService) -> None:
    cluster = await service.create(gpu_capacity_az="us-east-1z")
    ended = await service.ended((await service.launch(cluster.tag)).id)
    assert ended.state == FAILED
    assert "us-east-1z is not an availability zone" in ended.error.message
    assert await service.launch_state(cluster.tag) == "FAILED"


async def test_a_training_plan_goes_into_the_stack_by_its_arn(
    service: LifecycleService, aws: Aws, fake_sagemaker: Any
) -> None:
    plan = {"name": "plan-7", "instance_type": "ml.p5.48xlarge", "count": 2}
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{fake_sagemaker.url}/_fake/training-plan", json=plan)
    answer.raise_for_status()
    cluster = await service.create(training_plan="plan-7")
    ended = await service.ended((await service.launch(cluster.tag)).id)
    assert ended.state == SUCCEEDED, await service.whole_log(cluster.tag)
    stack = aws.client("cloudformation").describe_stacks(StackName=cluster.config.stack_name)
    given = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Stacks"][0]["Parameters"]}
    assert given["TrainingPlanArn"].endswith(":training-plan/plan-7")
    missing = await service.create(training_plan="no-such-plan")
    failed = await service.ended((await service.launch(missing.tag)).id)
    assert failed.state == FAILED
    assert "no-such-plan" in failed.error.message


async def test_a_region_without_tracking_servers_is_no_obstacle(
    tmp_path: Path, aws_environment: dict[str, str], aws_emulator: Any, serve: Serve
) -> None:
    environment = aws_environment | {"AWS_ENDPOINT_URL_SAGEMAKER": aws_emulator.url}
    async with serve(tmp_path, environment) as service:
        cluster = await service.create()
        ended = await service.ended((await service.launch(cluster.tag)).id)
        log = await service.whole_log(cluster.tag)
        assert ended.state == SUCCEEDED, log
        assert "does not offer them" in log


def wait_for_status(path: Path, status: str) -> None:
    """Return when a status file says `status`."""
    deadline = time.monotonic() + 20
    while not (path.exists() and json.loads(path.read_text())["status"] == status):
        assert time.monotonic() < deadline, path.read_text()
        time.sleep(0.05)
