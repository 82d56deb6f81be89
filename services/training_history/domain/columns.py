"""The columns of a table of runs: which, in which order, with titles, widths and colours.

All of it is configuration (`ColumnConfig`, whose defaults are the existing table's); the columns
of tags are found in the runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import msgspec

Pixels = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class ColumnSource(Enum):
    """Where a column's value is found in a run."""

    ATTRIBUTE = "attribute"
    TAG = "tag"
    METRIC = "metric"
    ACTION = "action"


class ColorRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A colour for the values that meet the condition; without one, for all values."""

    color: str
    contains: str | None = None
    at_least: float | None = None
    less_than: float | None = None

    def __post_init__(self) -> None:
        if sum(c is not None for c in (self.contains, self.at_least, self.less_than)) > 1:
            raise ValueError("has more than one of contains, at_least, less_than; write two rules")


class FixedColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column that every table has, before or after those of the tags."""

    key: str
    source: ColumnSource
    title: str
    width: Pixels = 0


class ColumnConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be configured. Widths in CSS pixels; 0 leaves a width to the table."""

    before_tags: tuple[FixedColumn, ...] = (
        FixedColumn("experiment_name", ColumnSource.ATTRIBUTE, "Experiment"),
        FixedColumn("run_name", ColumnSource.ATTRIBUTE, "Run Name"),
        FixedColumn("status", ColumnSource.ATTRIBUTE, "Status"),
    )
    after_tags: tuple[FixedColumn, ...] = (
        FixedColumn("train_samples_per_second", ColumnSource.METRIC, "Samples/s"),
        FixedColumn("train_steps_per_second", ColumnSource.METRIC, "Steps/s"),
        FixedColumn("start_time", ColumnSource.ATTRIBUTE, "Start Time"),
        FixedColumn("duration", ColumnSource.ATTRIBUTE, "Duration"),
        FixedColumn("actions", ColumnSource.ACTION, "Actions"),
    )
    tag_order: tuple[str, ...] = (
        "model",
        "dataset",
        "instance_type",
        "replica_count",
        "proc_per_node",
        "batch_size",
        "cutoff_len",
        "deepspeed_conf",
    )
    """These tags come first, where any run has them; the others follow by name."""
    hidden_tags: frozenset[str] = frozenset()
    titles: dict[str, str] = msgspec.field(
        default_factory=lambda: {
            "model": "Model",
            "dataset": "Dataset",
            "instance_type": "Instance\nType",
            "replica_count": "Replica\nCount",
            "proc_per_node": "Proc Per\nNode",
            "batch_size": "Batch\nSize",
            "cutoff_len": "Cutoff\nLen",
            "deepspeed_conf": "DeepSpeed\nConf",
        }
    )
    """Of tags; a tag without one is headed by its key."""
    widths: dict[str, Pixels] = msgspec.field(
        default_factory=lambda: {
            "model": 140,
            "dataset": 120,
            "instance_type": 130,
            "deepspeed_conf": 120,
        }
    )
    """Of tags."""
    default_tag_width: Pixels = 100
    colors: dict[str, tuple[ColorRule, ...]] = msgspec.field(
        default_factory=lambda: {
            "instance_type": (
                ColorRule("green", contains="g5"),
                ColorRule("blue", contains="p4d"),
                ColorRule("orange", contains="p3"),
                ColorRule("default"),
            ),
            "replica_count": (
                ColorRule("red", at_least=4),
                ColorRule("orange", at_least=2),
                ColorRule("green"),
            ),
            "train_samples_per_second": (
                ColorRule("green", at_least=2.0),
                ColorRule("orange", at_least=1.0),
                ColorRule("red", less_than=0.5),
                ColorRule("default"),
            ),
        }
    )
    """By key, of any column; the first rule that fits wins."""
    table_min_width: Pixels = 1400
    table_base_width: Pixels = 600
    table_width_per_tag: Pixels = 110
    """The table is max(table_min_width, table_base_width + table_width_per_tag × tags) wide."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    key: str
    source: ColumnSource
    title: str
    width: int
    color_rules: tuple[ColorRule, ...]


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """The columns from left to right, and the table's width."""

    columns: tuple[Column, ...]
    table_width: int


def lay_out(config: ColumnConfig, tag_keys: Iterable[str]) -> ColumnLayout:
    """The table for runs that have these business tags."""
    found = set(tag_keys) - config.hidden_tags
    tags = [key for key in dict.fromkeys(config.tag_order) if key in found]
    tags += sorted(found.difference(tags))
    columns = [
        *(_fixed(config, column) for column in config.before_tags),
        *(_tag(config, key) for key in tags),
        *(_fixed(config, column) for column in config.after_tags),
    ]
    width = config.table_base_width + config.table_width_per_tag * len(tags)
    return ColumnLayout(tuple(columns), max(config.table_min_width, width))


def merge(defaults: ColumnConfig, changes: ColumnConfig, named: Iterable[str]) -> ColumnConfig:
    """`defaults` with the settings `named` taken from `changes`; titles, widths and colours are
    merged key by key, everything else is replaced."""
    values = {}
    for name in named:
        value = getattr(changes, name)
        values[name] = getattr(defaults, name) | value if isinstance(value, dict) else value
    return msgspec.structs.replace(defaults, **values)


def _fixed(config: ColumnConfig, column: FixedColumn) -> Column:
    return Column(
        column.key, column.source, column.title, column.width, config.colors.get(column.key, ())
    )


def _tag(config: ColumnConfig, key: str) -> Column:
    return Column(
        key,
        ColumnSource.TAG,
        config.titles.get(key, key),
        config.widths.get(key, config.default_tag_width),
        config.colors.get(key, ()),
    )
