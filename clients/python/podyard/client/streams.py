"""Streams that go on through failures, without losing or repeating anything.

The service gives a resume token with every message. When the connection breaks or the
service restarts, the call is made again with the token of the last message received.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

import grpc
from podyard.client.errors import CallError, silence_error
from podyard.common.v1 import stream_pb2

Event = TypeVar("Event")

SILENCE_SECONDS = 45.0
"""Services send something at least every 15 s; three times that means a dead connection."""

_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 2.0
_BROKEN_TRANSPORT = ("RST_STREAM", "Stream removed", "GOAWAY", "Socket closed")


@dataclass(frozen=True, slots=True)
class Batch(Generic[Event]):
    """What one message holds: events, where to go on after it, and the end if it is the last."""

    events: Sequence[Event]
    resume_token: str
    end: stream_pb2.StreamEnd | None = None


@dataclass(frozen=True, slots=True)
class Interruption:
    """A break in a stream: why, and in how many seconds it is tried again.

    `attempt` counts from 1 since something was last received.
    """

    reason: str
    delay: float
    attempt: int


class ResumingStream(Generic[Event]):
    """An iterator of events. Close it, or use it in a `with`, when you stop before its end.

    The first connection is tried once: its failure is raised. Afterwards only errors that a
    new connection cannot cure are raised.
    """

    def __init__(
        self,
        connect: Callable[[str], Any],
        read: Callable[[Any], Batch[Event]],
        translate: Callable[[Any], CallError],
        *,
        resume_token: str = "",
        on_interruption: Callable[[Interruption], None] | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """`connect` makes the call for a token; `read` takes a message apart; `translate` turns
        its grpc.RpcError into an exception of this package."""
        self._connect = connect
        self._read = read
        self._translate = translate
        self._on_interruption = on_interruption
        self._received_token = resume_token
        self._pending: deque[Event] = deque()
        self._call: Any = None
        self._established = False
        self._failures = 0
        self._finished = False
        self._closed = threading.Event()
        self._silence = _SilenceGuard(silence_seconds)
        self.resume_token = resume_token
        """Where another stream goes on after the last event of the batches taken so far."""
        self.end: stream_pb2.StreamEnd | None = None
        """Why the service ended the stream; None before."""

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        while not self._pending:
            self.resume_token = self._received_token
            if self._finished or self._closed.is_set():
                self.close()
                raise StopIteration
            self._receive()
        return self._pending.popleft()

    def __enter__(self) -> ResumingStream[Event]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the call; may be called from another thread and more than once."""
        self._closed.set()
        self._silence.stop()
        if self._call is not None:
            self._call.cancel()

    def __del__(self) -> None:
        self.close()

    def _receive(self) -> None:
        if self._call is None:
            self._call = self._connect(self._received_token)
            if self._closed.is_set():
                # Closed while the call was made: `close` had none to end.
                self._call.cancel()
        try:
            with self._silence.watching(self._call):
                message = next(self._call)
        except StopIteration:
            self._finished = True
            return
        except grpc.RpcError as raised:
            self._call = None
            if self._closed.is_set():
                return
            error = self._translate(raised)
            if self._silence.fired:
                error = silence_error(error, self._silence.seconds)
            if not (self._established and _resumable(error)):
                self.close()
                raise error from None
            self._pause(error.message, error.retry_after)
            return
        self._established = True
        self._failures = 0
        batch = self._read(message)
        self._pending.extend(batch.events)
        self._received_token = batch.resume_token or self._received_token
        if batch.end is not None:
            self._ended(batch.end)

    def _ended(self, end: stream_pb2.StreamEnd) -> None:
        if end.reason != stream_pb2.STREAM_END_REASON_DRAINING:
            self._finished = True
            self.end = end
            return
        self._call.cancel()
        self._call = None
        retry_after = end.retry_after.ToTimedelta().total_seconds()
        self._pause(end.message or "the service is stopping", retry_after)

    def _pause(self, reason: str, retry_after: float | None) -> None:
        longest = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2**self._failures)
        # Jitter keeps the clients of a restarted service from coming back all at once.
        delay = (retry_after or 0.0) + random.uniform(longest / 2, longest)  # noqa: S311
        self._failures += 1
        if self._on_interruption:
            self._on_interruption(Interruption(reason, delay, self._failures))
        self._closed.wait(delay)


def _resumable(error: CallError) -> bool:
    match error.code:
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return True
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            # The service's own limit passes; gRPC's limit on a message's size does not.
            return bool(error.details.reason)
        case grpc.StatusCode.INTERNAL | grpc.StatusCode.UNKNOWN:
            return any(text in error.message for text in _BROKEN_TRANSPORT)
        case _:
            return False


class _SilenceGuard:
    """Cancels a call that is waited for and says nothing for too long.

    Only waiting counts: a consumer may take its time between events.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.fired = False
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._call: Any = None
        self._since = 0.0
        self._thread: threading.Thread | None = None

    def watching(self, call: Any) -> _SilenceGuard:
        with self._lock:
            self._call, self._since, self.fired = call, time.monotonic(), False
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="podyard-stream-silence", daemon=True
            )
            self._thread.start()
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._call = None

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self.seconds / 10):
            with self._lock:
                call, since = self._call, self._since
            if call is not None and time.monotonic() - since > self.seconds:
                self.fired = True
                call.cancel()
