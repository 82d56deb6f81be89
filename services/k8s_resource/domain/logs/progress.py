"""How far one subscriber has come in one container, and what it is told of it."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from services.k8s_resource.domain.logs.cursor import advance, imprecise
from services.k8s_resource.domain.logs.delivery import Delivery, Sink
from services.k8s_resource.domain.logs.events import Mark, MarkType, Source, SourceLines
from services.k8s_resource.domain.logs.filter import LineFilter
from services.k8s_resource.domain.logs.levels import Level, LevelReader
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.pods import Run
from services.k8s_resource.domain.logs.position import ContainerPosition


class Progress:
    """The position moves with what is delivered, so that a token never runs ahead."""

    def __init__(
        self,
        source: Source,
        position: ContainerPosition,
        line_filter: LineFilter,
        sink: Sink,
    ) -> None:
        self.source = source
        self.position = position
        self.last_text = ""
        self._filter = line_filter
        self._levels = LevelReader() if line_filter.needs_levels else None
        self._sink = sink

    @property
    def full(self) -> bool:
        """Whether as much was delivered as was asked for."""
        limit = self._filter.limit_bytes
        return limit is not None and self.position.sent >= limit

    async def lines(self, lines: Lines, *, complete: bool) -> None:
        """Lines were read; `complete` as for `cursor.advance`."""
        delivery = self._delivery_of(lines, complete)
        self._go_to(delivery.position, lines)
        await self._sink.deliver(delivery)
        if self.full:
            await self.mark(
                MarkType.LIMITED, f"limit_bytes ({self._filter.limit_bytes}) is reached"
            )

    def lines_at_once(self, lines: Lines) -> bool:
        """As `lines`, further on in a reading; False, and nothing else, if it takes a wait."""
        if self._filter.limit_bytes is not None:
            return False
        level = self._levels.last if self._levels else Level.UNKNOWN
        delivery = self._delivery_of(lines, True)
        if not self._sink.offer(delivery):
            if self._levels:
                self._levels.last = level
            return False
        self._go_to(delivery.position, lines)
        return True

    def _delivery_of(self, lines: Lines, complete: bool) -> Delivery:
        before = self.position
        cursor = advance(before.cursor, lines.times, complete=complete)
        kept = self._filter.apply(self._levels.read(lines) if self._levels else lines)
        sent = before.sent
        if self._filter.limit_bytes is not None:
            kept, sent = _within(kept, sent, self._filter.limit_bytes)
        event = SourceLines(self.source, kept) if len(kept) else None
        return Delivery(event, msgspec.structs.replace(before, cursor=cursor, sent=sent))

    def _go_to(self, position: ContainerPosition | None, lines: Lines) -> None:
        if position is not None:
            self.position = position
        self.last_text = lines.texts[-1]

    def recount(self) -> None:
        """The file is another one now: what was counted of it does not hold."""
        if self.position.cursor is not None:
            self._move(cursor=imprecise(self.position.cursor))

    async def begin(self, run: int, start: int) -> None:
        """A run begins to be read. It is told unless its start was before the subscriber's."""
        initial = self.position.run is None and self.position.initial
        self._move(run=run, cursor=None, whole=False, told_end=False, initial=initial)
        if not initial:
            await self.mark(MarkType.STARTED, time_ns=start, restarts=run)

    def begin_quietly(self, run: int) -> None:
        """As `begin`, without telling."""
        self._move(run=run)

    async def complete(self) -> None:
        """The run was read to its end."""
        self._move(whole=True)
        await self._sink.deliver(Delivery(None, self.position))

    async def lost(self, why: str) -> None:
        """The rest of the run cannot be read any more."""
        self._move(whole=True)
        await self.gap(why)

    async def gap(self, why: str) -> None:
        """Lines may be missing here."""
        await self.mark(MarkType.GAP, why)

    async def end(self, run: Run, restarts: int) -> None:
        """The run has ended, and its lines were delivered."""
        self._move(told_end=True)
        await self.mark(
            MarkType.ENDED,
            run.message,
            time_ns=run.end,
            exit_code=run.exit_code,
            reason=run.reason,
            restarts=restarts,
        )

    async def mark(
        self,
        type_: MarkType,
        message: str = "",
        *,
        time_ns: int = 0,
        exit_code: int | None = None,
        reason: str = "",
        restarts: int = 0,
    ) -> None:
        """Something happened; `time_ns` 0 means now."""
        moment = time_ns or time.time_ns()
        mark = Mark(type_, moment, self.source, message, exit_code, reason, restarts)
        await self._sink.deliver(Delivery(mark, self.position))

    def _move(self, **changes: Any) -> None:
        self.position = msgspec.structs.replace(self.position, **changes)


def _within(lines: Lines, sent: int, limit: int) -> tuple[Lines, int]:
    """As many whole lines as fit, and how many bytes were sent then; the limit if not all fit."""
    for index, text in enumerate(lines.texts):
        size = len(text.encode("utf-8", "surrogatepass")) + 1
        if sent + size > limit:
            return lines.part(0, index), limit
        sent += size
    return lines, sent
