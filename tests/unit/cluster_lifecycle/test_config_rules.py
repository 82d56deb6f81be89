"""What values a configuration may have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.cluster_lifecycle.domain.config_rules import config_violations, tag_problem
from services.cluster_lifecycle.domain.model import ClusterConfig

GOOD = ClusterConfig(gpu_instance_count=4).with_defaults("demo")


def bad_fields(**changes: object) -> list[str]:
    return [violation.field for violation in config_violations(replace(GOOD, **changes), "c.")]  # type: ignore[arg-type]


@pytest.mark.parametrize("tag", ["a", "demo", "team-7-b", "0801", "a" * 32])
def test_good_tags(tag: str) -> None:
    assert tag_problem(tag) == ""


@pytest.mark.parametrize(
    "tag",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a--b",
        "-a",
        "a-",
        "A",
        "a b",
        "a\n",
        "a;b",
        "$(x)",
        "é",
        "a" * 33,
    ],
)
def test_bad_tags(tag: str) -> None:
    assert tag_problem(tag)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gpu_capacity_az", "us-east-1b"),
        ("gpu_capacity_az", "us-east-1-bos-1a"),
        ("gpu_instance_type", "ml.p6-b200.48xlarge"),
        ("gpu_instance_type", "ml.trn1n.32xlarge"),
        ("gpu_instance_count", 0),
        ("gpu_instance_count", 6758),
        ("training_plan", ""),
        ("training_plan", "my-plan-2026"),
        ("model_bucket", "my.bucket.name"),
        ("eks_cluster_name", "eks_1-a"),
    ],
)
def test_good_values(field: str, value: object) -> None:
    assert bad_fields(**{field: value}) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gpu_capacity_az", "us-west-2a"),
        ("gpu_capacity_az", "us-east-1"),
        ("gpu_capacity_az", "us-east-1a\n"),
        ("gpu_instance_type", "g5.12xlarge"),
        ("gpu_instance_type", "ml.g5.12xlarge;reboot"),
        ("gpu_instance_count", -1),
        ("gpu_instance_count", 6759),
        ("training_plan", "-plan"),
        ("training_plan", "a" * 64),
        ("training_plan", "`id`"),
        ("stack_name", "1stack"),
        ("stack_name", "a" * 129),
        ("stack_name", "full-stack-$CLUSTER_TAG"),
        ("eks_cluster_name", "a'b"),
        ("hyperpod_cluster_name", "ends-"),
        ("mlflow_server_name", "a b"),
        ("model_bucket", "Upper"),
        ("model_bucket", "a..b"),
        ("model_bucket", "192.168.1.1"),
        ("model_bucket", "xn--bucket"),
        ("model_bucket", "bucket-s3alias"),
        ("model_bucket", "ab"),
        ("model_bucket", "../../etc"),
    ],
)
def test_bad_values_are_named(field: str, value: object) -> None:
    assert bad_fields(**{field: value}) == [f"c.{field}"]


def test_all_bad_values_are_told_at_once() -> None:
    assert bad_fields(
        aws_region="mars", gpu_instance_type="x", gpu_instance_count=-1, model_bucket="B"
    ) == [
        "c.aws_region",
        "c.gpu_capacity_az",
        "c.gpu_instance_type",
        "c.gpu_instance_count",
        "c.model_bucket",
    ]


def test_a_long_bad_name_is_judged_quickly() -> None:
    assert bad_fields(training_plan="a-" * 100_000) == ["c.training_plan"]
