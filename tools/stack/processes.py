"""Processes known by id and start time, so that a reused id is never mistaken for ours.

Linux only (/proc). Nothing here looks a process up by its name.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessIdentity:
    """`start_time` is in clock ticks since boot: field 22 of /proc/PID/stat, see proc(5)."""

    pid: int
    start_time: int


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a live process; None when there is none (a zombie counts as none)."""
    found = _stat(pid)
    return None if found is None or found[0] in "ZX" else ProcessIdentity(pid, found[1])


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether this very process still runs."""
    return identify(identity.pid) == identity


def send(identity: ProcessIdentity, number: int) -> None:
    """Signal the process, and its whole group when it leads one; no error when it is gone."""
    if not is_alive(identity):
        return
    try:
        if os.getpgid(identity.pid) == identity.pid:
            os.killpg(identity.pid, number)
        else:
            os.kill(identity.pid, number)
    except ProcessLookupError:
        pass


def wait_gone(identity: ProcessIdentity, timeout_seconds: float) -> bool:
    """Wait until the process has ended; False when it still runs after the timeout."""
    deadline = time.monotonic() + timeout_seconds
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    try:
        found = _stat(identity.pid)
        if found is None or found[1] != identity.start_time:
            return True
        # Readable when the last thread has gone, so that its sockets are closed too.
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
    finally:
        os.close(descriptor)


def stop(identities: Sequence[ProcessIdentity], grace_seconds: float) -> None:
    """Ask the processes to end, one after the other as given; kill what is left after the grace."""
    for identity in identities:
        send(identity, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    for identity in identities:
        if not wait_gone(identity, max(0.0, deadline - time.monotonic())):
            send(identity, signal.SIGKILL)
            wait_gone(identity, 5.0)


def kill_group(group: int) -> None:
    """Kill what is left of a process group that we made, after its leader has ended.

    The kernel gives no new process an id that a living group bears.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def adopt_orphans() -> None:
    """From now on, descendants whose parent ends become our children, not those of process 1.

    So that what detached itself on purpose can still be found; see PR_SET_CHILD_SUBREAPER in
    prctl(2).
    """
    set_child_subreaper = 36
    ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1, 0, 0, 0)


def end_children(grace_seconds: float) -> list[int]:
    """End all children of this process, and theirs as they are adopted; the ids of those."""
    ended: list[int] = []
    while found := _live_children(os.getpid()):
        stop(found, grace_seconds)
        for identity in found:
            kill_group(identity.pid)
        ended += [identity.pid for identity in found]
    return ended


def _live_children(parent: int) -> list[ProcessIdentity]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            stat = _stat(int(folder.name))
            if stat is not None and stat[2] == parent and stat[0] not in "ZX":
                found.append(ProcessIdentity(int(folder.name), stat[1]))
    return found


def kill(identities: Sequence[ProcessIdentity]) -> None:
    """End the processes at once, without a chance to clean up."""
    for identity in identities:
        send(identity, signal.SIGKILL)
    for identity in identities:
        wait_gone(identity, 5.0)


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State, start time and parent from /proc/PID/stat."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the name in brackets and may itself hold spaces and brackets.
    fields = stat[stat.rindex(")") + 2 :].split()
    return fields[0], int(fields[19]), int(fields[1])
