"""Kinds of Kubernetes objects and the paths of the API server that serve them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the API server serves it. `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """ "v1", "apps/v1"."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """ "pods", "deployments.apps": unique among the kinds of a cluster."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, of an object, or of its subresource, escaped.

        A namespace is left out for kinds without namespaces. ValueError for a part
        that would change the meaning of the path.
        """
        parts = ["apis", self.group] if self.group else ["api"]
        parts.append(self.version)
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts += subresource.split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"not a path of the API server: {parts}")
        return "/" + "/".join(quote(part, safe="") for part in parts)


POD = Resource("", "v1", "pods", "Pod")
NAMESPACE = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODE = Resource("", "v1", "nodes", "Node", namespaced=False)
SERVICE = Resource("", "v1", "services", "Service")
PERSISTENT_VOLUME = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
DEFINITION = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
EVENT = Resource("", "v1", "events", "Event")
DEPLOYMENT = Resource("apps", "v1", "deployments", "Deployment")
STATEFUL_SET = Resource("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SET = Resource("apps", "v1", "daemonsets", "DaemonSet")
REPLICA_SET = Resource("apps", "v1", "replicasets", "ReplicaSet")
JOB = Resource("batch", "v1", "jobs", "Job")
HYPERPOD_PYTORCH_JOB = Resource(
    "sagemaker.amazonaws.com", "v1", "hyperpodpytorchjobs", "HyperPodPyTorchJob"
)
PYTORCH_JOB = Resource("kubeflow.org", "v1", "pytorchjobs", "PyTorchJob")
RAY_CLUSTER = Resource("ray.io", "v1", "rayclusters", "RayCluster")


KUEUE = "kueue.x-k8s.io"
KUEUE_VERSIONS = ("v1", "v1beta2", "v1beta1")
"""Those whose objects can be read, best first."""
CLUSTER_QUEUES, LOCAL_QUEUES, WORKLOADS = (
    {version: Resource(KUEUE, version, plural, kind, namespaced) for version in KUEUE_VERSIONS}
    for plural, kind, namespaced in (
        ("clusterqueues", "ClusterQueue", False),
        ("localqueues", "LocalQueue", True),
        ("workloads", "Workload", True),
    )
)

TRAINING_JOBS = (HYPERPOD_PYTORCH_JOB, JOB, PYTORCH_JOB, RAY_CLUSTER)
TYPED = (NODE, POD, SERVICE, DEPLOYMENT, PERSISTENT_VOLUME, NAMESPACE, EVENT, *TRAINING_JOBS)

BROUGHT_BY = {
    HYPERPOD_PYTORCH_JOB: "the HyperPod training operator",
    PYTORCH_JOB: "the Kubeflow training operator",
    RAY_CLUSTER: "KubeRay",
    Resource("kueue.x-k8s.io", "v1beta1", "clusterqueues", "ClusterQueue", False): "Kueue",
    Resource("kueue.x-k8s.io", "v1beta1", "localqueues", "LocalQueue"): "Kueue",
    Resource("kueue.x-k8s.io", "v1beta1", "workloads", "Workload"): "Kueue",
    Resource("cert-manager.io", "v1", "certificates", "Certificate"): "cert-manager",
}
"""What must be installed for kinds that training clusters usually have."""
