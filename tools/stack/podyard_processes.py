"""Podyard's own four processes as components, configured by environment variables."""

from __future__ import annotations

import json
from pathlib import Path

from tools.stack import layout
from tools.stack.component import Component
from tools.stack.probes import grpc_serving, http_ok
from tools.stack.servers import AWS_CREDENTIALS
from tools.stack.settings import listen

# Its context in the kubeconfig, and so its name in every request.
LOCAL_CLUSTER = "local"
CAPTURE_RULES = layout.CHECKOUT / "tools" / "stack" / "demo" / "capture-rules.yaml"


def podyard(
    *,
    kubeconfig: Path,
    local: bool,
    aws_url: str,
    sagemaker_url: str,
    mlflow_url: str,
    state: Path,
) -> list[Component]:
    """The three services and the gateway, each waiting for what it talks to.

    Their state goes below the folder `state`. `local` says that the kubeconfig is of the local control plane, not of a real cluster.
    """
    k8s, lifecycle = listen("k8s_resource"), listen("cluster_lifecycle")
    history, gateway = listen("training_history"), listen("gateway")
    return [
        _service(
            "k8s_resource",
            {
                "PODYARD_K8S_RESOURCE_KUBECONFIG": str(kubeconfig),
                "PODYARD_K8S_RESOURCE_STATE": str(state / "k8s-resource"),
                # The demo's training jobs are captured; nothing of a real cluster is unasked.
                **({"PODYARD_K8S_RESOURCE_CAPTURE_RULES": str(CAPTURE_RULES)} if local else {}),
            },
            after=("demo-data", "log-writer") if local else (),
            # A real cluster's kubeconfig may run `aws eks get-token` with the user's profile.
            user_settings=not local,
        ),
        _service(
            "cluster_lifecycle",
            {
                "PODYARD_CLUSTER_LIFECYCLE_STATE": str(state / "cluster-lifecycle"),
                # The emulator does not throttle; AWS does, hence the slower default.
                "PODYARD_CLUSTER_LIFECYCLE_STACK_POLL_SECONDS": "1",
                # What the emulator does not know.
                "PODYARD_CLUSTER_LIFECYCLE_STACK_PARAMETERS": json.dumps(
                    {"CreateHyperPodCluster": "false", "CreateNatGateway": "false"}
                ),
                # Whatever HyperPod cluster is launched on the emulator, this is its Kubernetes.
                "PODYARD_CLUSTER_LIFECYCLE_K8S_CLUSTER": LOCAL_CLUSTER if local else "",
                "PODYARD_CLUSTER_LIFECYCLE_K8S_RESOURCE_ADDRESS": k8s.address,
                "AWS_ENDPOINT_URL": aws_url,
                "AWS_ENDPOINT_URL_SAGEMAKER": sagemaker_url,
                **AWS_CREDENTIALS,
            },
            after=("aws-emulator", "sagemaker", "k8s-resource"),
        ),
        _service(
            "training_history",
            {
                "PODYARD_TRAINING_HISTORY_TRACKING_URI": mlflow_url,
                "PODYARD_TRAINING_HISTORY_STATE": str(state / "training-history"),
            },
            after=("mlflow",),
        ),
        Component(
            name="gateway",
            argv=(str(layout.CHECKOUT_PYTHON), "-m", "gateway"),
            environment={
                "PODYARD_GATEWAY_LISTEN": gateway.address,
                "PODYARD_GATEWAY_K8S_RESOURCE_ADDRESS": k8s.address,
                "PODYARD_GATEWAY_CLUSTER_LIFECYCLE_ADDRESS": lifecycle.address,
                "PODYARD_GATEWAY_TRAINING_HISTORY_ADDRESS": history.address,
            },
            after=("k8s-resource", "cluster-lifecycle", "training-history"),
            ready=http_ok(f"http://{gateway.address}/readyz"),
            folder=layout.CHECKOUT,
            address=f"http://{gateway.address}",
            grace_seconds=15.0,
            restart=True,
        ),
    ]


def _service(
    stem: str,
    environment: dict[str, str],
    after: tuple[str, ...],
    *,
    user_settings: bool = False,
) -> Component:
    at = listen(stem)
    return Component(
        name=stem.replace("_", "-"),
        argv=(str(layout.CHECKOUT_PYTHON), "-m", f"services.{stem}"),
        environment={at.variable: at.address, **environment},
        after=after,
        ready=grpc_serving(at.address),
        folder=layout.CHECKOUT,
        address=at.address,
        user_settings=user_settings,
        # They drain: streams get an explained end, calls in flight finish.
        grace_seconds=15.0,
        restart=True,
    )
