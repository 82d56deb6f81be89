"""A time limit around work that may not wait at all."""

from __future__ import annotations

import asyncio

import pytest

from services.common.timeouts import within


async def test_work_that_does_not_wait_is_done_at_once_and_sets_no_timer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> str:
        return "done"

    monkeypatch.setattr(asyncio, "timeout", None)
    assert await within(60, work()) == "done"


async def test_an_error_at_once_is_the_works_own() -> None:
    async def work() -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await within(60, work())


async def test_work_that_waits_goes_on_with_what_it_waited_for() -> None:
    futures = [asyncio.get_running_loop().create_future() for _ in range(3)]

    async def work() -> list[int]:
        await asyncio.sleep(0)
        found = [await future for future in futures[:2]]
        with pytest.raises(ValueError, match="third"):
            await futures[2]
        return found

    waiting = asyncio.create_task(within(60, work()))
    await asyncio.sleep(0)
    futures[1].set_result(2)
    futures[0].set_result(1)
    futures[2].set_exception(ValueError("third"))
    assert await waiting == [1, 2]


async def test_work_that_waits_too_long_is_cancelled() -> None:
    cleaned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    with pytest.raises(TimeoutError):
        await within(0.001, work())
    assert cleaned.is_set()


async def test_a_cancelled_caller_cancels_the_work() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.set()
            raise

    waiting = asyncio.create_task(within(60, work()))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
