"""The table of the contract page, and its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.training_history.adapters.columns_file import ColumnsFileError, read_columns_file
from services.training_history.domain.columns import ColorRule, ColumnConfig, ColumnSource, lay_out

TAGS = [
    "zebra",
    "deepspeed_conf",
    "cutoff_len",
    "batch_size",
    "proc_per_node",
    "replica_count",
    "instance_type",
    "dataset",
    "model",
    "apple",
]


def test_default_table_is_the_contract_pages() -> None:
    layout = lay_out(ColumnConfig(), TAGS)
    assert [(column.title, column.source.name, column.width) for column in layout.columns] == [
        ("Experiment", "ATTRIBUTE", 0),
        ("Run Name", "ATTRIBUTE", 0),
        ("Status", "ATTRIBUTE", 0),
        ("Model", "TAG", 140),
        ("Dataset", "TAG", 120),
        ("Instance\nType", "TAG", 130),
        ("Replica\nCount", "TAG", 100),
        ("Proc Per\nNode", "TAG", 100),
        ("Batch\nSize", "TAG", 100),
        ("Cutoff\nLen", "TAG", 100),
        ("DeepSpeed\nConf", "TAG", 120),
        ("apple", "TAG", 100),
        ("zebra", "TAG", 100),
        ("Samples/s", "METRIC", 0),
        ("Steps/s", "METRIC", 0),
        ("Start Time", "ATTRIBUTE", 0),
        ("Duration", "ATTRIBUTE", 0),
        ("Actions", "ACTION", 0),
    ]
    assert layout.table_width == 600 + 110 * 10
    keys = {column.title: column.key for column in layout.columns}
    assert keys["Samples/s"] == "train_samples_per_second"
    assert keys["Steps/s"] == "train_steps_per_second"


def test_only_tags_that_runs_have_become_columns() -> None:
    layout = lay_out(ColumnConfig(), ["model"])
    assert [c.key for c in layout.columns if c.source is ColumnSource.TAG] == ["model"]
    assert layout.table_width == 1400


def color(key: str, value: str) -> str:
    """As a front end applies the rules: the first that fits wins."""
    for rule in ColumnConfig().colors[key]:
        if (
            (rule.contains is not None and rule.contains in value)
            or (rule.at_least is not None and float(value) >= rule.at_least)
            or (rule.less_than is not None and float(value) < rule.less_than)
            or rule == ColorRule(rule.color)
        ):
            return rule.color
    raise AssertionError("no rule fits")


def test_default_colours_are_the_contract_pages() -> None:
    assert [
        color("instance_type", f"ml.{name}.xlarge") for name in ("g5", "p4d", "p3", "p5", "g6")
    ] == ["green", "blue", "orange", "default", "default"]
    assert [color("replica_count", n) for n in ("1", "2", "3", "4", "9")] == [
        "green",
        "orange",
        "orange",
        "red",
        "red",
    ]
    assert [color("train_samples_per_second", n) for n in ("2.0", "1", "0.7", "0.5", "0.49")] == [
        "green",
        "orange",
        "default",
        "default",
        "red",
    ]


def test_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "columns.yaml"
    file.write_text(
        """
        tag_order: [dataset, team, model]
        hidden_tags: [zebra]
        titles: {team: "Team\\nName"}
        widths: {team: 90, model: 200}
        colors:
          batch_size: [{at_least: 8, color: purple}, {color: default}]
        table_min_width: 1000
        """
    )
    layout = lay_out(read_columns_file(file), [*TAGS, "team"])
    tags = {c.key: c for c in layout.columns if c.source is ColumnSource.TAG}
    assert list(tags)[:5] == ["dataset", "team", "model", "apple", "batch_size"]
    assert "zebra" not in tags
    assert (tags["team"].title, tags["team"].width) == ("Team\nName", 90)
    assert (tags["model"].title, tags["model"].width) == ("Model", 200)
    assert tags["instance_type"].title == "Instance\nType"
    assert [rule.color for rule in tags["batch_size"].color_rules] == ["purple", "default"]
    assert [rule.color for rule in tags["replica_count"].color_rules] == ["red", "orange", "green"]
    assert lay_out(read_columns_file(file), []).table_width == 1000


def test_json_and_empty_files(tmp_path: Path) -> None:
    (tmp_path / "columns.json").write_text('{"default_tag_width": 77}')
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert read_columns_file(tmp_path / "columns.json").default_tag_width == 77
    assert read_columns_file(tmp_path / "empty.yaml") == ColumnConfig()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("colour: {}", "colour"),
        ("widths: {model: wide}", r"\$.widths"),
        ("widths: {model: -1}", r"\$.widths"),
        ("tag_order: model", r"\$.tag_order"),
        ("colors: {model: [{color: red, at_least: 1, less_than: 2}]}", "more than one of"),
        ("colors: {model: [{at_least: 1}]}", "color"),
        ("after_tags: [{key: x, source: moon, title: X}]", "moon"),
        ("[a, b]", "mapping"),
        ("a: [", "cannot be read"),
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_bad_files_say_where_they_are_wrong(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "columns.yaml"
    file.write_text(content)
    with pytest.raises(ColumnsFileError, match=complaint) as caught:
        read_columns_file(file)
    assert str(file) in str(caught.value)
