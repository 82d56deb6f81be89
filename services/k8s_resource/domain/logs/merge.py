"""One order of the lines of several containers.

Lines that are delivered together, which is what arrived within 20 ms, are ordered by time;
the lines of one container always keep the order in which it wrote them. Marks stay where
they are among the lines of their own container.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise

from services.k8s_resource.domain.logs.events import Mark, Source, SourceLines
from services.k8s_resource.domain.logs.lines import Lines


def merged(events: Iterable[Mark | SourceLines]) -> list[Mark | SourceLines]:
    """The events with lines between two marks ordered by time."""
    result: list[Mark | SourceLines] = []
    pending: dict[Source, list[Lines]] = {}
    for event in events:
        if isinstance(event, SourceLines):
            pending.setdefault(event.source, []).append(event.lines)
        else:
            result.extend(_ordered(pending))
            pending = {}
            result.append(event)
    result.extend(_ordered(pending))
    return result


def _ordered(pending: dict[Source, list[Lines]]) -> list[SourceLines]:
    whole = [SourceLines(source, _concatenated(parts)) for source, parts in pending.items()]
    if len(whole) < 2:
        return whole
    whole.sort(key=lambda part: part.lines.times[0])
    if all(max(first.lines.times) <= second.lines.times[0] for first, second in pairwise(whole)):
        return whole
    # A time that goes backwards must not move a line before its predecessor.
    keys: list[int] = []
    owners: list[int] = []
    for number, part in enumerate(whole):
        keys.extend(accumulate(part.lines.times, max))
        owners.extend([number] * len(part.lines))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    starts = [0] * len(whole)
    result: list[SourceLines] = []
    at = 0
    while at < len(order):
        owner = owners[order[at]]
        end = at + 1
        while end < len(order) and owners[order[end]] == owner:
            end += 1
        start = starts[owner]
        starts[owner] = start + end - at
        part = whole[owner]
        result.append(SourceLines(part.source, part.lines.part(start, starts[owner])))
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
    return joined
