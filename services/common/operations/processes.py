"""Processes told apart beyond their pid, which the kernel gives out again.

Only the standard library is used: the supervisor runs on nothing else.
Linux: /proc, see proc(5).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OPERATION_ID_VARIABLE = "PODYARD_OPERATION_ID"
"""In the environment of every program of an operation; finds its processes again."""

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process of one boot. `start_ticks` counts clock ticks from boot to its start."""

    pid: int
    start_ticks: int
    host: str


@dataclass(frozen=True, slots=True)
class _Stat:
    state: str
    parent: int
    session: int
    start_ticks: int


def host_identity() -> str:
    """This boot and this pid namespace: within them, pid and start time name one process."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"


def identify(pid: int) -> ProcessIdentity:
    """The identity of a living process; ProcessLookupError if there is none."""
    stat = _stat(pid)
    if stat is None:
        raise ProcessLookupError(f"no process {pid}")
    return ProcessIdentity(pid, stat.start_ticks, host_identity())


def alive(process: ProcessIdentity) -> bool:
    """Whether this very process still runs; a zombie does not."""
    if process.host != host_identity():
        return False
    stat = _stat(process.pid)
    return stat is not None and stat.state not in "ZX" and stat.start_ticks == process.start_ticks


def signal_process(process: ProcessIdentity, number: signal.Signals) -> bool:
    """Send a signal to this very process; False if it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # The descriptor holds on to one process; only then is its start time worth checking.
        if not alive(process):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def processes_of(operation_id: str, supervisor: ProcessIdentity) -> list[int]:
    """Pids of an operation's living processes, its supervisor not among them.

    A process belongs to it if its environment says so, or if it is in the
    supervisor's session while that session's number cannot have been given out
    anew.
    """
    if supervisor.host != host_identity():
        return []
    leader = _stat(supervisor.pid)
    session_is_ours = leader is None or leader.start_ticks == supervisor.start_ticks
    mark = f"{OPERATION_ID_VARIABLE}={operation_id}".encode()
    found = []
    for pid in _pids():
        stat = _stat(pid)
        if stat is None or stat.state in "ZX" or pid in (os.getpid(), supervisor.pid):
            continue
        in_session = (
            session_is_ours
            and stat.session == supervisor.pid
            and stat.start_ticks >= supervisor.start_ticks
        )
        if in_session or mark in _environment(pid):
            found.append(pid)
    return found


def children(parent: int) -> list[int]:
    """Pids of a process's living children."""
    return [
        pid
        for pid in _pids()
        if (stat := _stat(pid)) is not None and stat.parent == parent and stat.state not in "ZX"
    ]


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in parentheses may itself hold spaces and parentheses.
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _pids() -> Iterator[int]:
    for name in os.listdir(_PROC):  # noqa: PTH208 - names only, no Path for each process
        if name.isdigit():
            yield int(name)
