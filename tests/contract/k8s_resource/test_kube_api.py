"""The port `KubeApi` on its adapter, against servers that misbehave in known ways.

What only a healthy API server shows is in the integration tests; here stand the
failures that a real one cannot be made to produce when asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from services.common.errors import (
    ConflictError,
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    PodyardError,
    ResourceExhaustedError,
    UnavailableError,
)
from services.k8s_resource.adapters.kubeconfig import KubeconfigConnections
from services.k8s_resource.domain.api_status import ExpiredError
from services.k8s_resource.domain.ports import KubeApi

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """Answers requests in turn with `answers`, the last one for ever."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


def status(code: int, reason: str = "", message: str = "m", **details: object) -> Answer:
    headers = {"Retry-After": str(details.pop("retry_after"))} if "retry_after" in details else {}
    body = {"code": code, "reason": reason, "message": message, "details": details}

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=code, headers=headers)

    return answer


async def fine(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"fine": True})


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def empty(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"")


@asynccontextmanager
async def serving(
    folder: Path, *answers: Answer, user: dict[str, object] | None = None
) -> AsyncIterator[tuple[Server, KubeApi]]:
    server = Server(list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    # Handlers are cancelled when their client goes.
    runner = web.AppRunner(app, shutdown_timeout=1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://{host}:{port}"}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    connections = KubeconfigConnections([path])
    try:
        yield server, connections.get("").api
    finally:
        await connections.close()
        await runner.cleanup()


async def test_reads_are_repeated_after_failures_that_pass(tmp_path: Path) -> None:
    async with serving(tmp_path, status(503), cut, empty, fine) as (server, api):
        response = await api.request(
            "GET", "/x", params={"watch": True, "limit": 5, "q": "a b,c=d"}
        )
    assert response.body == b'{"fine": true}'
    assert len(server.requests) == 4
    assert dict(server.requests[-1].query) == {"watch": "true", "limit": "5", "q": "a b,c=d"}


@pytest.mark.parametrize("answer", [status(500), cut])
async def test_writes_are_not_repeated_when_they_may_have_happened(
    tmp_path: Path, answer: Answer
) -> None:
    async with serving(tmp_path, answer, fine) as (server, api):
        with pytest.raises(UnavailableError):
            await api.request("POST", "/x", body=b"{}")
        assert len(server.requests) == 1
        await api.request("PATCH", "/x", body=b"{}", retry=True)


async def test_writes_are_repeated_when_the_server_had_no_time_for_them(tmp_path: Path) -> None:
    async with serving(tmp_path, status(429, retry_after=0), fine) as (server, api):
        await api.request("POST", "/x", body=b"{}")
        assert len(server.requests) == 2


async def test_retry_after_is_told_when_the_deadline_comes_first(tmp_path: Path) -> None:
    async with serving(tmp_path, status(429, retry_after=60)) as (server, api):
        with pytest.raises(ResourceExhaustedError) as caught:
            await api.request("GET", "/x", timeout=5)
    assert caught.value.retry_after == 60
    assert len(server.requests) == 1


async def test_no_retry_at_all_when_the_caller_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path, status(503), fine) as (server, api):
        with pytest.raises(UnavailableError):
            await api.request("GET", "/x", retry=False)
    assert len(server.requests) == 1


async def test_an_answer_that_does_not_come_ends_at_the_deadline(tmp_path: Path) -> None:
    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(tmp_path, never) as (_, api):
        with pytest.raises(DeadlineExceededError, match=r"within 0\.2 s"):
            await api.request("GET", "/x", timeout=0.2)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (status(409, "Conflict", "changed meanwhile"), ConflictError, "changed meanwhile"),
        (status(410, "Expired", "too old"), ExpiredError, "too old"),
        (status(302, message="elsewhere"), UnavailableError, "elsewhere"),
        (status(401, "Unauthorized", "Unauthorized"), FailedPreconditionError, "kubeconfig"),
    ],
)
async def test_refusals_become_domain_errors(
    tmp_path: Path, answer: Answer, error: type[PodyardError], text: str
) -> None:
    async with serving(tmp_path, answer) as (_, api):
        with pytest.raises(error, match=text):
            await api.request("GET", "/x")
        with pytest.raises(error, match=text):
            async with api.stream("GET", "/x", inactivity=5):
                raise AssertionError("a refused stream is not entered")


async def test_refused_fields_are_named(tmp_path: Path) -> None:
    causes = [{"field": "spec.replicas", "message": "must be positive"}]
    async with serving(tmp_path, status(422, "Invalid", causes=causes)) as (_, api):
        with pytest.raises(InvalidArgumentError) as caught:
            await api.request("POST", "/x", body=b"{}")
    assert [(v.field, v.description) for v in caught.value.violations] == [
        ("spec.replicas", "must be positive")
    ]


async def test_a_rotated_token_is_read_again_when_the_old_one_is_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer new":
            return web.json_response({})
        token.write_text("new")
        return web.json_response({"code": 401, "message": "Unauthorized"}, status=401)

    async with serving(tmp_path, guarded, user={"tokenFile": str(token)}) as (server, api):
        await api.request("POST", "/x", body=b"{}")
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == ["Bearer old", "Bearer new"]


async def test_a_stream_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first\n")
        await asyncio.Event().wait()
        raise AssertionError

    received = b""

    async def read(api: KubeApi) -> None:
        nonlocal received
        async with api.stream("GET", "/x", inactivity=0.3) as stream:
            async for chunk in stream.chunks():
                received += chunk

    async with serving(tmp_path, silent) as (_, api):
        with pytest.raises(UnavailableError) as caught:
            await read(api)
    assert received == b"first\n"
    assert caught.value.reason == "INACTIVE"


async def test_a_broken_stream_is_an_error_and_an_ended_one_is_not(tmp_path: Path) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async def ended(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"whole")

    async def read(api: KubeApi) -> bytes:
        async with api.stream("GET", "/x", inactivity=5) as stream:
            return b"".join([chunk async for chunk in stream.chunks()])

    async with serving(tmp_path, ended, broken) as (_, api):
        assert await read(api) == b"whole"
        with pytest.raises(UnavailableError, match="broke"):
            await read(api)


@pytest.mark.parametrize("way", ["leaving", "cancelling"])
async def test_the_upstream_connection_ends_with_its_reader(tmp_path: Path, way: str) -> None:
    gone = asyncio.Event()
    reading = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        raise AssertionError

    async with serving(tmp_path, endless) as (_, api):

        async def read() -> None:
            async with api.stream("GET", "/x", inactivity=30) as stream:
                async for _ in stream.chunks():
                    reading.set()
                    if way == "leaving":
                        return

        task = asyncio.create_task(read())
        await reading.wait()
        if way == "cancelling":
            task.cancel()
        async with asyncio.timeout(10):
            await gone.wait()
        await asyncio.gather(task, return_exceptions=True)


async def test_hundreds_of_streams_run_side_by_side(tmp_path: Path) -> None:
    together = asyncio.Event()
    count = 0

    async def waiting(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count == 300:
            together.set()
        await together.wait()
        return web.Response(body=b"x")

    async with serving(tmp_path, waiting) as (_, api):

        async def read() -> bytes:
            async with api.stream("GET", "/x", inactivity=60) as stream:
                return b"".join([chunk async for chunk in stream.chunks()])

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read()) for _ in range(300)]
    assert {task.result() for task in tasks} == {b"x"}
