"""Carrying one operation from where its records say it is to its end."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from services.common.errors import PodyardError, RetryableError
from services.common.logs import get_logger
from services.common.operations.feed import OperationFeed
from services.common.operations.follower import ProgressFollower
from services.common.operations.model import OperationError, OperationState
from services.common.operations.ports import OperationHandler, Payload, StepExit
from services.common.operations.run_folder import ExitRecord, RunFolder, RunLock, Withdrawal
from services.common.operations.runner import DetachedRunner
from services.common.operations.steps import Progress, Steps, ended, keep_times, planned, started
from services.common.operations.store import OperationStore
from services.common.operations.table import StoredOperation, now

T = TypeVar("T")

MAX_ATTEMPTS = 3
"""Runs of a program that is safe to run again, when each was cut off."""

_CALLS = 5
_FIRST_PAUSE = 0.5
_MAX_PAUSE = 30.0

_CUT_OFF = OperationError(
    "SUPERVISOR_DIED",
    "the process that supervised the program was killed, or the machine restarted, before the "
    "program ended; how far it came is in its log. Check what exists, then start the operation "
    "again",
)


_RECORDS_LOST = OperationError(
    "RUN_RECORDS_LOST",
    "the program was started, but its run folder was removed, so whether it still runs is not "
    "known; check before starting the operation again",
)


class DisownedError(Exception):
    """The operation is not this replica's any more; its program has been ended."""


@dataclass(frozen=True, slots=True)
class _Ending:
    """How an operation ends. `error` is None for success and for a cancelled one."""

    state: OperationState
    error: OperationError | None = None
    exit: ExitRecord | None = None


class OperationDriver:
    """One operation of this replica. `drive` may be called again after any error."""

    def __init__(
        self,
        stored: StoredOperation,
        handler: OperationHandler,
        store: OperationStore,
        feed: OperationFeed,
        runner: DetachedRunner,
        runs: Path,
        poll_seconds: float,
    ) -> None:
        self.cancel = asyncio.Event()
        self._stored = stored
        self._payload: Payload = msgspec.json.decode(stored.payload)
        self._handler = handler
        self._store = store
        self._feed = feed
        self._runner = runner
        self._runs = runs / stored.operation.id
        self._poll_seconds = poll_seconds
        self._log = get_logger("operations").bind(
            operation=stored.operation.id, kind=stored.operation.kind
        )
        if stored.operation.state is OperationState.CANCELLING:
            self.cancel.set()

    async def drive(self) -> None:
        """Carry the operation to its end, from wherever its run folder says it is.

        DisownedError if another replica has given it up meanwhile.
        """
        ending = None
        while ending is None:
            folder = RunFolder(self._runs / str(self._stored.attempt))
            lock = folder.try_lock()
            if lock is None:
                await self._follow(folder)
                continue
            with lock:
                ending = await self._settle(folder, lock)
        await self._finish(RunFolder(self._runs / str(self._stored.attempt)), ending)

    async def _settle(self, folder: RunFolder, lock: RunLock) -> _Ending | None:
        """Decide under the lock: the ending, or None if there is more to do."""
        if (record := folder.exit) is not None:
            return await self._conclude(folder, record)
        if (withdrawal := folder.withdrawal) is not None:
            if withdrawal.reason:
                error = OperationError(withdrawal.reason, withdrawal.message)
                return _Ending(OperationState.FAILED, error)
            return _Ending(OperationState.CANCELLED)
        if (supervisor := folder.supervisor) is not None:
            await self._runner.end_leftovers(self._stored.operation.id, supervisor)
            return await self._after_cut_off()
        if any(step.state is not OperationState.QUEUED for step in self._stored.operation.steps):
            return _Ending(OperationState.FAILED, _RECORDS_LOST)
        if self.cancel.is_set():
            folder.withdraw(Withdrawal("", ""))
            return None
        try:
            await self._start(folder, lock)
        except PodyardError as error:
            self._log.warning("not started", reason=error.reason, error=error.message)
            folder.withdraw(Withdrawal(error.reason, error.message))
        return None

    async def _start(self, folder: RunFolder, lock: RunLock) -> None:
        # What is there is from an attempt to prepare that was cut off.
        shutil.rmtree(folder.work, ignore_errors=True)
        folder.work.mkdir(mode=0o700)
        operation = self._stored.operation
        run = await self._unless_cancelled(
            self._persistently(lambda: self._handler.prepare(operation, self._payload, folder.work))
        )
        if run is None:
            return
        await self._runner.start(folder, lock, run, operation.id, self._stored.attempt)
        self._log.info("started", attempt=self._stored.attempt)

    async def _follow(self, folder: RunFolder) -> None:
        """Record progress until the supervisor lets go of the lock."""
        follower = self._follower(folder)
        asked = False
        while folder.locked():
            await self._record_steps(self._progress(follower).steps, folder)
            if self.cancel.is_set() and not asked:
                asked = True
                self._log.info("cancelling")
                self._runner.cancel(folder)
            await self._pause(asked)

    async def _record_steps(self, steps: Steps, folder: RunFolder) -> None:
        if steps == self._stored.operation.steps:
            return
        stored = await self._store.set_steps(self._stored.operation.id, steps)
        if stored is None:
            self._runner.cancel(folder)
            raise DisownedError(self._stored.operation.id)
        self._stored = stored
        self._feed.publish(stored)

    def _progress(self, follower: ProgressFollower) -> Progress:
        follower.read()
        return keep_times(follower.progress, self._stored.operation.steps)

    async def _pause(self, asked: bool) -> None:
        if asked:
            await asyncio.sleep(self._poll_seconds)
            return
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self.cancel.wait()
        except TimeoutError:
            pass

    async def _conclude(self, folder: RunFolder, record: ExitRecord) -> _Ending:
        if record.error:
            error = OperationError("PROGRAM_NOT_STARTED", record.error)
            return _Ending(OperationState.FAILED, error, record)
        if record.cancelled and record.code != 0:
            return _Ending(OperationState.CANCELLED, exit=record)
        progress = self._progress(self._follower(folder))
        step_exit = StepExit(
            record.code,
            record.signal,
            datetime.fromtimestamp(record.time, UTC),
            progress.error,
        )
        operation = replace(self._stored.operation, steps=progress.steps)
        try:
            concluded = await self._persistently(
                lambda: self._handler.conclude(operation, self._payload, step_exit)
            )
        except PodyardError as error:
            concluded = OperationError(error.reason, error.message)
        state = OperationState.SUCCEEDED if concluded is None else OperationState.FAILED
        return _Ending(state, concluded, record)

    async def _after_cut_off(self) -> _Ending | None:
        """What follows when the run ended without a record of how."""
        if self.cancel.is_set():
            return _Ending(OperationState.CANCELLED)
        if not self._handler.rerun_safe or self._stored.attempt >= MAX_ATTEMPTS:
            return _Ending(OperationState.FAILED, _CUT_OFF)
        operation_id, attempt = self._stored.operation.id, self._stored.attempt + 1
        steps = planned(step.name for step in self._stored.operation.steps)
        stored = await self._store.next_attempt(operation_id, attempt, steps)
        if stored is None:
            raise DisownedError(operation_id)
        self._log.warning("cut off; running again", attempt=attempt)
        self._stored = stored
        self._feed.publish(stored)
        return None

    async def _finish(self, folder: RunFolder, ending: _Ending) -> None:
        progress = self._progress(self._follower(folder))
        time = datetime.fromtimestamp(ending.exit.time, UTC) if ending.exit else now()
        message = ending.error.message if ending.error else ""
        operation = replace(
            self._stored.operation,
            state=ending.state,
            steps=ended(progress, ending.state, time, message),
            end_time=time,
            error=ending.error,
            exit_code=ending.exit.code if ending.exit else None,
            exit_signal=ending.exit.signal if ending.exit else None,
        )
        stored = await self._store.finish(operation)
        if stored is None:
            raise DisownedError(operation.id)
        self._log.info(
            "ended", state=ending.state.value, reason=ending.error.reason if ending.error else None
        )
        self._feed.publish(stored)
        if ending.state is not OperationState.FAILED:
            shutil.rmtree(self._runs, ignore_errors=True)

    def _follower(self, folder: RunFolder) -> ProgressFollower:
        """Progress from the beginning of the run: from the same file always the same steps."""
        steps = planned(step.name for step in self._stored.operation.steps)
        start = self._stored.operation.start_time or now()
        progress = Progress(steps) if folder.supervisor is None else started(steps, start)
        return ProgressFollower(folder.progress, progress)

    async def _unless_cancelled(self, call: Coroutine[Any, Any, T]) -> T | None:
        """The result of `call`; None, and the call cancelled, if the operation is cancelled first."""
        tasks = (asyncio.ensure_future(call), asyncio.create_task(self.cancel.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return None if tasks[0].cancelled() else tasks[0].result()

    async def _persistently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call a handler, again after errors that pass; PodyardError if it comes to nothing."""
        pause = _FIRST_PAUSE
        for remaining in reversed(range(_CALLS)):
            try:
                return await call()
            except RetryableError as error:
                if not remaining:
                    raise
                wait = min(max(pause, error.retry_after or 0.0), _MAX_PAUSE)
                self._log.warning("trying again", seconds=wait, error=error.message)
            except PodyardError:
                raise
            except Exception as error:  # a fault in a handler ends its operation, not the engine
                self._log.exception("handler failed")
                raise PodyardError(
                    "internal error; the service's log has the details under the operation's id"
                ) from error
            await asyncio.sleep(wait)
            pause *= 2
        raise AssertionError("unreachable")
