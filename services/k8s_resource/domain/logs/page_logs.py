"""The logs of a page: what was read of each, and how their lines become one page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from services.common.errors import PodyardError
from services.k8s_resource.domain.logs.cursor import Cursor, Window
from services.k8s_resource.domain.logs.library import RunLog
from services.k8s_resource.domain.logs.lines import Lines
from services.k8s_resource.domain.logs.page_lines import (
    END,
    SECOND,
    LogStretches,
    PageLine,
    Place,
    Stretch,
)
from services.k8s_resource.domain.logs.read_query import ReadQuery
from services.k8s_resource.domain.logs.search_events import LogFailure


class PageCut(Enum):
    """Why a page has no more lines; see LogPageCut of the API."""

    END = "end"
    LINES = "lines"
    BYTES = "bytes"
    SCANNED = "scanned"


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page. `tail` counts lines of each container; zeros mean the defaults."""

    read: ReadQuery
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    oldest_first: bool = False
    tail: int | None = None
    lines: int = 0
    size: int = 0
    token: str = ""


@dataclass(slots=True)
class LogPage:
    """Lines by runs of one log, in order of time, and where the pages beside it are."""

    groups: list[tuple[RunLog, Lines]]
    cut: PageCut
    older_token: str = ""
    newer_token: str = ""
    at_end: bool = False
    resume_token: str = ""
    failures: list[LogFailure] = field(default_factory=list)
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class PageLog:
    """One log, the place to read from or up to, and what was read there."""

    log: RunLog
    reader: LogStretches
    place: Place
    found: Stretch = field(default_factory=Stretch)
    failure: PodyardError | None = None
    began: bool = False
    """Whether nothing lies before what was read."""
    oldest: int = -1
    """The time of its first line, END without any; negative when not known."""


def log_key(log: RunLog) -> tuple[str, str, int]:
    """What a token calls a log."""
    return (log.source.pod_uid, log.source.container, log.run)


def in_order(
    logs: Iterable[PageLog], wanted: Callable[[PageLine], bool]
) -> list[tuple[PageLog, PageLine]]:
    """The lines of logs that are wanted, by time; those of one log keep their order."""
    return sorted(
        ((each, line) for each in logs for line in each.found.lines if wanted(line)),
        key=lambda pair: pair[1].time,
    )


def counted(taken: Iterable[tuple[PageLog, PageLine]]) -> dict[int, int]:
    """How many lines a page has of each log, by the log's identity."""
    counts: dict[int, int] = {}
    for each, _ in taken:
        counts[id(each)] = counts.get(id(each), 0) + 1
    return counts


def grouped(taken: Iterable[tuple[PageLog, PageLine]]) -> list[tuple[RunLog, Lines]]:
    """The lines by columns, neighbours of one log together."""
    groups: list[tuple[RunLog, Lines]] = []
    last: PageLog | None = None
    for each, line in taken:
        if each is not last:
            groups.append((each.log, Lines()))
            last = each
        lines = groups[-1][1]
        if line.cut:
            lines.truncated.append(len(lines))
        lines.texts.append(line.text)
        lines.times.append(line.time)
    return groups


def shifted(place: Place, start: Place) -> Place:
    """A place whose lines of equal time were counted from `start` on only."""
    return Place(place.time, place.ties + start.ties) if place.time == start.time else place


def after_all(each: PageLog) -> Place:
    """After all lines that were read: what comes later comes after it."""
    newest = each.found.newest
    if newest < each.place.time < END:
        return each.place
    ties = sum(1 for line in each.found.lines if line.time == newest)
    place = Place(newest, ties)
    return shifted(place, each.place) if each.place.time < END else place


def cursor_after(each: PageLog) -> Cursor | None:
    """Where TailLogs goes on after all lines that were read; None before the first."""
    newest, ties = each.found.newest, each.found.newest_ties
    if not newest and each.place.time < END:
        newest, ties = each.place.time, each.place.ties
    if not newest:
        return None
    window = Window(newest // SECOND, 1, newest, False)
    return Cursor(window, window, newest, ties)
