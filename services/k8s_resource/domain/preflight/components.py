"""The parts of a cluster that training needs: which there are, and how they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from services.k8s_resource.domain.objects.nodes import HEALTH_LABEL, INSTANCE_TYPE_LABEL, Node
from services.k8s_resource.domain.preflight.model import Component, ComponentState
from services.k8s_resource.domain.preflight.workloads import Workload

_NAMED = 5
SYSTEM_NAMESPACES = (
    "kube-system",
    "aws-hyperpod",
    "hyperpod-inference-system",
    "kueue-system",
    "cert-manager",
    "kubeflow",
    "kuberay-operator",
    "nvidia-device-plugin",
    "gpu-operator",
)
"""Where these parts usually are, for credentials that may not look everywhere."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What decides whether a part is needed."""

    groups: Collection[str]
    drivers: Collection[str]
    nodes: Sequence[Node]

    def has_instances(self, *families: str) -> bool:
        """Whether a node is of one of these families ("ml.p5.48xlarge" is of "p5")."""
        return any(_family(node).startswith(families) for node in self.nodes)

    def offers(self, prefix: str) -> bool:
        """Whether a node has such a device."""
        return any(
            name.startswith(prefix) for node in self.nodes for name in node.status.capacity or ()
        )


Need = Callable[[Surroundings], bool]


@dataclass(frozen=True, slots=True)
class Part:
    """A part, by the names of its workloads or the label `app.kubernetes.io/name` on them."""

    name: str
    names: tuple[str, ...]
    needed: Need
    lost: str
    remedy: str


def _group(name: str) -> Need:
    return lambda around: name in around.groups


def _driver(name: str) -> Need:
    return lambda around: name in around.drivers


_OPERATOR = "install it again, or look at the logs of its pods"
PARTS = (
    Part(
        "CoreDNS",
        ("coredns", "kube-dns"),
        lambda _: True,
        "pods find neither services nor each other by name",
        "install the EKS add-on coredns, and see that its pods find a node",
    ),
    Part(
        "NVIDIA device plugin",
        ("nvidia-device-plugin",),
        lambda a: a.has_instances("p", "g") or a.offers("nvidia.com/"),
        "GPUs are not offered to pods",
        "install the device plugin of NVIDIA (HyperPod's Helm chart brings it)",
    ),
    Part(
        "Neuron device plugin",
        ("neuron-device-plugin",),
        lambda a: a.has_instances("trn", "inf") or a.offers("aws.amazon.com/neuron"),
        "Neuron devices are not offered to pods",
        "install the Neuron device plugin (HyperPod's Helm chart brings it)",
    ),
    Part(
        "EFA device plugin",
        ("aws-efa-k8s-device-plugin",),
        lambda a: a.offers("vpc.amazonaws.com/efa"),
        "fast network interfaces are not offered to pods",
        "install aws-efa-k8s-device-plugin (HyperPod's Helm chart brings it)",
    ),
    Part(
        "HyperPod health monitoring",
        ("health-monitoring-agent",),
        lambda a: any(HEALTH_LABEL in (node.metadata.labels or {}) for node in a.nodes),
        "faulty nodes are not noticed and not replaced",
        "install health-monitoring-agent (HyperPod's Helm chart brings it)",
    ),
    Part(
        "HyperPod training operator",
        ("hp-training-operator",),
        _group("sagemaker.amazonaws.com"),
        "HyperPodPyTorchJobs are accepted and never run",
        "install the EKS add-on amazon-sagemaker-hyperpod-training-operator",
    ),
    Part(
        "HyperPod inference operator",
        ("hyperpod-inference-operator", "hyperpod-inference-controller-manager"),
        _group("inference.sagemaker.aws.amazon.com"),
        "inference endpoints are accepted and never run",
        _OPERATOR,
    ),
    Part(
        "Kueue",
        ("kueue",),
        _group("kueue.x-k8s.io"),
        "queued jobs are not admitted",
        "install the EKS add-on amazon-sagemaker-hyperpod-taskgovernance, or Kueue",
    ),
    Part(
        "Kubeflow training operator",
        ("training-operator",),
        _group("kubeflow.org"),
        "PyTorchJobs are accepted and never run",
        _OPERATOR,
    ),
    Part(
        "KubeRay",
        ("kuberay-operator",),
        _group("ray.io"),
        "RayClusters are accepted and never run",
        _OPERATOR,
    ),
    Part(
        "cert-manager",
        ("cert-manager",),
        _group("cert-manager.io"),
        "certificates of operators' webhooks are not renewed",
        "install the EKS add-on cert-manager",
    ),
    Part(
        "S3 CSI driver",
        ("s3-csi-node", "aws-mountpoint-s3-csi-driver"),
        _driver("s3.csi.aws.com"),
        "volumes in S3 are not mounted",
        "install the EKS add-on aws-mountpoint-s3-csi-driver",
    ),
    Part(
        "FSx CSI driver",
        ("fsx-csi-node", "aws-fsx-csi-driver"),
        _driver("fsx.csi.aws.com"),
        "FSx for Lustre volumes are not mounted",
        "install the EKS add-on aws-fsx-csi-driver",
    ),
    Part(
        "EBS CSI driver",
        ("ebs-csi-node", "ebs-csi-controller", "aws-ebs-csi-driver"),
        _driver("ebs.csi.aws.com"),
        "EBS volumes are not mounted",
        "install the EKS add-on aws-ebs-csi-driver",
    ),
)


def components(around: Surroundings, workloads: Iterable[Workload], unseen: str) -> list[Component]:
    """How each part is; `unseen` is why workloads that are not here may exist all the same."""
    own: dict[str, list[Workload]] = {}
    for each in workloads:
        part = _part_of(each)
        if part is not None:
            own.setdefault(part.name, []).append(each)
    return [_component(part, around, own.get(part.name, []), unseen) for part in PARTS]


def unknown_components(why: str) -> list[Component]:
    """Each part, where nothing could be looked at."""
    return [Component(p.name, ComponentState.UNKNOWN, needed=False, message=why) for p in PARTS]


def nodes_component(nodes: Sequence[Node], why: str = "") -> Component:
    """The nodes as a part of the cluster; `why` they may not be as told."""
    away = [node.metadata.name for node in nodes if not node.ready]
    ready = len(nodes) - len(away)
    message = why
    state = ComponentState.READY
    if not nodes:
        state, message = ComponentState.MISSING, why or "the cluster has no nodes"
    elif away:
        state = ComponentState.NOT_READY
        more = f" and {len(away) - _NAMED} more" if len(away) > _NAMED else ""
        message = f"not ready: {', '.join(sorted(away)[:_NAMED])}{more}"
    return Component(
        "nodes",
        state,
        True,
        ready,
        len(nodes),
        message=message,
        lost="pods are not run there",
        remedy="look at their conditions (kubectl describe node), and in HyperPod's console",
    )


def _component(part: Part, around: Surroundings, own: Sequence[Workload], unseen: str) -> Component:
    needed = part.needed(around)
    if not own:
        state = ComponentState.UNKNOWN if unseen else ComponentState.MISSING
        return Component(
            part.name, state, needed, message=unseen, lost=part.lost, remedy=part.remedy
        )
    figures = [each.figures for each in own]
    away = [
        f"{each.described}: {ready} of {desired} ready"
        for each, (ready, desired) in zip(own, figures, strict=True)
        if ready < desired
    ]
    return Component(
        part.name,
        ComponentState.NOT_READY if away else ComponentState.READY,
        needed,
        sum(ready for ready, _ in figures),
        sum(desired for _, desired in figures),
        tuple(sorted(each.described for each in own)),
        "; ".join(away),
        part.lost,
        part.remedy,
    )


def _part_of(workload: Workload) -> Part | None:
    """The part with that label, else the one whose name is the longest within the workload's: a
    chart puts its release's name before it, and says what it is after it."""
    label = workload.metadata.labels.get("app.kubernetes.io/name", "")
    name = f"-{workload.metadata.name}-"
    best: tuple[int, Part] | None = None
    for part in PARTS:
        if label in part.names:
            return part
        length = max((len(each) for each in part.names if f"-{each}-" in name), default=0)
        if length and (best is None or length > best[0]):
            best = length, part
    return best[1] if best is not None else None


def _family(node: Node) -> str:
    instance = (node.metadata.labels or {}).get(INSTANCE_TYPE_LABEL, "")
    return instance.removeprefix("ml.")
