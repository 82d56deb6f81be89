"""What the stack starts, as data: a process, what it waits for, how it shows that it is ready."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.stack import processes
from tools.stack.console import last_lines
from tools.stack.errors import StackError
from tools.stack.records import Records

Probe = Callable[[], bool]

# Settings of the developer's own shell that must not reach the servers of the stack.
_FOREIGN = ("AWS_", "MLFLOW_", "KUBECONFIG", "KWOK_")


@dataclass(frozen=True)
class Component:
    """One process. `ready` is quick (at most 2 s) and may be asked often.

    A component with `once` does its work and ends; it is ready when it has ended with 0.
    """

    name: str
    argv: tuple[str, ...]
    ready: Probe
    environment: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    folder: Path | None = None
    address: str = ""
    ready_seconds: float = 90.0
    grace_seconds: float = 5.0
    once: bool = False
    # Start it again when it ends by itself, because others go on without it for a while.
    restart: bool = False
    # Keep the user's AWS_, KUBECONFIG and other settings, for what is meant to use them.
    user_settings: bool = False

    def full_environment(self) -> dict[str, str]:
        """The inherited environment without other systems' settings, plus the component's own."""
        inherited = {
            key: value
            for key, value in os.environ.items()
            if self.user_settings or not key.startswith(_FOREIGN)
        }
        return inherited | {"PYTHONUNBUFFERED": "1"} | dict(self.environment)


class RunningComponent:
    """A component started by a test: in its own process group, with its log in a file."""

    def __init__(self, component: Component, log: Path, records: Records | None = None) -> None:
        self.component = component
        self.log = log
        self._records = records
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start and wait until ready; StackError with the log's last lines."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.component.argv,
                env=self.component.full_environment(),
                cwd=self.component.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        identity = processes.identify(self._process.pid)
        if self._records is not None and identity is not None:
            self._records.remember(self.component.name, identity, list(self.component.argv))
        deadline = time.monotonic() + self.component.ready_seconds
        while not self.component.ready():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.kill()
                how = "ended while starting" if ended else "was not ready in time"
                raise StackError(f"{self.component.name} {how}:\n{last_lines(self.log)}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it and what it started; killed when it takes longer than its grace."""
        self._end(self.component.grace_seconds)

    def kill(self) -> None:
        """kill -9, with all it started."""
        self._end(0.0)

    def _end(self, grace_seconds: float) -> None:
        if self._process is None:
            return
        identity = processes.identify(self._process.pid)
        if identity is not None and grace_seconds > 0:
            processes.stop([identity], grace_seconds)
        processes.kill_group(self._process.pid)
        self._process.wait()
        self._process = None
        if self._records is not None:
            self._records.forget(self.component.name)
