"""A way to a real MLflow server that disturbs, checks or replaces single answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Self

import aiohttp
from aiohttp import web

Disturbance = Callable[[web.Request, bytes], Awaitable[web.StreamResponse | None]]
"""Answers in MLflow's place, or returns None to let the request pass."""


async def _pass(_request: web.Request, _body: bytes) -> None:
    return None


class FaultProxy:
    """Forwards to `target`; set `disturb` to do otherwise. `requests` counts what came.

    `host`, where set, is the host name that MLflow is told.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self.disturb: Disturbance = _pass
        self.requests = 0
        self.url = ""
        self.host = ""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    def answer_always(self, status: int, text: str, content_type: str = "text/html") -> None:
        """Answer every request so from now on."""

        async def disturb(_request: web.Request, _body: bytes) -> web.Response:
            return web.Response(status=status, text=text, content_type=content_type)

        self.disturb = disturb

    def pass_all(self) -> None:
        """Disturb no more."""
        self.disturb = _pass

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        answer = await self.disturb(request, body)
        if answer is not None:
            return answer
        async with self._session.request(
            request.method,
            self._target + request.path_qs,
            data=body,
            headers={
                "Content-Type": "application/json",
                **({"Host": self.host} if self.host else {}),
            },
        ) as response:
            return web.Response(
                status=response.status,
                body=await response.read(),
                content_type=response.content_type,
            )
