"""Noticing that files have changed, and that whoever changes them has finished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

QUIET_SECONDS = 1.0
"""How long a file that is written in place, or is gone, must have been left alone."""


class _State(NamedTuple):
    inode: int
    size: int
    modified: int


class WatchedFiles:
    """Some files, symbolic links followed. The first look always finds a change."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._own = list(paths)
        self._paths = self._own
        self._known: dict[Path, _State | None] | None = None
        self._pending: dict[Path, _State | None] | None = None
        self._pending_since = 0.0

    def also(self, paths: Sequence[Path]) -> None:
        """Watch these too from now on, in place of those that were named so before."""
        self._paths = [*self._own, *paths]
        self._known = _states(self._paths)

    def have_changed(self, *, at_once: bool) -> bool:
        """Whether there is a finished change since the last one told; `at_once` also one that
        may not be finished."""
        found = _states(self._paths)
        if found == self._known:
            self._pending = None
            return False
        if self._known is not None and not at_once and not _is_replaced(self._known, found):
            now = time.monotonic()
            if found != self._pending:
                self._pending, self._pending_since = found, now
            if now - self._pending_since < QUIET_SECONDS:
                return False
        self._known, self._pending = found, None
        return True


def signature(paths: Sequence[Path]) -> tuple[object, ...]:
    """Changes whenever one of the files does."""
    return tuple(_states(paths).values())


def _states(paths: Sequence[Path]) -> dict[Path, _State | None]:
    states: dict[Path, _State | None] = {}
    for path in paths:
        try:
            status = path.stat()
            states[path] = _State(status.st_ino, status.st_size, status.st_mtime_ns)
        except OSError:
            states[path] = None
    return states


def _is_replaced(before: dict[Path, _State | None], after: dict[Path, _State | None]) -> bool:
    """Whether every file that changed is another file now, hence complete."""
    for path, state in after.items():
        old = before.get(path)
        if state != old and (state is None or old is None or state.inode == old.inode):
            return False
    return True
