"""The recorder of status files, with an engine whose database goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from services.cluster_lifecycle.domain import step_status
from services.common.errors import UnavailableError
from services.common.operations.model import Operation, OperationState
from services.common.operations.ports import Mark, OperationEngine, OperationEvent
from services.common.streams import Batch, Signal


def _operation(state: OperationState) -> Operation:
    return Operation("x.1", "launch", "x", state, datetime(2026, 1, 1, tzinfo=UTC), "ann")


class LosingEngine:
    """Its first subscription ends with the database; the second one shows what came since."""

    def __init__(self) -> None:
        self.subscriptions = 0

    async def subscribe(self, draining: asyncio.Event) -> AsyncGenerator[Batch[OperationEvent]]:
        self.subscriptions += 1
        if self.subscriptions == 1:
            running = _operation(OperationState.RUNNING)
            yield Batch(Signal.ITEMS, [running, Mark.SYNCED])
            raise UnavailableError("the database is away")
        yield Batch(Signal.ITEMS, [_operation(OperationState.SUCCEEDED), Mark.SYNCED])
        await draining.wait()


class Files:
    """Keeps the states in the order in which they were written."""

    def __init__(self) -> None:
        self.states: list[OperationState] = []
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def record_status(self, operation: Operation) -> None:
        self.states.append(operation.state)
        if operation.state.terminal:
            self._loop.call_soon_threadsafe(self.ended.set)


async def test_recording_goes_on_when_the_database_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_status, "_PAUSE_SECONDS", 0.01)
    engine: Any = LosingEngine()
    files = Files()
    recorder = asyncio.create_task(
        step_status.record_step_status(cast("OperationEngine", engine), files)
    )
    try:
        async with asyncio.timeout(10):
            await files.ended.wait()
    finally:
        recorder.cancel()
        await asyncio.gather(recorder, return_exceptions=True)
    assert files.states == [OperationState.RUNNING, OperationState.SUCCEEDED]
