"""The engine: operations accepted, read, cancelled and watched."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec

from services.common.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from services.common.logs import get_logger
from services.common.operations.database import Database
from services.common.operations.dispatcher import Dispatcher
from services.common.operations.feed import OperationFeed
from services.common.operations.model import Operation, OperationError, OperationState
from services.common.operations.notifications import listen
from services.common.operations.ports import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGE_SIZE,
    OperationEngine,
    OperationEvent,
    OperationHandler,
    OperationPage,
    Payload,
)
from services.common.operations.replica import Replica
from services.common.operations.run_folder import RunFolder
from services.common.operations.runner import DetachedRunner
from services.common.operations.settings import OperationSettings
from services.common.operations.steps import planned
from services.common.operations.store import (
    Filter,
    OperationStore,
    Position,
    RequestTakenError,
    TargetBusyError,
    position,
)
from services.common.operations.table import StoredOperation, now
from services.common.paging import decode_token, encode_token, fingerprint
from services.common.streams import Batch

OWNER_LEASE = timedelta(seconds=30)
"""A cancel may give up a replica that was not heard from for so long; three heartbeats."""

KEEP_FAILED = timedelta(days=30)
"""How long the run folder of a failed operation is kept, to see what was run."""

_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,89}")
_MAX_REQUEST_ID = 128
_MAX_PAYLOAD_BYTES = 256 * 1024
_PRIORITIES = range(-100, 101)

_OWNER_LOST = OperationError(
    "OWNER_LOST",
    "the replica that ran the program is gone or has lost its runs folder, and how the program "
    "ended is not known; check what exists before starting the operation again",
)


def operation_engine(
    settings: OperationSettings, handlers: Mapping[str, OperationHandler]
) -> OperationEngine:
    """An engine for the kinds of `handlers`; call `start` before anything else."""
    return DurableOperationEngine(settings, handlers)


class DurableOperationEngine:
    """The OperationEngine on a table of a database and on run folders."""

    def __init__(
        self, settings: OperationSettings, handlers: Mapping[str, OperationHandler]
    ) -> None:
        self._settings = settings
        self._handlers = dict(handlers)
        self._started = contextlib.AsyncExitStack()
        self._background: asyncio.Task[None] | None = None
        self._store: OperationStore
        self._feed: OperationFeed
        self._dispatcher: Dispatcher

    async def start(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            database = Database(self._settings.database_url)
            stack.push_async_callback(database.close)
            replica = Replica(self._settings.runs_folder, database.file)
            stack.callback(replica.close)
            await database.create_schema()
            self._store = OperationStore(database, replica.id, self._handlers)
            self._feed = OperationFeed(self._store)
            runner = DetachedRunner(self._settings.cancel_grace_seconds)
            self._dispatcher = Dispatcher(
                self._store, self._feed, self._handlers, runner, self._settings
            )
            if database.is_sqlite:
                # This process alone uses the database: other owners are lost runs folders.
                for operation_id in await self._store.abandoned():
                    await self._store.give_up(operation_id, _OWNER_LOST, silent_since=now())
            recovered = await self._store.recover()
            await self._clear(replica, runner)
            self._background = asyncio.create_task(self._run(database, replica.id, recovered))
            stack.push_async_callback(self._end_background, self._background)
            self._started = stack.pop_all()

    async def stop(self) -> None:
        await self._started.aclose()

    async def check(self) -> None:
        if self._background is None or self._background.done():
            raise UnavailableError(
                "operations are not being run: the engine has stopped; restart the service",
                reason="OPERATIONS_STOPPED",
            )
        await self._store.ping()

    async def submit(
        self,
        kind: str,
        target: str,
        *,
        actor: str,
        request_id: str = "",
        payload: Payload | None = None,
        priority: int = 0,
    ) -> Operation:
        handler = self._checked_handler(kind, target, request_id, priority)
        text = _encode_payload(payload or {})
        if request_id:
            # Before the plan: what was accepted once is not refused for what it has changed.
            earlier = await self._store.find_request(kind, target, request_id)
            if earlier is not None:
                return _same_request(earlier, text)
        operation = Operation(
            id=f"{target}.{uuid.uuid4().hex}",
            kind=kind,
            target=target,
            state=OperationState.QUEUED,
            create_time=now(),
            actor=actor,
            request_id=request_id,
        )
        # Decoded from what is stored: the plan sees what `prepare` will see.
        plan = handler.plan(operation, msgspec.json.decode(text))
        if not plan.steps or len(set(plan.steps)) != len(plan.steps):
            raise ValueError(f"a plan needs steps with different names: {plan.steps}")
        operation = replace(operation, steps=planned(plan.steps), log_id=plan.log_id)
        try:
            stored = await self._store.insert(StoredOperation(operation, text, priority))
        except RequestTakenError as taken:
            return _same_request(taken.stored, text)
        except TargetBusyError as busy:
            raise _busy(busy.stored.operation) from None
        self._feed.publish(stored)
        self._dispatcher.wake()
        return stored.operation

    async def get(self, operation_id: str) -> Operation:
        return (await self._get(operation_id)).operation

    async def list(
        self,
        *,
        target: str = "",
        kind: str = "",
        states: Sequence[OperationState] = (),
        page_size: int = 0,
        page_token: str = "",
    ) -> OperationPage:
        query = fingerprint("operations", target, kind, sorted(state.value for state in states))
        after = decode_token(page_token, query, Position) if page_token else None
        size = min(page_size, MAX_PAGE_SIZE) if page_size > 0 else DEFAULT_PAGE_SIZE
        found = await self._store.page(
            Filter(target, kind, tuple(states)), newest_first=True, after=after, limit=size + 1
        )
        token = encode_token(query, position(found[size - 1])) if len(found) > size else ""
        return OperationPage(tuple(stored.operation for stored in found[:size]), token)

    async def cancel(self, operation_id: str) -> Operation:
        stored = await self._store.cancel(operation_id) or await self._get(operation_id)
        if stored.operation.state is OperationState.CANCELLING:
            # Nobody would carry out the wish if the operation's replica is gone.
            lost = await self._store.give_up(
                operation_id, _OWNER_LOST, silent_since=now() - OWNER_LEASE
            )
            stored = lost or stored
        self._feed.publish(stored)
        self._dispatcher.changed(stored)
        return stored.operation

    def subscribe(
        self, draining: asyncio.Event, *, target: str = "", operation_id: str = ""
    ) -> AsyncGenerator[Batch[OperationEvent], None]:
        return self._feed.subscribe(draining, target=target, operation_id=operation_id)

    async def _run(
        self, database: Database, replica: str, recovered: Sequence[StoredOperation]
    ) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._dispatcher.run(recovered))
                if not database.is_sqlite:
                    group.create_task(listen(database.url, replica, self._on_change, self._on_gap))
        except Exception:  # told by `check`, and here
            get_logger("operations").exception("engine stopped")
            raise

    async def _on_change(self, operation_id: str) -> None:
        stored = await self._store.get(operation_id)
        if stored is not None:
            self._feed.publish(stored)
            self._dispatcher.changed(stored)

    async def _on_gap(self) -> None:
        self._feed.resynchronise()
        self._dispatcher.wake()

    @staticmethod
    async def _end_background(background: asyncio.Task[None]) -> None:
        background.cancel()
        await asyncio.wait({background})
        if not background.cancelled():
            background.exception()  # logged when it happened

    async def _clear(self, replica: Replica, runner: DetachedRunner) -> None:
        """End programs of operations that were given up, and remove folders of ended ones."""
        for path in replica.run_folders():
            stored = await self._store.get(path.name)
            if stored is None or not stored.operation.state.terminal:
                continue
            attempt = RunFolder(path / str(stored.attempt))
            if attempt.locked():
                runner.cancel(attempt)
            elif _outdated(stored.operation):
                shutil.rmtree(path, ignore_errors=True)

    async def _get(self, operation_id: str) -> StoredOperation:
        stored = await self._store.get(operation_id)
        if stored is None:
            raise NotFoundError("operation", operation_id)
        return stored

    def _checked_handler(
        self, kind: str, target: str, request_id: str, priority: int
    ) -> OperationHandler:
        handler = self._handlers.get(kind)
        if handler is None:
            raise InvalidArgumentError.field(
                "kind", f'"{kind}" is none of {", ".join(sorted(self._handlers))}'
            )
        if not _TARGET.fullmatch(target):
            raise InvalidArgumentError.field(
                "target",
                "must be 1 to 90 letters, digits or . _ : @ -, the first a letter or digit",
            )
        if len(request_id) > _MAX_REQUEST_ID or not request_id.isprintable():
            raise InvalidArgumentError.field(
                "request_id", f"must have at most {_MAX_REQUEST_ID} characters, all printable"
            )
        if priority not in _PRIORITIES:
            raise InvalidArgumentError.field("priority", "must be from -100 (first) to 100 (last)")
        return handler


def _outdated(ended: Operation) -> bool:
    """Whether the run folder of an ended operation is of no use any more."""
    if ended.state is not OperationState.FAILED:
        return True
    return ended.end_time is None or now() - ended.end_time > KEEP_FAILED


def _encode_payload(payload: Payload) -> str:
    try:
        # Sorted keys: equal payloads have equal texts.
        text = msgspec.json.encode(payload, order="deterministic").decode()
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError.field("payload", f"cannot be kept as JSON: {error}") from error
    if len(text) > _MAX_PAYLOAD_BYTES:
        raise InvalidArgumentError.field(
            "payload", f"must be at most {_MAX_PAYLOAD_BYTES} bytes of JSON"
        )
    return text


def _same_request(earlier: StoredOperation, payload: str) -> Operation:
    operation = earlier.operation
    if earlier.payload != payload:
        raise AlreadyExistsError(
            "operation",
            operation.id,
            f'request_id "{operation.request_id}" was used for {operation.kind} of '
            f"{operation.target} with other content (operation {operation.id}); "
            "use a new request_id",
            reason="REQUEST_ID_REUSED",
        )
    return operation


def _busy(running: Operation) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"{running.kind} of {running.target} is {running.state.value} already, as operation "
        f"{running.id}; wait for its end or cancel it",
        reason="OPERATION_RUNNING",
        metadata={"operation_id": running.id, "target": running.target, "kind": running.kind},
    )
