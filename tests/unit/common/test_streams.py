"""The outbox of one subscriber: nothing lost without a word, memory bounded."""

from __future__ import annotations

import asyncio

import pytest

from services.common.streams import LOAD_ITEMS, Batch, Outbox, Signal


async def take(outbox: Outbox[int], draining: asyncio.Event, until: Signal) -> list[Batch[int]]:
    taken = []
    async for batch in outbox.batches(draining):
        taken.append(batch)
        if batch.signal is until:
            break
    return taken


async def test_all_items_arrive_in_order_then_closed() -> None:
    outbox: Outbox[int] = Outbox()
    consumer = asyncio.create_task(take(outbox, asyncio.Event(), Signal.CLOSED))
    for number in range(1000):
        assert outbox.put(number, 1)
        if number % 100 == 0:
            await asyncio.sleep(0)
    outbox.close()
    batches = await consumer
    assert [item for batch in batches for item in batch.items] == list(range(1000))
    assert len(batches) < 100, "items under load share batches"


async def test_overflow_is_told_and_frees_the_memory() -> None:
    outbox: Outbox[int] = Outbox(max_bytes=10)
    assert outbox.put(1, 6)
    assert not outbox.put(2, 6)
    assert not outbox.put(3, 1), "after an overflow nothing is accepted until the reset"
    batches = outbox.batches(asyncio.Event())
    assert (await anext(batches)).signal is Signal.OVERFLOW
    outbox.reset()
    assert outbox.put(4, 6)
    assert (await anext(batches)).items == [4]
    await batches.aclose()


async def test_one_item_larger_than_the_limit_passes() -> None:
    outbox: Outbox[int] = Outbox(max_bytes=10)
    assert outbox.put(1, 1000)


async def test_draining_delivers_what_is_buffered_first() -> None:
    outbox: Outbox[int] = Outbox()
    draining = asyncio.Event()
    outbox.put(1, 1)
    draining.set()
    batches = await take(outbox, draining, Signal.DRAINING)
    assert [(b.signal, b.items) for b in batches] == [(Signal.ITEMS, [1]), (Signal.DRAINING, [])]


async def test_heartbeat_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.streams.HEARTBEAT_SECONDS", 0.01)
    outbox: Outbox[int] = Outbox()
    batches = await take(outbox, asyncio.Event(), Signal.HEARTBEAT)
    assert batches[-1].signal is Signal.HEARTBEAT


async def test_an_error_reaches_the_consumer_after_the_items() -> None:
    outbox: Outbox[int] = Outbox()
    outbox.put(1, 1)
    outbox.close(RuntimeError("upstream"))
    batches = outbox.batches(asyncio.Event())
    assert (await anext(batches)).items == [1]
    with pytest.raises(RuntimeError, match="upstream"):
        await anext(batches)


async def test_a_patient_producer_waits_until_there_is_room() -> None:
    outbox: Outbox[int] = Outbox(max_bytes=10)
    assert await outbox.put_when_room(1, 6)
    waiting = asyncio.create_task(outbox.put_when_room(2, 6))
    await asyncio.sleep(0)
    assert not waiting.done()
    batches = outbox.batches(asyncio.Event())
    assert (await anext(batches)).items == [1]
    assert await waiting
    assert not outbox.overflowed
    assert (await anext(batches)).items == [2]
    await batches.aclose()


async def test_a_waiting_producer_is_let_go_at_the_close() -> None:
    outbox: Outbox[int] = Outbox(max_bytes=10)
    outbox.put(1, 10)
    waiting = asyncio.create_task(outbox.put_when_room(2, 6))
    await asyncio.sleep(0)
    outbox.close()
    assert not await waiting


async def test_the_first_few_items_are_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.streams.BATCH_SECONDS", 3600.0)
    outbox: Outbox[int] = Outbox()
    batches = outbox.batches(asyncio.Event())
    for number in range(LOAD_ITEMS):
        outbox.put(number, 1)
        assert (await anext(batches)).items == [number]
    await batches.aclose()


async def test_a_full_message_does_not_wait_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.streams.BATCH_SECONDS", 3600.0)
    outbox: Outbox[int] = Outbox()
    batches = outbox.batches(asyncio.Event())
    for _ in range(2 * LOAD_ITEMS):
        outbox.put(1, 1)
    assert (await anext(batches)).items == [1] * (2 * LOAD_ITEMS)
    outbox.put(2, 1)
    following = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0)
    outbox.put(3, 300 * 1024)
    assert (await following).items == [2, 3]
    await batches.aclose()


async def test_a_full_outbox_is_sent_before_its_merge_window_ends() -> None:
    outbox: Outbox[int] = Outbox(max_bytes=10)
    batches = outbox.batches(asyncio.Event(), hold=3600.0)
    outbox.put(1, 6)
    waiting = asyncio.create_task(outbox.put_when_room(2, 6))
    assert (await anext(batches)).items == [1]
    assert await waiting
    await batches.aclose()


async def test_what_is_left_is_sent_when_its_merge_window_ends() -> None:
    outbox: Outbox[int] = Outbox(max_bytes=10)
    batches = outbox.batches(asyncio.Event(), hold=0.001)
    for number in range(5):
        first = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        outbox.put(number, 6)
        waiting = asyncio.create_task(outbox.put_when_room(-number, 6))
        assert (await first).items == [number]
        assert await waiting
        assert (await anext(batches)).items == [-number]
    await batches.aclose()
