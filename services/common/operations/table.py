"""The table of operations, on SQLite and PostgreSQL, and its rows as values.

Times are microseconds since the epoch: the same on both databases, and exact.
Two partial unique indexes hold what no crash or race may break: one unfinished
operation of a kind on a target, and one operation for a request id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from services.common.operations.model import (
    Operation,
    OperationError,
    OperationState,
    OperationStep,
)

UNFINISHED = tuple(state.value for state in OperationState if not state.terminal)

metadata = sa.MetaData()

operations = sa.Table(
    "operations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("steps", sa.Text, nullable=False),
    sa.Column("log_id", sa.Text, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("start_time", sa.BigInteger),
    sa.Column("end_time", sa.BigInteger),
    sa.Column("error_reason", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("exit_code", sa.Integer),
    sa.Column("exit_signal", sa.Integer),
    sa.Column("recoveries", sa.Integer, nullable=False, server_default="0"),
    # Which run of the program this is, from 1; 0 before the first.
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    # The replica whose runs folder holds the run, and when it was last heard from.
    sa.Column("owner", sa.Text, nullable=False, server_default=""),
    sa.Column("owner_time", sa.BigInteger, nullable=False, server_default="0"),
    # Counts the changes that callers can see.
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="1"),
)

sa.Index("operations_newest", operations.c.create_time, operations.c.id)
sa.Index("operations_of_target", operations.c.target, operations.c.create_time, operations.c.id)


def _partial_unique(name: str, where: str, *columns: sa.Column[Any]) -> None:
    sa.Index(
        name, *columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )


_partial_unique(
    "operations_single_flight",
    "state IN ('queued', 'running', 'cancelling')",
    operations.c.kind,
    operations.c.target,
)
_partial_unique(
    "operations_request",
    "request_id <> ''",
    operations.c.kind,
    operations.c.target,
    operations.c.request_id,
)


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """An operation and what the engine keeps beside it. `payload` is JSON."""

    operation: Operation
    payload: str
    priority: int
    attempt: int = 0
    owner: str = ""
    owner_time: datetime | None = None
    revision: int = 1


def to_micros(time: datetime) -> int:
    """Microseconds since the epoch."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The UTC time of `to_micros`."""
    return _EPOCH + timedelta(microseconds=micros)


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def steps_to_json(steps: tuple[OperationStep, ...]) -> str:
    return msgspec.json.encode(steps).decode()


def row_to_stored(row: sa.Row[Any]) -> StoredOperation:
    """The value of one row."""
    error = None
    if row.error_reason is not None:
        error = OperationError(row.error_reason, row.error_message or "")
    operation = Operation(
        id=row.id,
        kind=row.kind,
        target=row.target,
        state=OperationState(row.state),
        create_time=from_micros(row.create_time),
        actor=row.actor,
        steps=_STEPS.decode(row.steps),
        start_time=None if row.start_time is None else from_micros(row.start_time),
        end_time=None if row.end_time is None else from_micros(row.end_time),
        error=error,
        exit_code=row.exit_code,
        exit_signal=row.exit_signal,
        log_id=row.log_id,
        request_id=row.request_id,
        recoveries=row.recoveries,
    )
    return StoredOperation(
        operation,
        row.payload,
        row.priority,
        row.attempt,
        row.owner,
        from_micros(row.owner_time) if row.owner_time else None,
        row.revision,
    )


def stored_to_row(stored: StoredOperation) -> dict[str, Any]:
    """The columns of a new operation."""
    operation = stored.operation
    return {
        "id": operation.id,
        "kind": operation.kind,
        "target": operation.target,
        "state": operation.state.value,
        "priority": stored.priority,
        "actor": operation.actor,
        "request_id": operation.request_id,
        "payload": stored.payload,
        "steps": steps_to_json(operation.steps),
        "log_id": operation.log_id,
        "create_time": to_micros(operation.create_time),
    }


_EPOCH = datetime.fromtimestamp(0, UTC)
_STEPS = msgspec.json.Decoder(tuple[OperationStep, ...])
