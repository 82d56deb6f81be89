"""Server streams of google.api.HttpBody as raw HTTP bodies: downloads.

Read as fast as the caller takes it and never shared. A stream that fails after its first data
ends the connection without the end of its chunked body, so that no cut file looks whole.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

from google.api import httpbody_pb2
from podyard.common.v1 import download_pb2
from starlette.types import Receive, Scope, Send

from gateway import metrics
from gateway.exchange import (
    CutBodyError,
    DisconnectedError,
    call_metadata,
    call_timeout,
    on_disconnect,
)
from gateway.problems import problem_of
from gateway.transcoding.methods import RpcMethod
from gateway.upstreams import Upstreams
from services.common.logs import get_logger

_DEFAULT_TYPE = "application/octet-stream"
_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(; ?[a-z-]+=[A-Za-z0-9._-]+)*"
)
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}")
_log = get_logger("gateway")


class BodyEndpoint:
    """Streams of HttpBody."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams

    async def serve(
        self,
        method: RpcMethod,
        request: Any,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        inline: bool = False,
    ) -> None:
        """Send the body to its end. An error before the first data is raised, to be the answer.

        `inline` leaves out the name of a file, so that browsers show the body.
        """
        call = self._upstreams.stream(
            method,
            request,
            timeout=call_timeout(scope, None),
            metadata=call_metadata(scope),
        )
        subscribers = metrics.SUBSCRIBERS.labels(method.path)
        subscribers.inc()
        try:
            async with on_disconnect(receive, call.cancel):
                await self._write(method, call, send, inline=inline)
        finally:
            subscribers.dec()
            call.cancel()

    async def _write(
        self, method: RpcMethod, call: AsyncIterator[Any], send: Send, *, inline: bool
    ) -> None:
        head = httpbody_pb2.HttpBody()
        data = b""
        messages = aiter(call)
        async for message in messages:
            if not head.content_type:
                head = message
            data = message.data
            if data:
                break
        await _start(send, head, inline=inline)
        try:
            await _send(send, data)
            async for message in messages:
                await _send(send, message.data)
        except DisconnectedError:
            raise
        except Exception as error:
            problem = problem_of(error, self._upstreams.of(method))
            _log.warning("download cut", method=method.path, code=problem.code, why=problem.message)
            raise CutBodyError(problem.message) from error
        await send({"type": "http.response.body", "body": b""})


async def _start(send: Send, head: httpbody_pb2.HttpBody, *, inline: bool) -> None:
    content_type = head.content_type
    if not _MEDIA_TYPE.fullmatch(content_type):
        content_type = _DEFAULT_TYPE
    headers = [
        (b"content-type", content_type.encode("ascii")),
        (b"x-accel-buffering", b"no"),
        (b"cache-control", b"no-store, no-transform"),
    ]
    name = "" if inline else _file_name(head)
    if name:
        headers.append((b"content-disposition", f'attachment; filename="{name}"'.encode("ascii")))
    await send({"type": "http.response.start", "status": 200, "headers": headers})


def _file_name(head: httpbody_pb2.HttpBody) -> str:
    attachment = download_pb2.Attachment()
    for extension in head.extensions:
        if extension.Unpack(attachment):
            name = str(attachment.file_name)
            return name if _FILE_NAME.fullmatch(name) else ""
    return ""


async def _send(send: Send, data: bytes) -> None:
    if data:
        await send({"type": "http.response.body", "body": data, "more_body": True})
