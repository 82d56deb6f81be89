"""The configure step: stack_envs, kubeconfig, EKS add-ons, Kubernetes objects.

Run as `python -m services.cluster_lifecycle.steps.configure <step.json>`. Each
part is left alone where it is as it should be, so the step can be run again.
"""

from __future__ import annotations

from pathlib import Path

from services.cluster_lifecycle.adapters.atomic_files import write_atomically
from services.cluster_lifecycle.adapters.aws_clients import PATIENT, AwsClients
from services.cluster_lifecycle.adapters.cloudformation import describe_stack
from services.cluster_lifecycle.domain.model import Stack, StepState
from services.cluster_lifecycle.domain.stack_states import in_words, step_state
from services.cluster_lifecycle.steps import kubeconfig, stack_envs
from services.cluster_lifecycle.steps.addons import ADD_ONS, ensure_add_on
from services.cluster_lifecycle.steps.objects import apply_objects, manifest
from services.cluster_lifecycle.steps.program import patiently, phase, run, say
from services.cluster_lifecycle.steps.request import StepRequest
from services.common.errors import FailedPreconditionError

PHASES = ("stack-outputs", "kubeconfig", "add-ons", "objects")


def configure(request: StepRequest) -> None:
    """Do the step; PodyardError with the reason if it cannot be done."""
    config, clients = request.config, AwsClients(PATIENT)
    region = config.aws_region
    say(f"configuring {request.tag} in {region}")
    with phase("stack-outputs", f"outputs of CloudFormation stack {config.stack_name}"):
        stack = _complete_stack(clients, request)
        values = stack_envs.stack_values(stack.outputs)
        path = Path(request.config_folder) / stack_envs.FILE_NAME
        write_atomically(path, stack_envs.stack_envs_text(values).encode())
        for key, value in values.items():
            say(f"  {key}={value}")
    name = values.get("EKS_CLUSTER_NAME", config.eks_cluster_name)
    eks = clients.get("eks", region)
    with phase("kubeconfig", f"kubeconfig of EKS cluster {name}"):
        cluster = patiently(lambda: eks.describe_cluster(name=name))["cluster"]
        if cluster.get("endpoint") and cluster.get("certificateAuthority", {}).get("data"):
            text = kubeconfig.kubeconfig_text(cluster, region)
            path = Path(request.config_folder) / kubeconfig.FILE_NAME
            write_atomically(path, text.encode())
            say(f"{path.name} is written; its context is {name}")
        else:
            say(f"EKS gives no endpoint and certificate of {name}; no kubeconfig is written")
    with phase("add-ons", f"add-ons of EKS cluster {name}"):
        for add_on in ADD_ONS:
            ensure_add_on(eks, name, add_on, stack.outputs, request.stack_poll_seconds)
    with phase("objects", f"objects of Kubernetes cluster {request.k8s_connection}"):
        apply_objects(
            request.k8s_resource_address,
            request.k8s_connection,
            manifest(config.model_bucket, region),
        )
    say(f"{request.tag} is configured")


def _complete_stack(clients: AwsClients, request: StepRequest) -> Stack:
    config = request.config
    client = clients.get("cloudformation", config.aws_region)
    stack = patiently(lambda: describe_stack(client, config.stack_name))
    if stack is None or step_state(stack.status) is not StepState.COMPLETED:
        state = in_words(stack) if stack else f"stack {config.stack_name} does not exist"
        raise FailedPreconditionError(
            f"{state}; launch the cluster and wait until that is completed", reason="NOT_LAUNCHED"
        )
    return stack


if __name__ == "__main__":
    raise SystemExit(run(configure, "configure again to go on"))
