"""Matching lines with the lines around them, in groups that never overlap, as grep gives them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from services.k8s_resource.domain.logs.raw_lines import Block


@dataclass(slots=True)
class Group:
    """Consecutive raw lines. `first` is the number of the first one, from 0; `matches` and `cut`
    are indexes."""

    first: int
    lines: list[bytes] = field(default_factory=list)
    matches: list[int] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The number of the line after the last."""
        return self.first + len(self.lines)

    @property
    def size(self) -> int:
        """Bytes of its lines."""
        return sum(map(len, self.lines))

    def by_match(self) -> list[Group]:
        """The group in parts of one match each; those of a group without any, none."""
        ends = [*(index + 1 for index in self.matches[:-1]), len(self.lines)]
        starts = [0, *ends[:-1]]
        return [
            Group(
                self.first + start,
                self.lines[start:end],
                [match - start],
                [index - start for index in self.cut if start <= index < end],
            )
            for match, start, end in zip(self.matches, starts, ends, strict=False)
        ]

    def followed_by(self, other: Group) -> Group:
        """This group and the one that continues it."""
        shift = len(self.lines)
        return Group(
            self.first,
            self.lines + other.lines,
            self.matches + [index + shift for index in other.matches],
            self.cut + [index + shift for index in other.cut],
        )


class Grouper:
    """The groups of one log. What goes on in the next block goes on in a group of its own, which
    begins where the one before ended."""

    def __init__(self, before: int, after: int) -> None:
        self._before = before
        self._after = after
        self._number = 0
        self._earlier: deque[tuple[bytes, bool]] = deque(maxlen=before)
        self._told = 0
        self._wanted = 0

    @property
    def lines(self) -> int:
        """Lines seen so far."""
        return self._number

    @property
    def waits(self) -> bool:
        """Whether lines after the last match are still wanted."""
        return self._wanted > self._number

    def feed(self, block: Block, matches: list[int]) -> list[Group]:
        """The groups of a block of which these lines match."""
        start = self._number
        if not matches and not self.waits:
            self._number += block.data.count(b"\n")
            self._remember(block)
            return []
        lines = block.data[:-1].split(b"\n")
        self._number += len(lines)
        cut = frozenset(block.cut)
        groups: list[Group] = []
        for match in (*matches, None):
            number = self._number if match is None else start + match
            self._extend(groups, lines, start, min(self._wanted, number), cut)
            if match is not None:
                self._begin(groups, lines, start, number, cut)
        self._remember(block)
        return groups

    def _begin(
        self, groups: list[Group], lines: list[bytes], start: int, number: int, cut: frozenset[int]
    ) -> None:
        """Add a match and the lines before it."""
        first = max(self._told, number - self._before, start - len(self._earlier))
        if not groups or groups[-1].end != first:
            groups.append(Group(first))
        group = groups[-1]
        for earlier in range(first, min(start, number)):
            line, was_cut = self._earlier[earlier - start]
            if was_cut:
                group.cut.append(len(group.lines))
            group.lines.append(line)
        self._add(group, lines, max(first, start) - start, number - start, cut)
        group.matches.append(len(group.lines))
        self._add(group, lines, number - start, number - start + 1, cut)
        self._told = number + 1
        self._wanted = number + 1 + self._after

    def _extend(
        self, groups: list[Group], lines: list[bytes], start: int, end: int, cut: frozenset[int]
    ) -> None:
        """Add the lines after a match, up to a number."""
        first = max(self._told, start)
        if first >= end:
            return
        if not groups or groups[-1].end != first:
            groups.append(Group(first))
        self._add(groups[-1], lines, first - start, end - start, cut)
        self._told = end

    def _add(
        self, group: Group, lines: list[bytes], begin: int, end: int, cut: frozenset[int]
    ) -> None:
        if cut:
            group.cut += [
                len(group.lines) + index - begin for index in range(begin, end) if index in cut
            ]
        group.lines += lines[begin:end]

    def _remember(self, block: Block) -> None:
        if not self._before:
            return
        pieces = block.data[:-1].rsplit(b"\n", self._before)
        last = pieces[-self._before :]
        first_index = block.data.count(b"\n") - len(last)
        self._earlier.extend((line, first_index + at in block.cut) for at, line in enumerate(last))
