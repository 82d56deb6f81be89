"""`run`, `up`, `down`, `status`: what a user asks of the local stack. Needs `.venv`."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.stack import detached_runs, layout, processes
from tools.stack.console import last_lines, say
from tools.stack.control_plane import ControlPlane
from tools.stack.errors import StackError
from tools.stack.processes import ProcessIdentity
from tools.stack.records import SUPERVISOR, Records, write_json
from tools.stack.settings import RunOptions
from tools.stack.stack import Stack
from tools.stack.summary import summary
from tools.stack.supervisor import Supervisor

# The control plane's database, the logs and MLflow grow to some hundred MB.
NEEDED_BYTES = 500 * 1024 * 1024
# Longer than all graces together.
STOP_SECONDS = 120.0
START_SECONDS = 300.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(options: RunOptions) -> None:
    """Start everything, keep it running, stop it when told to; StackError with the reason."""
    records = Records(options.state)
    with _only_one(options.state) as first:
        if not first:
            _say_running(records)
            return
        _check_disk(options.state)
        sweep(records)
        stack = Stack(options)
        stack.check_ports()
        own = processes.identify(os.getpid())
        if own is None:
            raise StackError("The local stack needs Linux: /proc is missing.")
        processes.adopt_orphans()
        try:
            records.remember(SUPERVISOR, own, sys.argv)
            asyncio.run(_supervise(stack, own))
        finally:
            # An impatient second Ctrl-C must not break off what ends the last processes.
            for number in _STOP_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            # A launch that is under way has detached itself from the service that began it.
            processes.end_children(5.0)
            records.endpoints_file.unlink(missing_ok=True)
            records.forget(SUPERVISOR)
        say("Everything has stopped.")


def up(options: RunOptions) -> None:
    """The same in the background; returns when it is ready, StackError when it is not."""
    records = Records(options.state)
    if records.supervisor() is not None:
        _say_running(records)
        return
    log = records.log("stack")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tools.stack", "run", "--state", str(options.state)]
    if options.kubeconfig is not None:
        command += ["--kubeconfig", str(options.kubeconfig)]
    if options.backing_only:
        command.append("--backing-only")
    with log.open("wb") as output:
        started = subprocess.Popen(
            command,
            cwd=layout.CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_up(records, started, log)
    except KeyboardInterrupt:
        down(options.state)
        raise
    say(summary(records.endpoints()))


def down(state: Path) -> None:
    """Stop a running stack, and what an earlier one that was killed may have left."""
    records = Records(state)
    supervisor = records.supervisor()
    if supervisor is not None:
        say("Stopping …")
        os.kill(supervisor.pid, signal.SIGTERM)
        if not processes.wait_gone(supervisor, STOP_SECONDS):
            processes.kill([supervisor])
    left = sweep(records) + detached_runs.end(state / "data")
    records.endpoints_file.unlink(missing_ok=True)
    if supervisor is None and not left:
        say("The local stack is not running.")
    else:
        say("Everything has stopped.")


def status(state: Path) -> None:
    """Print the addresses of a running stack; StackError when there is none."""
    records = Records(state)
    if records.supervisor() is None:
        raise StackError("The local stack is not running; `make run` or `make up` starts it.")
    _say_running(records)


def sweep(records: Records) -> list[str]:
    """End the recorded processes of a stack whose supervisor was killed; their names."""
    left = {name: one for name, one in records.recorded().items() if name != SUPERVISOR}
    if left:
        say(f"Ending what an earlier stack left running: {', '.join(left)}.")
        for identity in left.values():
            processes.stop([identity], 5.0)
            processes.kill_group(identity.pid)
        for name in left:
            records.forget(name)
    # Killed while kwokctl was at work, its processes are in kwokctl's records only.
    ControlPlane("podyard", records.state / "data" / "kubernetes").kill()
    return list(left)


async def _supervise(stack: Stack, own: ProcessIdentity) -> None:
    supervisor = Supervisor(stack.units, say)
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue  # nohup: it is to outlive its terminal
        loop.add_signal_handler(number, _on_signal, supervisor)

    def publish() -> None:
        published: dict[str, Any] = {
            "supervisor": {"pid": own.pid, "start_time": own.start_time},
            "state": str(stack.records.state),
            **stack.endpoints(),
        }
        write_json(stack.records.endpoints_file, published)

    def ready() -> None:
        publish()
        say(summary(stack.endpoints()))

    say(f"Starting; logs are in {stack.records.logs}")
    await supervisor.run(ready, on_restart=publish)


def _on_signal(supervisor: Supervisor) -> None:
    supervisor.ask_to_stop()
    say("\nStopping … (once more to kill what is left)")


def _await_up(records: Records, started: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if started.poll() is not None:
            raise StackError(f"The local stack did not start:\n{last_lines(log, 60)}")
        supervisor = records.endpoints().get("supervisor", {})
        if supervisor.get("pid") == started.pid:
            return
        time.sleep(0.1)
    down(records.state)
    raise StackError(f"Not ready after {START_SECONDS:.0f} s:\n{last_lines(log, 60)}")


def _say_running(records: Records) -> None:
    say("The local stack is running already (`make down` stops it).")
    endpoints = records.endpoints()
    say(summary(endpoints) if endpoints else "It is starting; its addresses follow when ready.")


def _check_disk(state: Path) -> None:
    free = shutil.disk_usage(state).free
    if free < NEEDED_BYTES:
        raise StackError(
            f"The disk of {state} is nearly full: {free // 2**20} MB free, "
            f"{NEEDED_BYTES // 2**20} MB needed. Free some space, or set PODYARD_STATE to a "
            "folder on another disk."
        )


@contextmanager
def _only_one(state: Path) -> Iterator[bool]:
    """Whether we are the only stack of this state folder; held until the end."""
    try:
        (state / "run").mkdir(parents=True, exist_ok=True)
        lock = os.open(state / "run" / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StackError(f"The state folder {state} cannot be used: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)
