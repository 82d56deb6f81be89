"""Order expressions and sort keys, against a plain definition of the order."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgumentError
from services.training_history.domain.cache import RunCache
from services.training_history.domain.compaction import Compactor
from services.training_history.domain.model import Run, RunStatus
from services.training_history.domain.ordering import (
    DEFAULT_ORDER,
    Family,
    OrderColumn,
    parse_order,
    sort_key,
)
from services.training_history.domain.views import RunView, RunViews, Selection

NOW = 1_000_000
TEXTS = st.text(max_size=5) | st.sampled_from(
    ["", "a", "ab", "a\x00", "a\x00b", "ä", "𐍈", "10", "9"]
)
NUMBERS = st.floats() | st.sampled_from([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan])
TIMES = st.none() | st.integers(-(10**15), 10**15)


def make_run(run_id: str, **fields: Any) -> Run:
    values: dict[str, Any] = {
        "experiment_id": "1",
        "run_name": "",
        "status": RunStatus.FINISHED,
        "start_ms": None,
        "end_ms": None,
        "user": "",
        "artifact_uri": "",
        "metrics": [],
        "params": [],
        "tags": [],
    }
    return Compactor().run(run_id=run_id, **(values | fields))


RUNS = st.builds(
    lambda run_id, metric, tag, **fields: make_run(
        run_id,
        metrics=[] if metric is None else [("m", metric)],
        tags=[] if tag is None else [("t", tag)],
        **fields,
    ),
    run_id=st.text("abc", min_size=1, max_size=3),
    metric=st.none() | NUMBERS,
    tag=st.none() | TEXTS,
    run_name=TEXTS,
    status=st.sampled_from(RunStatus),
    start_ms=TIMES,
    end_ms=TIMES,
)
COLUMNS = [
    OrderColumn(family, key, descending)
    for family, key in [
        (Family.ATTRIBUTE, "start_time"),
        (Family.ATTRIBUTE, "duration"),
        (Family.ATTRIBUTE, "run_name"),
        (Family.ATTRIBUTE, "status"),
        (Family.METRIC, "m"),
        (Family.TAG, "t"),
    ]
    for descending in (False, True)
]
ORDERS = st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=3).map(tuple)


def compare(left: Run, right: Run, order: tuple[OrderColumn, ...]) -> int:
    """The order as it is specified: value by value, missing ones last, ties by run id."""
    for column in order:
        a, b = value(left, column.key), value(right, column.key)
        ranks = rank(a), rank(b)
        if ranks[0] != ranks[1]:
            return -1 if ranks[0] < ranks[1] else 1
        if ranks[0] == 0 and a != b:
            return (-1 if a < b else 1) * (-1 if column.descending else 1)
    return (left.run_id > right.run_id) - (left.run_id < right.run_id)


def rank(value: Any) -> int:
    if value is None:
        return 2
    return 1 if isinstance(value, float) and math.isnan(value) else 0


def value(run: Run, key: str) -> Any:
    match key:
        case "start_time":
            return run.start_ms
        case "duration":
            return run.duration_ms(NOW)
        case "run_name":
            return run.run_name or None
        case "status":
            return run.status.value
        case "m":
            return run.metric("m")
    text = run.tag("t")
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return (1, text)
    return (1, text) if math.isnan(number) else (0, number)


@given(st.lists(RUNS, unique_by=lambda run: run.run_id, max_size=12), ORDERS)
def test_keys_sort_as_specified(runs: list[Run], order: tuple[OrderColumn, ...]) -> None:
    key = sort_key(order, lambda _: "")
    by_key = sorted(runs, key=lambda run: (key(run, NOW), run.run_id))

    def rule(left: Run, right: Run) -> int:
        return compare(left, right, order)

    by_rule = sorted(runs, key=functools.cmp_to_key(rule))
    assert [run.run_id for run in by_key] == [run.run_id for run in by_rule]


@given(
    st.lists(st.tuples(RUNS, st.booleans()), max_size=30),
    ORDERS,
    st.frozensets(st.sampled_from(RunStatus), max_size=3),
)
def test_views_follow_changes(
    steps: list[tuple[Run, bool]], order: tuple[OrderColumn, ...], statuses: frozenset[RunStatus]
) -> None:
    """A view kept up to date equals one made anew, and its pages hold every run once."""
    cache = RunCache()
    views = RunViews(cache)
    selection = Selection(statuses=statuses)
    view = views.get(selection, order)
    for number, (run, remove) in enumerate(steps):
        if remove:
            cache.remove([run.run_id])
        else:
            cache.put([run], read_at=number)
    anew = RunView(selection, order, sort_key(order, cache.experiment_name))
    anew.fill(cache.runs.values())
    expected, more = anew.after(None, 1000, NOW)
    assert not more
    assert view.after(None, 1000, NOW) == (expected, False)
    assert len(view) == len(expected)
    assert {run_id for _, run_id in expected} == {
        run.run_id for run in cache.runs.values() if not statuses or run.status in statuses
    }
    paged: list[Any] = []
    more = True
    while more:
        page, more = view.after(paged[-1] if paged else None, 3, NOW)
        paged += page
    assert paged == expected


def test_least_used_views_are_dropped() -> None:
    cache = RunCache()
    cache.put([make_run(f"r{n}") for n in range(10)], read_at=0)
    views = RunViews(cache, max_entries=25)
    orders = [parse_order(text) for text in ("run_name", "status", "duration")]
    first, second, third = (views.get(Selection(), order) for order in orders)
    assert views.get(Selection(), orders[1]) is second
    assert views.get(Selection(), orders[2]) is third
    assert views.get(Selection(), orders[0]) is not first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", DEFAULT_ORDER),
        ("  ", DEFAULT_ORDER),
        ("duration", (OrderColumn(Family.ATTRIBUTE, "duration", False),)),
        ("start_time  DESC", (OrderColumn(Family.ATTRIBUTE, "start_time", True),)),
        (
            "metrics.eval/loss asc ,tags.model desc",
            (
                OrderColumn(Family.METRIC, "eval/loss", False),
                OrderColumn(Family.TAG, "model", True),
            ),
        ),
        ("params.`a, b` desc", (OrderColumn(Family.PARAM, "a, b", True),)),
        ('tags."mlflow.user"', (OrderColumn(Family.TAG, "mlflow.user", False),)),
        ("tags.mlflow.user", (OrderColumn(Family.TAG, "mlflow.user", False),)),
    ],
)
def test_orders_that_can_be_read(text: str, expected: tuple[OrderColumn, ...]) -> None:
    assert parse_order(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("colour", 'unknown column "colour"'),
        ("metrics.", 'unknown column "metrics."'),
        ("run_name sideways", 'direction "sideways"'),
        ("run_name desc desc", "character 1"),
        ("run_name,,status", "character 10"),
        (",", "character 1"),
        ("run_name; DROP TABLE", "character 1"),
        ("tags.`open", "character 1"),
        ("a, b", 'unknown column "a"'),
        ("status,status,status,status,status", "at most 4"),
    ],
)
def test_orders_that_cannot_be_read(text: str, complaint: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_order(text)
    assert complaint in caught.value.message
    assert [violation.field for violation in caught.value.violations] == ["order_by"]


@given(st.text(max_size=60))
def test_any_text_is_an_order_or_a_clear_error(text: str) -> None:
    try:
        parse_order(text)
    except InvalidArgumentError as error:
        assert error.violations[0].field == "order_by"  # noqa: PT017
