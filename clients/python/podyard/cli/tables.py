"""Tables of text, fitted to a width.

Own code, because rich's tables take seconds for some thousand rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from podyard.cli.colors import paint

Row = TypeVar("Row")

GAP = 2
_LEAST_WIDTH = 12
# Optional columns go before names are cut, unless the names are very long.
_NAME_WIDTH = 40
_CUT = "…"


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column. `rank` 0 is always shown; of the others, the highest goes first when the
    terminal is narrow. `color` gets the cell's text and the row."""

    title: str
    text: Callable[[Row], str]
    rank: int = 0
    right: bool = False
    color: Callable[[str, Row], str] | None = None


@dataclass(frozen=True)
class Table:
    """Lines to print, the heading first, and the titles of columns that had no room."""

    lines: list[str]
    hidden: list[str]


def layout(
    columns: Sequence[Column[Row]], rows: Sequence[Row], *, width: int | None, colored: bool
) -> Table:
    """Arrange rows in columns within `width` characters; None means there is no limit."""
    cells = [[one_line(column.text(row)) for row in rows] for column in columns]
    widths = [
        max([cell_width(column.title), *(cell_width(cell) for cell in column_cells)])
        for column, column_cells in zip(columns, cells, strict=True)
    ]
    shown = _fitting(columns, widths, width)
    if width is not None:
        _narrow(widths, shown, width)
    last = shown[-1]

    def line(texts: Sequence[str], colors: Sequence[str]) -> str:
        parts = []
        for index in shown:
            text = cut(texts[index], widths[index])
            padding = " " * (widths[index] - cell_width(text))
            painted = paint(text, colors[index]) if colored else text
            if columns[index].right:
                parts.append(padding + painted)
            else:
                parts.append(painted if index == last else painted + padding)
        return (" " * GAP).join(parts)

    lines = [line([column.title for column in columns], ["bold"] * len(columns))]
    for row, texts in zip(rows, zip(*cells, strict=True), strict=True):
        colors = [
            column.color(text, row) if colored and column.color else ""
            for column, text in zip(columns, texts, strict=True)
        ]
        lines.append(line(texts, colors))
    hidden = [column.title for index, column in enumerate(columns) if index not in shown]
    return Table(lines, hidden)


def cell_width(text: str) -> int:
    """Terminal cells that a text takes; wide characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """The text, shortened with an ellipsis to `width` cells."""
    if cell_width(text) <= width:
        return text
    while text and cell_width(text) > width - 1:
        text = text[:-1]
    return text + _CUT


def one_line(text: str) -> str:
    """Without control characters: a name must not move the cursor or forge a row."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else " " if c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _fitting(columns: Sequence[Column[Any]], widths: Sequence[int], width: int | None) -> list[int]:
    shown = list(range(len(columns)))
    if width is None:
        return shown
    while (
        _total([min(widths[i], _NAME_WIDTH) if columns[i].rank == 0 else widths[i] for i in shown])
        > width
    ):
        worst = max(shown, key=lambda i: (columns[i].rank, i))
        if columns[worst].rank == 0:
            break
        shown.remove(worst)
    return shown


def _narrow(widths: list[int], shown: Sequence[int], width: int) -> None:
    """Shorten the widest columns until the row fits, none below a readable least width."""
    excess = _total([widths[i] for i in shown]) - width
    while excess > 0:
        widest = max(shown, key=lambda i: widths[i])
        if widths[widest] <= _LEAST_WIDTH:
            return
        widths[widest] -= 1
        excess -= 1


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
