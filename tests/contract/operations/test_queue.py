"""What is accepted, in which order it runs, and how it is cancelled."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from services.common.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from services.common.operations.model import Operation, OperationState
from tests.contract.operations.world import World, ended, eventually


async def test_one_of_twenty_submits_at_once_is_accepted(world: World) -> None:
    script = f"{world.append('run')}; {world.wait_for_file('go')}"
    async with world.engine() as engine:
        outcomes = await asyncio.gather(
            *(
                engine.submit("script", "c1", actor=f"user-{n}", payload={"script": script})
                for n in range(20)
            ),
            return_exceptions=True,
        )
        accepted = [outcome for outcome in outcomes if isinstance(outcome, Operation)]
        refused = [e for e in outcomes if isinstance(e, FailedPreconditionError)]
        assert (len(accepted), len(refused)) == (1, 19)
        for error in refused:
            assert error.reason == "OPERATION_RUNNING"
            assert error.metadata["operation_id"] == accepted[0].id
            assert accepted[0].id in error.message
        world.touch("go")
        await ended(engine, accepted[0])
        assert len((await engine.list()).operations) == 1
    assert world.lines() == ["run"]


async def test_request_id_makes_submits_one(world: World) -> None:
    payload = {"script": world.append("run"), "list": [1, {"b": 2, "a": 1}]}
    same = {"list": [1, {"a": 1, "b": 2}], "script": payload["script"]}
    async with world.engine() as engine:
        operations = await asyncio.gather(
            *(
                engine.submit("script", "c1", actor="ann", request_id="r1", payload=content)
                for content in [payload, same] * 5
            )
        )
        assert len({operation.id for operation in operations}) == 1
        end = await ended(engine, operations[0])
        again = await engine.submit("script", "c1", actor="bob", request_id="r1", payload=payload)
        assert again == end
        world.handler.refuse = True
        again = await engine.submit("script", "c1", actor="ann", request_id="r1", payload=payload)
        assert again == end, "what was accepted is not refused afterwards"
        world.handler.refuse = False
        with pytest.raises(AlreadyExistsError, match="r1") as caught:
            await engine.submit(
                "script", "c1", actor="ann", request_id="r1", payload={"script": "other"}
            )
        assert caught.value.name == end.id
        # The id is only taken for this kind and target.
        other = await engine.submit("other", "c1", actor="ann", request_id="r1", payload=payload)
        assert other.id != end.id
        await ended(engine, other)
    assert world.lines() == ["run", "run"]


async def test_kinds_and_targets_run_side_by_side(world: World) -> None:
    async with world.engine() as engine:
        operations = []
        for number, (kind, target) in enumerate(
            [("script", "c1"), ("other", "c1"), ("script", "c2")]
        ):
            script = f"{world.append(str(number))}; {world.wait_for_file('go')}"
            operations.append(
                await engine.submit(kind, target, actor="ann", payload={"script": script})
            )
        await eventually(lambda: sorted(world.lines()) == ["0", "1", "2"])
        world.touch("go")
        for operation in operations:
            assert (await ended(engine, operation)).state is OperationState.SUCCEEDED


async def test_lower_priority_number_runs_first(world: World) -> None:
    async with world.engine(max_running=1) as engine:
        first = await engine.submit(
            "script", "first", actor="ann", payload={"script": world.wait_for_file("go")}
        )
        queued = [
            await engine.submit(
                "script",
                name,
                actor="ann",
                priority=priority,
                payload={"script": world.append(name)},
            )
            for name, priority in [("low", 5), ("a", 0), ("b", 0), ("high", -5)]
        ]
        assert all([(await engine.get(o.id)).state is OperationState.QUEUED for o in queued])
        world.touch("go")
        for operation in [first, *queued]:
            await ended(engine, operation)
    assert world.lines() == ["high", "a", "b", "low"]


async def test_queued_operation_is_cancelled_at_once_and_never_runs(world: World) -> None:
    async with world.engine(max_running=1) as engine:
        first = await engine.submit(
            "script", "first", actor="ann", payload={"script": world.wait_for_file("go")}
        )
        queued = await engine.submit(
            "script", "c1", actor="ann", payload={"script": world.append("run")}
        )
        cancelled = await engine.cancel(queued.id)
        assert cancelled.state is OperationState.CANCELLED
        assert cancelled.steps[0].state is OperationState.CANCELLED
        assert cancelled.end_time
        # Its place is free.
        last = await engine.submit(
            "script", "c1", actor="ann", payload={"script": world.append("last")}
        )
        world.touch("go")
        await ended(engine, first)
        await ended(engine, last)
        assert await engine.get(queued.id) == cancelled
    assert world.lines() == ["last"]


async def test_cancel_lets_the_program_clean_up(world: World) -> None:
    script = f"trap '{world.append('cleaned')}; exit 4' TERM; {world.append('up')}; " + (
        "while :; do sleep 0.02; done"
    )
    async with world.engine() as engine:
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        await eventually(lambda: world.lines() == ["up"])
        asked = await engine.cancel(operation.id)
        assert asked.state is OperationState.CANCELLING
        with pytest.raises(FailedPreconditionError):
            await engine.submit("script", "c1", actor="ann", payload={"script": ""})
        end = await ended(engine, operation)
    assert end.state is OperationState.CANCELLED
    assert end.exit_code == 4
    assert end.error is None
    assert world.lines() == ["up", "cleaned"]
    assert world.handler.exits == []


async def test_cancel_kills_a_program_that_does_not_listen(world: World) -> None:
    script = f"trap '' TERM; {world.append('up')}; sleep 1000; {world.append('after')}; sleep 1000"
    async with world.engine(cancel_grace_seconds=0.3) as engine:
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        await eventually(lambda: world.lines() == ["up"])
        await engine.cancel(operation.id)
        end = await ended(engine, operation)
    assert end.state is OperationState.CANCELLED
    assert end.exit_signal == signal.SIGKILL
    assert world.lines() == ["up"]


async def test_cancel_that_comes_too_late_changes_nothing(world: World) -> None:
    script = f"trap 'exit 0' TERM; {world.append('up')}; while :; do sleep 0.02; done"
    async with world.engine() as engine:
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": script})
        await eventually(lambda: world.lines() == ["up"])
        await engine.cancel(operation.id)
        end = await ended(engine, operation)
        # It had done its work: it says so by its exit code.
        assert end.state is OperationState.SUCCEEDED
        assert await engine.cancel(operation.id) == end
        with pytest.raises(NotFoundError):
            await engine.cancel("c1.unknown")


async def test_cancel_while_preparing_starts_nothing(world: World) -> None:
    world.handler.may_prepare = asyncio.Event()
    async with world.engine() as engine:
        operation = await engine.submit(
            "script", "c1", actor="ann", payload={"script": world.append("run")}
        )
        await world.handler.preparing.wait()
        await engine.cancel(operation.id)
        end = await ended(engine, operation)
    assert end.state is OperationState.CANCELLED
    assert world.lines() == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "unknown"}, "kind"),
        ({"target": ""}, "target"),
        ({"target": "../c1"}, "target"),
        ({"target": "c" * 91}, "target"),
        ({"request_id": "r" * 129}, "request_id"),
        ({"request_id": "a\0b"}, "request_id"),
        ({"priority": 101}, "priority"),
        ({"payload": {"script": object()}}, "payload"),
        ({"payload": {"script": "x" * 300_000}}, "payload"),
    ],
)
async def test_bad_input_names_the_field_and_changes_nothing(
    world: World, change: dict[str, Any], field: str
) -> None:
    request = {"kind": "script", "target": "c1", "actor": "ann", "payload": {}, **change}
    async with world.engine() as engine:
        with pytest.raises(InvalidArgumentError) as caught:
            await engine.submit(**request)
        assert [violation.field for violation in caught.value.violations] == [field]
        assert (await engine.list()).operations == ()
