"""Small Kubernetes objects for tests."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]


def pod(
    name: str,
    namespace: str,
    *,
    labels: dict[str, str] | None = None,
    node: str = "",
    gpus: int = 0,
) -> Manifest:
    """A pod; one that is bound to a node that does not exist keeps the status a test gives it."""
    container: Manifest = {"name": "main", "image": "example/image:1"}
    if gpus:
        container["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}}
    spec: Manifest = {"containers": [container]}
    if node:
        spec["nodeName"] = node
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": spec,
    }


def deployment(name: str, namespace: str, *, replicas: int = 1) -> Manifest:
    """A deployment whose pods have the label app=<name>."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "example/image:1"}]},
            },
        },
    }


def node(name: str, *, gpus: int, efa: int = 0) -> Manifest:
    """A node that no kubelet looks after, so that pods bound to it stay as they are."""
    amounts = {"cpu": "96", "memory": "1Ti", "pods": "100", "nvidia.com/gpu": str(gpus)}
    if efa:
        amounts["vpc.amazonaws.com/efa"] = str(efa)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"node.kubernetes.io/instance-type": "ml.p5.48xlarge"},
        },
        "spec": {"unschedulable": True},
        "status": {"capacity": amounts, "allocatable": amounts},
    }


def crd(
    group: str, kind: str, plural: str, *, version: str = "v1", scope: str = "Namespaced"
) -> Manifest:
    """A custom resource definition that accepts any fields."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": anything, "status": anything},
                        }
                    },
                }
            ],
        },
    }


def custom_job(api_version: str, kind: str, name: str, namespace: str) -> Manifest:
    """An object of a custom kind."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {},
    }
