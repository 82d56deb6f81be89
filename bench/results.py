"""Findings as they are kept: rounded, compared with the peers, judged by the budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.registry import Curve, Finding, Group, Measured, Point, Row


@dataclass(frozen=True, slots=True)
class Comparison:
    """A peer's figure; None: see `absent`.

    `ratio` is how many times better Podyard is; None if one of the two is nothing at all.
    """

    peer: str
    value: float | None
    ratio: float | None
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """A further figure of a row, with those of the peers that have one."""

    name: str
    unit: str
    ours: float
    peers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Result:
    """A row with its figures; `met` is None where the budget needs a peer that is absent."""

    row: str
    unit: str
    ours: float
    peers: tuple[Comparison, ...]
    beside: tuple[Beside, ...]
    budget: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class CurveResult:
    """A curve with its points."""

    curve: str
    axis: str
    columns: tuple[str, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that one run measured, by name."""

    rows: dict[str, Result]
    curves: dict[str, CurveResult]

    def add(self, group: Group, findings: Mapping[str, Finding]) -> None:
        """KeyError or TypeError if the group did not measure what it promised."""
        for row in group.rows:
            found = findings[row.name]
            if not isinstance(found, Measured):
                raise TypeError(f'"{row.name}" is a row and was measured as a curve')
            self.rows[row.name] = result(row, found)
        for curve in group.curves:
            points = findings[curve.name]
            if isinstance(points, Measured):
                raise TypeError(f'"{curve.name}" is a curve and was measured as a row')
            self.curves[curve.name] = _curve_result(curve, points)


def result(row: Row, measured: Measured) -> Result:
    """The row, compared and judged; KeyError for a peer that is neither measured nor absent."""
    comparisons = []
    for name in row.peers:
        if name in measured.absent:
            comparisons.append(Comparison(name, None, None, measured.absent[name]))
            continue
        value = measured.peers[name]
        better = _ratio(measured.ours, value, row.higher_is_better)
        ratio = rounded(better) if math.isfinite(better) else None
        comparisons.append(Comparison(name, rounded(value), ratio))
    first = measured.peers.get(row.peers[0]) if row.peers else None
    to_first = None if first is None else _ratio(measured.ours, first, row.higher_is_better)
    return Result(
        row=row.name,
        unit=row.unit,
        ours=rounded(measured.ours),
        peers=tuple(comparisons),
        beside=tuple(
            Beside(
                figure.name,
                figure.unit,
                rounded(figure.ours),
                {peer: rounded(value) for peer, value in figure.peers.items()},
            )
            for figure in measured.beside
        ),
        budget=row.budget.text(row.unit),
        met=row.budget.met(measured.ours, first, to_first),
    )


def _curve_result(curve: Curve, points: Sequence[Point]) -> CurveResult:
    for point in points:
        if len(point.values) != len(curve.columns):
            raise TypeError(f'"{curve.name}" has {len(curve.columns)} columns, not {point}')
    kept = tuple(Point(point.at, tuple(map(rounded, point.values))) for point in points)
    return CurveResult(curve.name, curve.axis, curve.columns, kept)


def _ratio(ours: float, peer: float, higher_is_better: bool) -> float:
    """How many times better ours is; infinite where the worse of the two is nothing at all."""
    better, worse = (ours, peer) if higher_is_better else (peer, ours)
    if worse == 0:
        return 1.0 if better == 0 else math.inf
    return better / worse


def rounded(value: float) -> float:
    """Three significant digits: more would be noise."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 2 - math.floor(math.log10(abs(value))))
