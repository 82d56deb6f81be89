"""Tables fitted to a width."""

from __future__ import annotations

import operator

from hypothesis import given
from hypothesis import strategies as st
from podyard.cli.tables import Column, cell_width, cut, layout

Row = dict[str, str]


def column(title: str, rank: int = 0, right: bool = False) -> Column[Row]:
    return Column(title, lambda row: row.get(title, "-"), rank, right)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [{"NAME": "a", "N": "1"}, {"NAME": "longer", "N": "22"}]
    table = layout([column("NAME"), column("N", right=True)], rows, width=None, colored=False)
    assert table.lines == ["NAME     N", "a        1", "longer  22"]


def test_the_highest_rank_goes_first() -> None:
    rows = [{"A": "a" * 10, "B": "b" * 10, "C": "c" * 10}]
    columns = [column("A"), column("B", 2), column("C", 1)]
    assert layout(columns, rows, width=34, colored=False).hidden == []
    assert layout(columns, rows, width=33, colored=False).hidden == ["B"]
    assert layout(columns, rows, width=10, colored=False).hidden == ["B", "C"]


def test_wide_characters_take_two_cells() -> None:
    rows = [{"A": "模型", "B": "x"}, {"A": "ab", "B": "y"}]
    lines = layout([column("A"), column("B")], rows, width=None, colored=False).lines
    assert lines[1:] == ["模型  x", "ab    y"]
    assert cut("模型模型", 5) == "模型…"


def test_colours_do_not_change_the_alignment() -> None:
    painted = Column[Row]("A", lambda row: row["A"], color=lambda text, row: "red")
    lines = layout([painted, column("B")], [{"A": "x", "B": "y"}], width=None, colored=True).lines
    assert lines[1] == "\x1b[31mx\x1b[0m  y"


@given(
    st.lists(st.lists(st.text(max_size=60), min_size=4, max_size=4), min_size=1, max_size=8),
    st.integers(min_value=60, max_value=200),
)
def test_a_table_never_exceeds_its_width(texts: list[list[str]], width: int) -> None:
    columns: list[Column[list[str]]] = [
        Column(f"C{index}", operator.itemgetter(index), rank=index) for index in range(4)
    ]
    table = layout(columns, texts, width=width, colored=False)
    assert len(table.lines) == len(texts) + 1
    assert all(cell_width(line) <= width and line.isprintable() for line in table.lines)
