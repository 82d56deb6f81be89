"""The launch step: bucket, CloudFormation stack, tracking server.

Run as `python -m services.cluster_lifecycle.steps.launch <step.json>`. Each part
is left alone where it exists, so the step can be run again at any point. The
tracking server comes last because it runs with a role of the stack's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from services.cluster_lifecycle.adapters.atomic_files import write_atomically
from services.cluster_lifecycle.adapters.aws_clients import PATIENT, AwsClients
from services.cluster_lifecycle.domain.model import Stack
from services.cluster_lifecycle.steps.bucket import ensure_bucket
from services.cluster_lifecycle.steps.program import phase, run, say
from services.cluster_lifecycle.steps.request import StepRequest
from services.cluster_lifecycle.steps.stack import ClusterStack
from services.cluster_lifecycle.steps.tracking_server import ensure_tracking_server
from services.common.errors import FailedPreconditionError

PHASES = ("bucket", "stack", "tracking-server")
OUTPUTS_FILE = "stack_outputs.json"

_NO_CONTROL_PLANE = frozenset(("use1-az3", "usw1-az2", "cac1-az3"))
"""Zone ids where EKS cannot put a control plane, as its user guide lists them."""


def launch(request: StepRequest) -> None:
    """Do the step; PodyardError with the reason if it cannot be done."""
    config, clients = request.config, AwsClients(PATIENT)
    region = config.aws_region
    say(f"launching {request.tag} in {region}")
    with phase("bucket", f"bucket {config.model_bucket}"):
        ensure_bucket(clients.get("s3", region), config.model_bucket, region)
    with phase("stack", f"CloudFormation stack {config.stack_name}"):
        stack = ClusterStack(
            clients.get("cloudformation", region), config.stack_name, request.stack_poll_seconds
        ).ensure(
            Path(request.template).read_text(), stack_parameters(clients, request), request.tag
        )
        record_outputs(request, stack)
    with phase("tracking-server", f"MLflow tracking server {config.mlflow_server_name}"):
        ensure_tracking_server(clients, request, stack.outputs)
    say(f"{request.tag} is launched")


def stack_parameters(clients: AwsClients, request: StepRequest) -> dict[str, str]:
    """The template's parameters: from the configuration, then those set for the service."""
    config = request.config
    zones = clients.get("ec2", config.aws_region).describe_availability_zones(
        Filters=[{"Name": "state", "Values": ["available"]}]
    )["AvailabilityZones"]
    parameters = {
        "ClusterTag": request.tag,
        "EksClusterName": config.eks_cluster_name,
        "HyperPodClusterName": config.hyperpod_cluster_name,
        "ModelBucketName": config.model_bucket,
        "GpuAvailabilityZone": config.gpu_capacity_az,
        "SecondAvailabilityZone": _second_zone(config.gpu_capacity_az, zones),
        "GpuInstanceType": config.gpu_instance_type,
        "GpuInstanceCount": str(config.gpu_instance_count),
    }
    if config.training_plan:
        plan = clients.get("sagemaker", config.aws_region).describe_training_plan(
            TrainingPlanName=config.training_plan
        )
        say(f"training plan {config.training_plan}: {plan['Status']}")
        parameters["TrainingPlanArn"] = plan["TrainingPlanArn"]
    return parameters | request.stack_parameters


def _second_zone(first: str, zones: list[dict[str, Any]]) -> str:
    names = sorted(zone["ZoneName"] for zone in zones)
    if first not in names:
        raise FailedPreconditionError(
            f"{first} is not an availability zone that this account can use; "
            f"there are {', '.join(names)}",
            reason="ZONE_NOT_AVAILABLE",
        )
    for zone in sorted(zones, key=lambda zone: str(zone["ZoneName"])):
        ordinary = zone.get("ZoneType", "availability-zone") == "availability-zone"
        if zone["ZoneName"] != first and ordinary and zone.get("ZoneId") not in _NO_CONTROL_PLANE:
            return str(zone["ZoneName"])
    raise FailedPreconditionError(
        f"EKS needs a second availability zone beside {first}, and this account has none",
        reason="ZONE_NOT_AVAILABLE",
    )


def record_outputs(request: StepRequest, stack: Stack) -> None:
    """Keep what the stack gave in the cluster's metadata."""
    record = {
        "stackName": stack.name,
        "stackId": stack.id,
        "region": request.config.aws_region,
        "outputs": dict(stack.outputs),
    }
    data = msgspec.json.format(msgspec.json.encode(record), indent=2)
    write_atomically(Path(request.metadata_folder) / OUTPUTS_FILE, data)
    for name, value in sorted(stack.outputs.items()):
        say(f"  {name}: {value}")


if __name__ == "__main__":
    raise SystemExit(
        run(
            launch,
            "a stack that is being created goes on in CloudFormation: launch again to follow it",
        )
    )
