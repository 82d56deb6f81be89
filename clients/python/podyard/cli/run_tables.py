"""Training runs in the columns that the service names."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from podyard.cli.colors import state_color
from podyard.cli.tables import Column
from podyard.cli.times import MISSING, human_duration, local_time
from podyard.cli.words import enum_word


def run_columns(columns: Iterable[Any]) -> list[Column[Any]]:
    """The service's columns in its order; the run's id in place of the buttons, at the end."""
    shown = [_column(c, index) for index, c in enumerate(columns) if _source(c) != "ACTION"]
    return [*shown, Column("RUN ID", lambda run: run.run_id, 0)]


def value_of(run: Any, source: str, key: str) -> str:
    """What a cell shows; "-" for a value that the run lacks."""
    if source == "TAG":
        return str(run.tags.get(key, MISSING))
    if source == "METRIC":
        return number(run.metrics[key]) if key in run.metrics else MISSING
    return _attribute(run, key)


def number(value: float) -> str:
    """Six significant digits at most, without useless zeros."""
    return f"{value:.6g}"


def color_of(run: Any, column: Any, text: str) -> str:
    """The colour of the first rule that fits; "" without a value."""
    if text == MISSING:
        return "dim"
    if _source(column) == "ATTRIBUTE" and column.key == "status":
        return state_color(text)
    for rule in column.color_rules:
        if _fits(rule, text):
            return str(rule.color)
    return ""


def _fits(rule: Any, text: str) -> bool:
    condition = rule.WhichOneof("condition")
    if condition == "contains":
        return rule.contains in text
    if condition == "otherwise":
        return True
    try:
        value = float(text)
    except ValueError:
        return False
    return bool(value >= rule.at_least if condition == "at_least" else value < rule.less_than)


def _column(column: Any, index: int) -> Column[Any]:
    source, key = _source(column), column.key
    return Column(
        " ".join(column.title.split()).upper(),
        lambda run: value_of(run, source, key),
        # Names and status stay longest on a narrow terminal; tags go first, from the right.
        rank=_RANKS.get(key, 3)
        if source == "ATTRIBUTE"
        else 4
        if source == "METRIC"
        else 5 + index,
        right=source == "METRIC",
        color=lambda text, run: color_of(run, column, text),
    )


_RANKS = {"run_name": 0, "status": 0, "experiment_name": 2, "duration": 1, "start_time": 3}


def _source(column: Any) -> str:
    return enum_word(column, "source")


def _attribute(run: Any, key: str) -> str:
    if key not in run.DESCRIPTOR.fields_by_name:
        return MISSING
    field = run.DESCRIPTOR.fields_by_name[key]
    if field.enum_type is not None:
        return enum_word(run, key)
    if field.message_type is None:
        return str(getattr(run, key)) or MISSING
    if field.message_type.name == "Timestamp":
        return local_time(run, key)
    if not run.HasField(key):
        return MISSING
    duration: datetime.timedelta = getattr(run, key).ToTimedelta()
    return human_duration(duration.total_seconds())
