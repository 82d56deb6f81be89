"""The panel's form, its units and words."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from podyard.cluster_lifecycle.v1 import cluster_pb2 as pb
from podyard.common.v1 import operation_pb2
from podyard.training_history.v1 import training_history_service_pb2 as history_pb

from gateway.compat.config_form import derived_tag, given_tag, read_config
from gateway.compat.history import duration_text, run_to_json
from gateway.compat.logs import Position, Positions
from gateway.compat.status import configure_to_json, launch_to_json
from services.common.errors import InvalidArgumentError

TODAY: dict[str, Any] = {
    "clusterTag": "demo",
    "awsRegion": "us-west-2",
    "gpuCapacityAz": "us-west-2a",
    "gpuInstanceType": "ml.p5.48xlarge",
    "gpuInstanceCount": 2,
    "enableFtp": True,
    "ftpName": "plan-1",
}
EARLIER: dict[str, Any] = {
    "cloudFormationFullStackName": "hyperpod-instantstart-stack-0821",
    "awsRegion": "us-east-1",
    "eksClusterName": "eks-cluster-2",
    "hpClusterName": "hp-cluster-2",
    "enableFtp": False,
    "gpuCapacityAz": "us-east-1a",
    "gpuInstanceType": "ml.g5.12xlarge",
    "gpuInstanceCount": "4",
    "deployModelS3Bucket": "my-bucket",
}


def test_todays_form() -> None:
    assert given_tag(TODAY) == "demo"
    assert read_config(TODAY, None) == pb.ClusterConfig(
        aws_region="us-west-2",
        gpu_capacity_az="us-west-2a",
        gpu_instance_type="ml.p5.48xlarge",
        gpu_instance_count=2,
        training_plan="plan-1",
    )


def test_the_earlier_form() -> None:
    assert given_tag(EARLIER) == ""
    config = read_config(EARLIER, None)
    assert config.stack_name == "hyperpod-instantstart-stack-0821"
    assert config.eks_cluster_name == "eks-cluster-2"
    assert config.hyperpod_cluster_name == "hp-cluster-2"
    assert config.model_bucket == "my-bucket"
    assert (config.gpu_instance_count, config.training_plan) == (4, "")


def test_what_the_form_does_not_have_stays() -> None:
    present = pb.ClusterConfig(stack_name="s", training_plan="p", gpu_instance_count=9)
    config = read_config({"clusterTag": "demo", "awsRegion": "us-east-2"}, present)
    assert config == pb.ClusterConfig(
        aws_region="us-east-2", stack_name="s", training_plan="p", gpu_instance_count=9
    )


@pytest.mark.parametrize(
    ("change", "plan"),
    [
        ({"enableFtp": False}, ""),
        ({"enableFtp": "false", "ftpName": "x"}, ""),
        ({"enableFtp": None, "ftpName": "x"}, "x"),
        ({"enableFtp": "true", "ftpName": " x "}, "x"),
    ],
)
def test_training_plan(change: dict[str, Any], plan: str) -> None:
    assert read_config({**TODAY, **change}, None).training_plan == plan


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"gpuInstanceCount": "many"}, "gpuInstanceCount"),
        ({"gpuInstanceCount": -1}, "gpuInstanceCount"),
        ({"gpuInstanceCount": True}, "gpuInstanceCount"),
        ({"gpuInstanceCount": 1.5}, "gpuInstanceCount"),
        ({"awsRegion": 7}, "awsRegion"),
        ({"enableFtp": "perhaps"}, "enableFtp"),
        ({"enableFtp": True, "ftpName": ""}, "ftpName"),
    ],
)
def test_bad_values_name_their_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_config({**TODAY, **change}, None)
    assert [violation.field for violation in caught.value.violations] == [field]


@pytest.mark.parametrize("form", [{}, {"clusterTag": ""}, {"awsRegion": "us-east-1"}])
def test_a_form_that_names_no_cluster_is_refused(form: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="clusterTag"):
        given_tag(form)


def cluster(tag: str, stack: str) -> pb.Cluster:
    return pb.Cluster(tag=tag, config=pb.ClusterConfig(stack_name=stack))


def test_a_form_without_tag_means_the_cluster_with_its_stack() -> None:
    clusters = [cluster("a", "other"), cluster("b", EARLIER["cloudFormationFullStackName"])]
    assert derived_tag(EARLIER, clusters) == "b"


def test_a_tag_is_made_from_the_names() -> None:
    assert derived_tag(EARLIER, []) == "2"
    assert derived_tag({"cloudFormationFullStackName": "My_Stack!!"}, []) == "my-stack"
    assert derived_tag({"hpClusterName": "x" * 50}, []) == "x" * 32


def test_another_clusters_tag_is_not_taken() -> None:
    tag = derived_tag(EARLIER, [cluster("2", "another-stack")])
    assert tag.startswith("2-")
    assert tag == derived_tag(EARLIER, [cluster("2", "another-stack")])


@pytest.mark.parametrize(
    ("seconds", "nanos", "text"),
    [
        (2730, 123_456_000, "0 days 00:45:30.123456"),
        (0, 0, "0 days 00:00:00"),
        (90_061, 0, "1 days 01:01:01"),
        (-1, 0, "-1 days +23:59:59"),
    ],
)
def test_duration(seconds: int, nanos: int, text: str) -> None:
    assert duration_text(Duration(seconds=seconds, nanos=nanos)) == text


def test_a_run_that_lacks_everything_has_every_key() -> None:
    row = run_to_json(history_pb.Run(run_id="r", metrics={"loss": float("nan"), "n": 0.0}))
    assert row == {
        "experiment_name": "",
        "experiment_id": "",
        "run_name": "",
        "run_id": "r",
        "status": "UNSPECIFIED",
        "start_time": None,
        "end_time": None,
        "duration": "",
        "metrics": {"loss": None, "n": 0.0},
        "params": {},
        "tags": {},
    }


def test_a_launch_that_was_asked_for_is_never_not_started() -> None:
    status = pb.LaunchStatus(state=pb.STEP_STATE_NOT_STARTED)
    assert launch_to_json(status)["status"] == "not_started"
    status.operation.state = operation_pb2.OPERATION_STATE_QUEUED
    assert launch_to_json(status)["status"] == "running"
    status.operation.state = operation_pb2.OPERATION_STATE_CANCELLED
    assert launch_to_json(status)["status"] == "not_started"


def test_launch_status() -> None:
    status = pb.LaunchStatus(
        state=pb.STEP_STATE_COMPLETED,
        message="done",
        stack_name="s",
        stack_status="CREATE_COMPLETE",
        outputs={"b": "2", "a": "1"},
    )
    status.create_time.FromMilliseconds(1_755_477_049_000)
    assert launch_to_json(status) == {
        "status": "completed",
        "message": "done",
        "stackName": "s",
        "stackStatus": "CREATE_COMPLETE",
        "details": {
            "creationTime": "2025-08-18T00:30:49.000Z",
            "lastUpdatedTime": None,
            "outputs": [
                {"OutputKey": "a", "OutputValue": "1"},
                {"OutputKey": "b", "OutputValue": "2"},
            ],
        },
    }


def test_configure_status() -> None:
    states = [pb.CHECK_STATE_READY, pb.CHECK_STATE_MISSING, pb.CHECK_STATE_ERROR]
    states += [pb.CHECK_STATE_UNKNOWN, pb.CHECK_STATE_PENDING]
    status = pb.ConfigureStatus(
        state=pb.STEP_STATE_PARTIAL,
        checks=[pb.Check(name=f"c{index}", state=state) for index, state in enumerate(states)],
    )
    found = configure_to_json(status)
    assert found["status"] == "partial"
    assert found["summary"] == {"total": 5, "ready": 1, "pending": 1, "error": 2, "missing": 1}
    assert [check["status"] for check in found["checks"]] == [
        "ready",
        "missing",
        "error",
        "error",
        "pending",
    ]


def test_known_places_of_logs_are_bounded() -> None:
    known = Positions(logs=2, places=8)
    for log in ("a", "b", "c"):
        for count in range(100):
            known.add((log, "x"), Position(count, 2 * count))
    assert known.before(("a", "x"), 99) == Position(0, 0)
    assert known.before(("c", "x"), 99) == Position(99, 198)
    found = known.before(("c", "x"), 50)
    assert found.characters <= 50
    assert found.bytes == 2 * found.characters
