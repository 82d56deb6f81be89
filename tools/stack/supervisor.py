"""Starts units in the order of their dependencies, watches them, stops them in reverse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from tools.stack.errors import StackError
from tools.stack.units import Unit

Report = Callable[[str], None]

MOST_RESTARTS = 3
RESTART_WINDOW_SECONDS = 60.0
"""A unit that ends once more within this time of `MOST_RESTARTS` restarts ends the stack."""


class _StopRequested(Exception):  # noqa: N818  (not an error)
    pass


class Supervisor:
    """Runs a set of units until it is asked to stop or one of them ends for good.

    A unit with `restart` is started again when it ends, unless that happens too
    often. Nothing it started is running when `run` returns or raises, in whatever way.
    """

    def __init__(self, units: Sequence[Unit], report: Report) -> None:
        self._units = list(units)
        self._report = report
        self._ready = {unit.name: asyncio.Event() for unit in units}
        self._started: list[Unit] = []
        self._asked = asyncio.Event()
        self._hurry = asyncio.Event()
        for unit in units:
            for name in unit.after:
                if name not in self._ready:
                    raise ValueError(f"{unit.name} waits for {name}, which is not here")

    def ask_to_stop(self) -> None:
        """Stop in an orderly way; asked again, kill what is left."""
        if self._asked.is_set():
            self._hurry.set()
        self._asked.set()

    async def run(
        self, on_ready: Callable[[], None], on_restart: Callable[[], None] = lambda: None
    ) -> None:
        """Start all, call `on_ready`, watch; StackError when a unit fails or ends for good.

        `on_restart` is called whenever a unit has been started again.
        """
        self._on_restart = on_restart
        try:
            async with asyncio.TaskGroup() as tasks:
                for unit in self._units:
                    tasks.create_task(self._look_after(unit))
                tasks.create_task(self._announce(on_ready))
                tasks.create_task(self._await_stop())
        except* _StopRequested:
            pass
        except* StackError as group:
            raise _first(group) from None
        finally:
            await self._stop_all()

    async def _look_after(self, unit: Unit) -> None:
        for name in unit.after:
            await self._ready[name].wait()
        began = time.monotonic()
        self._started.append(unit)
        await unit.start()
        self._report(f"  ✓ {unit.name} ({time.monotonic() - began:.1f} s)")
        self._ready[unit.name].set()
        restarts: list[float] = []
        while True:
            report = await unit.died()
            now = time.monotonic()
            restarts = [moment for moment in restarts if now - moment < RESTART_WINDOW_SECONDS]
            if not unit.restart or len(restarts) == MOST_RESTARTS:
                raise StackError(report)
            self._report(f"{report}\nStarting {unit.name} again.")
            restarts.append(now)
            await unit.start()
            self._report(f"  ✓ {unit.name} is back ({time.monotonic() - now:.1f} s)")
            self._on_restart()

    async def _announce(self, on_ready: Callable[[], None]) -> None:
        for event in self._ready.values():
            await event.wait()
        on_ready()

    async def _await_stop(self) -> None:
        await self._asked.wait()
        raise _StopRequested

    async def _stop_all(self) -> None:
        stopping = asyncio.create_task(self._stop_in_order())
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.done():
            for unit in reversed(self._started):
                unit.kill()
        await stopping
        hurry.cancel()

    async def _stop_in_order(self) -> None:
        for unit in reversed(self._started):
            await unit.stop()


def _first(group: BaseExceptionGroup[StackError]) -> StackError:
    found = group.exceptions[0]
    return found if isinstance(found, StackError) else _first(found)
