"""Looking through one log for the lines of a search."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from services.k8s_resource.domain.logs.groups import Group, Grouper
from services.k8s_resource.domain.logs.library import RunLog
from services.k8s_resource.domain.logs.matcher import LineMatcher
from services.k8s_resource.domain.logs.raw_lines import Block, LineBlocks, time_of
from services.k8s_resource.domain.logs.read_query import FoundLogs
from services.k8s_resource.domain.logs.reading import read_log
from services.k8s_resource.domain.logs.text_stream import TextStream

_OPENING_PATIENCE_SECONDS = 5.0
_PATIENCE_SECONDS = 15.0


@dataclass(slots=True)
class Found:
    """What one piece of a log brought: bytes and lines looked through, how many lines match, the
    groups of lines to show, the time of its first line in nanoseconds."""

    size: int
    lines: int
    matches: int
    groups: list[Group]
    time: int


class LogScan:
    """The search of one log, up to the last match that is wanted and the lines after it."""

    def __init__(
        self,
        found: FoundLogs,
        log: RunLog,
        matcher: LineMatcher,
        *,
        before: int,
        after: int,
        room: Callable[[LogScan], int],
        show: bool,
    ) -> None:
        """`room` is how many more matches are wanted. With `show` False they are counted only."""
        self.log = log
        self.matches = 0
        self.limited = False
        self._found = found
        self._matcher = matcher
        self._grouper = Grouper(before, after)
        self._room = room
        self._show = show
        self._blocks = LineBlocks()

    @property
    def lines(self) -> int:
        """Lines looked through."""
        return self._grouper.lines

    async def pieces(self) -> AsyncGenerator[Found, None]:
        """What is found, piece by piece. Domain errors for what cannot be read."""
        window = self._found.window
        cut = TextStream(timestamps=True, since=window.since, until=window.until)
        reading = read_log(
            self._found.address(self.log),
            window.start(),
            patience=_PATIENCE_SECONDS,
            opening_patience=_OPENING_PATIENCE_SECONDS,
        )
        async with aclosing(reading):
            async for chunk in reading:
                for block in self._blocks.feed(cut.feed(chunk)):
                    yield self._look(block)
                    if self._has_enough:
                        return
                if cut.past_end:
                    break
        for block in (*self._blocks.feed(cut.finish()), *self._blocks.finish()):
            yield self._look(block)
            if self._has_enough:
                return

    @property
    def waits(self) -> bool:
        """Whether lines after the last match are still to come."""
        return self._grouper.waits

    @property
    def _has_enough(self) -> bool:
        return self.limited and not self.waits

    def _look(self, block: Block) -> Found:
        size = len(block.data)
        block.data = readable(block.data)
        before = self._grouper.lines
        matches = self._matcher.matches(block.data)
        room = self._room(self)
        if len(matches) > room:
            matches = matches[:room]
            self.limited = True
        self.matches += len(matches)
        groups = self._grouper.feed(block, matches if self._show else [])
        return Found(
            size, self._grouper.lines - before, len(matches), groups, time_of(block.data) or 0
        )


def readable(data: bytes) -> bytes:
    """The same lines as UTF-8: what is none is replaced by U+FFFD, so that "." matches it."""
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").encode()
    return data
