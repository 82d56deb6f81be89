"""What a correct log tail is, as a check of what one subscriber was sent.

Writers number the lines of each container. A subscriber must be sent each number once, in order,
from the first to the last. Numbers may only be left out where a GAP was told for the container.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

Container = tuple[str, str]
"""Pod and container."""


@dataclass
class TailCheck:
    """Takes what one subscriber is sent, in order. `problems` is empty if all of it was right."""

    name: str
    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _next: dict[Container, int] = field(default_factory=dict)
    _gaps: set[Container] = field(default_factory=set)

    def line(self, container: Container, text: str) -> None:
        """A line, which begins with its number."""
        number = int(text.split(" ", 1)[0])
        expected = self._next.get(container, 0)
        self.counts["seen"] += 1
        if number < expected:
            self.counts["repeated"] += 1
            self.problems.append(f"{container}: {number} again, {expected} was next")
            return
        if number > expected:
            missing = number - expected
            if container in self._gaps:
                self.counts["in told gaps"] += missing
            else:
                self.counts["lost"] += missing
                self.problems.append(f"{container}: {number} after {expected - 1}, no GAP told")
        self._gaps.discard(container)
        self._next[container] = number + 1

    def gap(self, container: Container) -> None:
        """Lines may be missing here."""
        self.counts["gaps"] += 1
        self._gaps.add(container)

    def has_all(self, written: dict[Container, int]) -> bool:
        """Whether the last line of each container was sent."""
        return all(self._next.get(of, 0) >= count for of, count in written.items())

    def behind(self, written: dict[Container, int]) -> dict[Container, tuple[int, int]]:
        """What was expected next, and what is written, where something is missing."""
        return {
            of: (self._next.get(of, 0), count)
            for of, count in written.items()
            if self._next.get(of, 0) < count
        }
