"""The supervisor of one program: python -m services.common.operations.supervisor FOLDER [LOCK]

It lives in a session of its own and outlasts the service that starts it. It
holds the run folder's lock (LOCK is an inherited descriptor that has it), writes
down who it is before the program starts, and how the program ended after
nothing of it is left. What to run comes as JSON on standard input, so that the
environment is never on disk. Only the standard library is used.

The process that is started forks once and exits when the program runs:
    0  the folder tells the rest
    3  the folder is another supervisor's, or was used before; nothing was done
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from services.common.operations.processes import children, identify
from services.common.operations.run_folder import ExitRecord, RunFolder, RunLock

TAKEN = 3
"""Exit code: the folder is not free."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_HANDLED = {signal.SIGCHLD, signal.SIGTERM}
_CANCEL_FILE_SECONDS = 1.0
_LEFTOVER_GRACE_SECONDS = 5.0

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """Take over the folder, start the program in the background, and report."""
    folder = RunFolder(Path(arguments[0]).resolve())
    lock = RunLock(int(arguments[1])) if len(arguments) > 1 else folder.try_lock()
    if lock is None or not folder.untouched:
        return TAKEN
    os.set_inheritable(lock.descriptor, False)
    specification = json.loads(sys.stdin.buffer.read())
    ready, tell = os.pipe()
    if os.fork() == 0:
        os.close(ready)
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _Supervision(folder, specification, tell).run()
        os._exit(0)
    os.close(tell)
    # Ends by the word "started", or by the end of file if the child died.
    return 0 if os.read(ready, 16) else 1


class _Supervision:
    """One program, from before its start to its recorded exit."""

    def __init__(self, folder: RunFolder, specification: dict[str, Any], tell: int) -> None:
        self._folder = folder
        self._specification = specification
        self._tell = tell
        self._cancelled = False

    def run(self) -> None:
        self._folder.record_supervisor(identify(os.getpid()))
        # Whatever the program leaves behind becomes a child of this process and is found.
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        try:
            log = self._open_log()
            program = self._start(log)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._record(ExitRecord(time.time(), error=str(error)))
            self._started()
            return
        with contextlib.suppress(OSError):  # a full disk is no reason to end the program
            self._folder.record_program(identify(program))
        self._started()
        status = self._wait(program)
        self._end_leftovers()
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(OSError):
            os.fsync(log)
        self._record(
            ExitRecord(
                time.time(),
                code=code if code >= 0 else None,
                signal=-code if code < 0 else None,
                cancelled=self._cancelled,
            )
        )

    def _open_log(self) -> int:
        path = self._specification["log"]
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _start(self, log: int) -> int:
        supervisor = os.getpid()

        def in_program() -> None:
            # Should the supervisor be killed, its program must not go on unwatched.
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(1)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        process = subprocess.Popen(
            self._specification["argv"],
            env=self._specification["environment"],
            cwd=self._specification["cwd"],
            stdin=_standard_input(self._specification["standard_input"]),
            stdout=log,
            stderr=log,
            process_group=0,
            preexec_fn=in_program,  # safe: this process has one thread
        )
        process.returncode = 0  # waited for by pid here; Popen is not to do it too
        return process.pid

    def _started(self) -> None:
        """Let the starting process go, and with it everything shared with the service."""
        with contextlib.suppress(OSError):
            os.write(self._tell, b"started")
        os.close(self._tell)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        os.close(null)

    def _wait(self, program: int) -> int:
        """Wait for the program, ending it when asked to; its wait status."""
        force_at: float | None = None
        while True:
            status = _reap(program)
            if status is not None:
                return status
            now = time.monotonic()
            if force_at is not None and now >= force_at:
                _signal_group(program, signal.SIGKILL)
                force_at = now + _CANCEL_FILE_SECONDS
            wait = _CANCEL_FILE_SECONDS if force_at is None else max(0.0, force_at - now)
            caught = signal.sigtimedwait(_HANDLED, min(wait, _CANCEL_FILE_SECONDS))
            asked = caught is not None and caught.si_signo == signal.SIGTERM
            if not self._cancelled and (asked or self._folder.cancel_requested):
                self._cancelled = True
                _signal_group(program, signal.SIGTERM)
                force_at = time.monotonic() + float(self._specification["grace_seconds"])

    def _end_leftovers(self) -> None:
        """End what the program started and left running: it would write after the exit."""
        force_at = time.monotonic() + min(
            _LEFTOVER_GRACE_SECONDS, float(self._specification["grace_seconds"])
        )
        told: set[int] = set()
        while True:
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            forced = time.monotonic() >= force_at
            # Their own children come to this process when they are gone.
            for pid in children(os.getpid()):
                if forced or pid not in told:
                    told.add(pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL if forced else signal.SIGTERM)
            signal.sigtimedwait(_HANDLED, 0.05)

    def _record(self, record: ExitRecord) -> None:
        """Write the exit down, however long the disk is full."""
        while True:
            try:
                self._folder.record_exit(record)
            except FileNotFoundError:
                return  # the folder was removed: nobody waits for this
            except OSError:
                time.sleep(1.0)
            else:
                return


def _standard_input(text: str) -> int:
    if not text:
        return subprocess.DEVNULL
    # In memory, and never blocking as a pipe would when the program reads nothing.
    descriptor = os.memfd_create("standard-input", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(text.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _reap(program: int) -> int | None:
    """The program's wait status if it has ended; other children that ended are taken off too."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == program:
            return status
        if pid == 0:
            return None


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
