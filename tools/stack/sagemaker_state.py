"""What the fake SageMaker knows: HyperPod clusters, tracking servers, training plans.

States move with time as on AWS (Creating to InService, Deleting to gone), only sooner. All in
memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tools.stack.sagemaker_shapes import Members, group_details, identifier, nodes, page

ACCOUNT = "000000000000"


class AwsError(Exception):
    """An error answer with its code and text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SageMakerState:
    """The operations, by their AWS names. Not safe for threads: the caller holds a lock."""

    def __init__(
        self,
        region: str = "us-east-1",
        transition_seconds: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._region = region
        self._transition_seconds = transition_seconds
        self._clock = clock
        self.clusters: dict[str, Members] = {}
        self.servers: dict[str, Members] = {}
        self.plans: dict[str, Members] = {}
        self._due: dict[tuple[str, str], tuple[float, str | None]] = {}

    def call(self, operation: str, request: Members) -> Members:
        """Answer one operation; raises AwsError."""
        self._advance()
        method: Callable[[Members], Members] = getattr(self, f"_{_snake(operation)}")
        return method(request)

    def supports(self, operation: str) -> bool:
        """Whether the operation is implemented."""
        return hasattr(self, f"_{_snake(operation)}")

    def set_cluster_status(self, name: str, status: str, message: str = "") -> None:
        """For tests: put a cluster into any state, and keep it there."""
        cluster = self._cluster({"ClusterName": name})
        self._due.pop(("cluster", name), None)
        cluster["ClusterStatus"] = status
        cluster.pop("FailureMessage", None)
        if message:
            cluster["FailureMessage"] = message

    def add_training_plan(self, name: str, instance_type: str, count: int) -> str:
        """For tests and the demo: a plan that is active; its ARN."""
        arn, now = self._arn("training-plan", name), self._now()
        self.plans[name] = {
            "TrainingPlanArn": arn,
            "TrainingPlanName": name,
            "Status": "Active",
            "DurationHours": 168,
            "StartTime": now - timedelta(hours=1),
            "EndTime": now + timedelta(hours=167),
            "TotalInstanceCount": count,
            "AvailableInstanceCount": count,
            "InUseInstanceCount": 0,
            "TargetResources": ["hyperpod-cluster"],
            "ReservedCapacitySummaries": [
                {
                    "ReservedCapacityArn": self._arn("reserved-capacity", name),
                    "InstanceType": instance_type,
                    "TotalInstanceCount": count,
                    "Status": "Active",
                    "AvailabilityZone": f"{self._region}a",
                }
            ],
        }
        return arn

    def _create_cluster(self, request: Members) -> Members:
        name = request["ClusterName"]
        if name in self.clusters:
            raise AwsError("ResourceInUse", f"Cluster with name {name} already exists.")
        groups = [group_details(group) for group in request.get("InstanceGroups", [])]
        arn = self._arn("cluster", identifier(name)[:12])
        kept = ("VpcConfig", "Orchestrator", "NodeRecovery", "NodeProvisioningMode", "ClusterRole")
        self.clusters[name] = {
            "ClusterArn": arn,
            "ClusterName": name,
            "ClusterStatus": "Creating",
            "CreationTime": self._now(),
            "InstanceGroups": groups,
            **{key: request[key] for key in kept if key in request},
        }
        self._later("cluster", name, "InService")
        return {"ClusterArn": arn}

    def _describe_cluster(self, request: Members) -> Members:
        return dict(self._cluster(request))

    def _update_cluster(self, request: Members) -> Members:
        cluster = self._cluster(request)
        if cluster["ClusterStatus"] not in ("InService", "Failed"):
            raise AwsError("ConflictException", f"Cluster is in status {cluster['ClusterStatus']}.")
        groups = {group["InstanceGroupName"]: group for group in cluster["InstanceGroups"]}
        for group in request.get("InstanceGroups", []):
            groups[group["InstanceGroupName"]] = group_details(group)
        for gone in request.get("InstanceGroupsToDelete", []):
            groups.pop(gone, None)
        cluster["InstanceGroups"] = list(groups.values())
        cluster["ClusterStatus"] = "Updating"
        self._later("cluster", cluster["ClusterName"], "InService")
        return {"ClusterArn": cluster["ClusterArn"]}

    def _delete_cluster(self, request: Members) -> Members:
        cluster = self._cluster(request)
        cluster["ClusterStatus"] = "Deleting"
        self._later("cluster", cluster["ClusterName"], None)
        return {"ClusterArn": cluster["ClusterArn"]}

    def _list_clusters(self, request: Members) -> Members:
        wanted = request.get("NameContains", "")
        keys = ("ClusterArn", "ClusterName", "CreationTime", "ClusterStatus")
        rows = [
            {key: cluster[key] for key in keys}
            for name, cluster in sorted(self.clusters.items())
            if wanted in name
        ]
        return page("ClusterSummaries", rows, request)

    def _list_cluster_nodes(self, request: Members) -> Members:
        cluster = self._cluster(request)
        wanted = request.get("InstanceGroupNameContains", "")
        keys = ("InstanceGroupName", "InstanceId", "InstanceType", "LaunchTime", "InstanceStatus")
        rows = [
            {key: node[key] for key in keys}
            for node in nodes(cluster)
            if wanted in node["InstanceGroupName"]
        ]
        return page("ClusterNodeSummaries", rows, request)

    def _describe_cluster_node(self, request: Members) -> Members:
        for node in nodes(self._cluster(request)):
            if node["InstanceId"] == request.get("NodeId"):
                return {"NodeDetails": node}
        raise AwsError("ResourceNotFound", f"Instance {request.get('NodeId')} not found.")

    def _create_mlflow_tracking_server(self, request: Members) -> Members:
        name = request["TrackingServerName"]
        if name in self.servers:
            raise AwsError("ConflictException", f"Tracking server {name} already exists.")
        arn, now = self._arn("mlflow-tracking-server", name), self._now()
        kept = ("ArtifactStoreUri", "RoleArn", "AutomaticModelRegistration")
        self.servers[name] = {
            "TrackingServerArn": arn,
            "TrackingServerName": name,
            "TrackingServerSize": request.get("TrackingServerSize", "Small"),
            "MlflowVersion": request.get("MlflowVersion", "3.0"),
            "TrackingServerStatus": "Creating",
            "IsActive": "Inactive",
            "TrackingServerUrl": f"https://{identifier(name)[:12]}.{self._region}"
            ".experiments.sagemaker.aws",
            "CreationTime": now,
            "LastModifiedTime": now,
            **{key: request[key] for key in kept if key in request},
        }
        self._later("server", name, "Created")
        return {"TrackingServerArn": arn}

    def _describe_mlflow_tracking_server(self, request: Members) -> Members:
        return dict(self._server(request))

    def _list_mlflow_tracking_servers(self, request: Members) -> Members:
        keys = (
            *("TrackingServerArn", "TrackingServerName", "CreationTime", "LastModifiedTime"),
            *("TrackingServerStatus", "IsActive", "MlflowVersion"),
        )
        rows = [{key: row[key] for key in keys} for _, row in sorted(self.servers.items())]
        return page("TrackingServerSummaries", rows, request)

    def _delete_mlflow_tracking_server(self, request: Members) -> Members:
        server = self._server(request)
        server |= {"TrackingServerStatus": "Deleting", "IsActive": "Inactive"}
        self._later("server", server["TrackingServerName"], None)
        return {"TrackingServerArn": server["TrackingServerArn"]}

    def _describe_training_plan(self, request: Members) -> Members:
        name = request["TrainingPlanName"].rpartition("/")[2]
        if name not in self.plans:
            raise AwsError("ResourceNotFound", f"Training plan {name} not found.")
        return dict(self.plans[name])

    def _list_training_plans(self, request: Members) -> Members:
        return page("TrainingPlanSummaries", [dict(row) for row in self.plans.values()], request)

    def _cluster(self, request: Members) -> Members:
        asked = request["ClusterName"]
        for name, cluster in self.clusters.items():
            if asked in (name, cluster["ClusterArn"]):
                return cluster
        raise AwsError("ResourceNotFound", f"Cluster with name {asked} not found.")

    def _server(self, request: Members) -> Members:
        name = request["TrackingServerName"]
        if name not in self.servers:
            raise AwsError("ResourceNotFound", f"Tracking server {name} does not exist.")
        return self.servers[name]

    def _later(self, kind: str, name: str, status: str | None) -> None:
        self._due[kind, name] = (self._clock() + self._transition_seconds, status)

    def _advance(self) -> None:
        for (kind, name), (due, status) in list(self._due.items()):
            if due > self._clock():
                continue
            del self._due[kind, name]
            if kind == "cluster" and status is None:
                self.clusters.pop(name, None)
            elif kind == "cluster":
                cluster = self.clusters[name]
                cluster["ClusterStatus"] = status
                for group in cluster["InstanceGroups"]:
                    group |= {"CurrentCount": group["TargetCount"], "Status": "InService"}
            elif status is None:
                self.servers.pop(name, None)
            else:
                self.servers[name] |= {"TrackingServerStatus": status, "IsActive": "Active"}

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:sagemaker:{self._region}:{ACCOUNT}:{kind}/{name}"

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _snake(operation: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in operation)[1:]
