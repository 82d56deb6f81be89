"""One order of the lines of several containers.

Lines that are delivered together, which is what arrived within the merge window, are ordered
by time; the lines of one container always keep the order in which it wrote them. Marks of a
container stay where they are among its lines; other marks stay where they are among all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise

from services.k8s_resource.domain.logs.events import Mark, Source, SourceLines
from services.k8s_resource.domain.logs.lines import Lines

_Events = list[Mark | SourceLines]


def merged(events: Iterable[Mark | SourceLines]) -> _Events:
    """The events, with the lines ordered by time."""
    result: _Events = []
    pending: dict[Source, _Events] = {}
    for event in events:
        if event.source is not None and event.source.container:
            pending.setdefault(event.source, []).append(event)
        else:
            result.extend(_ordered(pending))
            pending = {}
            result.append(event)
    result.extend(_ordered(pending))
    return result


def _ordered(pending: Mapping[Source, _Events]) -> _Events:
    each = [_joined(events) for events in pending.values()]
    if len(each) < 2:
        return each[0] if each else []
    whole = [events[0] for events in each if len(events) == 1]
    if len(whole) == len(each) and (simple := _one_after_the_other(whole)) is not None:
        return simple
    return _interleaved(each)


def _joined(events: _Events) -> _Events:
    """The events of one container, lines that follow each other together."""
    result: _Events = []
    parts: list[Lines] = []
    for event in events:
        if isinstance(event, SourceLines):
            parts.append(event.lines)
            continue
        if parts and event.source is not None:
            result.append(SourceLines(event.source, _concatenated(parts)))
            parts = []
        result.append(event)
    if parts and events[0].source is not None:
        result.append(SourceLines(events[0].source, _concatenated(parts)))
    return result


def _one_after_the_other(events: _Events) -> _Events | None:
    """Lines of several containers that do not overlap in time; None if they do."""
    lines = [event for event in events if isinstance(event, SourceLines)]
    if len(lines) < len(events):
        return None
    lines.sort(key=lambda part: part.lines.times[0])
    if all(max(a.lines.times) <= b.lines.times[0] for a, b in pairwise(lines)):
        return list(lines)
    return None


def _interleaved(each: list[_Events]) -> _Events:
    """Ordered by time, a mark right after the lines before it."""
    events = [event for of_one in each for event in of_one]
    keys: list[int] = []
    owners: list[int] = []
    number = 0
    for of_one in each:
        latest = -1
        for event in of_one:
            if isinstance(event, SourceLines):
                # A time that goes backwards must not move a line before its predecessor.
                times = [max(latest, event.lines.times[0]), *event.lines.times[1:]]
                keys.extend(accumulate(times, max))
                owners.extend([number] * len(event.lines))
                latest = keys[-1]
            else:
                keys.append(latest)
                owners.append(number)
            number += 1
    order = sorted(range(len(keys)), key=keys.__getitem__)
    starts = [0] * len(events)
    result: _Events = []
    at = 0
    while at < len(order):
        owner = owners[order[at]]
        end = at + 1
        while end < len(order) and owners[order[end]] == owner:
            end += 1
        start = starts[owner]
        starts[owner] = start + end - at
        event = events[owner]
        if isinstance(event, SourceLines):
            event = SourceLines(event.source, event.lines.part(start, starts[owner]))
        result.append(event)
        at = end
    return result


def _concatenated(parts: list[Lines]) -> Lines:
    if len(parts) == 1:
        return parts[0]
    joined = Lines()
    for part in parts:
        joined.truncated += [index + len(joined) for index in part.truncated]
        joined.texts += part.texts
        joined.times += part.times
        joined.levels += part.levels
    return joined
