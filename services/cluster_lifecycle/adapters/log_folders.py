"""Step logs on disk, as the existing scripts and tools know them.

logs/<timestamp>_<step>.log       the log of one run; its name is its id
current/<step>.log                symbolic link to the newest
metadata/<step>_status.json       how the newest run stands
metadata/runs/<log id>.json       which operation wrote the log
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from services.cluster_lifecycle.adapters.atomic_files import replace_link, write_atomically
from services.cluster_lifecycle.adapters.cluster_folders import TIMESTAMP_FORMAT, ClusterFolders
from services.cluster_lifecycle.domain.model import STEPS, StepName
from services.cluster_lifecycle.domain.ports import LogEntry
from services.common.errors import NotFoundError
from services.common.operations.model import Operation

_NAME = re.compile(r"(?P<time>\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)(-\d+)?_(?P<step>launch|configure)")
_SUFFIX = ".log"


class _Run(msgspec.Struct):
    operation_id: str


class LogFolders:
    """The logs in the clusters' folders."""

    def __init__(self, clusters: ClusterFolders) -> None:
        self._clusters = clusters

    def new_id(self, tag: str, step: StepName, time: datetime) -> str:
        """An id that no log of the cluster has."""
        stamp = time.astimezone(UTC).strftime(TIMESTAMP_FORMAT)
        name, number = f"{stamp}_{step}", 1
        while self.path(tag, name).exists():
            number += 1
            name = f"{stamp}-{number}_{step}"
        return name

    def open_run(self, tag: str, step: StepName, operation: Operation) -> Path:
        """The log's path for a run that will start, made the current one of its step once."""
        path = self.path(tag, operation.log_id)
        if path.exists():
            return path
        self._clusters.ensure_record(tag)
        folder = self._clusters.folder(tag)
        runs = folder / "metadata" / "runs"
        for made in (folder / "logs", folder / "current", runs):
            made.mkdir(exist_ok=True, parents=True, mode=0o700)
        run = msgspec.json.encode(_Run(operation.id))
        write_atomically(runs / f"{operation.log_id}.json", run)
        replace_link(folder / "current" / f"{step}{_SUFFIX}", f"../logs/{path.name}")
        path.touch(mode=0o600)  # last: its presence says that all is done
        return path

    def record_status(self, operation: Operation) -> None:
        """Write metadata/<step>_status.json; nothing for a cluster that is gone."""
        try:
            if operation.create_time < self._clusters.read(operation.target).create_time:
                return  # of a former cluster with this tag
        except NotFoundError:
            return
        folder = self._clusters.folder(operation.target) / "metadata"
        status = {
            "step": operation.kind,
            "status": operation.state.value,
            "operationId": operation.id,
            "logFile": f"{operation.log_id}{_SUFFIX}",
            "startTime": operation.start_time,
            "endTime": operation.end_time,
            "exitCode": operation.exit_code,
            "exitSignal": operation.exit_signal,
            "error": operation.error.message if operation.error else None,
        }
        path = folder / f"{operation.kind}_status.json"
        data = msgspec.json.encode(status)
        if not path.is_file() or path.read_bytes() != data:
            write_atomically(path, data)

    def list(self, tag: str) -> list[LogEntry]:
        """All logs of a cluster, newest first."""
        try:
            paths = list((self._clusters.folder(tag) / "logs").iterdir())
        except FileNotFoundError:
            return []
        found = [
            entry
            for path in paths
            if path.suffix == _SUFFIX and (entry := self._entry(tag, path.stem))
        ]
        return sorted(found, key=_age, reverse=True)

    def find(self, tag: str, log_id: str) -> LogEntry | None:
        """A log by id or by step."""
        if log_id not in STEPS:
            return self._entry(tag, log_id)
        link = self._clusters.folder(tag) / "current" / f"{log_id}{_SUFFIX}"
        try:
            name = Path(link.readlink()).name.removesuffix(_SUFFIX)
        except OSError:
            # No link: a folder copied without it still has its logs.
            return next((entry for entry in self.list(tag) if entry.step == log_id), None)
        return self._entry(tag, name)

    def size(self, entry: LogEntry) -> int:
        """Size in bytes now; NotFoundError."""
        try:
            return self.path(entry.tag, entry.id).stat().st_size
        except FileNotFoundError:
            raise NotFoundError("log", entry.id) from None

    def read(self, tag: str, log_id: str, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; NotFoundError."""
        try:
            descriptor = os.open(self.path(tag, log_id), os.O_RDONLY)
        except FileNotFoundError:
            raise NotFoundError("log", log_id) from None
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def path(self, tag: str, log_id: str) -> Path:
        """Where a log lies; ValueError for what is no log's id."""
        if not _NAME.fullmatch(log_id):
            raise ValueError(f"not a log's id: {log_id!r}")
        return self._clusters.folder(tag) / "logs" / f"{log_id}{_SUFFIX}"

    def _entry(self, tag: str, log_id: str) -> LogEntry | None:
        match = _NAME.fullmatch(log_id)
        if match is None:
            return None
        try:
            time = datetime.strptime(match["time"], TIMESTAMP_FORMAT).replace(tzinfo=UTC)
            size = self.path(tag, log_id).stat().st_size
        except (ValueError, FileNotFoundError):
            return None
        step: StepName = "launch" if match["step"] == "launch" else "configure"
        return LogEntry(tag, log_id, step, time, size, self._operation_id(tag, log_id))

    def _operation_id(self, tag: str, log_id: str) -> str:
        path = self._clusters.folder(tag) / "metadata" / "runs" / f"{log_id}.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Run).operation_id
        except (FileNotFoundError, msgspec.DecodeError):
            return ""


def _age(entry: LogEntry) -> tuple[datetime, int, str]:
    # Of one second, "…-2_launch" is younger than "…_launch".
    return entry.create_time, len(entry.id), entry.id
