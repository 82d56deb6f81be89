"""Capturing one container: a follower of its log like any other, whose subscriber is the store."""

from __future__ import annotations

import asyncio
import random
import time

from services.common.errors import PodyardError
from services.common.logs import get_logger
from services.k8s_resource.domain.captured.catalogue import CapturedRun
from services.k8s_resource.domain.captured.records import PodKey, RunKey, StoreUnwritableError
from services.k8s_resource.domain.captured.store import CaptureStore
from services.k8s_resource.domain.captured.writer import CaptureWriter
from services.k8s_resource.domain.logs.container_tail import ContainerTail, TailOptions
from services.k8s_resource.domain.logs.delivery import Delivery
from services.k8s_resource.domain.logs.events import Mark, MarkType
from services.k8s_resource.domain.logs.feed_registry import FeedRegistry
from services.k8s_resource.domain.logs.filter import LineFilter
from services.k8s_resource.domain.logs.log_api import LogApi
from services.k8s_resource.domain.logs.pods import ContainerState, PodState
from services.k8s_resource.domain.logs.position import ContainerPosition

_EVERYTHING = TailOptions(True, False, None, None, LineFilter())
_RETRY_SECONDS = 30.0


class ContainerCapture:
    """One container of one pod, from the place on that is stored."""

    def __init__(
        self,
        api: LogApi,
        feeds: FeedRegistry,
        store: CaptureStore,
        writer: CaptureWriter,
        key: PodKey,
        pod: PodState,
        container: ContainerState,
    ) -> None:
        self.interrupted = False
        self._api = api
        self._feeds = feeds
        self._store = store
        self._writer = writer
        self._key = key
        self._pod = pod
        self._container = container
        self._removed = False
        self._tail = self._new_tail()
        self._active: CapturedRun | None = None
        self._log = get_logger("capture")

    def update(self, pod: PodState, container: ContainerState) -> None:
        """The pod has changed."""
        self._pod, self._container = pod, container
        self._tail.update(pod, container)

    def remove(self) -> None:
        """The pod is gone."""
        self._removed = True
        self._tail.remove()

    async def run(self) -> None:
        """Capture until nothing can come any more."""
        try:
            while not await self._run_once():
                await asyncio.sleep(random.uniform(_RETRY_SECONDS / 2, _RETRY_SECONDS))  # noqa: S311
                await self._writer.flush()
                self._tail = self._new_tail()
        finally:
            await self._deactivate()

    async def _run_once(self) -> bool:
        """False if it has to be tried again, such as without permission."""
        try:
            await self._tail.run()
        except PodyardError as error:
            self.interrupted = True
            self._log.warning(
                "a log cannot be captured",
                pod=f"{self._pod.namespace}/{self._pod.name}",
                container=self._container.name,
                why=error.message,
            )
            return self._removed
        return True

    async def stop(self, task: asyncio.Task[None] | None) -> None:
        """End what `run` does."""
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    @staticmethod
    async def tell_lost(writer: CaptureWriter, run: CapturedRun) -> None:
        """The pod of a run went while nothing was captured."""
        place = run.place
        if place.whole:
            return
        pod = run.key.pod
        position = ContainerPosition(
            pod.uid, pod.pod, run.key.container, run.key.run, place.cursor, True, place.told_end
        )
        message = "the pod was removed while nothing captured it; its last lines may be missing"
        await writer.put(run.key, Mark(MarkType.GAP, time.time_ns(), None, message), position)

    async def _deactivate(self) -> None:
        if self._active is not None:
            # Who reads to the end finds everything stored once it is not active any more.
            active, self._active = self._active, None
            try:
                await self._writer.flush()
            except StoreUnwritableError:
                self._log.warning("the end of a log is not stored yet", pod=self._pod.name)
            active.active = False
            self._store.tell()

    def _new_tail(self) -> ContainerTail:
        tail = ContainerTail(
            self._api,
            self._feeds,
            _EVERYTHING,
            self,
            self._pod,
            self._container,
            self._position(),
        )
        if self._removed:
            tail.remove()
        return tail

    def _position(self) -> ContainerPosition:
        pod, container = self._pod, self._container
        captured = self._store.catalogue.pods.get(self._key)
        position = captured.position(container.name) if captured is not None else None
        if position is not None:
            return position
        if container.previous is not None and container.restarts:
            # Kubernetes still has the run before the present one.
            return ContainerPosition(pod.uid, pod.name, container.name, container.restarts - 1)
        return ContainerPosition(pod.uid, pod.name, container.name)

    # delivery.Sink

    async def deliver(self, delivery: Delivery) -> None:
        """Wait until there is room for it."""
        if (key := self._key_of(delivery)) is not None and delivery.position is not None:
            await self._writer.put(key, delivery.event, delivery.position)

    def offer(self, delivery: Delivery) -> bool:
        """Take it if there is room now; False if not."""
        key = self._key_of(delivery)
        if key is None or delivery.position is None:
            return True
        return self._writer.offer(key, delivery.event, delivery.position)

    def _key_of(self, delivery: Delivery) -> RunKey | None:
        """The run that an event is to be stored in; None for what is not stored."""
        event, position = delivery.event, delivery.position
        if isinstance(event, Mark):
            if event.type is MarkType.INTERRUPTED:
                self.interrupted = True
            elif event.type is MarkType.ATTACHED:
                self.interrupted = False
        if position is None or position.run is None:
            return None
        key = RunKey(self._key, position.container, position.run)
        self._activate(key)
        return key

    def _activate(self, key: RunKey) -> None:
        if self._active is not None and self._active.key == key:
            return
        if self._active is not None:
            self._active.active = False
        self._active = self._store.catalogue.run(key)
        self._active.active = True
