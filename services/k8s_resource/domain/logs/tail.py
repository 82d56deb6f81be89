"""One subscriber's stream of logs: its pods, their containers, and one order of all lines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from services.common.errors import (
    InvalidArgumentError,
    NotFoundError,
    PodyardError,
    ResourceExhaustedError,
)
from services.common.streams import HEARTBEAT_SECONDS, Signal
from services.k8s_resource.domain.logs.archive import ArchiveUse, LogArchive
from services.k8s_resource.domain.logs.archived_tail import ArchivedTail, Follower, JoinedTail
from services.k8s_resource.domain.logs.container_tail import ContainerTail, TailOptions
from services.k8s_resource.domain.logs.delivery import Deliveries, Delivery
from services.k8s_resource.domain.logs.events import (
    EndReason,
    Mark,
    MarkType,
    Source,
    SourceLines,
    TailBatch,
)
from services.k8s_resource.domain.logs.feed_registry import FeedRegistry
from services.k8s_resource.domain.logs.log_api import LogApi
from services.k8s_resource.domain.logs.merge import merged
from services.k8s_resource.domain.logs.pods import (
    ContainerKind,
    ContainerState,
    PodEvent,
    PodEventKind,
    PodSource,
    PodState,
)
from services.k8s_resource.domain.logs.position import ContainerPosition, PositionBook
from services.k8s_resource.domain.logs.targets import OwnerState, Target, owner_state
from services.k8s_resource.domain.ports import Connection

_OWNER_FIRST_SECONDS = 0.25
_OWNER_LONGEST_SECONDS = 15.0
_REPLAYS = 4
"""Captured logs of pods that are gone that are read at the same time; each holds a block."""


@dataclass(frozen=True, slots=True)
class ContainerChoice:
    """Which containers of a pod: those named, else those of some kinds, else all but init
    containers; with `init_too` these as well."""

    names: tuple[str, ...] = ()
    init_too: bool = False
    kinds: frozenset[ContainerKind] = frozenset()

    def takes(self, container: ContainerState) -> bool:
        """Whether the container is chosen."""
        if self.names:
            return container.name in self.names
        if self.init_too and container.init:
            return True
        return container.kind in self.kinds if self.kinds else not container.init


@dataclass
class _Pod:
    state: PodState
    tails: dict[str, Follower] = field(default_factory=dict)
    running: int = 0
    removed: bool = False


class LogTail:
    """Follows the pods of a target until nothing can come any more."""

    def __init__(
        self,
        connection: Connection,
        feeds: FeedRegistry,
        pods: PodSource,
        target: Target,
        choice: ContainerChoice,
        options: TailOptions,
        book: PositionBook,
        archive: LogArchive | None = None,
        archive_use: ArchiveUse = ArchiveUse.AUTO,
        pod_uid: str = "",
        resumed: bool = False,
    ) -> None:
        """With `pod_uid`, of the pods of a name only this one. `resumed` says that `book` is
        that of a token, which may hold no pod."""
        self._connection = connection
        self._api = LogApi(connection)
        self._feeds = feeds
        self._source = pods
        self._target = target
        self._choice = choice
        self._options = options
        self._book = book
        self._archive = archive if archive_use is not ArchiveUse.EXCLUDE else None
        self._archive_use = archive_use
        self._pod_uid = pod_uid
        self._turns = asyncio.Semaphore(_REPLAYS)
        self._deliveries = Deliveries()
        self._pods: dict[str, _Pod] = {}
        self._resumed = book.pods()
        self._from_token = resumed
        self._synced = False
        self._end: tuple[EndReason, str] | None = None
        self._over = asyncio.Event()
        self._owner_check: asyncio.Task[None] | None = None
        self._containers = 0

    async def batches(self, draining: asyncio.Event) -> AsyncGenerator[TailBatch, None]:
        """Batches until the end, which the last event of the last one explains.

        Raises the domain error that ended the stream otherwise.
        """
        runner = asyncio.create_task(self._run(), name="log tail")
        sent = time.monotonic()
        try:
            async for batch in self._deliveries.batches(draining, self._options.merge_seconds):
                match batch.signal:
                    case Signal.ITEMS:
                        events = self._note(batch.items)
                        if not events and time.monotonic() - sent > HEARTBEAT_SECONDS:
                            # Lines come, but the filter takes none.
                            events = [Mark(MarkType.HEARTBEAT, time.time_ns())]
                    case Signal.HEARTBEAT:
                        events = [Mark(MarkType.HEARTBEAT, time.time_ns())]
                    case Signal.DRAINING:
                        events = [_end_mark(EndReason.DRAINING, "the server is stopping")]
                    case _:
                        reason, message = self._end or (EndReason.FINISHED, "")
                        events = [_end_mark(reason, message)]
                if events:
                    yield TailBatch(events, self._book.token())
                    sent = time.monotonic()
        finally:
            runner.cancel()
            await asyncio.wait({runner})

    def _note(self, deliveries: list[Delivery]) -> list[Mark | SourceLines]:
        """The events of deliveries, whose positions are part of the next token."""
        for delivery in deliveries:
            if delivery.position is not None:
                self._book.put(delivery.position)
            if delivery.forget_pod:
                self._book.forget(delivery.forget_pod)
        return merged(d.event for d in deliveries if d.event is not None)

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                pods = group.create_task(self._follow_pods(group))
                await self._over.wait()
                pods.cancel()
        except* PodyardError as errors:
            self._deliveries.close(_first(errors))
        except* Exception as errors:  # noqa: BLE001 - the stream's consumer raises it
            self._deliveries.close(_first(errors))
        else:
            self._deliveries.close()

    async def _follow_pods(self, group: asyncio.TaskGroup) -> None:
        target = self._target
        async with self._source.follow(
            self._connection,
            target.namespace,
            name=target.pod_name,
            label_selector=target.label_selector,
        ) as events:
            async for event in events:
                await self._take(event, group)

    async def _take(self, event: PodEvent, group: asyncio.TaskGroup) -> None:
        match event:
            case PodEvent(PodEventKind.PRESENT, PodState() as pod):
                self._present(pod, group)
            case PodEvent(PodEventKind.REMOVED, PodState() as pod):
                await self._removed(pod)
            case PodEvent(PodEventKind.SYNCED):
                if not self._synced:
                    await self._first_sync(group)
        await self._look_for_end(group)

    def _present(self, pod: PodState, group: asyncio.TaskGroup) -> None:
        if (self._synced and not self._options.follow) or self._pod_uid not in ("", pod.uid):
            return
        entry = self._pods.setdefault(pod.uid, _Pod(pod))
        entry.state = pod
        for container in pod.containers:
            known = entry.tails.get(container.name)
            if known is not None:
                known.update(pod, container)
            elif self._choice.takes(container):
                self._count_container()
                tail = self._new_tail(pod, container)
                entry.tails[container.name] = tail
                entry.running += 1
                group.create_task(self._run_container(entry, tail, group))

    def _count_container(self) -> None:
        self._containers += 1
        if self._containers > self._options.most_containers:
            raise ResourceExhaustedError(
                f"{self._target.described} has more than {self._options.most_containers} "
                "containers to read: choose fewer with containers or a narrower selector, or "
                "raise max_containers as far as the service allows",
                reason="TOO_MANY_CONTAINERS",
            )

    def _new_tail(self, pod: PodState, container: ContainerState) -> Follower:
        source = Source(pod.namespace, pod.name, container.name, pod.uid)
        position = self._position(source, initial=not self._synced and not self._resumed)
        archive, cluster, options = self._archive, self._api.cluster, self._options
        if archive is not None and JoinedTail.is_better(
            archive, cluster, options, container, source, position
        ):
            return JoinedTail(
                *(archive, cluster, options, self._deliveries, pod, container, position),
                self._live_tail,
                self._api.newest_time,
            )
        return self._live_tail(pod, container, position)

    def _live_tail(
        self, pod: PodState, container: ContainerState, position: ContainerPosition
    ) -> ContainerTail:
        return ContainerTail(
            self._api, self._feeds, self._options, self._deliveries, pod, container, position
        )

    def _position(self, source: Source, *, initial: bool) -> ContainerPosition:
        position = self._book.get(source.pod_uid, source.container)
        if position is None:
            uid, pod, container = source.pod_uid, source.pod, source.container
            position = ContainerPosition(uid, pod, container, initial=initial)
            self._book.put(position)
        return position

    def _present_archived(self, group: asyncio.TaskGroup) -> None:
        """Deliver what is kept of pods that are gone."""
        archive, cluster, target = self._archive, self._api.cluster, self._target
        if archive is None:
            return
        present = set(self._pods)
        found = {
            container.source: container
            for uid in self._resumed
            if uid not in present
            for container in archive.containers(cluster, uid)
        }
        if not self._from_token and (
            self._archive_use is ArchiveUse.INCLUDE
            or not present
            or not (self._options.follow or target.pod_name)
        ):
            for container in archive.gone(cluster, target, present, self._pod_uid):
                found[container.source] = container
        for source, container in found.items():
            if not self._choice.takes(container.state):
                continue
            state = PodState(source.namespace, source.pod, source.pod_uid)
            entry = self._pods.setdefault(source.pod_uid, _Pod(state, removed=True))
            tail = ArchivedTail(
                *(archive, cluster, source, self._options, self._deliveries),
                self._position(source, initial=True),
                self._turns,
            )
            entry.tails[source.container] = tail
            entry.running += 1
            group.create_task(self._run_container(entry, tail, group))

    async def _run_container(self, entry: _Pod, tail: Follower, group: asyncio.TaskGroup) -> None:
        await tail.run()
        entry.running -= 1
        await self._tell_if_removed(entry)
        await self._look_for_end(group)

    async def _removed(self, pod: PodState) -> None:
        entry = self._pods.get(pod.uid)
        if entry is None or not self._options.follow:
            return
        entry.removed = True
        for tail in entry.tails.values():
            tail.remove()
        await self._tell_if_removed(entry)

    async def _tell_if_removed(self, entry: _Pod) -> None:
        """Tell that a pod is gone, after the last of its lines."""
        pod = entry.state
        if not entry.removed or entry.running or self._pods.pop(pod.uid, None) is None:
            return
        await self._tell_deleted(pod.name, pod.uid)
        if self._synced and not self._pods and not self._target.pod_name:
            await self._tell_waiting()

    async def _first_sync(self, group: asyncio.TaskGroup) -> None:
        self._synced = True
        self._present_archived(group)
        for uid, name in self._resumed.items():
            if uid not in self._pods:
                await self._tell_gone_meanwhile(uid, name)
        if not self._pods:
            if self._target.pod_name and not self._from_token:
                raise NotFoundError(
                    "pod",
                    self._target.pod_name,
                    f'there is no pod "{self._target.pod_name}" in namespace '
                    f'"{self._target.namespace}"',
                )
            if self._options.follow and not self._target.pod_name:
                await self._tell_waiting()
        elif not any(entry.tails for entry in self._pods.values()):
            raise InvalidArgumentError.field("containers", self._no_container())

    def _no_container(self) -> str:
        names = {c.name for entry in self._pods.values() for c in entry.state.containers}
        return (
            f"no container named {' or '.join(self._choice.names)} in {self._target.described}; "
            f"it has {', '.join(sorted(names)) or 'none'}"
        )

    async def _tell_gone_meanwhile(self, uid: str, name: str) -> None:
        if not self._book.is_whole(uid):
            source = Source(self._target.namespace, name, "", uid)
            message = "the pod was removed while nobody followed it; its last lines are lost"
            await self._deliveries.deliver(
                Delivery(Mark(MarkType.GAP, time.time_ns(), source, message))
            )
        await self._tell_deleted(name, uid)

    async def _tell_deleted(self, name: str, uid: str) -> None:
        source = Source(self._target.namespace, name, "", uid)
        gone = (
            "is gone" if self._target.pod_name else "is gone, or is no longer among those followed"
        )
        mark = Mark(MarkType.DELETED, time.time_ns(), source, f"pod {name} {gone}")
        await self._deliveries.deliver(Delivery(mark, forget_pod=uid))

    async def _tell_waiting(self) -> None:
        message = f"{self._target.described}: no pod now; pods that appear are followed"
        await self._deliveries.deliver(
            Delivery(Mark(MarkType.WAITING, time.time_ns(), None, message))
        )

    async def _look_for_end(self, group: asyncio.TaskGroup) -> None:
        """End the stream if nothing can come any more."""
        if not self._synced or any(entry.running for entry in self._pods.values()):
            return
        if not self._options.follow:
            self._finish(EndReason.FINISHED, "everything that was asked for is delivered")
        elif self._target.pod_name:
            if not self._pods:
                self._finish(EndReason.DELETED, f"{self._target.described} is gone")
            elif all(entry.state.finished for entry in self._pods.values()):
                self._finish(EndReason.FINISHED, f"{self._target.described} has finished")
            elif self._options.filter.limit_bytes is not None:
                self._finish(EndReason.FINISHED, "limit_bytes is reached")
        elif self._target.owner is not None and (
            self._owner_check is None or self._owner_check.done()
        ):
            self._owner_check = group.create_task(self._check_owner())

    async def _check_owner(self) -> None:
        """While no pod of the owner runs: is it gone, or has it finished?

        Its end shows a moment after that of its pods.
        """
        pause = _OWNER_FIRST_SECONDS
        while not any(entry.running for entry in self._pods.values()):
            try:
                state = await owner_state(self._connection, self._target)
            except PodyardError:
                state = OwnerState.ACTIVE
            if state is OwnerState.GONE and not self._pods:
                self._finish(EndReason.DELETED, f"{self._target.described} is gone")
                return
            if state is OwnerState.FINISHED:
                self._finish(EndReason.FINISHED, f"{self._target.described} has finished")
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _OWNER_LONGEST_SECONDS)

    def _finish(self, reason: EndReason, message: str) -> None:
        if self._end is None:
            self._end = (reason, message)
            self._over.set()


def _end_mark(reason: EndReason, message: str) -> Mark:
    return Mark(MarkType.END, time.time_ns(), None, message, end=reason)


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    """The first error of a group, however deep it lies."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, Exception) else RuntimeError(str(first))
