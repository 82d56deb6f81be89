"""Lists and subscriptions."""

from __future__ import annotations

import asyncio

import pytest

from services.common.errors import InvalidArgumentError, NotFoundError
from services.common.operations import feed
from services.common.operations.model import OperationState
from services.common.operations.ports import Mark, OperationEngine
from services.common.streams import Signal
from tests.contract.operations.world import World, ended, eventually


async def run(engine: OperationEngine, target: str, script: str = "", kind: str = "script") -> str:
    operation = await engine.submit(kind, target, actor="ann", payload={"script": script})
    return (await ended(engine, operation)).id


async def test_lists_are_newest_first_filtered_and_paged(world: World) -> None:
    async with world.engine() as engine:
        made = [await run(engine, target) for target in ["c1", "c2", "c1", "c1", "c2"]]
        failed = await run(engine, "c1", "exit 1", kind="other")
        made.append(failed)
        newest_first = made[::-1]

        page = await engine.list()
        assert [operation.id for operation in page.operations] == newest_first
        assert page.next_page_token == ""

        found, token = [], ""
        for size in [2, 2, 2]:
            page = await engine.list(page_size=size, page_token=token)
            found += [operation.id for operation in page.operations]
            token = page.next_page_token
        assert found == newest_first
        assert token == ""

        page = await engine.list(target="c2")
        assert [o.id for o in page.operations] == [made[4], made[1]]
        page = await engine.list(states=[OperationState.FAILED])
        assert [o.id for o in page.operations] == [failed]
        page = await engine.list(target="c1", kind="script", page_size=1)
        assert [o.id for o in page.operations] == [made[3]]

        with pytest.raises(InvalidArgumentError) as caught:
            await engine.list(target="c2", page_token=page.next_page_token)
        assert caught.value.reason == "TOKEN_OF_ANOTHER_QUERY"
        with pytest.raises(InvalidArgumentError) as caught:
            await engine.list(page_token="nonsense")
        assert caught.value.reason == "BAD_TOKEN"
        with pytest.raises(NotFoundError):
            await engine.get("c1.unknown")
        with pytest.raises((NotFoundError, InvalidArgumentError)):
            await engine.get("c1.\0")


async def test_subscription_gives_present_states_then_changes(world: World) -> None:
    draining = asyncio.Event()
    async with world.engine() as engine:
        earlier = [await run(engine, "c1"), await run(engine, "c1")]
        await run(engine, "c2")
        events = engine.subscribe(draining, target="c1")
        batch = await anext(events)
        assert [getattr(item, "id", item) for item in batch.items] == [*earlier, Mark.SYNCED]

        operation = await engine.submit(
            "script", "c1", actor="ann", payload={"script": world.wait_for_file("go")}
        )
        world.touch("go")
        seen = []
        async for batch in events:
            seen += [(item.id, item.state) for item in batch.items if not isinstance(item, Mark)]
            if seen[-1][1].terminal:
                break
        assert seen[0] == (operation.id, OperationState.QUEUED)
        assert (operation.id, OperationState.RUNNING) in seen
        assert seen[-1] == (operation.id, OperationState.SUCCEEDED)
        assert {seen_id for seen_id, _ in seen} == {operation.id}

        draining.set()
        assert [batch.signal async for batch in events] == [Signal.DRAINING]


async def test_present_states_are_given_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_PAGE", 3)
    async with world.engine(max_running=0) as engine:
        for count in (5, 1):
            for _ in range(count):
                name = f"c{len((await engine.list()).operations)}"
                await engine.submit("script", name, actor="ann", payload={"script": ""})
            made = [operation.id for operation in (await engine.list()).operations][::-1]
            told = []
            async for batch in engine.subscribe(asyncio.Event()):
                told += [getattr(item, "id", item) for item in batch.items]
                if told[-1] is Mark.SYNCED:
                    break
            assert told == [*made, Mark.SYNCED]


async def test_subscription_to_one_operation_ends_with_it(world: World) -> None:
    async with world.engine() as engine:
        operation_id = await run(engine, "c1")
        batches = [b async for b in engine.subscribe(asyncio.Event(), operation_id=operation_id)]
        assert [batch.signal for batch in batches] == [Signal.ITEMS, Signal.CLOSED]
        assert batches[0].items == [await engine.get(operation_id), Mark.SYNCED]
        with pytest.raises(NotFoundError):
            await anext(engine.subscribe(asyncio.Event(), operation_id="c1.unknown"))


async def test_stalled_subscriber_is_given_the_present_states_again(world: World) -> None:
    # More changes than the outbox holds: each carries a message of 1,000 characters.
    script = """
        text=$(printf 'x%%.0s' $(seq 900))
        for n in $(seq 40); do
            for step in $(seq 0 29); do
                echo "{\\"step\\": \\"s$step\\", \\"state\\": \\"running\\", \\"message\\": \\"$n$text\\"}"
            done >> "$PODYARD_PROGRESS_FILE"
            sleep 0.06
        done
    """.replace("%%", "%")
    payload = {"script": script, "steps": [f"s{n}" for n in range(30)]}
    async with world.engine(poll_seconds=0.02) as engine:
        stalled = engine.subscribe(asyncio.Event(), target="c1")
        assert (await anext(stalled)).items == [Mark.SYNCED]
        operation = await engine.submit("script", "c1", actor="ann", payload=payload)
        end = await ended(engine, operation)
        assert len(end.steps[0].message) > 900
        batch = await anext(stalled)
        assert batch.items == [end, Mark.SYNCED]
        await stalled.aclose()


async def test_subscribers_do_not_hold_on_after_they_leave(world: World) -> None:
    async with world.engine() as engine:

        async def follow() -> None:
            async for _ in engine.subscribe(asyncio.Event(), target="c1"):
                world.touch("following")

        follower = asyncio.create_task(follow())
        await eventually((world.folder / "following").exists)
        follower.cancel()
        with pytest.raises(asyncio.CancelledError):
            await follower
        await run(engine, "c1")
