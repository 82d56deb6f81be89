"""Rows of the table, in groups that share a costly preparation.

A further row is a `Row` in a group's module and a `Measured` in what its function returns; a
further group is a module that calls `register` and is named in `bench.__main__`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """What must hold: a limit on our figure, on the ratio to the peer's, or on both."""

    at_most: float | None = None
    at_least: float | None = None
    ratio_at_least: float | None = None

    def text(self, unit: str) -> str:
        parts = []
        if self.at_most is not None:
            parts.append(f"≤{self.at_most:g} {unit}")
        if self.at_least is not None:
            parts.append(f"≥{self.at_least:g} {unit}")
        if self.ratio_at_least is not None:
            parts.append(f"ratio ≥{self.ratio_at_least:g}")
        return ", ".join(parts)

    def met(self, ours: float, ratio: float) -> bool:
        return (
            (self.at_most is None or ours <= self.at_most)
            and (self.at_least is None or ours >= self.at_least)
            and (self.ratio_at_least is None or ratio >= self.ratio_at_least)
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `about` says what exactly is measured, on both sides."""

    name: str
    unit: str
    peer_name: str
    budget: Budget
    about: str
    higher_is_better: bool = False
    if_missed: str = ""
    """Why the budget may be missed; told where it is."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The two figures of a row, in its unit."""

    ours: float
    peer: float


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. `quick` shows that the measurements work; its figures mean little."""

    quick: bool

    def of(self, full: int, quick: int) -> int:
        """The amount for this scale."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Result:
    """A row with its figures; these are the fields of bench/results.json."""

    row: str
    unit: str
    ours: float
    peer_name: str
    peer: float
    ratio: float
    budget: str
    met: bool


Measure = Callable[[Scale], Mapping[str, Measured]]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows measured together; `measure` returns one `Measured` for each row's name."""

    name: str
    rows: tuple[Row, ...]
    measure: Measure


GROUPS: list[Group] = []


def register(name: str, *rows: Row) -> Callable[[Measure], Measure]:
    """Add a group, whose rows the decorated function measures."""

    def add(measure: Measure) -> Measure:
        GROUPS.append(Group(name, rows, measure))
        return measure

    return add


def result(row: Row, measured: Measured) -> Result:
    """The row with its ratio: how many times better than the peer."""
    ours, peer = measured.ours, measured.peer
    ratio = ours / peer if row.higher_is_better else peer / ours
    return Result(
        row=row.name,
        unit=row.unit,
        ours=_rounded(ours),
        peer_name=row.peer_name,
        peer=_rounded(peer),
        ratio=_rounded(ratio),
        budget=row.budget.text(row.unit),
        met=row.budget.met(ours, ratio),
    )


def _rounded(value: float) -> float:
    """Three significant digits: more would be noise."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 2 - math.floor(math.log10(abs(value))))
