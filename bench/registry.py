"""What is measured: rows of the table and growth curves, in groups that share a preparation.

A further row is a `Row` in a group's module and a `Measured` in what its function returns; a
further group is a module that calls `register` and is named in `bench.__main__`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Budget:
    """What must hold: limits on our figure, on its ratio to the first peer's, or on both."""

    at_most: float | None = None
    at_least: float | None = None
    ratio_at_least: float | None = None
    above_peer_at_most: float | None = None
    """How much more than the first peer's figure ours may be, in the row's unit."""

    def text(self, unit: str) -> str:
        parts = []
        if self.at_most is not None:
            parts.append(f"≤{self.at_most:,g} {unit}".rstrip())
        if self.at_least is not None:
            parts.append(f"≥{self.at_least:,g} {unit}".rstrip())
        if self.ratio_at_least is not None:
            parts.append(f"ratio ≥{self.ratio_at_least:,g}")
        if self.above_peer_at_most is not None:
            parts.append(f"≤peer + {self.above_peer_at_most:,g} {unit}".rstrip())
        return ", ".join(parts)

    def met(self, ours: float, peer: float | None, ratio: float | None) -> bool | None:
        """Whether all of it holds; None if it speaks of a peer that was not measured."""
        limits = [
            self.at_most is None or ours <= self.at_most,
            self.at_least is None or ours >= self.at_least,
        ]
        if self.ratio_at_least is not None and ratio is not None:
            limits.append(ratio >= self.ratio_at_least)
        if self.above_peer_at_most is not None and peer is not None:
            limits.append(ours <= peer + self.above_peer_at_most)
        if not all(limits):
            return False
        needs_peer = self.ratio_at_least is not None or self.above_peer_at_most is not None
        return None if needs_peer and peer is None else True


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `about` says what exactly is measured, on all sides."""

    name: str
    unit: str
    peers: tuple[str, ...]
    """Whoever does the same, measured in the same run; the budget's ratio is to the first."""
    budget: Budget
    about: str
    higher_is_better: bool = False
    if_missed: str = ""
    """Why the budget may be missed; told where it is."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a row's measurement cost or showed besides, such as processor time or memory."""

    name: str
    ours: float
    unit: str
    peers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of a row, in its unit; `absent` tells why a peer has none."""

    ours: float
    peers: Mapping[str, float] = field(default_factory=dict)
    beside: tuple[Figure, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Curve:
    """Figures that depend on an amount: a small table of its own."""

    name: str
    axis: str
    columns: tuple[str, ...]
    """Titles with units."""
    about: str


@dataclass(frozen=True, slots=True)
class Point:
    """One line of a curve: the amount, and a value for each column."""

    at: int
    values: tuple[float, ...]


Finding = Measured | Sequence[Point]
"""Of a row, or of a curve."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. `quick` shows that the measurements work; its figures mean little."""

    quick: bool

    def of(self, full: int, quick: int) -> int:
        """The amount for this scale."""
        return quick if self.quick else full


Measure = Callable[[Scale], Mapping[str, Finding]]


@dataclass(frozen=True, slots=True)
class Group:
    """What is measured together; `measure` returns a finding for each row and curve by name."""

    name: str
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...]
    measure: Measure


GROUPS: list[Group] = []


def register(name: str, *entries: Row | Curve) -> Callable[[Measure], Measure]:
    """Add a group, whose rows and curves the decorated function measures."""

    def add(measure: Measure) -> Measure:
        rows = tuple(entry for entry in entries if isinstance(entry, Row))
        curves = tuple(entry for entry in entries if isinstance(entry, Curve))
        GROUPS.append(Group(name, rows, curves, measure))
        return measure

    return add
