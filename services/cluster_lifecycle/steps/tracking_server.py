"""The MLflow tracking server of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from services.cluster_lifecycle.adapters.aws_clients import (
    AwsClients,
    domain_error,
    error_code,
    error_message,
)
from services.cluster_lifecycle.steps.program import operation_id, say
from services.cluster_lifecycle.steps.request import StepRequest
from services.common.errors import FailedPreconditionError, UnsupportedError

SIZE = "Small"
MLFLOW_VERSION = "3.0"
_MISSING = frozenset(("ResourceNotFound", "ResourceNotFoundException"))
_EXISTS = frozenset(("ConflictException", "ResourceInUse", "ResourceInUseException"))


def ensure_tracking_server(
    clients: AwsClients, request: StepRequest, outputs: Mapping[str, str]
) -> None:
    """Ask for a tracking server; one that exists is fine, and its start is not waited for.

    Where SageMaker does not offer tracking servers, the log says so.
    """
    region, name = request.config.aws_region, request.config.mlflow_server_name
    sagemaker = clients.get("sagemaker", region)
    try:
        server = _describe(sagemaker, name)
        if server is not None:
            say(f"tracking server {name} exists: {server.get('TrackingServerStatus', 'unknown')}")
            return
        role = _role(clients, request, outputs)
        _create(sagemaker, request, role)
    except (BotoCoreError, ClientError) as error:
        if not _is_not_offered(error):
            raise
        say(f"no tracking server: SageMaker does not offer them in {region} ({error}); going on")


def _is_not_offered(error: BotoCoreError | ClientError) -> bool:
    """Whether what answers does not know tracking servers at all."""
    if isinstance(error, ClientError) and error_code(error).isdigit():
        # No error code of SageMaker's but the HTTP status: another service answered.
        return error_code(error) in ("400", "404", "405", "501")
    return isinstance(domain_error(error), UnsupportedError)


def _describe(sagemaker: Any, name: str) -> Mapping[str, Any] | None:
    try:
        answer: Mapping[str, Any] = sagemaker.describe_mlflow_tracking_server(
            TrackingServerName=name
        )
    except ClientError as error:
        if error_code(error) in _MISSING or "does not exist" in error_message(error):
            return None
        raise
    return answer


def _create(sagemaker: Any, request: StepRequest, role: str) -> None:
    name = request.config.mlflow_server_name
    try:
        answer = sagemaker.create_mlflow_tracking_server(
            TrackingServerName=name,
            ArtifactStoreUri=f"s3://{request.config.model_bucket}",
            TrackingServerSize=SIZE,
            MlflowVersion=MLFLOW_VERSION,
            RoleArn=role,
            Tags=[
                {"Key": "podyard-cluster", "Value": request.tag},
                {"Key": "podyard-operation", "Value": operation_id() or "none"},
            ],
        )
    except ClientError as error:
        if error_code(error) in _EXISTS:
            say(f"tracking server {name} exists")
            return
        raise
    say(f"tracking server asked for: {answer['TrackingServerArn']}; it starts by itself")


def _role(clients: AwsClients, request: StepRequest, outputs: Mapping[str, str]) -> str:
    """The role the server runs with: the one set, the stack's, or the caller's own."""
    role = request.mlflow_role_arn or outputs.get("MlflowRoleArn", "")
    if role:
        return role
    region = request.config.aws_region
    caller = str(clients.get("sts", region).get_caller_identity()["Arn"])
    # arn:aws:sts::123456789012:assumed-role/name/session; the role's path is not in it.
    kind, _, rest = caller.rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        name = rest.partition("/")[0]
        return str(clients.get("iam", region).get_role(RoleName=name)["Role"]["Arn"])
    raise FailedPreconditionError(
        f"tracking server {request.config.mlflow_server_name} needs a role: the stack has no "
        f"output MlflowRoleArn and {caller} is no role; set "
        "PODYARD_CLUSTER_LIFECYCLE_MLFLOW_ROLE_ARN",
        reason="NO_MLFLOW_ROLE",
    )
