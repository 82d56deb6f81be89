"""The persisted cache: one SQLite file per tracking server."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from services.common.logs import get_logger
from services.training_history.domain.model import Experiment, Run
from services.training_history.domain.ports import Changes, Snapshot, SyncMarks

SCHEMA_VERSION = 1
"""Part of the file; raise it with any change of the tables or of `Run`."""

_APPLICATION_ID = 0x706F6479  # "pody", so that a foreign database is told apart
_LOCK_SECONDS = 2.0
_SCHEMA = """
CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (run_id TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE marks (content BLOB NOT NULL);
"""


class StateInUseError(OSError):
    """Another process has the file."""


class _UnreadableError(Exception):
    """The file is damaged, foreign, or of another version."""


class SqliteRunStore:
    """Implements the port RunStore. One process at a time has the file."""

    def __init__(self, folder: Path, tracking_uri: str) -> None:
        """The file in `folder` is named after the server, so that caches never mix."""
        digest = hashlib.sha256(tracking_uri.encode()).hexdigest()[:16]
        self.path = folder / f"runs-{digest}.db"
        self._connection: sqlite3.Connection | None = None
        # A thread goes on when the task that waits for it is cancelled.
        self._turn = threading.Lock()
        self._saved_experiments: Sequence[Experiment] = ()
        self._log = get_logger("store")

    async def load(self) -> Snapshot:
        """All that was saved. A file that cannot be read is set aside and begun anew.

        StateInUseError if another process has it, OSError if the folder cannot be used.
        """
        return await asyncio.to_thread(self._load)

    async def save(self, changes: Changes) -> None:
        await asyncio.to_thread(self._save, changes)

    def close(self) -> None:
        """Let go of the file, after a save under way."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _load(self) -> Snapshot:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            try:
                return self._open()
            except (_UnreadableError, sqlite3.DatabaseError) as error:
                if _is_locked(error):
                    raise
                self.close()
                self._set_aside(error)
                return self._open()
        except (_UnreadableError, sqlite3.Error) as error:
            self.close()
            if _is_locked(error):
                raise StateInUseError(
                    f"{self.path} is in use by another process; stop that one, or give this one "
                    "another PODYARD_TRAINING_HISTORY_STATE"
                ) from None
            raise OSError(f"{self.path}: {error}") from error

    def _open(self) -> Snapshot:
        connection = sqlite3.connect(
            self.path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection = connection
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in _SCHEMA.split(";")[:-1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if (application, version) != (_APPLICATION_ID, SCHEMA_VERSION):
            raise _UnreadableError(f"it is of version {version}, not {SCHEMA_VERSION}")
        connection.execute("COMMIT")
        return self._read(connection)

    def _read(self, connection: sqlite3.Connection) -> Snapshot:
        experiments = [
            Experiment(*row)
            for row in connection.execute("SELECT experiment_id, name FROM experiments")
        ]
        runs = msgspec.msgpack.Decoder(Run)
        try:
            found = [
                runs.decode(content)
                for (content,) in connection.execute("SELECT content FROM runs")
            ]
            row = connection.execute("SELECT content FROM marks").fetchone()
            marks = SyncMarks() if row is None else msgspec.msgpack.decode(row[0], type=SyncMarks)
        except msgspec.DecodeError as error:
            raise _UnreadableError(str(error)) from error
        self._saved_experiments = experiments
        return Snapshot(experiments, found, marks)

    def _set_aside(self, reason: Exception) -> None:
        aside = self.path.with_name(f"{self.path.stem}.unreadable-{time.strftime('%Y%m%dT%H%M%S')}")
        for suffix in ("", "-wal", "-shm"):
            file = Path(f"{self.path}{suffix}")
            if file.exists():
                file.replace(f"{aside}.db{suffix}")
        self._log.warning(
            "persisted cache set aside", file=str(self.path), kept_as=f"{aside}.db", why=str(reason)
        )

    def _save(self, changes: Changes) -> None:
        with self._turn:
            self._write(changes)

    def _write(self, changes: Changes) -> None:
        connection = self._connection
        if connection is None:
            raise OSError(f"{self.path} is closed")
        encode = msgspec.msgpack.Encoder().encode
        try:
            connection.execute("BEGIN IMMEDIATE")
            if changes.experiments != self._saved_experiments:
                connection.execute("DELETE FROM experiments")
                connection.executemany(
                    "INSERT INTO experiments VALUES (?, ?)",
                    [(e.experiment_id, e.name) for e in changes.experiments],
                )
            connection.executemany(
                "INSERT OR REPLACE INTO runs VALUES (?, ?)",
                ((run.run_id, encode(run)) for run in changes.runs),
            )
            connection.executemany(
                "DELETE FROM runs WHERE run_id = ?", ((i,) for i in changes.removed_run_ids)
            )
            connection.execute("DELETE FROM marks")
            connection.execute("INSERT INTO marks VALUES (?)", (encode(changes.marks),))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise OSError(f"{self.path}: {error}") from error
        self._saved_experiments = changes.experiments


def _is_locked(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
