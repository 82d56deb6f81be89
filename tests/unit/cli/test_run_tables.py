"""Cells and colours of the table of runs."""

from __future__ import annotations

import pytest
from podyard.cli.run_tables import color_of, number, run_columns, value_of
from podyard.training_history.v1 import training_history_service_pb2 as pb


def replica_count() -> pb.Column:
    column = pb.Column(key="replica_count", source=pb.COLUMN_SOURCE_TAG, title="Replica\nCount")
    column.color_rules.add(at_least=4, color="red")
    column.color_rules.add(at_least=2, color="orange")
    column.color_rules.add(otherwise=True, color="green")
    return column


@pytest.mark.parametrize(
    ("text", "color"),
    [("8", "red"), ("4", "red"), ("2", "orange"), ("1", "green"), ("many", "green"), ("-", "dim")],
)
def test_the_first_rule_that_fits_wins(text: str, color: str) -> None:
    assert color_of(pb.Run(), replica_count(), text) == color


def test_a_rule_on_text_and_no_rule_at_all() -> None:
    column = pb.Column(key="instance_type", source=pb.COLUMN_SOURCE_TAG)
    column.color_rules.add(contains="g5", color="green")
    assert color_of(pb.Run(), column, "ml.g5.12xlarge") == "green"
    assert color_of(pb.Run(), column, "ml.p4d.24xlarge") == ""


def test_missing_values_are_dashes_and_zero_is_not_missing() -> None:
    run = pb.Run(metrics={"loss": 0.0}, tags={"model": ""})
    assert value_of(run, "METRIC", "loss") == "0"
    assert value_of(run, "METRIC", "other") == "-"
    assert value_of(run, "TAG", "other") == "-"
    assert value_of(run, "ATTRIBUTE", "run_name") == "-"
    assert value_of(run, "ATTRIBUTE", "a_field_of_a_newer_service") == "-"
    run.duration.seconds = 192
    run.status = pb.RUN_STATUS_FAILED
    assert value_of(run, "ATTRIBUTE", "duration") == "3m12s"
    assert value_of(run, "ATTRIBUTE", "status") == "FAILED"


def test_columns_keep_the_services_order_and_end_with_the_id() -> None:
    columns = [
        pb.Column(key="run_name", source=pb.COLUMN_SOURCE_ATTRIBUTE, title="Run Name"),
        replica_count(),
        pb.Column(source=pb.COLUMN_SOURCE_ACTION, title="Actions"),
    ]
    assert [c.title for c in run_columns(columns)] == ["RUN NAME", "REPLICA COUNT", "RUN ID"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.23456789, "1.23457"), (2.0, "2"), (1e-9, "1e-09"), (float("nan"), "nan"), (0, "0")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text
