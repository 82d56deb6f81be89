"""Several replicas on one PostgreSQL, and one runs folder for one process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.common.errors import FailedPreconditionError, InvalidArgumentError, UnavailableError
from services.common.operations import engine as engine_module
from services.common.operations.database import Database
from services.common.operations.model import Operation, OperationState
from services.common.operations.ports import Mark
from services.common.operations.run_folder import RunFolder
from tests.contract.operations.world import (
    World,
    ended,
    eventually,
    new_postgres_database,
)
from tools.stack import testing
from tools.stack.postgres import PostgresMissingError


@pytest.fixture
def replicas(tmp_path: Path, postgres: testing.Postgres) -> tuple[World, World]:
    url = new_postgres_database(postgres.url)
    worlds = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        worlds.append(World(tmp_path / name, url))
    return worlds[0], worlds[1]


async def test_changes_reach_subscribers_of_other_replicas(replicas: tuple[World, World]) -> None:
    a, b = replicas
    async with a.engine() as engine_a, b.engine() as engine_b:
        events = engine_b.subscribe(asyncio.Event())
        # The present states, once more when the listener has connected.
        assert (await anext(events)).items == [Mark.SYNCED]
        operation = await engine_a.submit("script", "c1", actor="ann", payload={"script": ""})
        seen: list[Operation] = []
        while not (seen and seen[-1].state.terminal):
            seen += [item for item in (await anext(events)).items if isinstance(item, Operation)]
        assert {item.id for item in seen} == {operation.id}
        assert seen[-1] == await engine_a.get(operation.id)


async def test_a_full_replica_leaves_work_to_the_other(replicas: tuple[World, World]) -> None:
    a, b = replicas
    async with a.engine(max_running=1) as engine_a:
        held = await engine_a.submit(
            "script", "c1", actor="ann", payload={"script": a.wait_for_file("go")}
        )
        second = await engine_a.submit("script", "c2", actor="ann", payload={"script": "echo b"})
        async with b.engine():
            end = await ended(engine_a, second)
            assert b.log(end) == "b\n"
        a.touch("go")
        await ended(engine_a, held)


async def test_single_flight_holds_across_replicas(replicas: tuple[World, World]) -> None:
    a, b = replicas
    async with a.engine() as engine_a, b.engine() as engine_b:
        outcomes = await asyncio.gather(
            *(
                engine.submit(
                    "script", "c1", actor="ann", payload={"script": a.wait_for_file("go")}
                )
                for engine in [engine_a, engine_b] * 10
            ),
            return_exceptions=True,
        )
        accepted = [outcome for outcome in outcomes if isinstance(outcome, Operation)]
        assert len(accepted) == 1
        assert sum(isinstance(o, FailedPreconditionError) for o in outcomes) == 19
        a.touch("go")
        await ended(engine_b, accepted[0])


async def test_cancel_reaches_the_replica_that_runs(replicas: tuple[World, World]) -> None:
    a, b = replicas
    async with a.engine() as engine_a, b.engine() as engine_b:
        script = f"{a.append('up')}; exec sleep 1000"
        operation = await engine_a.submit("script", "c1", actor="ann", payload={"script": script})
        await eventually(lambda: a.lines() or b.lines())
        other = (
            engine_b if RunFolder(a.settings.runs_folder / operation.id).path.exists() else engine_a
        )
        assert (await other.cancel(operation.id)).state is OperationState.CANCELLING
        assert (await ended(other, operation)).state is OperationState.CANCELLED


async def test_lost_replica_is_given_up_and_its_program_ended_when_it_returns(
    replicas: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = replicas
    async with a.engine() as engine_a:
        script = f"{a.append('up')}; exec sleep 1000"
        operation = await engine_a.submit("script", "c1", actor="ann", payload={"script": script})
        await eventually(lambda: a.lines() == ["up"])
    folder = RunFolder(a.settings.runs_folder / operation.id / "1")
    async with b.engine() as engine_b:
        # Within the lease, the owner may only be restarting: the wish waits for it.
        assert (await engine_b.cancel(operation.id)).state is OperationState.CANCELLING
        monkeypatch.setattr(engine_module, "OWNER_LEASE", timedelta(0))
        given_up = await engine_b.cancel(operation.id)
        assert given_up.state is OperationState.FAILED
        assert given_up.error
        assert given_up.error.reason == "OWNER_LOST"
        assert folder.locked()
        async with a.engine() as engine_a:
            await eventually(lambda: not folder.locked())
            assert await engine_a.get(operation.id) == given_up


async def test_owner_that_lives_ends_a_program_given_up_by_another(
    replicas: tuple[World, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = replicas
    monkeypatch.setattr(engine_module, "OWNER_LEASE", timedelta(0))
    async with a.engine() as engine_a:
        script = f"{a.append('up')}; exec sleep 1000"
        operation = await engine_a.submit("script", "c1", actor="ann", payload={"script": script})
        await eventually(lambda: a.lines() == ["up"])
        async with b.engine() as engine_b:
            given_up = await engine_b.cancel(operation.id)
            assert given_up.state is OperationState.FAILED
            folder = RunFolder(a.settings.runs_folder / operation.id / "1")
            await eventually(lambda: not folder.locked())
            assert await engine_a.get(operation.id) == given_up


async def test_runs_folder_and_sqlite_file_have_one_user(world: World) -> None:
    async with world.engine() as engine:
        with pytest.raises(FailedPreconditionError, match="runs folder") as caught:
            await world.engine().__aenter__()
        assert caught.value.reason == "OPERATIONS_IN_USE"
        with pytest.raises(FailedPreconditionError, match=r"operations\.db"):
            await world.engine(runs_folder=world.folder / "other").__aenter__()
        await engine.check()
    async with world.engine():
        pass


async def test_lost_runs_folder_fails_what_ran(world: World) -> None:
    script = f"{world.append('up')}; exec sleep 1000"
    async with world.engine() as engine:
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        await eventually(lambda: world.lines() == ["up"])
    async with world.engine(runs_folder=world.folder / "new") as engine:
        end = await engine.get(operation.id)
        assert end.error
        assert end.error.reason == "OWNER_LOST"
    # Found again, the folder's program is ended.
    folder = RunFolder(world.settings.runs_folder / operation.id / "1")
    assert folder.locked()
    async with world.engine() as engine:
        await eventually(lambda: not folder.locked())
        assert await engine.get(operation.id) == end


async def test_unknown_kinds_of_a_newer_release_are_left_alone(world: World) -> None:
    async with world.engine(max_running=0) as engine:
        other = await engine.submit("other", "c1", actor="ann", payload={"script": ""})
    known = engine_module.operation_engine(world.settings, {"script": world.handler})
    await known.start()
    try:
        operation = await known.submit("script", "c1", actor="ann", payload={"script": ""})
        await ended(known, operation)
        assert (await known.get(other.id)).state is OperationState.QUEUED
    finally:
        await known.stop()


@pytest.fixture
def own_postgres() -> Iterator[testing.Postgres]:
    """A server that a test may stop."""
    try:
        with testing.postgres() as server:
            yield server
    except PostgresMissingError as missing:
        pytest.skip(str(missing))


async def test_database_outage_is_told_and_survived(
    tmp_path: Path, own_postgres: testing.Postgres
) -> None:
    world = World(tmp_path, own_postgres.url)
    async with world.engine() as engine:
        script = f"{world.append('up')}; {world.wait_for_file('go')}; echo done"
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        events = engine.subscribe(asyncio.Event(), operation_id=operation.id)
        await anext(events)
        await eventually(lambda: world.lines() == ["up"])

        own_postgres.server.stop()
        with pytest.raises(UnavailableError) as caught:
            await engine.submit("script", "c2", actor="ann", payload={"script": ""})
        assert caught.value.reason == "OPERATIONS_DATABASE_UNAVAILABLE"
        assert caught.value.retry_after
        with pytest.raises(UnavailableError):
            await engine.check()
        world.touch("go")
        folder = RunFolder(world.settings.runs_folder / operation.id / "1")
        await eventually(lambda: not folder.locked())

        own_postgres.server.start()
        told = [item async for batch in events for item in batch.items]
        last = [item for item in told if isinstance(item, Operation)][-1]
        assert last.state is OperationState.SUCCEEDED
        assert last == await engine.get(operation.id)
        assert world.log(last) == "done\n"
        assert world.lines() == ["up"]
        await engine.check()


async def test_unreachable_database_refuses_the_start(tmp_path: Path) -> None:
    world = World(tmp_path, "postgresql://nobody:secret@127.0.0.1:1/none")
    with pytest.raises(UnavailableError) as caught:
        await world.engine().__aenter__()
    assert "secret" not in caught.value.message
    # Nothing is held: another start may follow.
    usable = replace(world.settings, database_url=f"sqlite:///{tmp_path}/operations.db")
    world.settings = usable
    async with world.engine() as engine:
        await engine.check()


@pytest.mark.parametrize("url", ["nonsense", "mysql://user:secret@host/db", "sqlite://", ""])
def test_bad_database_url_is_told_without_repeating_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidArgumentError, match="database_url") as caught:
        Database(url)
    assert "secret" not in str(caught.value)
