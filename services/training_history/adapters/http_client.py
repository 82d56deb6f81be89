"""HTTP requests to a tracking server: authorisation, time limits, retries, clear errors."""

from __future__ import annotations

import asyncio
import random
import ssl
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec
from yarl import URL

from services.training_history.adapters.authorization import Authorization
from services.training_history.domain.ports import (
    NotATrackingServerError,
    TrackingServerFaultError,
    TrackingServerRefusedError,
    TrackingServerUnavailableError,
)

T = TypeVar("T")

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.3
MAX_PAUSE_SECONDS = 10.0
CONNECT_SECONDS = 5.0
_PASSING = {429, 502, 503, 504}
_MAX_QUOTED = 200


@dataclass(frozen=True, slots=True)
class Resource:
    """MLflow's error for something that does not exist, told apart for the caller to handle."""

    message: str


class _ErrorBody(msgspec.Struct):
    error_code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content_type: str
    body: bytes
    retry_after: float | None
    location: str


class TrackingHttpClient:
    """Requests below one base URL. Every request it makes may be repeated without harm."""

    def __init__(
        self,
        base_url: str,
        authorization: Authorization,
        *,
        request_seconds: float,
        tls: ssl.SSLContext | bool = True,
    ) -> None:
        """`request_seconds` limits one attempt, `tls` is what certificates are checked with."""
        self._base_url = base_url
        self._authorization = authorization
        self._tls = tls
        self._timeout = aiohttp.ClientTimeout(
            total=request_seconds, connect=min(CONNECT_SECONDS, request_seconds)
        )
        self._proxy = _environment_proxy(base_url)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def get(
        self, path: str, query: dict[str, str], answer: type[T], *, attempts: int = ATTEMPTS
    ) -> T | Resource:
        """GET and decode; a Resource when MLflow says that what was asked for does not exist."""
        url = f"{self._base_url}/api/2.0/mlflow/{path}?{urlencode(query)}"
        return await self._call("GET", url, b"", answer, attempts)

    async def post(self, path: str, body: object, answer: type[T]) -> T | Resource:
        """POST and decode; a Resource when MLflow says that what was asked for does not exist."""
        url = f"{self._base_url}/api/2.0/mlflow/{path}"
        return await self._call("POST", url, msgspec.json.encode(body), answer, ATTEMPTS)

    async def _call(
        self, method: str, url: str, body: bytes, answer: type[T], attempts: int
    ) -> T | Resource:
        pause = FIRST_PAUSE_SECONDS
        while True:
            attempts -= 1
            retry_after: float | None = None
            try:
                received = await self._send(method, url, body)
                if received.status == 200:
                    return self._decode(received, answer)
                retry_after = received.retry_after
                failure = self._failure(received)
                if isinstance(failure, Resource):
                    return failure
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failure = TrackingServerUnavailableError(
                    f"the tracking server {self._base_url} {_describe(error, self._timeout)}"
                )
            passing = isinstance(
                failure, (TrackingServerUnavailableError, TrackingServerFaultError)
            )
            if not passing or attempts <= 0:
                raise failure
            wait = max(retry_after or 0.0, pause * random.uniform(0.5, 1.0))  # noqa: S311
            await asyncio.sleep(min(wait, MAX_PAUSE_SECONDS))
            pause *= 2

    async def _send(self, method: str, url: str, body: bytes) -> _Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        headers = await self._authorization.headers(method, url, body)
        async with self._session.request(
            method,
            URL(url, encoded=True),
            data=body or None,
            headers={"Content-Type": "application/json", **headers},
            ssl=self._tls,
            proxy=self._proxy,
            # Only login pages redirect, and credentials must not follow to another host.
            allow_redirects=False,
        ) as response:
            return _Answer(
                response.status,
                response.headers.get("Content-Type", ""),
                await response.read(),
                _seconds(response.headers.get("Retry-After")),
                response.headers.get("Location", ""),
            )

    def _decode(self, received: _Answer, answer: type[T]) -> T:
        try:
            return msgspec.json.decode(received.body, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._not_mlflow(received, f" ({error})") from None

    def _failure(
        self, received: _Answer
    ) -> (
        TrackingServerUnavailableError
        | TrackingServerFaultError
        | TrackingServerRefusedError
        | NotATrackingServerError
        | Resource
    ):
        where = f"the tracking server {self._base_url}"
        said = _said(received)
        match received.status:
            case status if status in _PASSING:
                return TrackingServerUnavailableError(
                    f"{where} is overloaded or restarting (HTTP {status}{said})",
                    retry_after=received.retry_after,
                )
            case status if status >= 500:
                return TrackingServerFaultError(
                    f"{where} failed (HTTP {status}{said}); its log has the reason"
                )
            case 401:
                return TrackingServerRefusedError(
                    f"{where} wants other credentials (HTTP 401{said}); set "
                    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
                )
            case 403 if "Host header" in said:
                return TrackingServerRefusedError(
                    f"{where} does not accept the host name in its URL (HTTP 403{said}); start "
                    "MLflow with --allowed-hosts naming it"
                )
            case 403:
                return TrackingServerRefusedError(
                    f"{where} denies access (HTTP 403{said}); the credentials are valid for "
                    "something else, or lack the permission"
                )
            case 404 if _error_body(received).error_code == "RESOURCE_DOES_NOT_EXIST":
                return Resource(_error_body(received).message)
            case status if status < 400 or not _error_body(received).error_code:
                return self._not_mlflow(received, "")
            case status:
                return TrackingServerRefusedError(
                    f"{where} does not understand the request (HTTP {status}{said}); it may be "
                    "of a version that Podyard does not know"
                )

    def _not_mlflow(self, received: _Answer, detail: str) -> NotATrackingServerError:
        kind = received.content_type.partition(";")[0] or "no content type"
        to = f", redirecting to {received.location[:_MAX_QUOTED]}" if received.location else ""
        return NotATrackingServerError(
            f"what answers at {self._base_url} is not MLflow's REST API: HTTP {received.status} "
            f"with {kind}{to}{detail}; check the tracking URI and its path, and whether a login "
            "page or a proxy stands before the server"
        )


def _environment_proxy(url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY state for a URL.

    aiohttp's own `trust_env` reads these too, but also takes credentials from ~/.netrc, which
    would stand against those of the request.
    """
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc):
        return None
    return getproxies().get(parts.scheme)


def _describe(error: BaseException, timeout: aiohttp.ClientTimeout) -> str:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return f"could not be connected to within {timeout.connect:g} s"
        case TimeoutError():
            return f"did not answer within {timeout.total:g} s"
        case aiohttp.ClientConnectorCertificateError():
            return (
                f"has a TLS certificate that cannot be verified ({error.certificate_error}); name "
                "its authority in MLFLOW_TRACKING_SERVER_CERT_PATH"
            )
        case aiohttp.ClientConnectorDNSError():
            return f"cannot be found: {error.os_error.strerror or error.os_error}"
        case aiohttp.ClientConnectorError():
            return f"cannot be connected to: {error.os_error.strerror or error.os_error}"
        case _:
            return f"broke the connection: {error or type(error).__name__}"


def _said(received: _Answer) -> str:
    """What the server gave as the reason, shortened; pages of HTML are no reason."""
    text = _error_body(received).message
    if not text and received.content_type.startswith("text/plain"):
        text = received.body[: 2 * _MAX_QUOTED].decode("utf-8", "replace")
    text = " ".join(text.split())[:_MAX_QUOTED]
    return f": {text}" if text else ""


def _error_body(received: _Answer) -> _ErrorBody:
    try:
        return msgspec.json.decode(received.body, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _ErrorBody()


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; its other form, a date, is not used by the servers in question."""
    try:
        return None if retry_after is None else max(0.0, float(retry_after))
    except ValueError:
        return None
