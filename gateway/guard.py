"""What holds for every request: who may be asked, from which page, and what the answer says.

Host: a page of another site whose name was rebound to this address still sends
its own name, so only loopback and configured names are served. Origin: a state
change that a browser sends from another site's page is refused. Both come
before anything is read.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from gateway import metrics
from gateway.exchange import CutBodyError, header, send_body, send_problem
from gateway.problems import HttpError, Problem, problem_of
from services.common.calls import REQUEST_ID_HEADER, new_request_id
from services.common.errors import PermissionDeniedError
from services.common.logs import get_logger
from services.common.settings import is_loopback

COMPATIBLE_PREFIX = "/api/"
"""Paths of the panel that Podyard replaces; its errors have a shape of their own."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_DEFAULT_HEADERS = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}
_PREFLIGHT_HEADERS = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, grpc-timeout, last-event-id, traceparent, x-request-id",
    ),
    (b"access-control-max-age", b"600"),
)


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(
        self, app: ASGIApp, *, allowed_hosts: Iterable[str], allowed_origins: Iterable[str]
    ) -> None:
        self._app = app
        self._hosts = frozenset(allowed_hosts)
        self._origins = frozenset(origin.encode("ascii") for origin in allowed_origins)
        self._log = get_logger("http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the gateway does not serve {scope['type']}")
        started = time.monotonic()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = _request_id(scope)
        # The server gives each request a task and so a context of its own.
        bind_contextvars(request_id=request_id)
        answer = _Answer(send, self._common_headers(scope, request_id))
        try:
            await self._serve(scope, receive, answer)
        except CutBodyError:
            raise  # the connection is closed, so that a cut answer is seen as cut
        except Exception as error:
            problem = problem_of(error)
            if answer.status:
                raise  # the connection is closed, so that a cut answer is seen as cut
            await refuse(scope, answer, problem)
        finally:
            self._observe(scope, answer.status, time.monotonic() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
        except HttpError as error:
            await refuse(scope, send, problem_of(error))
            return
        if scope["method"] == "OPTIONS":
            extra = _PREFLIGHT_HEADERS if header(scope, b"origin") in self._origins else ()
            await send_body(send, 204, b"", headers=extra)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        host = header(scope, b"host").decode("latin-1")
        if not self._host_allowed(host):
            raise HttpError(
                403,
                PermissionDeniedError(
                    f'the host "{host[:100]}" is not served here; call a loopback address, or name '
                    "the host in PODYARD_GATEWAY_ALLOWED_HOSTS",
                    reason="HOST_NOT_ALLOWED",
                ),
            )
        origin = header(scope, b"origin")
        if scope["method"] in _SAFE_METHODS or not origin or origin in self._origins:
            return
        if origin.partition(b"://")[2].lower() != host.lower().encode("latin-1"):
            raise HttpError(
                403,
                PermissionDeniedError(
                    f'pages of "{origin.decode("latin-1")[:100]}" may not change anything here; '
                    "name the origin in PODYARD_GATEWAY_ALLOWED_ORIGINS if they are to",
                    reason="ORIGIN_NOT_ALLOWED",
                ),
            )

    def _host_allowed(self, host: str) -> bool:
        name = re.sub(r":[0-9]*$", "", host).lower()
        return is_loopback(name) or name in self._hosts

    def _common_headers(self, scope: Scope, request_id: str) -> list[tuple[bytes, bytes]]:
        headers = [*_SECURITY_HEADERS, (REQUEST_ID_HEADER.encode(), request_id.encode())]
        origin = header(scope, b"origin")
        if self._origins:
            headers.append((b"vary", b"origin"))
        if origin and origin in self._origins:
            headers.append((b"access-control-allow-origin", origin))
            headers.append((b"access-control-expose-headers", b"retry-after, x-request-id"))
        else:
            headers.append((b"cross-origin-resource-policy", b"same-origin"))
        return headers

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope["state"].get("route", "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics.HTTP_SECONDS.labels(method, route, str(status or 499)).observe(seconds)
        if status >= 500:
            self._log.warning(
                "request failed",
                method=scope["method"],
                path=scope["path"],
                status=status,
            )


_METHODS = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}


class _Answer:
    """`send` with the headers of every answer; remembers the status."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            defaults = [item for item in _DEFAULT_HEADERS.items() if item[0] not in names]
            message = {**message, "headers": [*given, *self._headers, *defaults]}
        await self._send(message)


def _request_id(scope: Scope) -> str:
    given = header(scope, REQUEST_ID_HEADER.encode())
    return given.decode("ascii") if _REQUEST_ID.fullmatch(given) else new_request_id()


async def refuse(scope: Scope, send: Send, problem: Problem) -> None:
    """Answer with an error, in the shape that the path's callers know."""
    if scope["path"].startswith(COMPATIBLE_PREFIX):
        body = orjson.dumps({"success": False, "error": problem.message})
        await send_problem(send, problem, body)
    else:
        await send_problem(send, problem)
