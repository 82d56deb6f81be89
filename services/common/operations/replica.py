"""The runs folder and the replica that it makes: whose runs they are, held by one process."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

from services.common.errors import FailedPreconditionError
from services.common.operations.run_folder import RunLock, synchronise, take_lock

_IDENTITY = "replica"


class Replica:
    """Exclusive use of a runs folder. `id` stays with the folder, not with host or process."""

    def __init__(self, runs: Path, database_file: Path | None) -> None:
        """FailedPreconditionError if another process uses the folder, or the SQLite file."""
        with contextlib.ExitStack() as stack:
            runs.mkdir(parents=True, exist_ok=True, mode=0o700)
            _hold(stack, runs / "lock", f"the runs folder {runs}")
            if database_file is not None:
                database_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                _hold(
                    stack,
                    database_file.with_name(database_file.name + ".lock"),
                    f"the database {database_file}",
                )
            self.id = _identity(runs)
            self._runs = runs
            self._locks = stack.pop_all()

    def run_folders(self) -> Iterator[Path]:
        """Folders of operations, each with its attempts."""
        for path in sorted(self._runs.iterdir()):
            if path.is_dir() and "." in path.name:
                yield path

    def close(self) -> None:
        """Let another process use the folder."""
        self._locks.close()


def _hold(stack: contextlib.ExitStack, path: Path, what: str) -> None:
    lock: RunLock | None = take_lock(path)
    if lock is None:
        raise FailedPreconditionError(
            f"{what} is in use by another process; stop that one, or give this one its own",
            reason="OPERATIONS_IN_USE",
        )
    stack.callback(lock.close)


def _identity(runs: Path) -> str:
    path = runs / _IDENTITY
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    made = uuid.uuid4().hex
    beside = runs / f".{_IDENTITY}"
    beside.write_text(made + "\n")
    beside.rename(path)
    synchronise(runs)
    return made
