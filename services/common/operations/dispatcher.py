"""The work in the background: taking operations out of the queue and driving each one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.common.errors import UnavailableError
from services.common.logs import get_logger
from services.common.operations.driver import DisownedError, OperationDriver
from services.common.operations.feed import OperationFeed
from services.common.operations.model import OperationState
from services.common.operations.ports import OperationHandler
from services.common.operations.runner import DetachedRunner
from services.common.operations.settings import OperationSettings
from services.common.operations.store import OperationStore
from services.common.operations.table import StoredOperation

HEARTBEAT_SECONDS = 10.0

_FIRST_PAUSE = 0.5
_MAX_PAUSE = 10.0


@dataclass
class Dispatcher:
    """Drives the operations of one replica, so many at once as the settings allow."""

    store: OperationStore
    feed: OperationFeed
    handlers: Mapping[str, OperationHandler]
    runner: DetachedRunner
    settings: OperationSettings
    _drivers: dict[str, OperationDriver] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, recovered: Iterable[StoredOperation]) -> None:
        """Drive these, then whatever comes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for stored in recovered:
                self._spawn(group, stored)
            group.create_task(self._beat(group))
            self._wake.set()
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._claim(group)

    def wake(self) -> None:
        """Look into the queue: something was added."""
        self._wake.set()

    def changed(self, stored: StoredOperation) -> None:
        """Act on a change made elsewhere: a new operation, or the wish to end one."""
        if stored.operation.state is OperationState.QUEUED:
            self._wake.set()
        driver = self._drivers.get(stored.operation.id)
        # An end that did not come from the driver: the program must end too.
        if driver is not None and stored.operation.state is not OperationState.RUNNING:
            driver.cancel.set()

    async def _claim(self, group: asyncio.TaskGroup) -> None:
        try:
            while len(self._drivers) < self.settings.max_running:
                stored = await self.store.claim()
                if stored is None:
                    return
                self.feed.publish(stored)
                self._spawn(group, stored)
        except UnavailableError:
            await asyncio.sleep(_FIRST_PAUSE)
            self._wake.set()

    def _spawn(self, group: asyncio.TaskGroup, stored: StoredOperation) -> None:
        operation = stored.operation
        if operation.id in self._drivers:
            return
        driver = OperationDriver(
            stored,
            self.handlers[operation.kind],
            self.store,
            self.feed,
            self.runner,
            self.settings.runs_folder,
            self.settings.poll_seconds,
        )
        self._drivers[operation.id] = driver
        group.create_task(self._drive(operation.id, driver))

    async def _drive(self, operation_id: str, driver: OperationDriver) -> None:
        log = get_logger("operations").bind(operation=operation_id)
        pause = _FIRST_PAUSE
        try:
            while True:
                try:
                    await driver.drive()
                except DisownedError:
                    log.warning("given up by another replica; its program is being ended")
                    return
                except (UnavailableError, OSError) as error:
                    log.warning("trying again", seconds=pause, error=str(error))
                except Exception:  # the fault of one must not end the others
                    log.exception("trying again", seconds=pause)
                else:
                    return
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MAX_PAUSE)
        finally:
            del self._drivers[operation_id]
            self._wake.set()

    async def _beat(self, group: asyncio.TaskGroup) -> None:
        """Show life, and act on what slipped through: a lost answer, an unheard change."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            at_work = set(self._drivers)
            try:
                mine = await self.store.heartbeat()
                for operation_id in mine.keys() - self._drivers.keys():
                    await self._take_up(group, operation_id)
            except UnavailableError as error:
                get_logger("operations").warning("no heartbeat", error=error.message)
            else:
                for operation_id in at_work & self._drivers.keys():
                    if mine.get(operation_id) is not OperationState.RUNNING:
                        self._drivers[operation_id].cancel.set()
            self._wake.set()

    async def _take_up(self, group: asyncio.TaskGroup, operation_id: str) -> None:
        stored = await self.store.get_mine(operation_id)
        if stored is not None:
            self._spawn(group, stored)
