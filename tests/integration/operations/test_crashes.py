"""kill -9 of the service and of supervisors: one run, one end, the whole log."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from services.common.operations.model import Operation, OperationState
from services.common.operations.ports import OperationEngine
from services.common.operations.processes import ProcessIdentity, alive, identify, processes_of
from services.common.operations.run_folder import RunFolder
from tests.contract.operations.world import World, ended, eventually
from tests.integration.operations import service

ROOT = Path(__file__).resolve().parents[3]


def start(world: World, point: str = "nowhere") -> subprocess.Popen[bytes]:
    with (world.folder / "service.log").open("ab") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.integration.operations.service"),
                *(str(world.folder), world.settings.database_url, point),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
        )


def result(process: subprocess.Popen[bytes]) -> Operation:
    with process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return msgspec.json.decode(output, type=Operation)


def crash(world: World, point: str) -> None:
    with start(world, point) as process:
        assert process.wait(timeout=60) == -signal.SIGKILL


def kill(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.kill()


async def run_folder(world: World, attempt: int = 1) -> RunFolder:
    """The folder of the only operation, once its program runs."""
    runs = world.settings.runs_folder
    path = await eventually(lambda: next(runs.glob(f"c1.*/{attempt}/program.json"), None))
    return RunFolder(path.parent)


def write_script(world: World, *commands: str) -> None:
    lines = [world.append("run"), "echo begin", *commands, "echo end"]
    (world.folder / "script").write_text("\n".join(lines))


@pytest.mark.parametrize("point", service.POINTS)
def test_service_killed_at_any_point(any_world: World, point: str) -> None:
    write_script(any_world, "sleep 0.3")
    crash(any_world, point)
    end = result(start(any_world))
    assert end.state is OperationState.SUCCEEDED
    assert end.exit_code == 0
    assert any_world.lines() == ["run"]
    assert any_world.log(end) == "begin\nend\n"
    assert not list(any_world.settings.runs_folder.glob("c1.*"))
    if point == "finished":
        # The second service found it ended, and left it as it was.
        assert end.recoveries == 0


async def test_program_runs_on_while_the_service_is_down(world: World) -> None:
    write_script(world, world.append("waiting"), world.wait_for_file("go"), world.append("done"))
    process = start(world)
    await eventually(lambda: world.lines() == ["run", "waiting"])
    kill(process)
    world.touch("go")
    await eventually(lambda: world.lines() == ["run", "waiting", "done"])
    end = result(start(world))
    assert end.state is OperationState.SUCCEEDED
    assert end.recoveries == 1
    assert world.log(end) == "begin\nend\n"


async def test_killed_again_and_again(world: World) -> None:
    write_script(world, world.append("waiting"), world.wait_for_file("go"))
    for number in range(4):
        process = start(world)
        folder = await run_folder(world)
        await eventually(lambda: world.lines() == ["run", "waiting"])
        assert folder.locked()
        kill(process)
        assert folder.locked(), f"the supervisor died with the service at kill {number}"
    world.touch("go")
    end = result(start(world))
    assert end.state is OperationState.SUCCEEDED
    assert world.lines() == ["run", "waiting"]
    assert world.log(end) == "begin\nend\n"


async def test_supervisor_killed_leaves_nothing_running(world: World) -> None:
    script = f"{world.append('run')}; setsid sleep 1000 & sleep 1000 & wait"
    async with world.engine() as engine:
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        folder = await run_folder(world)
        supervisor = folder.supervisor
        assert supervisor
        left = await eventually(
            lambda: len(found := processes_of(operation.id, supervisor)) == 3 and found
        )
        os.kill(supervisor.pid, signal.SIGKILL)
        end = await ended(engine, operation)
        assert processes_of(operation.id, supervisor) == []
        assert not [pid for pid in left if _runs(pid)]
    assert end.state is OperationState.FAILED
    assert end.error
    assert end.error.reason == "SUPERVISOR_DIED"
    assert (end.exit_code, end.exit_signal) == (None, None)
    assert end.steps[0].state is OperationState.FAILED
    assert world.lines() == ["run"]


async def test_supervisor_and_service_killed(world: World) -> None:
    write_script(world, "sleep 1000")
    process = start(world)
    folder = await run_folder(world)
    supervisor, program = folder.supervisor, folder.program
    assert supervisor
    assert program
    kill(process)
    os.kill(supervisor.pid, signal.SIGKILL)
    # The kernel ends the program with its supervisor, without any service.
    await eventually(lambda: not alive(program))
    end = result(start(world))
    assert end.error
    assert end.error.reason == "SUPERVISOR_DIED"
    assert world.lines() == ["run"]


def dead_process() -> ProcessIdentity:
    with subprocess.Popen(["sleep", "1000"]) as process:
        identity = identify(process.pid)
        process.kill()
    return identity


async def test_supervisor_killed_before_its_program_started(world: World) -> None:
    world.handler.may_prepare = asyncio.Event()
    script = world.append("run")
    async with world.engine() as engine:
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        await world.handler.preparing.wait()
    # What a supervisor leaves that is killed after it wrote down that it is about to start.
    folder = RunFolder(world.settings.runs_folder / operation.id / "1")
    folder.record_supervisor(dead_process())
    world.handler.may_prepare.set()
    async with world.engine() as engine:
        end = await ended(engine, operation)
    assert end.error
    assert end.error.reason == "SUPERVISOR_DIED"
    assert world.lines() == []


async def test_program_that_is_safe_to_rerun_is_run_again(world: World) -> None:
    world.handler.rerun_safe = True
    script = (
        f"{world.append('$PODYARD_ATTEMPT')}; echo $PODYARD_ATTEMPT; {world.wait_for_file('go')}"
    )
    async with world.engine() as engine:
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        for attempt in (1, 2):
            folder = await run_folder(world, attempt)
            await eventually(lambda: len(world.lines()) == attempt)  # noqa: B023 - awaited here
            assert folder.supervisor
            os.kill(folder.supervisor.pid, signal.SIGKILL)
        await run_folder(world, 3)
        world.touch("go")
        end = await ended(engine, operation)
    assert end.state is OperationState.SUCCEEDED
    assert end.recoveries == 2
    assert world.log(end) == "1\n2\n3\n"


async def test_rerun_comes_to_an_end(world: World) -> None:
    world.handler.rerun_safe = True
    script = f"{world.append('run')}; sleep 1000"
    async with world.engine() as engine:
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        for attempt in (1, 2, 3):
            folder = await run_folder(world, attempt)
            assert folder.supervisor
            os.kill(folder.supervisor.pid, signal.SIGKILL)
        end = await ended(engine, operation)
    assert end.error
    assert end.error.reason == "SUPERVISOR_DIED"


async def test_cancel_survives_a_restart_of_the_service(world: World) -> None:
    write_script(world, "trap '' TERM", world.append("up"), "sleep 1000", "sleep 1000")
    async with world.engine() as engine:
        script = (world.folder / "script").read_text()
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        await eventually(lambda: world.lines() == ["run", "up"])
        await engine.cancel(operation.id)
    # The supervisor's grace is 30 s: the second service finds it still waiting, and takes the wish up.
    async with world.engine() as engine:
        assert (await engine.get(operation.id)).state is OperationState.CANCELLING
        folder = await run_folder(world)
        await eventually(lambda: folder.cancel_requested)
        assert folder.program
        os.kill(folder.program.pid, signal.SIGKILL)
        end = await ended(engine, operation)
    assert end.state is OperationState.CANCELLED


async def test_removed_records_are_not_taken_for_a_fresh_start(world: World) -> None:
    script = f"{world.append('run')}; {world.wait_for_file('go')}"
    async with world.engine() as engine:
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        await known_to_run(engine, operation)
        await eventually(lambda: world.lines() == ["run"])
    supervisor = (await run_folder(world)).supervisor
    assert supervisor
    (world.settings.runs_folder / operation.id).rename(world.folder / "moved")
    async with world.engine() as engine:
        end = await ended(engine, operation)
    assert end.error
    assert end.error.reason == "RUN_RECORDS_LOST"
    assert world.lines() == ["run"]
    world.touch("go")
    await eventually(lambda: not alive(supervisor))


async def known_to_run(engine: OperationEngine, operation: Operation) -> None:
    """Wait until the database has the first step at work."""
    async for batch in engine.subscribe(asyncio.Event(), operation_id=operation.id):
        for item in batch.items:
            if isinstance(item, Operation) and item.steps[0].state is OperationState.RUNNING:
                return


async def test_queued_and_running_operations_survive_a_restart(any_world: World) -> None:
    world = any_world
    async with world.engine(max_running=1) as engine:
        running = await engine.submit(
            "script",
            "c1",
            actor="ann",
            payload={"script": f"{world.append('first')}; {world.wait_for_file('go')}"},
        )
        queued = await engine.submit(
            "script", "c2", actor="ann", payload={"script": world.append("second")}
        )
        await eventually(lambda: world.lines() == ["first"])
    async with world.engine(max_running=1) as engine:
        assert (await engine.get(queued.id)).state is OperationState.QUEUED
        world.touch("go")
        first, second = await asyncio.gather(ended(engine, running), ended(engine, queued))
    assert (first.state, first.recoveries) == (OperationState.SUCCEEDED, 1)
    assert (second.state, second.recoveries) == (OperationState.SUCCEEDED, 0)
    assert world.lines() == ["first", "second"]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
