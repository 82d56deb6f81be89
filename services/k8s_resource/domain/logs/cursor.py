"""Where one reader stands in one container's log, and how to find that place again.

Kubernetes lets a log be read from a time, in whole seconds, not from a position
(`sinceTime`; metav1.Time is sent without fractions). But from one second on, the lines of a
file are always the same in the same order. So a cursor counts the lines read since the
beginning of a second, and a later reading skips that many: exact even for lines with equal
times, or out of order, as those of stdout and stderr are. When the file no longer begins
that second with the same line (it was rotated), or the count is not complete (the reading
began with the last lines only), the time of the last line decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from services.k8s_resource.domain.logs.lines import Lines

_SECOND = 1_000_000_000
_DISORDER = _SECOND // 4
"""How far times may go backwards, in nanoseconds: stdout and stderr are stamped apart."""


class Window(msgspec.Struct, array_like=True, frozen=True):
    """The lines read so far whose time is at or after a whole second.

    `first` is the time of the first of them; `exact` says that none of them was left out.
    """

    second: int
    count: int
    first: int
    exact: bool


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """A place just after a line. `last` is its time in nanoseconds, `ties` how many lines with
    just this time were read last."""

    window: Window
    newest: Window
    last: int
    ties: int

    @property
    def since_second(self) -> int:
        """The second, since 1970 UTC, from which the log must be read to find the place."""
        return self.window.second


def advance(cursor: Cursor | None, times: list[int], *, complete: bool = True) -> Cursor | None:
    """The place after lines with these times. `complete`, which matters only to the first
    call, says that the reading began at the log's beginning or at a whole second."""
    if not times:
        return cursor
    if cursor is not None and len(times) == 1 and times[0] > cursor.last:
        simple = _next_line(cursor, times[0])
        if simple is not None:
            return simple
    lowest, highest = min(times), max(times)
    last = times[-1]
    ties = _run_length(times)
    if cursor is None:
        newest = _window_from(times, highest // _SECOND, complete)
        window = _window_from(times, (highest - _DISORDER) // _SECOND, complete)
        return Cursor(window, newest, last, ties)
    if ties == len(times) and cursor.last == last:
        ties += cursor.ties
    window = _grown(cursor.window, times, lowest)
    newest = _grown(cursor.newest, times, lowest)
    if highest // _SECOND > newest.second:
        newest = _window_from(times, highest // _SECOND, True)
    return Cursor(_settled(window, newest, highest), newest, last, ties)


def _next_line(cursor: Cursor, time: int) -> Cursor | None:
    """`advance` by one later line of the newest second, which is what comes mostly."""
    window, newest = cursor.window, cursor.newest
    into = time - newest.second * _SECOND
    if not 0 <= into < _SECOND:
        return None
    grown = Window(newest.second, newest.count + 1, newest.first, newest.exact)
    if window.second != newest.second and into <= _DISORDER:
        window = Window(window.second, window.count + 1, window.first, window.exact)
    else:
        window = grown
    return Cursor(window, grown, time, 1)


def _settled(window: Window, newest: Window, highest: int) -> Window:
    """The newest second takes over when lines of the one before can no longer come."""
    if newest.second != window.second and highest - newest.second * _SECOND > _DISORDER:
        return newest
    return window


def _window_from(times: list[int], second: int, complete: bool) -> Window:
    start = second * _SECOND
    inside = [time for time in times if time >= start]
    return Window(second, len(inside), inside[0], complete or len(inside) < len(times))


def _grown(window: Window, times: list[int], lowest: int) -> Window:
    start = window.second * _SECOND
    more = len(times) if lowest >= start else sum(1 for time in times if time >= start)
    return Window(window.second, window.count + more, window.first, window.exact)


def _run_length(times: list[int]) -> int:
    last = times[-1]
    for length, time in enumerate(reversed(times)):
        if time != last:
            return length
    return len(times)


def imprecise(cursor: Cursor) -> Cursor:
    """The same place, to be found by time: the counts no longer belong to the present file."""
    window, newest = cursor.window, cursor.newest
    return Cursor(
        Window(window.second, window.count, window.first, False),
        Window(newest.second, newest.count, newest.first, False),
        cursor.last,
        cursor.ties,
    )


@dataclass(slots=True)
class Gate:
    """Lets through what lies after a cursor in a log read from its `since_second` on.

    After the first line has passed, `found` says whether the cursor's last line was seen
    again. If not, lines may be missing: they went with a rotated file.
    """

    cursor: Cursor | None
    counting: bool = False
    passing: bool = False
    found: bool = False
    _started: bool = False
    _left: int = 0

    def __post_init__(self) -> None:
        if self.cursor is None:
            self.passing = self.found = True

    def take(self, lines: Lines) -> Lines:
        """The lines of these that come after the cursor."""
        if self.passing or not len(lines) or self.cursor is None:
            return lines
        if not self._started:
            self._started = True
            window = self.cursor.window
            self.counting = window.exact and lines.times[0] == window.first
            self._left = window.count if self.counting else self.cursor.ties
        return self._by_count(lines) if self.counting else self._by_time(lines, self.cursor)

    def _by_count(self, lines: Lines) -> Lines:
        skipped = min(self._left, len(lines))
        self._left -= skipped
        if self._left == 0:
            self.passing = self.found = True
        return lines.part(skipped)

    def _by_time(self, lines: Lines, cursor: Cursor) -> Lines:
        for index, time in enumerate(lines.times):
            if time == cursor.last and self._left:
                self._left -= 1
                self.found = True
            elif time > cursor.last or (time == cursor.last and self.found):
                self.passing = True
                return lines.part(index)
        return Lines()
