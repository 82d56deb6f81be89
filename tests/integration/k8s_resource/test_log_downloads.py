"""DownloadLogs: bytes as they are, whole or visibly not."""

from __future__ import annotations

import asyncio
import gzip
import io
import zipfile
from typing import Any

import grpc
import pytest
from podyard.common.v1 import download_pb2
from podyard.k8s_resource.v1 import log_reads_pb2 as pb

from tests.integration.k8s_resource.log_tailing import Cluster, numbered

ODD = (
    b"2027-01-15T08:00:00.000000001Z stdout F \xff\xfe\x00 not text\n"
    b"2027-01-15T08:00:00.000000002Z stdout F carriage return\r\n"
    b"2027-01-15T08:00:00.000000003Z stderr F \n"
    b"2027-01-15T08:00:00.000000004Z stdout F 2027-01-15T08:00:00.000000004Z its own time\n"
    b"2027-01-15T08:00:00.000000005Z stdout P in parts, \n"
    b"2027-01-15T08:00:00.000000006Z stdout F joined\n"
)


class File:
    """What a download brought."""

    def __init__(self) -> None:
        self.name = ""
        self.type = ""
        self.data = b""


async def download(cluster: Cluster, **fields: Any) -> File:
    fields.setdefault("namespace", cluster.namespace)
    file = File()
    async for body in cluster.service.stub.DownloadLogs(pb.DownloadLogsRequest(**fields)):
        if not file.type:
            file.type = body.content_type
            attachment = download_pb2.Attachment()
            assert body.extensions[0].Unpack(attachment)
            file.name = attachment.file_name
        file.data += body.data
    return file


async def served(cluster: Cluster, pod: str, container: str = "main", query: str = "") -> bytes:
    """What the API server itself gives."""
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod}/log?container={container}{query}"
    return await asyncio.to_thread(cluster.plane.api().request, "GET", path)


async def refused(cluster: Cluster, **fields: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await download(cluster, **fields)
    return caught.value


async def test_one_log_is_what_the_api_server_gives_byte_for_byte(cluster: Cluster) -> None:
    await cluster.running_pod("odd")
    await cluster.write("odd", *numbered(0, 3000), "y" * 10_000_000)
    await cluster.write_raw("odd", ODD)
    await cluster.write_raw("odd", b"2027-01-15T08:00:01.000000000Z stdout P without an end\n")
    plain = await download(cluster, pod="odd")
    assert plain.data == await served(cluster, "odd")
    assert b"\xff\xfe\x00 not text\ncarriage return\r\n\n2027" in plain.data
    assert plain.data.endswith(b"in parts, joined\nwithout an end")
    assert (plain.name, plain.type) == ("odd_main.log", "text/plain; charset=utf-8")
    stamped = await download(cluster, pod="odd", timestamps=True)
    assert stamped.data == await served(cluster, "odd", query="&timestamps=true")
    tail = await download(cluster, pod="odd", tail_lines=7)
    assert tail.data == await served(cluster, "odd", query="&tailLines=7")
    packed = await download(cluster, pod="odd", gzip=True)
    assert gzip.decompress(packed.data) == plain.data
    assert (packed.name, packed.type) == ("odd_main.log.gz", "application/gzip")
    cut = await download(cluster, pod="odd", limit_bytes=12_345)
    assert cut.data == plain.data[:12_345]


async def test_several_logs_as_an_archive_and_as_one_text(cluster: Cluster) -> None:
    await cluster.running_pod("a", "main", "side")
    await cluster.running_pod("b")
    for number in range(4):
        await cluster.write("a", f"a{number}", timestamp=1_800_000_000 + 3 * number)
        await cluster.write(
            "a", f"s{number}", container="side", timestamp=1_800_000_001 + 3 * number
        )
        await cluster.write("b", f"b{number}", timestamp=1_800_000_002 + 3 * number)
    for compressed in (False, True):
        file = await download(cluster, label_selector="app=talk", gzip=compressed)
        assert (file.name, file.type) == (f"{cluster.namespace}_logs.zip", "application/zip")
        with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
            assert archive.testzip() is None
            content = {name: archive.read(name) for name in archive.namelist()}
        assert content == {
            "a/main.log": b"a0\na1\na2\na3\n",
            "a/side.log": b"s0\ns1\ns2\ns3\n",
            "b/main.log": b"b0\nb1\nb2\nb3\n",
        }
    merged = await download(cluster, label_selector="app=talk", format="LOG_DOWNLOAD_FORMAT_MERGED")
    assert merged.data.decode().splitlines() == [
        f"[pod/{pod}/{container}] {text}{number}"
        for number in range(4)
        for pod, container, text in (("a", "main", "a"), ("a", "side", "s"), ("b", "main", "b"))
    ]
    error = await refused(cluster, pod="a", format="LOG_DOWNLOAD_FORMAT_TEXT")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "format: text is the bytes of one log, and these are 2 (main, side)" in str(
        error.details()
    )
