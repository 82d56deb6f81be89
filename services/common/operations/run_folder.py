"""The folder of one attempt to run a program: what is known of it, whatever dies.

    lock             held, by flock(2), from before the start until the exit is recorded
    supervisor.json  who supervises; written before the program is started
    program.json     the program's process
    exit.json        how it ended; written once
    withdrawn.json   why it was never started; written once
    cancel           present: the program is asked to end
    progress.jsonl   what the program reports, see `progress`
    work/            the handler's files for the program

Whoever holds the lock may believe the records and decide. Records appear whole
or not at all: written beside, synchronised, renamed. Only the standard library
is used: the supervisor runs on nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.common.operations.processes import ProcessIdentity


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """How a program ended: by `code`, by `signal`, or not even started (`error`).

    `cancelled` says that it had been told to end. `time` is in seconds since the epoch.
    """

    time: float
    code: int | None = None
    signal: int | None = None
    error: str = ""
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Why a program was never started: cancelled, if `reason` is empty."""

    reason: str
    message: str


class RunLock:
    """The lock of a run folder, held until `close` by everyone who has the descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        """Let go; a supervisor that was given the descriptor still holds the lock."""
        os.close(self.descriptor)

    def __enter__(self) -> RunLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RunFolder:
    """One attempt's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def work(self) -> Path:
        return self.path / "work"

    @property
    def progress(self) -> Path:
        return self.path / "progress.jsonl"

    def try_lock(self) -> RunLock | None:
        """Take the lock, making the folder if need be; None while someone else holds it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return take_lock(self.path / "lock")

    def locked(self) -> bool:
        """Whether someone holds the lock. A shared try, so that two who ask agree."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @property
    def supervisor(self) -> ProcessIdentity | None:
        return self._process("supervisor.json")

    @property
    def program(self) -> ProcessIdentity | None:
        return self._process("program.json")

    @property
    def exit(self) -> ExitRecord | None:
        record = self._read("exit.json")
        return None if record is None else ExitRecord(**record)

    @property
    def withdrawal(self) -> Withdrawal | None:
        record = self._read("withdrawn.json")
        return None if record is None else Withdrawal(**record)

    @property
    def untouched(self) -> bool:
        """Whether nothing was started here and nothing will be, but by who holds the lock."""
        return self.supervisor is None and self.exit is None and self.withdrawal is None

    @property
    def cancel_requested(self) -> bool:
        return (self.path / "cancel").exists()

    def record_supervisor(self, process: ProcessIdentity) -> None:
        self._write("supervisor.json", asdict(process))

    def record_program(self, process: ProcessIdentity) -> None:
        self._write("program.json", asdict(process))

    def record_exit(self, record: ExitRecord) -> None:
        self._write("exit.json", asdict(record))

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Settle that nothing is ever started here. The caller holds the lock."""
        self._write("withdrawn.json", asdict(withdrawal))

    def request_cancel(self) -> None:
        """Ask the supervisor to end the program; it looks once a second."""
        self._write("cancel", {})

    def _process(self, name: str) -> ProcessIdentity | None:
        record = self._read(name)
        return None if record is None else ProcessIdentity(**record)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            text = (self.path / name).read_text()
        except FileNotFoundError:
            return None
        record: dict[str, Any] = json.loads(text)
        return record

    def _write(self, name: str, record: dict[str, Any]) -> None:
        beside = self.path / f".{name}.{os.getpid()}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(self.path / name)
        synchronise(self.path)


def take_lock(path: Path) -> RunLock | None:
    """Take an exclusive lock on a file, made if need be; None while someone else holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        stack.pop_all()
    return RunLock(descriptor)


def synchronise(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
