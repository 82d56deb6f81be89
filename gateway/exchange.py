"""One HTTP exchange at the level of ASGI: body in, answer out, disconnection noticed."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterable

from starlette.types import Receive, Scope, Send

from gateway.problems import HttpError, Problem
from gateway.upstreams import Metadata
from services.common.calls import REQUEST_ID_HEADER
from services.common.errors import InvalidArgumentError

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Largest request body; gRPC's own default for a message."""

_MAX_DISCARDED_BYTES = 16 * MAX_BODY_BYTES
_FORWARDED = frozenset({b"authorization", b"traceparent", b"tracestate"})
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNIT_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MAX_TIMEOUT = 600.0


class DisconnectedError(Exception):
    """The caller went away; there is nobody to answer."""


class CutBodyError(Exception):
    """A body that has begun cannot be sent to its end; the connection must be closed, so that
    it is seen."""


def header(scope: Scope, name: bytes) -> bytes:
    """The first header of a lower-case name; empty if there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The request's body; HttpError 413 beyond the limit, DisconnectedError if it is cut.

    What is beyond the limit is still taken off the wire, though not kept: most
    callers read no answer before they have sent everything.
    """
    declared = header(scope, b"content-length")
    length = int(declared) if declared.isdigit() else 0
    if length > _MAX_DISCARDED_BYTES or (
        length > MAX_BODY_BYTES and header(scope, b"expect").lower() == b"100-continue"
    ):
        raise _too_large(cut=True)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > _MAX_DISCARDED_BYTES:
            raise _too_large(cut=True)
        if size > MAX_BODY_BYTES:
            chunks.clear()
        else:
            chunks.append(chunk)
        if not message.get("more_body", False):
            break
    if size > MAX_BODY_BYTES:
        raise _too_large(cut=False)
    return b"".join(chunks)


def _too_large(*, cut: bool) -> HttpError:
    return HttpError(
        413,
        InvalidArgumentError(
            f"the body is larger than {MAX_BODY_BYTES} bytes; send it in parts",
            reason="BODY_TOO_LARGE",
        ),
        # A connection on which some of the body is left cannot be used again.
        headers={"connection": "close"} if cut else None,
    )


@contextlib.asynccontextmanager
async def on_disconnect(receive: Receive, action: Callable[[], object]) -> AsyncIterator[None]:
    """Do `action` when the caller goes away while the block runs; after the body was read.

    A cancellation that comes of it leaves the block as DisconnectedError.
    """
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        action()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if gone and task is not None and not task.cancelling():
            raise DisconnectedError from None
        raise
    finally:
        watcher.cancel()


def call_metadata(scope: Scope) -> Metadata:
    """What of the HTTP headers goes to the services; HttpError 400 for one that gRPC cannot carry."""
    pairs = [(REQUEST_ID_HEADER, str(scope["state"]["request_id"]))]
    for key, value in scope["headers"]:
        if key in _FORWARDED:
            if not _PRINTABLE.fullmatch(value):
                name = key.decode("ascii")
                raise InvalidArgumentError.field(name, "must be printable ASCII")
            pairs.append((key.decode("ascii"), value.decode("ascii")))
    return tuple(pairs)


def call_timeout(scope: Scope, default: float | None) -> float | None:
    """Seconds of the header grpc-timeout ("10S", "500m"), at most 600; `default` without it."""
    given = header(scope, b"grpc-timeout")
    if not given:
        return default
    found = _TIMEOUT.fullmatch(given)
    if found is None:
        raise InvalidArgumentError.field(
            "grpc-timeout", 'must be a number with a unit (H, M, S, m, u, n), such as "10S"'
        )
    return min(int(found[1]) * _UNIT_SECONDS[found[2]], _MAX_TIMEOUT)


async def send_body(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes = b"application/json",
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """A whole answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", str(len(body)).encode("ascii")),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def send_problem(send: Send, problem: Problem, body: bytes | None = None) -> None:
    """An error as the whole answer; `body` in place of the standard one."""
    headers = [
        (name.encode("ascii"), value.encode("latin-1"))
        for name, value in problem.http_headers().items()
    ]
    await send_body(
        send, problem.http_status, problem.body() if body is None else body, headers=headers
    )
