"""Every statement on the table of operations, each a transaction of its own.

Changes are conditional updates: they name the states, and the owner, that they
may be made from, and change nothing otherwise. So an operation ends once,
whoever races.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from services.common.operations.database import Database
from services.common.operations.model import (
    Operation,
    OperationError,
    OperationState,
    OperationStep,
)
from services.common.operations.steps import Progress, ended
from services.common.operations.table import (
    UNFINISHED,
    StoredOperation,
    now,
    operations,
    row_to_stored,
    steps_to_json,
    stored_to_row,
    to_micros,
)

CHANNEL = "podyard_operations"
"""PostgreSQL's notification channel; a payload is "<replica> <operation id>"."""


class Position(NamedTuple):
    """Where a page ends. `create_time` is in microseconds since the epoch."""

    create_time: int
    id: str


_c = operations.c
_INSERTS = 5
_STARTED = (OperationState.RUNNING.value, OperationState.CANCELLING.value)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which operations; empty fields match all."""

    target: str = ""
    kind: str = ""
    states: tuple[OperationState, ...] = ()


class RequestTakenError(Exception):
    """The request id was used before, by `stored`."""

    def __init__(self, stored: StoredOperation) -> None:
        super().__init__(stored.operation.id)
        self.stored = stored


class TargetBusyError(Exception):
    """`stored`, of the same kind and target, is unfinished."""

    def __init__(self, stored: StoredOperation) -> None:
        super().__init__(stored.operation.id)
        self.stored = stored


class OperationStore:
    """The operations of one database, as one replica (`replica`) sees and changes them.

    It takes up only the kinds that it can run. Others may be a newer release's.
    All methods raise UnavailableError when the database cannot be reached.
    """

    def __init__(self, database: Database, replica: str, kinds: Collection[str]) -> None:
        self._database = database
        self._replica = replica
        self._kinds = tuple(kinds)

    async def ping(self) -> None:
        await self._database.run(lambda connection: connection.execute(sa.select(1)))

    async def insert(self, stored: StoredOperation) -> StoredOperation:
        """Add an operation; RequestTakenError, TargetBusyError."""
        operation = stored.operation
        in_the_way = sa.select(operations).where(
            _c.kind == operation.kind,
            _c.target == operation.target,
            _c.state.in_(UNFINISHED)
            | ((_c.request_id == operation.request_id) & (_c.request_id != "")),
        )

        def work(connection: sa.Connection) -> StoredOperation:
            # A savepoint: on PostgreSQL a refused insert would end the transaction.
            # What was in the way may be gone a moment later; then the insert is tried again.
            for remaining in reversed(range(_INSERTS)):
                # One statement, so that both are seen at one moment.
                found = [row_to_stored(row) for row in connection.execute(in_the_way)]
                for earlier in found:
                    if operation.request_id == earlier.operation.request_id != "":
                        raise RequestTakenError(earlier)
                for busy in found:
                    raise TargetBusyError(busy)
                try:
                    with connection.begin_nested():
                        row = connection.execute(
                            operations.insert().values(stored_to_row(stored)).returning(operations)
                        ).one()
                except sa.exc.IntegrityError:
                    if not remaining:
                        raise
                    continue
                self._notify(connection, operation.id)
                return row_to_stored(row)
            raise AssertionError("unreachable")

        return await self._database.run(work)

    async def get(self, operation_id: str) -> StoredOperation | None:
        return await self._database.run(
            lambda connection: _first(connection, _c.id == operation_id)
        )

    async def find_request(self, kind: str, target: str, request_id: str) -> StoredOperation | None:
        """The operation that a request id gave."""
        same = (_c.kind == kind) & (_c.target == target) & (_c.request_id == request_id)
        return await self._database.run(lambda connection: _first(connection, same))

    async def get_mine(self, operation_id: str) -> StoredOperation | None:
        """An unfinished operation of this replica."""
        return await self._database.run(
            lambda connection: _first(connection, (_c.id == operation_id) & self._mine())
        )

    async def page(
        self,
        filter: Filter,  # noqa: A002 - the plain name
        *,
        newest_first: bool,
        after: Position | None,
        limit: int,
    ) -> list[StoredOperation]:
        """So many operations after a position, in order of create_time and id."""
        order = sa.tuple_(_c.create_time, _c.id)
        query = sa.select(operations).limit(limit)
        if filter.target:
            query = query.where(_c.target == filter.target)
        if filter.kind:
            query = query.where(_c.kind == filter.kind)
        if filter.states:
            query = query.where(_c.state.in_([state.value for state in filter.states]))
        if after is not None:
            bound = sa.tuple_(
                sa.literal(after.create_time, sa.BigInteger), sa.literal(after.id, sa.Text)
            )
            query = query.where(order < bound if newest_first else order > bound)
        direction = sa.desc if newest_first else sa.asc
        query = query.order_by(direction(_c.create_time), direction(_c.id))
        return await self._database.run(
            lambda connection: [row_to_stored(row) for row in connection.execute(query)]
        )

    async def claim(self) -> StoredOperation | None:
        """Take the next operation out of the queue, for this replica to run."""
        head = (
            sa.select(_c.id)
            .where(_c.state == OperationState.QUEUED.value, _c.kind.in_(self._kinds))
            .order_by(_c.priority, _c.create_time, _c.id)
            .limit(1)
        )

        def work(connection: sa.Connection) -> StoredOperation | None:
            # Another replica may be quicker: then it is not queued any more, and the next is tried.
            while (operation_id := connection.scalar(head)) is not None:
                moment = to_micros(now())
                claimed = self._change(
                    connection,
                    (_c.id == operation_id) & (_c.state == OperationState.QUEUED.value),
                    state=OperationState.RUNNING.value,
                    start_time=moment,
                    attempt=1,
                    owner=self._replica,
                    owner_time=moment,
                )
                if claimed:
                    return claimed
            return None

        return await self._database.run(work)

    async def recover(self) -> list[StoredOperation]:
        """The unfinished operations of this replica, each now counted as taken up again."""

        def work(connection: sa.Connection) -> list[StoredOperation]:
            mine = sa.select(_c.id).where(self._mine()).order_by(_c.create_time)
            recovered = []
            for operation_id in connection.scalars(mine).all():
                stored = self._change(
                    connection,
                    (_c.id == operation_id) & self._mine(),
                    recoveries=_c.recoveries + 1,
                    owner_time=to_micros(now()),
                )
                if stored:
                    recovered.append(stored)
            return recovered

        return await self._database.run(work)

    async def heartbeat(self) -> dict[str, OperationState]:
        """Show that this replica lives; the states of its unfinished operations by id."""
        beat = (
            operations.update()
            .where(self._mine())
            .values(owner_time=to_micros(now()))
            .returning(_c.id, _c.state)
        )
        return await self._database.run(
            lambda connection: {
                row.id: OperationState(row.state) for row in connection.execute(beat)
            }
        )

    async def next_attempt(
        self, operation_id: str, attempt: int, steps: tuple[OperationStep, ...]
    ) -> StoredOperation | None:
        """Record that the program is run again; None if the operation is not this replica's."""
        return await self._change_mine(
            operation_id,
            attempt=attempt,
            steps=steps_to_json(steps),
            recoveries=_c.recoveries + 1,
        )

    async def set_steps(
        self, operation_id: str, steps: tuple[OperationStep, ...]
    ) -> StoredOperation | None:
        """Record progress; None if the operation is not this replica's any more."""
        return await self._change_mine(operation_id, steps=steps_to_json(steps))

    async def finish(self, operation: Operation) -> StoredOperation | None:
        """Record the end; None if the operation had ended before, or is another replica's."""
        return await self._change_mine(operation.id, **_ending(operation))

    async def cancel(self, operation_id: str) -> StoredOperation | None:
        """End a queued operation, or ask for the end of a running one; None if neither."""
        moment = to_micros(now())

        def work(connection: sa.Connection) -> StoredOperation | None:
            stored = _first(connection, _c.id == operation_id)
            if stored is None:
                return None
            return self._change(
                connection,
                (_c.id == operation_id) & (_c.state == OperationState.QUEUED.value),
                state=OperationState.CANCELLED.value,
                end_time=moment,
                steps=_ended_steps(stored, OperationState.CANCELLED),
            ) or self._change(
                connection,
                (_c.id == operation_id) & (_c.state == OperationState.RUNNING.value),
                state=OperationState.CANCELLING.value,
            )

        return await self._database.run(work)

    async def give_up(
        self, operation_id: str, error: OperationError, *, silent_since: datetime
    ) -> StoredOperation | None:
        """Fail an operation whose owner, another replica, was last heard from before then."""

        def work(connection: sa.Connection) -> StoredOperation | None:
            stored = _first(connection, _c.id == operation_id)
            if stored is None:
                return None
            return self._change(
                connection,
                (_c.id == operation_id)
                & _c.state.in_(_STARTED)
                & (_c.owner != self._replica)
                & (_c.owner_time <= to_micros(silent_since)),
                state=OperationState.FAILED.value,
                end_time=to_micros(now()),
                steps=_ended_steps(stored, OperationState.FAILED, error.message),
                error_reason=error.reason,
                error_message=error.message,
            )

        return await self._database.run(work)

    async def abandoned(self) -> Sequence[str]:
        """Ids of started operations that other owners have, oldest first."""
        query = (
            sa.select(_c.id)
            .where(_c.state.in_(_STARTED), _c.owner != self._replica)
            .order_by(_c.create_time)
        )
        return await self._database.run(lambda connection: connection.scalars(query).all())

    def _mine(self) -> sa.ColumnElement[bool]:
        return _c.state.in_(_STARTED) & (_c.owner == self._replica) & _c.kind.in_(self._kinds)

    async def _change_mine(self, operation_id: str, **values: Any) -> StoredOperation | None:
        return await self._database.run(
            lambda connection: self._change(
                connection, (_c.id == operation_id) & self._mine(), **values
            )
        )

    def _change(
        self, connection: sa.Connection, where: sa.ColumnElement[bool], **values: Any
    ) -> StoredOperation | None:
        row = connection.execute(
            operations.update()
            .where(where)
            .values(**values, revision=_c.revision + 1)
            .returning(operations)
        ).one_or_none()
        if row is None:
            return None
        self._notify(connection, row.id)
        return row_to_stored(row)

    def _notify(self, connection: sa.Connection, operation_id: str) -> None:
        if not self._database.is_sqlite:
            payload = f"{self._replica} {operation_id}"
            connection.execute(sa.select(sa.func.pg_notify(CHANNEL, payload)))


def position(stored: StoredOperation) -> Position:
    """Where a page that ends with this operation ends."""
    return Position(to_micros(stored.operation.create_time), stored.operation.id)


def _first(connection: sa.Connection, where: sa.ColumnElement[bool]) -> StoredOperation | None:
    row = connection.execute(sa.select(operations).where(where)).one_or_none()
    return None if row is None else row_to_stored(row)


def _ended_steps(stored: StoredOperation, state: OperationState, message: str = "") -> str:
    return steps_to_json(ended(Progress(stored.operation.steps), state, now(), message))


def _ending(operation: Operation) -> dict[str, Any]:
    end_time = operation.end_time or now()
    error = operation.error
    return {
        "state": operation.state.value,
        "steps": steps_to_json(operation.steps),
        "end_time": to_micros(end_time),
        "error_reason": _storable(error.reason) if error else None,
        "error_message": _storable(error.message) if error else None,
        "exit_code": operation.exit_code,
        "exit_signal": operation.exit_signal,
    }


def _storable(text: str) -> str:
    """`text` as PostgreSQL keeps it: a NUL, which a program may report, is refused there."""
    return text.replace("\0", "\ufffd")
