"""Reading a progress file while it grows."""

from __future__ import annotations

from pathlib import Path

from services.common.operations.steps import Progress, apply, parse_report
from services.common.operations.table import now

_CHUNK_BYTES = 256 * 1024
_MAX_LINE_BYTES = 64 * 1024


class ProgressFollower:
    """Progress of one run: what it was at the start, and every line reported since."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self.progress = progress
        self._path = path
        self._offset = 0
        self._skipping = False

    def read(self) -> None:
        """Take in whole lines that were added.

        Lines that are no reports, or longer than 64 KiB, are passed over: the
        file is written by a program that may be anyone's.
        """
        while self._read_chunk():
            pass

    def _read_chunk(self) -> bool:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read(_CHUNK_BYTES)
        except FileNotFoundError:
            return False
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            report = None if self._skipping else parse_report(line)
            self._skipping = False
            if report is not None:
                self.progress = apply(self.progress, report, now())
        self._offset += len(chunk) - len(rest)
        if len(rest) > _MAX_LINE_BYTES:
            self._offset += len(rest)
            self._skipping = True
        return len(chunk) == _CHUNK_BYTES
