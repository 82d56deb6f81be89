"""What goes over the wire of an HTTP stream.

SSE (https://html.spec.whatwg.org/multipage/server-sent-events.html): the
message as `data`, its resume token as `id`, so that a browser sends it back as
Last-Event-ID by itself. NDJSON: one object a line, `{"result": …}` or
`{"error": …}`, as grpc-gateway does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.problems import Problem
from gateway.transcoding.encoding import encode

_FRAME_OVERHEAD_BYTES = 128


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a stream, encoded once for all who read it. `json` is one line."""

    json: bytes
    token: str
    id_line: bytes

    @property
    def size(self) -> int:
        """About what it costs in memory, in bytes."""
        return len(self.json) + 2 * len(self.token) + _FRAME_OVERHEAD_BYTES


def frame_of(message: Any, *, resumable: bool) -> Frame:
    """The frame of a message; `resumable`: it has a resume_token."""
    token: str = message.resume_token if resumable else ""
    if not token.isascii() or not token.isprintable():
        token = ""
    return Frame(encode(message), token, f"id: {token}\n".encode("ascii") if token else b"")


class Format(Protocol):
    """How frames are written."""

    media_type: bytes

    def messages(self, frames: Sequence[Frame]) -> bytes:
        """Messages, in order."""

    def heartbeat(self) -> bytes:
        """What is sent when nothing else was for a while; empty for nothing."""

    def error(self, problem: Problem) -> bytes:
        """The error that ends the stream."""

    def end(self) -> bytes:
        """What ends a stream that was delivered whole; empty for nothing."""


class ServerSentEvents:
    """text/event-stream."""

    media_type = b"text/event-stream; charset=utf-8"

    def messages(self, frames: Sequence[Frame]) -> bytes:
        pieces: list[bytes] = []
        for frame in frames:
            pieces += (frame.id_line, b"data: ", frame.json, b"\n\n")
        return b"".join(pieces)

    def heartbeat(self) -> bytes:
        return b": heartbeat\n\n"

    def error(self, problem: Problem) -> bytes:
        wait = problem.retry_after
        retry = f"retry: {int(wait * 1000)}\n".encode("ascii") if wait is not None else b""
        return b"%sevent: error\ndata: %s\n\n" % (retry, problem.body())

    def end(self) -> bytes:
        return b"event: end\ndata: {}\n\n"


class NewlineDelimitedJson:
    """application/x-ndjson. Its heartbeats are the services' own messages."""

    media_type = b"application/x-ndjson"

    def messages(self, frames: Sequence[Frame]) -> bytes:
        pieces: list[bytes] = []
        for frame in frames:
            pieces += (b'{"result":', frame.json, b"}\n")
        return b"".join(pieces)

    def heartbeat(self) -> bytes:
        return b""

    def error(self, problem: Problem) -> bytes:
        return problem.body() + b"\n"

    def end(self) -> bytes:
        return b""


def format_for(accept: str) -> Format:
    """SSE where the Accept header names it, else NDJSON."""
    kinds = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    return ServerSentEvents() if "text/event-stream" in kinds else NewlineDelimitedJson()
