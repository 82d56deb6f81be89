"""Limits of the kernel that simulated kubelets run into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_OTHERS = 200


@contextmanager
def followed_logs(count: int) -> Iterator[None]:
    """Let so many logs be followed: the simulated kubelets use an inotify instance for each.

    The limit, 128 by default, is set back afterwards. RuntimeError, telling what to do, where
    it is too low and may not be set.
    """
    before = _INSTANCES.read_text()
    needed = count + _OTHERS
    if int(before) >= needed:
        yield
        return
    try:
        _INSTANCES.write_text(str(needed))
    except OSError as error:
        raise RuntimeError(
            f"{count} logs cannot be followed with fs.inotify.max_user_instances at "
            f"{before.strip()}; set it to {needed}: sysctl -w fs.inotify.max_user_instances={needed}"
        ) from error
    try:
        yield
    finally:
        _INSTANCES.write_text(before)
