"""Serving one HTTP stream: subscribe, write, notice who went away."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from google.protobuf.message import Message
from starlette.types import Receive, Scope, Send

from gateway.exchange import call_metadata, call_timeout, header, on_disconnect
from gateway.problems import ProblemError, problem_of
from gateway.streams.frames import Format, Frame, format_for, frame_of
from gateway.streams.sharing import EndOfStream, StreamHub, StreamSpec, Subscription
from gateway.transcoding.methods import RpcMethod, fields_from_now
from gateway.upstreams import Metadata, Upstreams
from services.common.errors import InvalidArgumentError

HEAD_SECONDS = 1.0
"""How long the HTTP status waits for the first message, to tell an early error by it."""


class StreamEndpoint:
    """Server streams as SSE or NDJSON."""

    def __init__(self, hub: StreamHub, upstreams: Upstreams, *, heartbeat: float) -> None:
        """`heartbeat` in seconds of silence after which one is sent."""
        self._hub = hub
        self._upstreams = upstreams
        self._heartbeat = heartbeat

    async def serve(
        self, method: RpcMethod, request: Any, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send the stream to its end; an error before its first message is raised."""
        format_ = format_for(header(scope, b"accept").decode("latin-1"))
        last_id = header(scope, b"last-event-id").decode("latin-1")
        if last_id:
            if not method.resumable:
                raise InvalidArgumentError.field(
                    "last-event-id", "this stream has no resume tokens"
                )
            request.resume_token = last_id
        subscription = self._hub.subscribe(self._spec(method, request, scope))
        try:
            async with on_disconnect(receive, subscription.leave):
                await self._write(subscription, format_, send)
        finally:
            subscription.leave()

    def _spec(self, method: RpcMethod, request: Message, scope: Scope) -> StreamSpec:
        metadata = call_metadata(scope)
        timeout = call_timeout(scope, None)
        resuming = method.resumable and bool(getattr(request, "resume_token", ""))
        shared = timeout is None and not resuming
        return StreamSpec(
            label=method.path,
            open=lambda: self._frames(method, request, timeout, metadata),
            key=(
                method.path,
                request.SerializeToString(deterministic=True),
                # Services decide by the caller, so only equal callers share.
                header(scope, b"authorization"),
            )
            if shared
            else None,
            replay=not _counts_from_now(request),
            explain_error=lambda error: problem_of(error, self._upstreams.of(method)),
        )

    async def _frames(
        self, method: RpcMethod, request: Message, timeout: float | None, metadata: Metadata
    ) -> AsyncGenerator[Frame, None]:
        call = self._upstreams.stream(method, request, timeout=timeout, metadata=metadata)
        try:
            async for message in call:
                yield frame_of(message, resumable=method.resumable)
        finally:
            call.cancel()

    async def _write(self, subscription: Subscription, format_: Format, send: Send) -> None:
        try:
            frames = await subscription.take(HEAD_SECONDS)
        except EndOfStream as end:
            if end.problem is not None:
                raise ProblemError(end.problem) from None
            frames = []
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", format_.media_type),
                    # Proxies must pass every message on at once, as it is.
                    (b"x-accel-buffering", b"no"),
                    (b"cache-control", b"no-store, no-transform"),
                ],
            }
        )
        await _send_chunk(send, format_.messages(frames))
        try:
            while True:
                frames = await subscription.take(self._heartbeat)
                chunk = format_.messages(frames) if frames else format_.heartbeat()
                await _send_chunk(send, chunk)
        except EndOfStream as end:
            last = format_.error(end.problem) if end.problem is not None else format_.end()
            await send({"type": "http.response.body", "body": last})


def _counts_from_now(request: Message) -> bool:
    """Whether the request has a field that counts back from the moment of the call."""
    descriptor: Any = request.DESCRIPTOR
    names = fields_from_now(descriptor)
    return any(field.name in names for field, _ in request.ListFields())


async def _send_chunk(send: Send, chunk: bytes) -> None:
    if chunk:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
