"""Streams of google.api.HttpBody as raw HTTP bodies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.api import httpbody_pb2
from podyard.common.v1 import download_pb2

from services.common.errors import ConflictError, NotFoundError
from tests.integration.gateway.conftest import World

PATH = "/v1/k8s/logs/download?pod=x"


def head(content_type: str = "text/plain; charset=utf-8", name: str = "x_main.log") -> Any:
    body = httpbody_pb2.HttpBody(content_type=content_type)
    body.extensions.add().Pack(download_pb2.Attachment(file_name=name))
    return body


def data(content: bytes) -> Any:
    return httpbody_pb2.HttpBody(data=content)


async def test_bytes_come_as_they_are(world: World) -> None:
    parts = [b"one\n", b"\xff\x00", b"x" * 300_000]
    feeding = asyncio.create_task(world.feed(head(), *map(data, parts), None))
    answer = await world.client.get(PATH, headers={"accept-encoding": "gzip"})
    watching = await feeding
    assert answer.content == b"".join(parts)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="x_main.log"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert watching.request.pod == "x"


async def test_curl_keeps_it_under_its_name(world: World, tmp_path: Path) -> None:
    feeding = asyncio.create_task(world.feed(head(), data(b"hello\n"), None))
    curl = await asyncio.create_subprocess_exec("curl", "-sSfOJ", world.url + PATH, cwd=tmp_path)
    assert await curl.wait() == 0
    await feeding
    assert (tmp_path / "x_main.log").read_bytes() == b"hello\n"


async def test_curl_fails_where_the_stream_does(world: World, tmp_path: Path) -> None:
    broken = ConflictError("rotated")
    feeding = asyncio.create_task(world.feed(head(), data(b"hello\n"), broken))
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sSfOJ", world.url + PATH, cwd=tmp_path, stderr=asyncio.subprocess.DEVNULL
    )
    assert await curl.wait() == 18  # CURLE_PARTIAL_FILE
    await feeding


async def test_an_empty_file(world: World) -> None:
    feeding = asyncio.create_task(world.feed(head(), None))
    answer = await world.client.get(PATH)
    await feeding
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-disposition"] == 'attachment; filename="x_main.log"'


async def test_an_early_error_is_the_answer_and_a_late_one_cuts_the_body(world: World) -> None:
    feeding = asyncio.create_task(world.feed(NotFoundError("pod", "x")))
    answer = await world.client.get(PATH)
    await feeding
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    feeding = asyncio.create_task(world.feed(head(), NotFoundError("pod", "x")))
    assert (await world.client.get(PATH)).status_code == 404
    await feeding
    async with world.stream(PATH, head(), data(b"begun\n")) as (response, watching):
        chunks = response.aiter_bytes()
        assert await anext(chunks) == b"begun\n"
        watching.feed.put_nowait(ConflictError("rotated"))
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            async for _ in chunks:
                pass


async def test_names_and_types_that_could_mislead_a_client_are_left_out(world: World) -> None:
    for name in ('a"; filename="b', "../x", ".hidden", "a\r\nset-cookie: x", ""):
        feeding = asyncio.create_task(world.feed(head("text/html\r\nx: y", name), data(b"x"), None))
        answer = await world.client.get(PATH)
        await feeding
        assert "content-disposition" not in answer.headers
        assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_caller_that_goes_away_cancels_the_call(world: World) -> None:
    async with world.stream(PATH, head(), data(b"begun\n")) as (response, watching):
        assert await anext(response.aiter_bytes()) == b"begun\n"
    await asyncio.wait_for(watching.cancelled.wait(), 20)


async def test_a_slow_caller_slows_the_stream(world: World) -> None:
    async with world.stream(PATH, head(), data(b"begun\n")) as (response, watching):
        for _ in range(300):
            watching.feed.put_nowait(data(b"y" * 1024 * 1024))
        watching.feed.put_nowait(None)
        chunks = response.aiter_bytes()
        assert await anext(chunks) == b"begun\n"
        # Nothing is taken until the sizes no longer change: what lies between is bounded.
        left = -1
        while left != (left := watching.feed.qsize()):
            for _ in range(50):
                await asyncio.sleep(0.01)
        assert left > 200
        size = 0
        async for chunk in chunks:
            size += len(chunk)
        assert size == 300 * 1024 * 1024


async def test_openapi_describes_a_file(world: World) -> None:
    document = (await world.client.get("/openapi.json")).json()
    operation = document["paths"]["/v1/k8s/logs/download"]["get"]
    content = operation["responses"]["200"]["content"]
    assert content == {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    assert "Content-Disposition" in operation["responses"]["200"]["headers"]
    assert "google.api.HttpBody" not in document["components"]["schemas"]
    assert "buf:lint" not in operation["description"]
    assert (await world.client.get("/docs")).status_code == 200
