"""The EKS add-ons that training needs, with the roles of their service accounts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from services.cluster_lifecycle.adapters.aws_clients import error_code
from services.cluster_lifecycle.steps.program import patiently, say
from services.common.errors import FailedPreconditionError


@dataclass(frozen=True, slots=True)
class AddOn:
    """An add-on. Its `service_account` in `namespace` gets the role of the stack's output."""

    name: str
    namespace: str = ""
    service_account: str = ""
    role_outputs: tuple[str, ...] = ()


# In this order: roles come by the first, and the operator needs certificates.
ADD_ONS = (
    AddOn("eks-pod-identity-agent"),
    AddOn("cert-manager"),
    AddOn("aws-mountpoint-s3-csi-driver", "kube-system", "s3-csi-driver-sa", ("StorageRoleArn",)),
    AddOn(
        "amazon-sagemaker-hyperpod-training-operator",
        "aws-hyperpod",
        "hp-training-operator-controller-manager",
        ("ExecutionRoleArn", "OutputSageMakerIAMRoleArn"),
    ),
)
_AT_WORK = frozenset(("CREATING", "UPDATING"))
_FAILED = frozenset(("CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"))


def ensure_add_on(
    eks: Any, cluster: str, add_on: AddOn, outputs: Mapping[str, str], poll_seconds: float
) -> None:
    """Install an add-on unless it is there, and wait for it without a limit.

    FailedPreconditionError with EKS's reason if it cannot be installed.
    """
    present = patiently(lambda: _describe(eks, cluster, add_on.name))
    if present is None:
        patiently(lambda: _create(eks, cluster, add_on))
        say(f"add-on {add_on.name} is asked for")
    role = next((outputs[name] for name in add_on.role_outputs if outputs.get(name)), "")
    if role:
        patiently(lambda: _ensure_role(eks, cluster, add_on, role))
    elif add_on.role_outputs:
        say(f"add-on {add_on.name}: the stack has no role for it; give it one by hand")
    _await(eks, cluster, add_on, poll_seconds)


def _describe(eks: Any, cluster: str, name: str) -> Mapping[str, Any] | None:
    try:
        add_on: Mapping[str, Any] = eks.describe_addon(clusterName=cluster, addonName=name)["addon"]
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
    return add_on


def _create(eks: Any, cluster: str, add_on: AddOn) -> None:
    try:
        eks.create_addon(clusterName=cluster, addonName=add_on.name, resolveConflicts="OVERWRITE")
    except ClientError as error:
        if error_code(error) != "ResourceInUseException":
            raise


def _ensure_role(eks: Any, cluster: str, add_on: AddOn, role: str) -> None:
    place = {"namespace": add_on.namespace, "serviceAccount": add_on.service_account}
    found = eks.list_pod_identity_associations(clusterName=cluster, **place)["associations"]
    account = f"{add_on.namespace}/{add_on.service_account}"
    if found:
        say(f"add-on {add_on.name}: service account {account} has a role")
        return
    try:
        eks.create_pod_identity_association(clusterName=cluster, roleArn=role, **place)
    except ClientError as error:
        if error_code(error) != "ResourceInUseException":
            raise
    say(f"add-on {add_on.name}: service account {account} gets {role}")


def _await(eks: Any, cluster: str, add_on: AddOn, poll_seconds: float) -> None:
    while True:
        present = patiently(lambda: _describe(eks, cluster, add_on.name))
        status = present["status"] if present else "missing"
        if status not in _AT_WORK:
            break
        time.sleep(poll_seconds)
    issues = "; ".join(
        f"{issue.get('code', '')}: {issue.get('message', '')}"
        for issue in (present or {}).get("health", {}).get("issues", ())
    )
    if present is None or status in _FAILED:
        raise FailedPreconditionError(
            f"add-on {add_on.name} is {status}: {issues or 'EKS gives no reason'}; "
            "put the cause right and configure again",
            reason="ADD_ON_FAILED",
        )
    # DEGRADED is how an add-on waits for its first node.
    say(
        f"add-on {add_on.name} {present.get('addonVersion', '')} is {status}"
        + (f": {issues}" if issues else "")
    )
