"""The database of operations: connections, transactions in threads, and its errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from services.common.errors import InvalidArgumentError, UnavailableError
from services.common.logs import get_logger
from services.common.operations.table import metadata

T = TypeVar("T")

_BUSY_SECONDS = 10
_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 10
_RETRY_AFTER_SECONDS = 1.0
_POSTGRES_THREADS = 4
_DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
# Any number; two replicas that start at once make the tables one after the other.
_SCHEMA_LOCK = 7_402_001


class Database:
    """Runs short transactions in threads of its own, so that the event loop never waits."""

    def __init__(self, url: str) -> None:
        self.url = _with_driver(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._engine = self._make_engine()
        # SQLite has one writer at a time anyway; one thread makes waiting fair.
        self._threads = ThreadPoolExecutor(
            1 if self.is_sqlite else _POSTGRES_THREADS, thread_name_prefix="operations-db"
        )

    @property
    def file(self) -> Path | None:
        """SQLite's file."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    async def create_schema(self) -> None:
        """Make the tables that are missing; UnavailableError."""

        def work(connection: sa.Connection) -> None:
            if not self.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
            metadata.create_all(connection)

        await self.run(work)

    async def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Do `work` in one transaction; UnavailableError when the database cannot be reached.

        InvalidArgumentError for text that PostgreSQL refuses.
        A caller that is cancelled meanwhile does not know whether it was committed.
        """

        def transaction() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, transaction)
        except sa.exc.DataError as error:
            raise InvalidArgumentError(
                "the request holds text that the database cannot keep, such as a NUL character"
            ) from error
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            get_logger("operations").warning("database unavailable", error=str(error))
            raise UnavailableError(
                "the database of operations cannot be reached; try again with the same request_id, "
                "and check the server that the database URL names if it does not pass",
                retry_after=_RETRY_AFTER_SECONDS,
                reason="OPERATIONS_DATABASE_UNAVAILABLE",
            ) from error

    async def close(self) -> None:
        """Finish what runs, then close all connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    def _make_engine(self) -> sa.Engine:
        if not self.is_sqlite:
            return sa.create_engine(
                self.url,
                pool_size=_POSTGRES_THREADS,
                pool_pre_ping=True,
                connect_args={
                    "connect_timeout": _CONNECT_SECONDS,
                    "options": f"-c statement_timeout={_STATEMENT_SECONDS * 1000}",
                    "application_name": "podyard-operations",
                },
            )
        engine = sa.create_engine(self.url, connect_args={"timeout": _BUSY_SECONDS})
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine


def _with_driver(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    # The text itself is not repeated: it may hold a password.
    if parsed is None or parsed.drivername not in _DRIVERS or not parsed.database:
        raise InvalidArgumentError.field(
            "database_url",
            "must be sqlite:////absolute/file.db or postgresql://user@host:port/database",
        )
    return parsed.set(drivername=_DRIVERS[parsed.drivername])


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun by `_begin_sqlite`, not by the driver at the first write.
    connection.isolation_level = None
    # Readers do not wait for the writer, and a commit survives a power cut.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
