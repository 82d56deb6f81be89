"""Logs by offset over gRPC, on files as step scripts leave them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import grpc
import pytest
from podyard.cluster_lifecycle.v1 import cluster_lifecycle_service_pb2 as pb
from podyard.cluster_lifecycle.v1 import cluster_pb2

OLD = "2024-08-21_08-30-15_launch"
NEW = "2024-08-22_09-00-00_launch"
TEXT = "Stack 创建 ✓ \U0001f680 done\n" * 2000


@pytest.fixture
async def logs(stub: Any, tmp_path: Path) -> Path:
    """The logs folder of a cluster with two logs of an earlier system."""
    config = cluster_pb2.ClusterConfig(gpu_instance_count=1)
    request = pb.CreateClusterRequest(cluster=cluster_pb2.Cluster(tag="demo", config=config))
    await stub.CreateCluster(request)
    folder = tmp_path / "state" / "managed_clusters_info" / "demo"
    (folder / "logs" / f"{OLD}.log").write_text("old\n")
    (folder / "logs" / f"{NEW}.log").write_text(TEXT)
    (folder / "logs" / "notes.txt").write_text("not a log")
    (folder / "current" / "launch.log").symlink_to(f"../logs/{NEW}.log")
    return folder / "logs"


async def read(stub: Any, offset: int = 0, max_bytes: int = 0, log_id: str = "launch") -> Any:
    return await stub.ReadLog(
        pb.ReadLogRequest(tag="demo", log_id=log_id, offset=offset, max_bytes=max_bytes)
    )


async def test_logs_are_listed_newest_first(stub: Any, logs: Path) -> None:
    listed = await stub.ListLogs(pb.ListLogsRequest(tag="demo"))
    assert [(log.id, log.step, log.complete) for log in listed.logs] == [
        (NEW, "launch", True),
        (OLD, "launch", True),
    ]
    assert listed.logs[0].size == len(TEXT.encode())
    assert listed.logs[1].create_time.ToJsonString() == "2024-08-21T08:30:15Z"
    assert not (await stub.ListLogs(pb.ListLogsRequest(tag="demo", step="configure"))).logs


@pytest.mark.parametrize("max_bytes", [1, 3, 7, 100, 0, 1024 * 1024])
async def test_pieces_of_any_size_make_the_whole(stub: Any, logs: Path, max_bytes: int) -> None:
    text = TEXT if max_bytes in (0, 1024 * 1024) else TEXT[:60]
    (logs / f"{NEW}.log").write_text(text)
    offset, content = 0, ""
    while True:
        piece = await read(stub, offset, max_bytes)
        assert piece.next_offset == offset + len(piece.content.encode())
        content, offset = content + piece.content, piece.next_offset
        if offset == piece.size:
            break
    assert content == text
    assert piece.complete
    assert (await read(stub, offset)).content == ""


async def test_an_offset_past_the_end_is_out_of_range(stub: Any, logs: Path) -> None:
    size = len(TEXT.encode())
    for call in (
        read(stub, size + 1),
        stub.TailLog(pb.TailLogRequest(tag="demo", log_id="launch", offset=size + 1)).read(),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
        assert str(size) in str(caught.value.details())


async def test_bytes_that_are_no_text_are_readable(stub: Any, logs: Path) -> None:
    (logs / f"{NEW}.log").write_bytes(b"ok \xff\xfe end \xe2\x82")
    piece = await read(stub)
    assert piece.content == "ok \ufffd\ufffd end \ufffd"
    assert piece.next_offset == piece.size


async def test_a_finished_log_is_tailed_to_its_end(stub: Any, logs: Path) -> None:
    content, ends = "", []
    async for message in stub.TailLog(pb.TailLogRequest(tag="demo", log_id=NEW)):
        content += message.content
        ends += [message.end.reason] if message.HasField("end") else []
    assert content == TEXT
    assert ends == [1]


@pytest.mark.parametrize(
    "log_id", ["../config/init_envs", "..", "launch/../x", "2024-08-21_08-30-15_launch/..", "other"]
)
async def test_no_log_id_leaves_the_folder(stub: Any, logs: Path, log_id: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read(stub, log_id=log_id)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "log_id" in str(caught.value.details())


async def test_a_missing_log_is_not_found(stub: Any, logs: Path) -> None:
    for log_id in ("configure", "2020-01-01_00-00-00_launch"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read(stub, log_id=log_id)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_bad_resume_token_is_named(stub: Any, logs: Path) -> None:
    request = pb.TailLogRequest(tag="demo", log_id="launch", resume_token="12x")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.TailLog(request).read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "resume_token" in str(caught.value.details())


async def test_a_gigabyte_is_read_at_its_end(stub: Any, logs: Path) -> None:
    path = logs / f"{NEW}.log"
    with path.open("wb") as file:
        file.truncate(1024**3)  # a hole: it takes no room on disk
        file.seek(0, os.SEEK_END)
        file.write(b"the end\n")
    piece = await read(stub, 1024**3)
    assert piece.content == "the end\n"
    assert piece.size == 1024**3 + 8
