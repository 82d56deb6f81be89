"""Server streams over HTTP: SSE, NDJSON, sharing, resuming, ending."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from podyard.k8s_resource.v1 import logs_pb2, objects_pb2, watch_pb2

from services.common.errors import NotFoundError, UnavailableError
from tests.integration.gateway.conftest import World, gateway

SSE = {"accept": "text/event-stream"}
WATCH = "/v1/k8s/watch?kinds=pods"


def batch(token: str, *names: str) -> watch_pb2.WatchResponse:
    response = watch_pb2.WatchResponse(resume_token=token)
    for name in names:
        event = response.events.add(type=watch_pb2.WATCH_EVENT_TYPE_ADDED)
        event.pod.CopyFrom(objects_pb2.Pod(name=name))
    return response


async def lines(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        if line:
            yield json.loads(line)


async def events(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """SSE events; a comment is an event of its own."""
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            key, _, value = line.partition(":")
            event[key or "comment"] = value.removeprefix(" ")
        elif event:
            yield event
            event = {}


async def following(items: AsyncIterator[Any]) -> Any:
    return await asyncio.wait_for(anext(items), 20)


def names(result: dict[str, Any]) -> list[str]:
    return [event["pod"]["name"] for event in result["events"]]


async def test_ndjson(world: World) -> None:
    async with world.stream(WATCH, batch("t1", "a"), batch("t2", "b"), None) as (response, _):
        assert response.headers["content-type"] == "application/x-ndjson"
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in response.headers
        found = [line["result"] async for line in lines(response)]
    assert [names(result) for result in found] == [["a"], ["b"]]
    assert [result["resumeToken"] for result in found] == ["t1", "t2"]


async def test_sse(world: World) -> None:
    messages = (batch("t1", "a"), batch("", "b"), None)
    async with world.stream(WATCH, *messages, headers=SSE) as (response, _):
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        found = [event async for event in events(response)]
    assert [event.get("id") for event in found] == ["t1", None, None]
    assert names(json.loads(found[0]["data"])) == ["a"]
    assert found[2] == {"event": "end", "data": "{}"}


async def test_an_error_before_the_first_message_is_the_http_status(world: World) -> None:
    for headers in ({}, SSE):
        answer = await world.client.get("/v1/k8s/watch?kinds=nothings", headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"]["details"][1]["fieldViolations"][0]["field"] == "kinds"


@pytest.mark.parametrize("headers", [{}, SSE])
async def test_an_error_later_comes_in_band(world: World, headers: dict[str, str]) -> None:
    error = UnavailableError("cluster gone", retry_after=2)
    async with world.stream(WATCH, batch("t1", "a"), error, headers=headers) as (response, _):
        assert response.status_code == 200
        found: list[Any] = [
            item async for item in (events(response) if headers else lines(response))
        ]
    last = json.loads(found[1]["data"]) if headers else found[1]
    assert last["error"]["status"] == "UNAVAILABLE"
    assert last["error"]["message"] == "cluster gone"
    if headers:
        assert (found[1]["event"], found[1]["retry"]) == ("error", "2000")


async def test_last_event_id_resumes(world: World) -> None:
    headers = {**SSE, "last-event-id": "newer"}
    path = f"{WATCH}&resumeToken=older"
    async with world.stream(path, None, headers=headers) as (response, watching):
        assert watching.request.resume_token == "newer"
        assert [event["event"] async for event in events(response)] == ["end"]


async def test_a_stream_without_tokens_cannot_be_resumed(world: World) -> None:
    answer = await world.client.get("/v1/operations:watch", headers={"last-event-id": "x"})
    assert (answer.status_code, "last-event-id" in answer.text) == (400, True)


async def test_watch_by_post(world: World) -> None:
    fed = asyncio.create_task(world.feed(batch("t1", "a"), None))
    answer = await world.client.post("/v1/k8s/watch", json={"kinds": ["pods"]})
    assert (await fed).request.kinds == ["pods"]
    assert names(json.loads(answer.text)["result"]) == ["a"]


async def test_who_goes_away_cancels_upstream(world: World) -> None:
    async with world.stream(WATCH, batch("t1", "a")) as (response, watching):
        await following(lines(response))
    await asyncio.wait_for(watching.cancelled.wait(), 20)


async def test_equal_streams_share_one_upstream(world: World) -> None:
    other = world.client.stream("GET", WATCH, headers=SSE)
    async with world.stream(WATCH, batch("t1", "a")) as (first, watching), other as second:
        one, two = lines(first), events(second)
        assert names((await following(one))["result"]) == ["a"]
        assert (await following(two))["id"] == "t1"
        async with world.client.stream("GET", WATCH) as third:
            late = lines(third)
            assert names((await following(late))["result"]) == ["a"]
            watching.feed.put_nowait(batch("t2", "b"))
            for stream in (one, late):
                assert names((await following(stream))["result"]) == ["b"]
            assert (await following(two))["id"] == "t2"
        assert not watching.cancelled.is_set()
    await asyncio.wait_for(watching.cancelled.wait(), 20)
    assert world.kubernetes.opened.empty()


async def test_unequal_streams_are_not_shared(world: World) -> None:
    token = {"authorization": "Bearer other"}
    paths: list[tuple[str, dict[str, str]]] = [
        (WATCH, {}),
        (WATCH, token),
        (f"{WATCH}&namespace=x", {}),
        (f"{WATCH}&resumeToken=t", {}),
        (f"{WATCH}&resumeToken=t", {}),
    ]
    async with contextlib.AsyncExitStack() as stack:
        for path, headers in paths:
            # Each one waits for an upstream stream of its own; all stay open.
            opened = world.stream(path, batch("t1", "a"), headers=headers)
            response, _ = await stack.enter_async_context(opened)
            await following(lines(response))


async def test_logs_that_count_from_now_are_not_joined_later(world: World) -> None:
    path = "/v1/k8s/logs?pod=a&follow=true&tailLines=1"
    message = logs_pb2.TailLogsResponse(resume_token="t")
    message.events.add().lines.text.append("line")
    async with world.stream(path, message) as (first, _):
        await following(lines(first))
        async with world.stream(path, message) as (second, _):
            found = await following(lines(second))
            assert found["result"]["events"][0]["lines"]["text"] == ["line"]


async def test_a_heartbeat_in_silence(world: World) -> None:
    quick = World()
    async with gateway(quick, world.addresses, heartbeat=0.01):
        answer = quick.client.stream("GET", WATCH, headers=SSE)
        feeding = asyncio.create_task(world.feed(batch("t1", "a")))
        async with answer as response:
            await feeding
            stream = events(response)
            assert (await following(stream))["id"] == "t1"
            assert await following(stream) == {"comment": "heartbeat"}


async def test_stopping_ends_streams_with_a_reason_and_a_token(world: World) -> None:
    async with world.stream(WATCH, batch("t1", "a"), headers=SSE) as (response, watching):
        stream = events(response)
        assert (await following(stream))["id"] == "t1"
        stopping = asyncio.create_task(world.stop_gateway())
        last = await following(stream)
        assert (last["event"], last["retry"]) == ("error", "1000")
        error = json.loads(last["data"])["error"]
        assert error["details"][0]["reason"] == "DRAINING"
        assert error["details"][0]["metadata"] == {"resume_token": "t1"}
    await stopping
    await asyncio.wait_for(watching.cancelled.wait(), 20)


async def test_stopping_lets_a_call_in_flight_finish(world: World) -> None:
    call = asyncio.create_task(world.client.get("/v1/runs/slow"))
    await asyncio.wait_for(world.runs.entered.wait(), 20)
    stopping = asyncio.create_task(world.stop_gateway())
    world.runs.release.set()
    assert (await call).status_code == 200
    await stopping


async def test_a_reader_that_reads_nothing_never_slows_another(world: World) -> None:
    """It is ended in band, after what it had been sent, with the token to go on from."""
    host, port = world.url.removeprefix("http://").split(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    writer.write(f"GET {WATCH} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    count, name = 400, "n" * 20_000
    watching = await world.feed(batch("t0", name))
    async with world.client.stream("GET", WATCH) as other:
        stream = lines(other)
        assert (await following(stream))["result"]["resumeToken"] == "t0"
        for number in range(1, count):
            watching.feed.put_nowait(batch(f"t{number}", name))
            assert (await following(stream))["result"]["resumeToken"] == f"t{number}"
        rest = await asyncio.wait_for(reader.read(), 20)
        parts = [line for line in rest.split(b"\r\n") if line.startswith(b'{"')]
        messages = [json.loads(line) for line in b"".join(parts).splitlines()]
        *results, last = messages
        sent = [message["result"]["resumeToken"] for message in results]
        assert sent == [f"t{number}" for number in range(len(sent))]
        assert 0 < len(sent) < count
        assert last["error"]["status"] == "RESOURCE_EXHAUSTED"
        assert last["error"]["details"][0]["metadata"] == {"resume_token": sent[-1]}
    writer.close()


async def test_streams_in_great_number_leave_nothing_behind(world: World) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(30):
        async with world.stream(WATCH, batch("t1", "a")) as (response, watching):
            await following(lines(response))
        await asyncio.wait_for(watching.cancelled.wait(), 20)
    async with asyncio.timeout(20):
        while len(asyncio.all_tasks()) > before + 5:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_an_upstream_that_is_down_is_a_503(world: World) -> None:
    await world.servers["k8s_resource"].stop()
    answer = await world.client.get(WATCH, headers=SSE)
    assert (answer.status_code, "k8s-resource" in answer.text) == (503, True)


async def test_not_found_before_the_first_message(world: World) -> None:
    fed = asyncio.create_task(world.feed(NotFoundError("pod", "a")))
    answer = await world.client.get(WATCH)
    await fed
    assert answer.status_code == 404
