"""The fake SageMaker through boto3, whose parser and validator are part of the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tools.stack import testing
from tools.stack.testing import FakeSageMaker

ROLE = "arn:aws:iam::000000000000:role/hyperpod-execution"


@pytest.fixture
def sagemaker() -> Iterator[FakeSageMaker]:
    with testing.fake_sagemaker(transition_seconds=0.05) as fake:
        yield fake


@pytest.fixture
def client(sagemaker: FakeSageMaker) -> Any:
    return boto3.client(
        "sagemaker",
        endpoint_url=sagemaker.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def _control(sagemaker: FakeSageMaker, action: str, **body: object) -> dict[str, Any]:
    answer = httpx.post(f"{sagemaker.url}/_fake/{action}", json=body)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _group(name: str = "workers", count: int = 2, **more: Any) -> dict[str, object]:
    return {
        "InstanceGroupName": name,
        "InstanceType": "ml.g5.12xlarge",
        "InstanceCount": count,
        "ExecutionRole": ROLE,
        "LifeCycleConfig": {"SourceS3Uri": "s3://sagemaker-demo/src", "OnCreate": "on_create.sh"},
        **more,
    }


def _create(client: Any, name: str = "hp-cluster-demo", **more: Any) -> str:
    eks = {"Eks": {"ClusterArn": "arn:aws:eks:us-east-1:000000000000:cluster/eks-cluster-demo"}}
    answer = client.create_cluster(
        ClusterName=name, InstanceGroups=[_group(**more)], Orchestrator=eks
    )
    return str(answer["ClusterArn"])


def _await_status(client: Any, name: str, status: str) -> dict[str, Any]:
    while True:  # bounded by the test's timeout
        found: dict[str, Any] = client.describe_cluster(ClusterName=name)
        if found["ClusterStatus"] == status:
            return found


def _code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_cluster_from_creation_to_deletion(client: Any) -> None:
    arn = _create(client)
    assert client.describe_cluster(ClusterName="hp-cluster-demo")["ClusterStatus"] == "Creating"
    found = _await_status(client, "hp-cluster-demo", "InService")
    assert found["ClusterArn"] == arn
    assert found["Orchestrator"]["Eks"]["ClusterArn"].endswith("eks-cluster-demo")
    assert found["InstanceGroups"][0]["CurrentCount"] == 2
    assert [row["ClusterArn"] for row in client.list_clusters()["ClusterSummaries"]] == [arn]
    client.delete_cluster(ClusterName=arn)
    with pytest.raises(ClientError) as caught:
        _await_status(client, "hp-cluster-demo", "gone")
    assert _code(caught) == "ResourceNotFound"


def test_nodes_are_paged_and_described(client: Any) -> None:
    _create(client, count=25)
    _await_status(client, "hp-cluster-demo", "InService")
    pages = client.get_paginator("list_cluster_nodes").paginate(ClusterName="hp-cluster-demo")
    nodes = [node for page in pages for node in page["ClusterNodeSummaries"]]
    assert len({node["InstanceId"] for node in nodes}) == 25
    one = client.describe_cluster_node(
        ClusterName="hp-cluster-demo", NodeId=nodes[-1]["InstanceId"]
    )
    assert one["NodeDetails"]["InstanceStatus"]["Status"] == "Running"
    with pytest.raises(ClientError) as caught:
        client.describe_cluster_node(ClusterName="hp-cluster-demo", NodeId="i-00000000000000000")
    assert _code(caught) == "ResourceNotFound"


def test_update_changes_counts_and_conflicts_while_busy(client: Any) -> None:
    _create(client)
    with pytest.raises(ClientError) as caught:
        client.update_cluster(ClusterName="hp-cluster-demo", InstanceGroups=[_group(count=3)])
    assert _code(caught) == "ConflictException"
    _await_status(client, "hp-cluster-demo", "InService")
    client.update_cluster(ClusterName="hp-cluster-demo", InstanceGroups=[_group(count=3)])
    found = _await_status(client, "hp-cluster-demo", "InService")
    assert found["InstanceGroups"][0]["TargetCount"] == 3


def test_name_that_is_taken(client: Any) -> None:
    _create(client)
    with pytest.raises(ClientError) as caught:
        _create(client)
    assert _code(caught) == "ResourceInUse"


@pytest.mark.parametrize(
    ("name", "group", "problem"),
    [
        ("bad_name", {}, "does not match"),
        ("x" * 64, {}, "more than 63"),
        ("good", {"InstanceType": "ml.p9.huge"}, "is not one of"),
        ("good", {"ExecutionRole": "no arn, but long enough"}, "does not match"),
    ],
)
def test_request_against_the_model_is_refused(
    client: Any, name: str, group: dict[str, object], problem: str
) -> None:
    with pytest.raises(ClientError, match=problem) as caught:
        _create(client, name, **group)
    assert _code(caught) == "ValidationException"


def test_tracking_server_from_creation_to_deletion(client: Any) -> None:
    name = "mlflow-server-demo"
    client.create_mlflow_tracking_server(
        TrackingServerName=name, ArtifactStoreUri="s3://sagemaker-demo/mlflow", RoleArn=ROLE
    )
    listed = client.list_mlflow_tracking_servers()["TrackingServerSummaries"]
    assert [row["TrackingServerName"] for row in listed] == [name]
    while True:
        found = client.describe_mlflow_tracking_server(TrackingServerName=name)
        if found["TrackingServerStatus"] == "Created":
            break
    assert found["IsActive"] == "Active"
    assert found["TrackingServerArn"].endswith(f":mlflow-tracking-server/{name}")
    client.delete_mlflow_tracking_server(TrackingServerName=name)
    while client.list_mlflow_tracking_servers()["TrackingServerSummaries"]:
        pass
    with pytest.raises(ClientError) as caught:
        client.describe_mlflow_tracking_server(TrackingServerName=name)
    assert _code(caught) == "ResourceNotFound"


def test_states_plans_and_faults_on_request(sagemaker: FakeSageMaker, client: Any) -> None:
    _create(client)
    message = "There is not enough capacity"
    _control(sagemaker, "cluster-status", name="hp-cluster-demo", status="Failed", message=message)
    found = client.describe_cluster(ClusterName="hp-cluster-demo")
    assert (found["ClusterStatus"], found["FailureMessage"]) == ("Failed", message)

    arn = _control(sagemaker, "training-plan", name="plan-a", instance_type="ml.p5.48xlarge")["arn"]
    plan = client.describe_training_plan(TrainingPlanName="plan-a")
    assert (plan["TrainingPlanArn"], plan["Status"]) == (arn, "Active")

    _control(sagemaker, "fault", operation="ListClusters", code="ThrottlingException", status=400)
    with pytest.raises(ClientError) as caught:
        client.list_clusters()
    assert _code(caught) == "ThrottlingException"
    assert len(client.list_clusters()["ClusterSummaries"]) == 1

    _control(sagemaker, "reset")
    assert client.list_clusters()["ClusterSummaries"] == []
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        _control(sagemaker, "no-such-action")


def test_operation_that_is_not_there_is_said(client: Any) -> None:
    with pytest.raises(ClientError) as caught:
        client.list_models()
    assert _code(caught) == "UnknownOperationException"
