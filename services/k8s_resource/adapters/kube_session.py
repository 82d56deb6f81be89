"""HTTP sessions to one API server: connections, and their end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import weakref
from types import SimpleNamespace, TracebackType

import aiohttp

from services.k8s_resource.adapters.credentials import SessionMaterial

_USER_AGENT = "podyard"
_CLOSING_ROUNDS = 20


class KubeSession:
    """An aiohttp session that closes when it is retired and its last request has ended."""

    def __init__(self, material: SessionMaterial) -> None:
        self.material = material
        self.users = 0
        self.retired = False
        # No limit: each watch and each followed log holds a connection of its own.
        self.connector = aiohttp.TCPConnector(
            limit=0, ssl=material.ssl_context, socket_factory=self._new_socket
        )
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self.http = aiohttp.ClientSession(
            connector=self.connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
            trace_configs=[_tracing()],
        )

    async def __aenter__(self) -> KubeSession:
        self.users += 1
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.users -= 1
        await self.close_if_unused()

    async def close_if_unused(self) -> None:
        """Close if nobody will use it any more."""
        if self.retired and self.users == 0:
            await self.connector.close(abort_ssl=True)
            await self.http.close()
            await self._cut()

    async def _cut(self) -> None:
        """End connections that still wait for the server's TLS farewell: it may be gone."""
        for _ in range(_CLOSING_ROUNDS):
            left = [each for each in self._sockets if each.fileno() >= 0]
            if not left:
                return
            for each in left:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            await asyncio.sleep(0)

    def _new_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        made = _keepalive_socket(address)
        self._sockets.add(made)
        return made


def _tracing() -> aiohttp.TraceConfig:
    """Calls the `trace_request_ctx` of a request, if it has one, when the request is sent."""

    async def headers_sent(_session: object, context: SimpleNamespace, _params: object) -> None:
        if context.trace_request_ctx is not None:
            context.trace_request_ctx()

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(headers_sent)
    return config


def _keepalive_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket whose kernel notices within half a minute that the other machine is gone."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
