"""Keeps metadata/<step>_status.json as the operations stand, for tools that read files."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Protocol

from services.common.errors import UnavailableError
from services.common.logs import get_logger
from services.common.operations.model import Operation
from services.common.operations.ports import OperationEngine

_PAUSE_SECONDS = 1.0


class StatusFiles(Protocol):
    """Where a step's status is written."""

    def record_status(self, operation: Operation) -> None:
        """Write the status of the operation's step."""


async def record_step_status(engine: OperationEngine, files: StatusFiles) -> None:
    """Write each change until cancelled. What was missed before is written first.

    That is after a restart, and while the database could not be reached.
    """
    log = get_logger("step_status")
    while True:
        try:
            await _record_changes(engine, files)
        except UnavailableError as error:
            log.warning("status files are behind; trying again", why=error.message)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _record_changes(engine: OperationEngine, files: StatusFiles) -> None:
    log = get_logger("step_status")
    newest: dict[tuple[str, str], Operation] = {}
    synced = False
    batches = engine.subscribe(asyncio.Event())
    async with aclosing(batches) as open_:
        async for batch in open_:
            for item in batch.items:
                if isinstance(item, Operation):
                    newest[item.target, item.kind] = item
                else:
                    synced = True
            if not synced:  # the history comes first, and only its newest count
                continue
            for operation in newest.values():
                try:
                    await asyncio.to_thread(files.record_status, operation)
                except OSError as error:
                    # The record that counts is the engine's; this is a copy of it.
                    log.warning("status file not written", operation=operation.id, why=str(error))
            newest.clear()
