"""The user's own step scripts in place of Podyard's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as pb
from podyard.common.v1 import operation_pb2

if TYPE_CHECKING:
    from tests.integration.cluster_lifecycle.conftest import Aws, Serve

SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED

LAUNCH = """\
#!/bin/bash
aws() { :; }
source init_envs
read -r -p "Go on? " answer
echo "answer=$answer region=$AWS_REGION stack=$CLOUD_FORMATION_FULL_STACK_NAME"
echo "count=$GPU_INSTANCE_COUNT secret=${UNRELATED_SECRET:-none}"
source ./lib/part.sh
echo written > left-behind
"""
CONFIGURE = """\
#!/bin/bash
echo "export VPC_ID=vpc-1" > stack_envs
cat init_envs > /dev/null && echo configured
"""


@pytest.fixture
def environment(
    scripts: Path, aws_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    (scripts / "1-cluster-launch.sh").write_text(LAUNCH)
    (scripts / "2-cluster-configs.sh").write_text(CONFIGURE)
    (scripts / "lib").mkdir()
    (scripts / "lib" / "part.sh").write_text("echo part of the script\n")
    (scripts / "own").mkdir()
    (scripts / "own" / "init_envs").write_text("export AWS_REGION=mars\n")
    # A link, as those have it who share one file: what it points to must stay as it is.
    (scripts / "init_envs").symlink_to(scripts / "own" / "init_envs")
    monkeypatch.setenv("UNRELATED_SECRET", "hush")
    return aws_environment | {"PODYARD_CLUSTER_LIFECYCLE_SCRIPTS": str(scripts)}


async def test_the_scripts_run_on_copies_with_an_answer(
    tmp_path: Path, environment: dict[str, str], scripts: Path, aws: Aws, serve: Serve
) -> None:
    before = {path: path.stat().st_mtime_ns for path in scripts.rglob("*")}
    async with serve(tmp_path, environment) as service:
        cluster = await service.create()
        aws.client("cloudformation").create_stack(
            StackName=cluster.config.stack_name,
            TemplateBody='{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}',
        )
        ended = await service.ended((await service.launch(cluster.tag)).id)
        log = await service.whole_log(cluster.tag)
        assert ended.state == SUCCEEDED, log
        assert [step.name for step in ended.steps] == ["1-cluster-launch.sh"]
        assert f"answer=y region=us-east-1 stack={cluster.config.stack_name}" in log
        assert "count=2 secret=none" in log
        assert "part of the script" in log

        answer = await service.stub.Configure(pb.ConfigureRequest(tag=cluster.tag))
        configured = await service.ended(answer.operation.id)
        assert configured.state == SUCCEEDED, await service.whole_log(cluster.tag, "configure")
        config = service.state / "managed_clusters_info" / cluster.tag / "config"
        assert (config / "stack_envs").read_text() == "export VPC_ID=vpc-1\n"
    assert {path: path.stat().st_mtime_ns for path in scripts.rglob("*")} == before


async def test_a_script_that_claims_success_is_not_believed(
    tmp_path: Path, environment: dict[str, str], serve: Serve
) -> None:
    async with serve(tmp_path, environment) as service:
        cluster = await service.create()
        ended = await service.ended((await service.launch(cluster.tag)).id)
        assert ended.state == FAILED
        assert ended.exit_code == 0
        assert f"stack {cluster.config.stack_name} does not exist" in ended.error.message
        assert await service.launch_state(cluster.tag) == "FAILED"


async def test_a_failing_script_fails_with_its_exit_code(
    tmp_path: Path, environment: dict[str, str], scripts: Path, serve: Serve
) -> None:
    (scripts / "1-cluster-launch.sh").write_text("echo before; exit 7\n")
    async with serve(tmp_path, environment) as service:
        cluster = await service.create()
        ended = await service.ended((await service.launch(cluster.tag)).id)
        assert (ended.state, ended.exit_code) == (FAILED, 7)
        assert "exit code 7" in ended.error.message
        assert await service.whole_log(cluster.tag) == "before\n"


async def test_a_missing_script_is_told_before_anything_is_started(
    tmp_path: Path, environment: dict[str, str], scripts: Path, serve: Serve
) -> None:
    (scripts / "1-cluster-launch.sh").unlink()
    async with serve(tmp_path, environment) as service:
        cluster = await service.create()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.launch(cluster.tag)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "1-cluster-launch.sh" in str(caught.value.details())
        assert not (await service.stub.ListOperations(pb.ListOperationsRequest())).operations
