"""Keeps metadata/<step>_status.json as the operations stand, for tools that read files."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Protocol

from services.common.logs import get_logger
from services.common.operations.model import Operation
from services.common.operations.ports import OperationEngine


class StatusFiles(Protocol):
    """Where a step's status is written."""

    def record_status(self, operation: Operation) -> None:
        """Write the status of the operation's step."""


async def record_step_status(engine: OperationEngine, files: StatusFiles) -> None:
    """Write each change until cancelled. After a restart what was missed is written first."""
    log = get_logger("step_status")
    batches = engine.subscribe(asyncio.Event())
    async with aclosing(batches) as open_:
        async for batch in open_:
            for item in batch.items:
                if not isinstance(item, Operation):
                    continue
                try:
                    await asyncio.to_thread(files.record_status, item)
                except OSError as error:
                    # The record that counts is the engine's; this is a copy of it.
                    log.warning("status file not written", operation=item.id, why=str(error))
