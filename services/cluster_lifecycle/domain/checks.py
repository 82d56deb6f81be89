"""The checks that say whether a cluster is configured for training."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.cluster_lifecycle.domain.model import CheckResult, CheckState
from services.cluster_lifecycle.domain.ports import KubernetesReader, PodSummary
from services.common.errors import NotFoundError, PodyardError

PERSISTENT_VOLUME = "s3-pv"
OPERATOR_NAME = "hp-training-operator"
CONTROLLER_MANAGER_PREFIX = "hp-training-operator-hp-training-controller-manager-"
_REMEDY = "run the configure step"


class Check(Protocol):
    """One check. It raises PodyardError when it cannot be made."""

    @property
    def name(self) -> str:
        """What it checks."""

    async def run(self, kubernetes: KubernetesReader, connection: str) -> CheckResult:
        """What was found."""


@dataclass(frozen=True, slots=True)
class PersistentVolumeCheck:
    """The volume that mounts the bucket is there and usable."""

    name: str = "s3-persistent-volume"

    async def run(self, kubernetes: KubernetesReader, connection: str) -> CheckResult:
        phase = await kubernetes.persistent_volume_phase(connection, PERSISTENT_VOLUME)
        volume = f"persistent volume {PERSISTENT_VOLUME}"
        match phase:
            case None:
                return self._result(CheckState.MISSING, f"{volume} does not exist; {_REMEDY}")
            case "Bound" | "Available":
                return self._result(CheckState.READY, f"{volume} is {phase}")
            case "Pending" | "":
                return self._result(CheckState.PENDING, f"{volume} is not available yet")
            case _:
                return self._result(
                    CheckState.ERROR,
                    f"{volume} is {phase}; delete it and its claim, then {_REMEDY} again",
                )

    def _result(self, state: CheckState, message: str) -> CheckResult:
        return CheckResult(self.name, state, message)


@dataclass(frozen=True, slots=True)
class StorageDriverCheck:
    """The pods of the S3 CSI driver are all ready."""

    name: str = "s3-csi-driver"

    async def run(self, kubernetes: KubernetesReader, connection: str) -> CheckResult:
        pods = await kubernetes.pods(
            connection, namespace="kube-system", label_selector="app=s3-csi-node"
        )
        return _pods_result(self.name, "S3 CSI driver", pods, least=len(pods))


@dataclass(frozen=True, slots=True)
class TrainingOperatorCheck:
    """At least one pod of the HyperPod training operator is ready."""

    name: str = "training-operator"

    async def run(self, kubernetes: KubernetesReader, connection: str) -> CheckResult:
        pods = await kubernetes.pods(
            connection, label_selector=f"app.kubernetes.io/name={OPERATOR_NAME}"
        )
        if not pods:  # installed with labels of another version
            pods = await _named(kubernetes, connection, OPERATOR_NAME)
        return _pods_result(self.name, "training operator", pods, least=1)


@dataclass(frozen=True, slots=True)
class ControllerManagerCheck:
    """At least one pod of the training operator's controller manager is ready."""

    name: str = "controller-manager"

    async def run(self, kubernetes: KubernetesReader, connection: str) -> CheckResult:
        pods = await _named(kubernetes, connection, CONTROLLER_MANAGER_PREFIX, prefix=True)
        return _pods_result(self.name, "training operator's controller manager", pods, least=1)


CHECKS: tuple[Check, ...] = (
    PersistentVolumeCheck(),
    StorageDriverCheck(),
    TrainingOperatorCheck(),
    ControllerManagerCheck(),
)


async def run_checks(
    checks: Sequence[Check], kubernetes: KubernetesReader, connection: str
) -> tuple[CheckResult, ...]:
    """All checks at the same time; one that cannot be made is UNKNOWN."""

    async def run(check: Check) -> CheckResult:
        try:
            return await check.run(kubernetes, connection)
        except NotFoundError as error:
            return CheckResult(
                check.name,
                CheckState.UNKNOWN,
                f"{error.message}; give k8s-resource a kubeconfig with a context of that name",
            )
        except PodyardError as error:
            return CheckResult(check.name, CheckState.UNKNOWN, error.message)

    return tuple(await asyncio.gather(*(run(check) for check in checks)))


async def _named(
    kubernetes: KubernetesReader, connection: str, text: str, *, prefix: bool = False
) -> list[PodSummary]:
    pods = await kubernetes.pods(connection)
    return [pod for pod in pods if (pod.name.startswith(text) if prefix else text in pod.name)]


def _pods_result(name: str, what: str, pods: Sequence[PodSummary], *, least: int) -> CheckResult:
    """READY if at least `least` pods are ready, and there is one."""
    if not pods:
        return CheckResult(name, CheckState.MISSING, f"the {what} has no pods; {_REMEDY}")
    ready = sum(pod.ready for pod in pods)
    if ready >= max(least, 1):
        return CheckResult(name, CheckState.READY, f"{ready} of {len(pods)} pods ready")
    waiting = next(pod for pod in pods if not pod.ready)
    state = CheckState.ERROR if waiting.display_status in _BROKEN else CheckState.PENDING
    return CheckResult(
        name,
        state,
        f"{ready} of {len(pods)} pods ready; {waiting.namespace}/{waiting.name} is "
        f"{waiting.display_status}",
    )


_BROKEN = frozenset(
    (
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "Error",
        "CreateContainerConfigError",
        "OOMKilled",
        "Failed",
    )
)
