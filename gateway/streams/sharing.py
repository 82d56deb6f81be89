"""One upstream stream for all equal requests, its frames encoded once.

Who joins later gets the stream from its beginning, as long as that is kept (1
MiB): the initial state and every change after it are exactly what a stream of
one's own would amount to. When the beginning is no longer kept, the next
subscriber opens a new upstream stream, which then is the one to join. A request
that counts back from now ("the last 10 lines") is shared only until its first
frame, because its beginning means another moment later on.

All subscribers read one list of frames, each at its own position, so a
subscriber costs no buffer of its own. The list is bounded: upstream is read
only as fast as the fastest subscriber takes (with a single one, that is plain
backpressure), and a subscriber that falls too far behind the head while others
go on is ended with RESOURCE_EXHAUSTED and the token to resume from. Too far is 1
MiB for each who reads the list, since they all pay for it together, and never
more than 16 MiB.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Hashable
from dataclasses import dataclass

from gateway import metrics
from gateway.problems import Problem, problem_of
from gateway.streams.frames import Frame
from services.common.errors import ResourceExhaustedError, UnavailableError

MAX_REPLAY_BYTES = 1024 * 1024
"""How much of a stream's beginning is kept for those who join later."""

SUBSCRIBER_BYTES = 1024 * 1024
"""What one subscriber may cost."""

_MAX_SHARES = 16
_PATIENCE_SECONDS = 0.1

PAUSE_LAG_BYTES = 256 * 1024
"""Upstream is not read while even the fastest subscriber is further behind than this."""

_WRITE_BYTES = 64 * 1024

OpenUpstream = Callable[[], AsyncGenerator[Frame, None]]
"""Starts the upstream stream; closing the generator cancels it."""


class EndOfStream(Exception):  # noqa: N818 - the ordinary end, like StopIteration
    """No more frames; `problem` says why, None when everything was delivered."""

    def __init__(self, problem: Problem | None) -> None:
        super().__init__(problem.message if problem else "end of stream")
        self.problem = problem


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What is subscribed to. `key` is None for a stream that is never shared.

    `replay`: whether those who join after the first frame may have it from the beginning.
    """

    label: str
    open: OpenUpstream
    key: Hashable | None
    replay: bool
    explain_error: Callable[[BaseException], Problem] = problem_of


class StreamHub:
    """All streams of the gateway."""

    def __init__(self) -> None:
        self._joinable: dict[Hashable, _SharedStream] = {}
        self._streams: set[_SharedStream] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    def subscribe(self, spec: StreamSpec) -> Subscription:
        """Join an equal stream or open one. `leave` the subscription in any case."""
        stream = self._joinable.get(spec.key) if spec.key is not None else None
        if stream is None:
            stream = _SharedStream(spec, self._closed_to_joiners)
            if spec.key is not None:
                self._joinable[spec.key] = stream
            self._streams.add(stream)
            task = asyncio.create_task(stream.run())
            stream.task = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: self._streams.discard(stream))
        subscription = stream.join()
        if self._draining:
            subscription.finish(_draining_problem(subscription))
        return subscription

    def drain(self) -> None:
        """End all streams, now and from now on, telling them to connect again."""
        self._draining = True
        for stream in list(self._streams):
            for subscription in list(stream.subscriptions):
                subscription.finish(_draining_problem(subscription))

    async def close(self) -> None:
        """Cancel what is left and wait for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _closed_to_joiners(self, stream: _SharedStream) -> None:
        if stream.spec.key is not None and self._joinable.get(stream.spec.key) is stream:
            del self._joinable[stream.spec.key]


class _SharedStream:
    """The frames of one upstream stream and those who read them.

    Bytes are counted from the stream's beginning: `_head` after the last frame.
    """

    def __init__(self, spec: StreamSpec, closed: Callable[[_SharedStream], None]) -> None:
        self.spec = spec
        self.subscriptions: set[Subscription] = set()
        self.task: asyncio.Task[None] | None = None
        self._closed = closed
        self._frames: list[Frame] = []
        self._first = 0  # number of the first frame that is kept
        self._head = 0
        self._joinable = True
        self._room = asyncio.Event()

    def join(self) -> Subscription:
        subscription = Subscription(self, self._first, caught_up_at=self._head)
        self.subscriptions.add(subscription)
        metrics.SUBSCRIBERS.labels(self.spec.label).inc()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        if subscription not in self.subscriptions:
            return
        self.subscriptions.discard(subscription)
        metrics.SUBSCRIBERS.labels(self.spec.label).dec()
        self._room.set()
        if not self.subscriptions:
            self._close_to_joiners()
            if self.task is not None:
                self.task.cancel()

    async def run(self) -> None:
        """Read upstream until it ends or nobody is left."""
        upstream_streams = metrics.UPSTREAM_STREAMS.labels(self.spec.label)
        upstream_streams.inc()
        frames = self.spec.open()
        problem: Problem | None = None
        try:
            async for frame in frames:
                self._append(frame)
                if all(subscription.ended for subscription in self.subscriptions):
                    break  # they are only being told so
                await self._make_room()
        except Exception as error:  # noqa: BLE001 - told to every subscriber, by the table
            problem = self.spec.explain_error(error)
        finally:
            upstream_streams.dec()
            self._close_to_joiners()
            await frames.aclose()
        for subscription in list(self.subscriptions):
            subscription.finish_after_frames(problem)

    def _append(self, frame: Frame) -> None:
        head_before = self._head
        self._frames.append(frame)
        self._head += frame.size
        if self._joinable and (not self.spec.replay or self._head > MAX_REPLAY_BYTES):
            self._close_to_joiners()
        slowest = self._first + len(self._frames)
        allowed = SUBSCRIBER_BYTES * min(len(self.subscriptions), _MAX_SHARES)
        for subscription in self.subscriptions:
            if not subscription.ended:
                # The frame that is next for the reader may be of any size.
                following = self._frames[subscription.next_frame - self._first].size
                subscription.offer(head_before - following, allowed)
            if not subscription.ended:
                slowest = min(slowest, subscription.next_frame)
        if not self._joinable and slowest > self._first:
            del self._frames[: slowest - self._first]
            self._first = slowest

    def take(self, start: int) -> list[Frame]:
        """Frames from number `start` on, as many as make one write."""
        taken: list[Frame] = []
        size = 0
        for index in range(start - self._first, len(self._frames)):
            taken.append(self._frames[index])
            size += self._frames[index].size
            if size >= _WRITE_BYTES:
                break
        if taken:
            self._room.set()
        return taken

    async def _make_room(self) -> None:
        """Wait for the readers that set the pace.

        Nothing is read ahead of the fastest. For the middle one it is waited a
        moment: when all are busy, none then runs away from the others, and a few
        that are stalled are not waited for at all.
        """
        while self._lag_of(0.0) > PAUSE_LAG_BYTES:
            self._room.clear()
            await self._room.wait()
        if self._lag_of(0.5) <= PAUSE_LAG_BYTES:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while self._lag_of(0.5) > PAUSE_LAG_BYTES:
                    self._room.clear()
                    await self._room.wait()

    def _lag_of(self, share: float) -> int:
        """Bytes by which the reader at this share of all is behind, the fastest being at 0."""
        lags = sorted(self._head - each.position for each in self.subscriptions if not each.ended)
        return lags[int((len(lags) - 1) * share)] if lags else 0

    def _close_to_joiners(self) -> None:
        self._joinable = False
        self._closed(self)


class Subscription:
    """One reader's place in a stream."""

    def __init__(self, stream: _SharedStream, first: int, *, caught_up_at: int) -> None:
        self._stream = stream
        self.next_frame = first
        self.position = 0
        self.token = ""
        # A joiner starts behind by what it is sent again; that is not slowness.
        self._caught_up_at = caught_up_at
        self._waiter: asyncio.Future[bool] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._ended = False
        self._at_end = False
        self._problem: Problem | None = None

    @property
    def ended(self) -> bool:
        """Whether it takes no more frames."""
        return self._ended

    async def take(self, timeout: float) -> list[Frame]:
        """The next frames; none if nothing came within `timeout` seconds; EndOfStream at the end."""
        while True:
            if self._ended:
                raise EndOfStream(self._problem)
            frames = self._stream.take(self.next_frame)
            if frames:
                self.next_frame += len(frames)
                self.position += sum(frame.size for frame in frames)
                self.token = frames[-1].token or self.token
                return frames
            if self._at_end:
                raise EndOfStream(self._problem)
            if not await self._anything(timeout):
                return []

    async def _anything(self, timeout: float) -> bool:
        """Wait for something to take or to tell; False if nothing came within `timeout` seconds.

        The alarm of one wait is left for the next, and looks again when it rings too early:
        setting one for each frame would be a good part of what a frame costs.
        """
        loop = asyncio.get_running_loop()
        self._due = loop.time() + timeout
        if self._alarm is not None and self._alarm.when() > self._due:
            self._alarm.cancel()
            self._alarm = None
        if self._alarm is None:
            self._alarm = loop.call_at(self._due, self._ring)
        self._waiter = loop.create_future()
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def _ring(self) -> None:
        self._alarm = None
        if self._waiter is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._due:
            self._alarm = loop.call_at(self._due, self._ring)
        elif not self._waiter.done():
            self._waiter.set_result(False)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(True)

    def offer(self, due: int, allowed: int) -> None:
        """A frame was added; ends the subscription if it is `allowed` bytes short of byte `due`."""
        replayed = max(0, self._caught_up_at - self.position)
        if due - self.position > allowed + replayed:
            metrics.SLOW_SUBSCRIBERS.labels(self._stream.spec.label).inc()
            self.finish(_slow_problem(self))
        self._wake()

    def finish(self, problem: Problem | None) -> None:
        """End it now; frames that were not taken are not delivered."""
        if not self._ended:
            self._ended = True
            self._problem = problem
        self._wake()

    def finish_after_frames(self, problem: Problem | None) -> None:
        """End it when all frames are taken."""
        if not self._ended and not self._at_end:
            self._at_end = True
            self._problem = problem
        self._wake()

    def leave(self) -> None:
        """Give the place up; the upstream stream of the last one is cancelled."""
        self._ended = True
        self._wake()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._stream.leave(self)


def _where_to_go_on(subscription: Subscription) -> str:
    if subscription.token:
        return "connect again with the resume token of the last message"
    return "connect again"


def _slow_problem(subscription: Subscription) -> Problem:
    return problem_of(
        ResourceExhaustedError(
            f"this reader fell too far behind the stream; {_where_to_go_on(subscription)}",
            reason="SLOW_READER",
            metadata={"resume_token": subscription.token} if subscription.token else None,
        )
    )


def _draining_problem(subscription: Subscription) -> Problem:
    return problem_of(
        UnavailableError(
            f"the gateway is stopping; {_where_to_go_on(subscription)}",
            retry_after=1,
            reason="DRAINING",
            metadata={"resume_token": subscription.token} if subscription.token else None,
        )
    )
