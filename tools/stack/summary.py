"""The text that tells a user where everything is and what to try."""

from __future__ import annotations

from typing import Any

_ROWS = (
    ("gateway", "gateway (HTTP)"),
    ("k8s_resource", "k8s-resource (gRPC)"),
    ("cluster_lifecycle", "cluster-lifecycle (gRPC)"),
    ("training_history", "training-history (gRPC)"),
    ("kubernetes", "Kubernetes"),
    ("kubeconfig", "kubeconfig"),
    ("mlflow", "MLflow"),
    ("aws", "AWS emulator"),
    ("sagemaker", "SageMaker emulator"),
)


def summary(endpoints: dict[str, Any]) -> str:
    """Addresses, then three commands to try."""
    lines = ["", "Ready."]
    lines += [f"  {title:<26}{endpoints[key]}" for key, title in _ROWS if endpoints.get(key)]
    lines += ["", "Try:"]
    lines += [f"  {command}" for command in _commands(endpoints)]
    return "\n".join([*lines, ""])


def _commands(endpoints: dict[str, Any]) -> list[str]:
    if endpoints.get("gateway"):
        return [
            ".venv/bin/podyard nodes",
            ".venv/bin/podyard logs -l HPJob --follow",
            f"curl {endpoints['gateway']}/v1/k8s/nodes",
        ]
    kubectl = f"{endpoints['programs']}/kubectl" if endpoints.get("programs") else "kubectl"
    return [
        f"{kubectl} --kubeconfig {endpoints['kubeconfig']} get nodes",
        f"{kubectl} --kubeconfig {endpoints['kubeconfig']} get pods -A",
        f"curl {endpoints['mlflow']}/health",
    ]
