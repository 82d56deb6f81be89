"""Answers shared by those who ask at the same time."""

from __future__ import annotations

import asyncio

import pytest

from services.common.shared_results import SharedResults


class Source:
    """Answers with a number that grows, when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.cancelled = 0
        self.arrivals = asyncio.Semaphore(0)
        self.release = asyncio.Event()
        self.error: Exception | None = None

    async def ask(self) -> int:
        self.asked += 1
        number = self.asked
        self.arrivals.release()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return number


async def until_asked(source: Source, times: int) -> None:
    async with asyncio.timeout(5):
        for _ in range(times):
            await source.arrivals.acquire()


async def test_one_question_serves_all_who_ask_and_those_who_come_soon_after() -> None:
    source, results = Source(), SharedResults[int](60)
    askers = [asyncio.create_task(results.get("k", source.ask)) for _ in range(20)]
    await until_asked(source, 1)
    source.release.set()
    assert await asyncio.gather(*askers) == [1] * 20
    assert await results.get("k", source.ask) == 1
    assert await results.get("other", source.ask) == 2


async def test_fresh_asks_again_even_while_one_is_being_answered() -> None:
    source, results = Source(), SharedResults[int](60)
    early = asyncio.create_task(results.get("k", source.ask))
    await until_asked(source, 1)
    fresh = asyncio.create_task(results.get("k", source.ask, fresh=True))
    await until_asked(source, 1)
    source.release.set()
    assert (await early, await fresh) == (1, 2)
    assert await results.get("k", source.ask) == 2


async def test_a_failure_is_told_to_all_and_not_kept() -> None:
    source, results = Source(), SharedResults[int](60)
    source.error = ValueError("away")
    source.release.set()
    told = await asyncio.gather(
        *(results.get("k", source.ask) for _ in range(3)), return_exceptions=True
    )
    assert [str(error) for error in told] == ["away"] * 3
    source.error = None
    assert await results.get("k", source.ask) == 2


async def test_one_who_goes_does_not_end_it_for_others_and_the_last_does() -> None:
    source, results = Source(), SharedResults[int](60)
    first, second = (asyncio.create_task(results.get("k", source.ask)) for _ in range(2))
    await until_asked(source, 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert source.cancelled == 0
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await asyncio.sleep(0)
    assert source.cancelled == 1


async def test_who_asks_while_a_question_is_being_given_up_is_answered() -> None:
    source, results = Source(), SharedResults[int](60)
    last = asyncio.create_task(results.get("k", source.ask))
    await until_asked(source, 1)
    last.cancel()
    # It begins between the cancellation of `last` and that of the question.
    late = asyncio.create_task(results.get("k", source.ask))
    source.release.set()
    assert await late == 2
    assert last.cancelled()


async def test_an_answer_grows_old() -> None:
    source, results = Source(), SharedResults[int](0)
    source.release.set()
    assert await results.get("k", source.ask) == 1
    assert await results.get("k", source.ask) == 2
