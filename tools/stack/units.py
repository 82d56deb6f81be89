"""Things a supervisor starts, watches and stops: a process, or a whole control plane."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Protocol

from tools.stack import processes
from tools.stack.component import Component
from tools.stack.console import last_lines
from tools.stack.control_plane import ControlPlane
from tools.stack.errors import StackError
from tools.stack.processes import ProcessIdentity
from tools.stack.records import Records

_POLL_SECONDS = 0.1


class Unit(Protocol):
    """`start` returns when it is ready; `died` returns, with a report, when it has ended."""

    @property
    def name(self) -> str: ...

    @property
    def after(self) -> tuple[str, ...]: ...

    @property
    def restart(self) -> bool: ...

    async def start(self) -> None: ...

    async def died(self) -> str: ...

    async def stop(self) -> None: ...

    def kill(self) -> None: ...

    def describe(self) -> list[dict[str, object]]: ...


class ProcessUnit:
    """A component as a child process in a session of its own, with its log in a file."""

    def __init__(self, component: Component, records: Records) -> None:
        self._component = component
        self._records = records
        self._log = records.log(component.name)
        self._process: asyncio.subprocess.Process | None = None
        self._identity: ProcessIdentity | None = None

    @property
    def name(self) -> str:
        return self._component.name

    @property
    def after(self) -> tuple[str, ...]:
        return self._component.after

    @property
    def restart(self) -> bool:
        return self._component.restart

    async def start(self) -> None:
        """Start and wait until ready; StackError with the reason and the log's last lines."""
        component = self._component
        self._log.parent.mkdir(parents=True, exist_ok=True)
        # Started again, it goes on in the same log: the end of the old run says why.
        with self._log.open("wb" if self._process is None else "ab") as output:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *component.argv,
                    env=component.full_environment(),
                    cwd=component.folder,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except OSError as error:
                raise StackError(f"{self.name} cannot be started: {error}") from error
        self._identity = processes.identify(self._process.pid)
        if self._identity is not None:
            self._records.remember(self.name, self._identity, list(component.argv))
        try:
            async with asyncio.timeout(component.ready_seconds):
                if component.once:
                    await self._finished(self._process)
                else:
                    await self._ready(self._process)
        except TimeoutError:
            raise StackError(
                f"{self.name} was not ready after {component.ready_seconds:.0f} s. {self._tail()}"
            ) from None

    async def died(self) -> str:
        if self._process is None:
            raise StackError(f"{self.name} was not started.")
        if self._component.once:
            await asyncio.get_running_loop().create_future()  # its end is not a death
        code = await self._process.wait()
        return f"{self.name} ended unexpectedly ({_how(code)}). {self._tail()}"

    async def stop(self) -> None:
        if self._process is None:
            return
        if self._identity is not None:
            grace = self._component.grace_seconds
            await asyncio.to_thread(processes.stop, [self._identity], grace)
        self.kill()
        await self._process.wait()
        self._records.forget(self.name)

    def kill(self) -> None:
        """The process and whatever is left of what it started."""
        if self._process is not None:
            processes.kill_group(self._process.pid)

    def describe(self) -> list[dict[str, object]]:
        if self._component.once:
            return []
        pid = self._process.pid if self._process else None
        return [
            {
                "name": self.name,
                "address": self._component.address,
                "pid": pid,
                "log": str(self._log),
            }
        ]

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        while True:
            if process.returncode is not None:
                raise StackError(
                    f"{self.name} ended while starting ({_how(process.returncode)}). {self._tail()}"
                )
            if await asyncio.to_thread(self._component.ready):
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _finished(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        self._records.forget(self.name)
        if code != 0:
            raise StackError(f"{self.name} failed ({_how(code)}). {self._tail()}")

    def _tail(self) -> str:
        return f"Last lines of {self._log}:\n{last_lines(self._log)}"


class ControlPlaneUnit:
    """The local Kubernetes: several processes that kwokctl starts, known by id."""

    def __init__(self, plane: ControlPlane, records: Records, context: str) -> None:
        self._plane = plane
        self._records = records
        self._context = context
        self._identities: Mapping[str, ProcessIdentity] = {}

    @property
    def name(self) -> str:
        return "kubernetes"

    @property
    def after(self) -> tuple[str, ...]:
        return ()

    @property
    def restart(self) -> bool:
        return False

    async def start(self) -> None:
        try:
            await asyncio.to_thread(self._plane.start)
        except asyncio.CancelledError:
            self._plane.abort.set()
            raise
        self._plane.kubectl("config", "rename-context", self._plane.context, self._context)
        self._identities = self._plane.identities()
        for part, identity in self._identities.items():
            self._records.remember(part, identity, [str(self._plane.programs / part)])

    async def died(self) -> str:
        """Woken by the kernel: these are no children of ours, so they are watched by handle."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str] = loop.create_future()
        handles: list[int] = []
        try:
            for part, identity in self._identities.items():
                if not processes.is_alive(identity):
                    return self._report(part)
                handles.append(os.pidfd_open(identity.pid))
                loop.add_reader(handles[-1], _resolve, ended, part)
            return self._report(await ended)
        finally:
            for handle in handles:
                loop.remove_reader(handle)
                os.close(handle)

    async def stop(self) -> None:
        await asyncio.to_thread(self._plane.stop)
        for part in self._identities:
            self._records.forget(part)

    def kill(self) -> None:
        self._plane.abort.set()
        self._plane.kill()

    def describe(self) -> list[dict[str, object]]:
        address = {"kube-apiserver": self._plane.server_url}
        return [
            {
                "name": part,
                "address": address.get(part, ""),
                "pid": identity.pid,
                "log": str(self._plane.log_file(part)),
            }
            for part, identity in self._identities.items()
        ]

    def _report(self, part: str) -> str:
        log = self._plane.log_file(part)
        return f"{part} ended unexpectedly. Last lines of {log}:\n{last_lines(log)}"


def _resolve(ended: asyncio.Future[str], part: str) -> None:
    if not ended.done():
        ended.set_result(part)


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"
