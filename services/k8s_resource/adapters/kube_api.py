"""The HTTP transport to one API server, on aiohttp, with raw bytes in and out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import time
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from urllib.parse import urlencode

import aiohttp
from prometheus_client import Histogram
from yarl import URL

from services.common.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    PodyardError,
    UnavailableError,
)
from services.k8s_resource.adapters.credentials import Credentials, SessionMaterial
from services.k8s_resource.domain.api_status import error_of, retry_after_of
from services.k8s_resource.domain.ports import JSON, KubeResponse, KubeStream, Params

_CONNECT_SECONDS = 5.0
_ATTEMPTS = 4
_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 5.0
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_CLOSING_ROUNDS = 20
_ERROR_BODY_BYTES = 256 * 1024
_STREAM_BUFFER_BYTES = 128 * 1024
_USER_AGENT = "podyard"

REQUEST_SECONDS = Histogram(
    "podyard_kube_request_seconds",
    "Time of one attempt of a request to an API server; of a stream, until its headers.",
    ["method", "code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class _Session:
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
        )

    async def __aenter__(self) -> _Session:
        self.users += 1
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.users -= 1
        await self.close_if_unused()

    async def close_if_unused(self) -> None:
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


class AiohttpKubeApi:
    """`ports.KubeApi` over HTTP/1.1.

    Redirects are not followed: an API server sends none, and one could carry the
    credentials elsewhere.
    """

    def __init__(self, server: str, credentials: Credentials) -> None:
        """`server` is the address, with a path where a proxy adds one."""
        self._server = server.rstrip("/")
        self._credentials = credentials
        self._session: _Session | None = None

    def renew(self, credentials: Credentials) -> None:
        """Use other credentials from the next request on; running streams go on."""
        self._credentials = credentials

    async def close(self) -> None:
        """Close idle connections now and the others when their requests end."""
        await self._retire_session()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = 30.0,
        retry: bool | None = None,
    ) -> KubeResponse:
        repeatable = method in _SAFE_METHODS if retry is None else retry
        deadline = time.monotonic() + timeout
        attempts_left = 1 if retry is False else _ATTEMPTS
        backoff = _FIRST_BACKOFF_SECONDS
        credentials_renewed = False
        while True:
            try:
                async with asyncio.timeout_at(_loop_time(deadline)):
                    return await self._attempt(
                        method, path, params, body, content_type, accept, deadline
                    )
            except TimeoutError:
                raise DeadlineExceededError(
                    f"{self._server} did not answer {method} {path} within {timeout:g} s"
                ) from None
            except _RefusedCredentialsError as refused:
                if credentials_renewed:
                    raise refused.error from None
                credentials_renewed = True
                self._credentials.expire()
            except _FailedAttemptError as failed:
                attempts_left -= 1
                if not attempts_left or not (failed.unprocessed or repeatable):
                    raise failed.error from failed.__cause__
                pause = failed.retry_after
                if pause is None:
                    pause = random.uniform(backoff / 2, backoff)  # noqa: S311 - spreads load
                    backoff = min(backoff * 3, _LONGEST_BACKOFF_SECONDS)
                if time.monotonic() + pause >= deadline:
                    raise failed.error from failed.__cause__
                await asyncio.sleep(pause)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        inactivity: float,
    ) -> AsyncIterator[KubeStream]:
        async with contextlib.AsyncExitStack() as stack:

            async def opened() -> aiohttp.ClientResponse:
                return await stack.enter_async_context(
                    self._open(method, path, params, body, content_type, accept, inactivity)
                )

            try:
                try:
                    response = await opened()
                except _RefusedCredentialsError:
                    self._credentials.expire()
                    response = await opened()
            except _RefusedCredentialsError as refused:
                raise refused.error from None
            except _FailedAttemptError as failed:
                raise failed.error from failed.__cause__
            yield _Stream(self._server, response, inactivity)

    async def _attempt(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: bytes | None,
        content_type: str,
        accept: str,
        deadline: float,
    ) -> KubeResponse:
        limit = max(0.001, deadline - time.monotonic())
        async with self._open(method, path, params, body, content_type, accept, limit) as response:
            try:
                content = await response.read()
            except (aiohttp.ClientError, OSError) as error:
                raise _FailedAttemptError(self._broken(error)) from error
            if not content and response.status == 200 and method == "GET" and accept == JSON:
                raise _FailedAttemptError(
                    UnavailableError(f"{self._server} answered {path} with an empty body")
                )
            return KubeResponse(response.status, _headers(response), content)

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: bytes | None,
        content_type: str,
        accept: str,
        inactivity: float,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response with a 2xx status; other answers and failures raise."""
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        async with await self._current_session() as session:
            material = session.material
            if material.authorization:
                headers["Authorization"] = material.authorization
            started = time.monotonic()
            response = None
            code = "none"
            try:
                try:
                    response = await session.http.request(
                        method,
                        self._url(path, params),
                        data=body,
                        headers=headers,
                        allow_redirects=False,
                        server_hostname=material.tls_server_name,
                        proxy=material.proxy,
                        read_bufsize=_STREAM_BUFFER_BYTES,
                        timeout=aiohttp.ClientTimeout(
                            total=None, sock_connect=_CONNECT_SECONDS, sock_read=inactivity
                        ),
                    )
                    code = str(response.status)
                finally:
                    REQUEST_SECONDS.labels(method, code).observe(time.monotonic() - started)
                if not 200 <= response.status < 300:
                    await self._refuse(response)
            except (aiohttp.ClientError, OSError) as error:
                if response is not None:
                    response.close()
                raise self._failure(error, inactivity) from error
            except BaseException:
                if response is not None:
                    response.close()
                raise
            try:
                yield response
            finally:
                if response.content.at_eof():
                    response.release()
                else:
                    _cut(response)

    async def _refuse(self, response: aiohttp.ClientResponse) -> None:
        body = await response.content.read(_ERROR_BODY_BYTES)
        headers = _headers(response)
        error = error_of(response.status, headers, body)
        if response.status == 401:
            raise _RefusedCredentialsError(error)
        if response.status == 429:
            raise _FailedAttemptError(error, retry_after_of(headers), unprocessed=True)
        if response.status >= 500:
            raise _FailedAttemptError(error, retry_after_of(headers))
        raise error

    def _failure(self, error: Exception, inactivity: float) -> Exception:
        if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError)):
            return FailedPreconditionError(
                f"no secure connection to {self._server}: {error}; check "
                "certificate-authority-data and tls-server-name in the kubeconfig",
                reason="CLUSTER_TLS",
            )
        if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
            return _FailedAttemptError(
                UnavailableError(
                    f"cannot connect to the API server {self._server}: {_why(error)}; check that it "
                    "runs and that the kubeconfig's address is right",
                    reason="CLUSTER_UNREACHABLE",
                ),
                unprocessed=True,
            )
        if isinstance(error, TimeoutError):
            return _FailedAttemptError(
                UnavailableError(
                    f"{self._server} sent nothing for {inactivity:g} s", reason="INACTIVE"
                )
            )
        return _FailedAttemptError(self._broken(error))

    def _broken(self, error: Exception) -> PodyardError:
        return UnavailableError(
            f"the connection to {self._server} broke: {_why(error)}",
            reason="CLUSTER_UNREACHABLE",
        )

    def _url(self, path: str, params: Params | None) -> URL:
        query = ""
        if params:
            query = "?" + urlencode(
                {k: str(v).lower() if isinstance(v, bool) else v for k, v in params.items()}
            )
        return URL(f"{self._server}{path}{query}", encoded=True)

    async def _current_session(self) -> _Session:
        material = await self._credentials.material()
        session = self._session
        if session is None or session.material.ssl_context is not material.ssl_context:
            await self._retire_session()
            session = self._session = _Session(material)
        session.material = material
        return session

    async def _retire_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.retired = True
            await session.close_if_unused()


class _Stream:
    def __init__(self, server: str, response: aiohttp.ClientResponse, inactivity: float) -> None:
        self._server = server
        self._response = response
        self._inactivity = inactivity
        self.status = response.status
        self.headers = _headers(response)

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except TimeoutError as error:
            raise UnavailableError(
                f"{self._server} sent nothing for {self._inactivity:g} s", reason="INACTIVE"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError(
                f"the connection to {self._server} broke: {_why(error)}",
                reason="CLUSTER_UNREACHABLE",
            ) from error


class _FailedAttemptError(Exception):
    """One attempt failed in a way that another may not. `unprocessed`: certainly not begun."""

    def __init__(
        self, error: PodyardError, retry_after: float | None = None, *, unprocessed: bool = False
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after
        self.unprocessed = unprocessed


class _RefusedCredentialsError(Exception):
    def __init__(self, error: PodyardError) -> None:
        super().__init__(str(error))
        self.error = error


def _cut(response: aiohttp.ClientResponse) -> None:
    """Close a connection whose answer goes on, without waiting for a TLS farewell."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()


def _why(error: BaseException) -> str:
    """A failure of a connection in words that mean something without knowing aiohttp."""
    if isinstance(error, aiohttp.ClientPayloadError):
        return "it ended in the middle of an answer"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed it"
    if isinstance(error, TimeoutError):
        return f"no connection within {_CONNECT_SECONDS:g} s"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    return str(error) or type(error).__name__


def _headers(response: aiohttp.ClientResponse) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}\n{value}" if key in headers else value
    return headers


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


def _loop_time(monotonic: float) -> float:
    return asyncio.get_running_loop().time() + monotonic - time.monotonic()
