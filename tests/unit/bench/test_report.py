"""Rows and curves: compared, judged and written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.registry import Budget, Curve, Figure, Group, Measured, Point, Row
from bench.report import terminal_table, write_document, write_results
from bench.results import Results, result

ROW = Row(
    name="list",
    unit="ms",
    peers=("kubectl", "raw"),
    budget=Budget(at_most=3, ratio_at_least=10),
    about="How.",
    if_missed="Why.",
)
CURVE = Curve("Pods", "pods", ("p50, ms", "RSS, MB"), "At growing numbers.")


@pytest.mark.parametrize(
    ("budget", "ours", "peer", "met"),
    [
        (Budget(at_most=3), 3.0, None, True),
        (Budget(at_most=3), 3.1, None, False),
        (Budget(at_least=3), 2.9, 1.0, False),
        (Budget(at_most=3, ratio_at_least=2), 2.0, 4.0, True),
        (Budget(at_most=3, ratio_at_least=2), 2.0, 3.9, False),
        (Budget(ratio_at_least=2), 2.0, None, None),
        (Budget(at_most=1, ratio_at_least=2), 2.0, None, False),
        (Budget(above_peer_at_most=10), 30.0, 20.0, True),
        (Budget(above_peer_at_most=10), 30.1, 20.0, False),
        (Budget(above_peer_at_most=10), 30.1, None, None),
    ],
)
def test_a_budget_judges_what_it_states(
    budget: Budget, ours: float, peer: float | None, met: bool | None
) -> None:
    row = Row("r", "ms", ("p",) if peer is not None else (), budget, "")
    found = result(row, Measured(ours, {} if peer is None else {"p": peer}))
    assert found.met is met


def test_the_ratio_says_how_many_times_better_whichever_way_is_better() -> None:
    lower = result(ROW, Measured(2.0, {"kubectl": 200.0, "raw": 1.0}))
    assert [peer.ratio for peer in lower.peers] == [100, 0.5]
    rate = Row("rate", "calls/s", ("bare",), Budget(), "", higher_is_better=True)
    assert result(rate, Measured(75.0, {"bare": 100.0})).peers[0].ratio == 0.75
    lost = Row("lost", "events", ("kubectl",), Budget(at_most=0), "")
    assert result(lost, Measured(0, {"kubectl": 0})).peers[0].ratio == 1
    assert result(lost, Measured(0, {"kubectl": 9})).peers[0].ratio is None


def test_a_peer_that_is_neither_measured_nor_absent_is_an_error() -> None:
    with pytest.raises(KeyError):
        result(ROW, Measured(2.0, {"kubectl": 200.0}))
    found = result(ROW, Measured(2.0, {"raw": 1.0}, absent={"kubectl": "not built"}))
    assert found.peers[0].absent == "not built"
    assert found.met is None


def test_a_group_must_measure_all_that_it_promised() -> None:
    group = Group("g", (ROW,), (CURVE,), lambda _: {})
    measured = Measured(2.0, {"kubectl": 200.0, "raw": 1.0})
    with pytest.raises(KeyError):
        Results({}, {}).add(group, {ROW.name: measured})
    with pytest.raises(TypeError, match="2 columns"):
        Results({}, {}).add(group, {ROW.name: measured, CURVE.name: [Point(5, (1.0,))]})


def test_the_tables_show_figures_peers_reasons_and_curves(tmp_path: Path) -> None:
    other = Row("never measured", "s", (), Budget(), "")
    group = Group("g", (ROW, other), (CURVE,), lambda _: {})
    results = Results({}, {})
    measured = Measured(
        5.0,
        {"raw": 1234.0},
        (Figure("CPU", 4.04, "%", {"raw": 8.0}),),
        {"kubectl": "not built here"},
    )
    points = [Point(500, (1.23456, 100.0)), Point(10_000, (2.0, 12345.0))]
    results.rows[ROW.name] = result(ROW, measured)
    Results(results.rows, results.curves).add(
        Group("curve", (), (CURVE,), lambda _: {}), {CURVE.name: points}
    )

    document, kept = tmp_path / "docs" / "performance.md", tmp_path / "results.json"
    write_document([group], results, "a machine", document)
    write_results(results, kept)

    text = document.read_text()
    assert (
        "| list | 5 ms | ≤3 ms, ratio ≥10 | **no** | kubectl: not measured; "
        "raw 1,230 ms (247×) | CPU 4.04 % (raw 8 %) |"
    ) in text
    assert "| 10,000 | 2 | 12,300 |" in text
    assert "- **list**: kubectl: not built here" in text
    assert "- **list**: Why." in text
    assert "- never measured" in text
    assert json.loads(kept.read_text())["rows"][0]["met"] is False
    assert "raw 1,23" in terminal_table(results)
