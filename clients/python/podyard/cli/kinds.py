"""Kinds of Kubernetes objects that the CLI knows by name."""

from __future__ import annotations

_TYPED = {
    "pods": "pods pod po",
    "nodes": "nodes node no",
    "services": "services service svc",
    "deployments": "deployments deployment deploy deployments.apps",
    "persistent_volumes": "persistentvolumes persistentvolume pv",
    "namespaces": "namespaces namespace ns",
    "events": "events event ev",
}
_TYPED_OF = {alias: kind for kind, names in _TYPED.items() for alias in names.split()}

_SHORT = {
    "po": "pod",
    "no": "node",
    "svc": "service",
    "deploy": "deployment",
    "rs": "replicaset",
    "sts": "statefulset",
    "ds": "daemonset",
    "cj": "cronjob",
    "pv": "persistentvolume",
    "pvc": "persistentvolumeclaim",
    "ns": "namespace",
}

# Kinds without namespace that people often name; for others the service decides.
_CLUSTER_SCOPED = frozenset(
    _TYPED["nodes"].split()
    + _TYPED["persistent_volumes"].split()
    + _TYPED["namespaces"].split()
    + ["storageclasses", "storageclass", "sc"]
    + ["customresourcedefinitions", "customresourcedefinition", "crd", "crds"]
    + ["clusterroles", "clusterrole", "clusterrolebindings", "clusterrolebinding"]
    + ["priorityclasses", "priorityclass", "pc", "clusterqueues", "clusterqueue"]
)


def typed_kind(kind: str) -> str:
    """The list that has columns of its own for a kind, "" if none has."""
    return _TYPED_OF.get(kind.lower(), "")


def namespace_for(kind: str, namespace: str) -> str:
    """The namespace to ask for: none for kinds that live outside of namespaces."""
    return "" if kind.lower() in _CLUSTER_SCOPED else namespace


def is_kind(given: str, kind: str) -> bool:
    """Whether a person who writes `given` ("po", "pods", "jobs.batch") means a kind ("Pod")."""
    word = given.rpartition("/")[2].partition(".")[0].lower()
    word = _SHORT.get(word, word)
    name = kind.lower()
    return word in (name, f"{name}s", f"{name}es", f"{name[:-1]}ies")
