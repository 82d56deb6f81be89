"""A service that hosts the engine and dies by SIGKILL where it is told to.

python -m tests.integration.operations.service FOLDER DATABASE_URL POINT

It takes up what is there, submits one operation unless there is one (POINT
"restart" never submits), waits for its end, and prints it as JSON. POINT is
where it kills itself, or "nowhere".
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from services.common.logs import configure_logs
from services.common.operations import driver, runner, store
from tests.contract.operations.world import World, ended

POINTS = (
    "submitted",
    "claimed",
    "preparing",
    "supervisor-spawned",
    "supervisor-told",
    "started",
    "progress-recorded",
    "concluding",
    "concluded",
    "finished",
)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_after(owner: Any, name: str) -> None:
    """Let a method of the program itself be the last thing that it does."""
    real: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def deadly(*arguments: Any, **options: Any) -> Any:
        result = await real(*arguments, **options)
        if result is not None or name == "start":
            die()
        return result

    setattr(owner, name, deadly)


def arm(world: World, point: str) -> None:
    match point:
        case "submitted":
            dies_after(store.OperationStore, "insert")
        case "claimed":
            dies_after(store.OperationStore, "claim")
        case "preparing":
            dies_after(world.handler, "prepare")
        case "supervisor-spawned":
            dies_after(asyncio, "create_subprocess_exec")
        case "supervisor-told":
            arm_told()
        case "started":
            dies_after(runner.DetachedRunner, "start")
        case "progress-recorded":
            dies_after(store.OperationStore, "set_steps")
        case "concluding":
            setattr(world.handler, "conclude", deadly)  # noqa: B010 - a method is replaced
        case "concluded":
            dies_after(driver.OperationDriver, "_conclude")
        case "finished":
            dies_after(store.OperationStore, "finish")


async def deadly(*_: Any) -> None:
    die()


def arm_told() -> None:
    real = asyncio.subprocess.Process.communicate

    async def communicate(process: asyncio.subprocess.Process, text: bytes) -> Any:
        assert process.stdin
        process.stdin.write(text)
        await process.stdin.drain()
        process.stdin.close()
        die()
        return await real(process)

    setattr(asyncio.subprocess.Process, "communicate", communicate)  # noqa: B010


async def main(folder: Path, url: str, point: str) -> None:
    world = World(folder, url)
    arm(world, point)
    async with world.engine() as engine:
        page = await engine.list()
        operation = page.operations[0] if page.operations else None
        if operation is None:
            script = (folder / "script").read_text()
            operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        end = await ended(engine, operation)
    sys.stdout.buffer.write(msgspec.json.encode(end))


if __name__ == "__main__":
    configure_logs("test", "INFO")
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
