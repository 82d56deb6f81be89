"""An engine with a kind whose programs are shell scripts, and ways to wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg

from services.common.errors import InvalidArgumentError
from services.common.operations.engine import operation_engine
from services.common.operations.model import Operation, OperationError
from services.common.operations.ports import (
    Mark,
    OperationEngine,
    Payload,
    Plan,
    StepExit,
    StepRun,
)
from services.common.operations.processes import processes_of, signal_process
from services.common.operations.run_folder import RunFolder
from services.common.operations.settings import OperationSettings
from services.common.streams import Signal

WAIT_SECONDS = 60


@dataclass
class ScriptHandler:
    """Runs `payload["script"]` with sh; its log is <logs>/<operation id>.log."""

    logs: Path
    rerun_safe: bool = False
    refuse: bool = False
    prepare_errors: list[Exception] = field(default_factory=list)
    conclude_errors: list[Exception] = field(default_factory=list)
    preparing: asyncio.Event = field(default_factory=asyncio.Event)
    may_prepare: asyncio.Event | None = None
    exits: list[StepExit] = field(default_factory=list)

    def plan(self, operation: Operation, payload: Payload) -> Plan:
        if self.refuse:
            raise InvalidArgumentError.field("script", "is refused")
        return Plan(tuple(payload.get("steps", ["run"])), log_id=f"{operation.id}.log")

    async def prepare(self, operation: Operation, payload: Payload, folder: Path) -> StepRun:
        self.preparing.set()
        if self.may_prepare is not None:
            await self.may_prepare.wait()
        if self.prepare_errors:
            raise self.prepare_errors.pop(0)
        assert not list(folder.iterdir()), "the folder of an attempt is given empty"
        (folder / "script.sh").write_text(payload["script"])
        return StepRun(
            argv=(payload.get("shell", "/bin/sh"), "script.sh"),
            environment={"PATH": "/usr/bin:/bin", **payload.get("environment", {})},
            cwd=folder,
            log=self.logs / f"{operation.id}.log",
            standard_input=payload.get("standard_input", ""),
        )

    async def conclude(
        self, operation: Operation, payload: Payload, step_exit: StepExit
    ) -> OperationError | None:
        self.exits.append(step_exit)
        if self.conclude_errors:
            raise self.conclude_errors.pop(0)
        if step_exit.code == 0:
            return None
        return step_exit.reported or OperationError("EXIT", f"it ended with {step_exit.code}")


class World:
    """One database and one folder; engines on them, one after the other or side by side."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.settings = OperationSettings(
            database_url=database_url,
            runs_folder=folder / "runs",
            cancel_grace_seconds=30.0,
            poll_seconds=0.05,
        )
        self.logs = folder / "logs"
        self.logs.mkdir(exist_ok=True)
        self.handler = ScriptHandler(self.logs)

    @contextlib.asynccontextmanager
    async def engine(self, **changes: Any) -> AsyncIterator[OperationEngine]:
        """A started engine with changed settings; stopped at the end."""
        handlers = {"script": self.handler, "other": self.handler}
        engine = operation_engine(replace(self.settings, **changes), handlers)
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop()

    def log(self, operation: Operation) -> str:
        return (self.logs / operation.log_id).read_text()

    def lines(self, name: str = "lines") -> list[str]:
        """Lines that scripts have appended to a file of the world's folder."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def append(self, line: str, name: str = "lines") -> str:
        """A shell command that appends a line to a file of the world's folder."""
        return f"echo {line} >> {self.folder / name}"

    def wait_for_file(self, name: str) -> str:
        """A shell command that waits for a file of the world's folder."""
        return f"while ! [ -e {self.folder / name} ]; do sleep 0.02; done"

    def touch(self, name: str) -> None:
        (self.folder / name).touch()


def end_programs(folder: Path) -> None:
    """Kill every program, and its supervisor, whose run folder lies below a folder."""
    for path in folder.rglob("supervisor.json"):
        run = RunFolder(path.parent)
        supervisor = run.supervisor
        if supervisor is None or not run.locked():
            continue
        signal_process(supervisor, signal.SIGKILL)
        for pid in processes_of(path.parent.parent.name, supervisor):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def ended(engine: OperationEngine, operation: Operation) -> Operation:
    """The operation when it has ended."""
    return (await states(engine, operation))[-1]


async def states(engine: OperationEngine, operation: Operation) -> list[Operation]:
    """All states from now to the end, as a subscriber sees them."""
    seen: list[Operation] = []
    async with asyncio.timeout(WAIT_SECONDS):
        async for batch in engine.subscribe(asyncio.Event(), operation_id=operation.id):
            seen.extend(item for item in batch.items if not isinstance(item, Mark))
            last = batch.signal
    assert last is Signal.CLOSED
    assert seen[-1].state.terminal
    assert not any(state.state.terminal for state in seen[:-1]), "it ended more than once"
    return seen


async def eventually(condition: Callable[[], Any]) -> Any:
    """The condition's value once it is true; the condition is of the file system or /proc."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not (value := condition()):  # noqa: ASYNC110 - files and processes tell nobody
            await asyncio.sleep(0.01)
    return value


def new_postgres_database(url: str) -> str:
    """The URL of a new, empty database of a server."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.rpartition("/")[0] + f"/{name}"
