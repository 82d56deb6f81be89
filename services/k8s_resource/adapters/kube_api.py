"""The HTTP transport to one API server, on aiohttp, with raw bytes in and out."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
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
from services.k8s_resource.adapters.connection_failures import (
    FailedAttemptError,
    broken,
    failure_of,
    refused,
)
from services.k8s_resource.adapters.credentials import Credentials, SessionMaterial
from services.k8s_resource.adapters.inactivity import InactivityLimit, lift_read_limit
from services.k8s_resource.adapters.kube_session import KubeSession
from services.k8s_resource.domain.api_status import error_of, retry_after_of, status_of
from services.k8s_resource.domain.ports import JSON, KubeResponse, KubeStream, Params

_CONNECT_SECONDS = 5.0
_ATTEMPTS = 4
_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 5.0
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ERROR_BODY_BYTES = 256 * 1024
_STREAM_BUFFER_BYTES = 32 * 1024

REQUEST_SECONDS = Histogram(
    "podyard_kube_request_seconds",
    "Time of one attempt of a request to an API server; of a stream, until its headers.",
    ["method", "code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class AiohttpKubeApi:
    """`ports.KubeApi` over HTTP/1.1.

    Redirects are not followed: an API server sends none, and one could carry the
    credentials elsewhere.
    """

    def __init__(self, server: str, credentials: Credentials) -> None:
        """`server` is the address, with a path where a proxy adds one."""
        self._server = server.rstrip("/")
        self._credentials = credentials
        self._session: KubeSession | None = None

    def renew(self, credentials: Credentials) -> None:
        """Use other credentials from the next request on; running streams go on."""
        self._credentials = credentials

    async def close(self) -> None:
        """Close idle connections now and the others when their requests end."""
        session, self._session = self._session, None
        await _retire(session)

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
                raise self._late(method, path, timeout) from None
            except _RefusedCredentialsError as refused:
                if credentials_renewed:
                    raise refused.error from None
                credentials_renewed = True
                self._credentials.expire(refused.material)
            except FailedAttemptError as failed:
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
        sent: Callable[[], None] | None = None,
    ) -> AsyncIterator[KubeStream]:
        async with contextlib.AsyncExitStack() as stack:

            async def opened() -> aiohttp.ClientResponse:
                return await stack.enter_async_context(
                    self._open(method, path, params, body, content_type, accept, inactivity, sent)
                )

            try:
                try:
                    response = await opened()
                except _RefusedCredentialsError as refused:
                    self._credentials.expire(refused.material)
                    response = await opened()
            except _RefusedCredentialsError as refused:
                raise refused.error from None
            except FailedAttemptError as failed:
                raise failed.error from failed.__cause__
            lift_read_limit(response)
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
                raise FailedAttemptError(broken(self._server, error, limit)) from error
            if not content and response.status == 200 and method == "GET" and accept == JSON:
                raise FailedAttemptError(
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
        sent: Callable[[], None] | None = None,
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
                        trace_request_ctx=sent,
                        timeout=aiohttp.ClientTimeout(
                            total=None, sock_connect=_CONNECT_SECONDS, sock_read=inactivity
                        ),
                    )
                    code = str(response.status)
                finally:
                    REQUEST_SECONDS.labels(method, code).observe(time.monotonic() - started)
                if not 200 <= response.status < 300:
                    await self._refuse(response, material)
            except (aiohttp.ClientError, OSError) as error:
                if response is not None:
                    response.close()
                raise failure_of(self._server, error, inactivity) from error
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

    async def _refuse(self, response: aiohttp.ClientResponse, material: SessionMaterial) -> None:
        body = await response.content.read(_ERROR_BODY_BYTES)
        headers = _headers(response)
        if response.status == 401:
            refusal = status_of(response.status, body).message
            raise _RefusedCredentialsError(refused(material, refusal), material)
        error = error_of(response.status, headers, body)
        if response.status == 429:
            raise FailedAttemptError(error, retry_after_of(headers), unprocessed=True)
        if response.status >= 500:
            raise FailedAttemptError(error, retry_after_of(headers))
        raise error

    def _late(self, method: str, path: str, seconds: float) -> PodyardError:
        """What kept a request from ending in time: the credentials, or the API server."""
        if pending := self._credentials.pending:
            return FailedPreconditionError(
                f"{pending}; run it by hand to see why", reason="CLUSTER_CREDENTIALS"
            )
        return DeadlineExceededError(
            f"{self._server} did not answer {method} {path} within {seconds:g} s"
        )

    def _url(self, path: str, params: Params | None) -> URL:
        query = ""
        if params:
            query = "?" + urlencode(
                {k: str(v).lower() if isinstance(v, bool) else v for k, v in params.items()}
            )
        return URL(f"{self._server}{path}{query}", encoded=True)

    async def _current_session(self) -> KubeSession:
        while True:
            material = await self._credentials.material()
            session = self._session
            if session is not None and session.material.ssl_context is material.ssl_context:
                session.material = material
                return session
            # In place before the old one is waited for: others who come meanwhile use it.
            self._session = KubeSession(material)
            await _retire(session)


class _Stream:
    def __init__(self, server: str, response: aiohttp.ClientResponse, inactivity: float) -> None:
        self._server = server
        self._response = response
        self._inactivity = inactivity
        self.status = response.status
        self.headers = _headers(response)

    async def chunks(self) -> AsyncIterator[bytes]:
        content = self._response.content
        limit = InactivityLimit(content, self._inactivity)
        try:
            while True:
                limit.waiting = True
                chunk = await content.readany()
                limit.waiting = False
                if not chunk:
                    return
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise broken(self._server, error, self._inactivity) from error
        finally:
            limit.end()


class _RefusedCredentialsError(Exception):
    def __init__(self, error: PodyardError, material: SessionMaterial) -> None:
        super().__init__(str(error))
        self.error = error
        self.material = material


async def _retire(session: KubeSession | None) -> None:
    """Close a session now or when its last request ends."""
    if session is not None:
        session.retired = True
        await session.close_if_unused()


def _cut(response: aiohttp.ClientResponse) -> None:
    """Close a connection whose answer goes on, without waiting for a TLS farewell."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()


def _headers(response: aiohttp.ClientResponse) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}\n{value}" if key in headers else value
    return headers


def _loop_time(monotonic: float) -> float:
    return asyncio.get_running_loop().time() + monotonic - time.monotonic()
