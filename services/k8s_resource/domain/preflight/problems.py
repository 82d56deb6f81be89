"""From what a preflight found to what is wrong, with the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.common.errors import FailedPreconditionError, PodyardError
from services.k8s_resource.domain.preflight.model import (
    ClusterInfo,
    Component,
    ComponentState,
    HealthCheck,
    Permission,
    PermissionState,
    Problem,
    Severity,
)

_SKEW_SECONDS = 30
"""Tokens are valid from and to a second, and the times of logs and events are compared."""
_WORST_SKEW_SECONDS = 300
_SLOW_SECONDS = 1.0
_OLDEST_MINOR = 28
"""Aggregated discovery and consistent reads from the API server's cache came with these."""
_ESSENTIAL = frozenset({"pods, and what they use of nodes", "nodes and their GPUs"})


def unreachable(error: PodyardError) -> Problem:
    """The cluster cannot be used at all."""
    subject = "credentials" if isinstance(error, FailedPreconditionError) else "API server"
    return Problem(
        Severity.ERROR,
        subject,
        error.message,
        "see the message; `kubectl --kubeconfig … version` with the service's kubeconfig, where "
        "the service runs, must work first",
    )


def problems(
    info: ClusterInfo, configuration: str, failures: dict[str, PodyardError]
) -> list[Problem]:
    """What is wrong, the worst first. `configuration` is what is wrong with the kubeconfig,
    `failures` are the parts that could not be looked at."""
    found = [
        *_of_connection(info),
        *_of_health(info.health_checks),
        *_of_permissions(info),
        *(problem for component in info.components for problem in _of_component(component)),
    ]
    if configuration:
        found.append(
            Problem(
                Severity.WARNING,
                "kubeconfig",
                f"{configuration}; what was known before is still used",
                "mend the file; it is read again by itself",
            )
        )
    found += [
        Problem(Severity.WARNING, what, f"could not be looked at: {error.message}")
        for what, error in failures.items()
    ]
    return sorted(found, key=lambda problem: -problem.severity.value)


def _of_connection(info: ClusterInfo) -> Iterator[Problem]:
    skew = info.clock_skew or 0
    if abs(skew) > _SKEW_SECONDS:
        yield Problem(
            Severity.ERROR if abs(skew) > _WORST_SKEW_SECONDS else Severity.WARNING,
            "clock",
            f"the API server's clock is {abs(skew)} s {'ahead' if skew > 0 else 'behind'}",
            "synchronise the clocks: tokens and the times of logs depend on them",
        )
    if info.latency is not None and info.latency > _SLOW_SECONDS:
        yield Problem(
            Severity.WARNING,
            "API server",
            f"it took {info.latency:.1f} s to answer",
            "look at its load and at the network between",
        )
    minor = _minor(info.version)
    if minor is not None and minor < _OLDEST_MINOR:
        yield Problem(
            Severity.WARNING,
            "version",
            f"Kubernetes {info.version} is older than what Podyard is made for",
            f"upgrade the cluster to 1.{_OLDEST_MINOR} or later",
        )
    if info.user == "system:anonymous":
        yield Problem(
            Severity.ERROR,
            "credentials",
            "no credentials are sent: the API server takes Podyard for nobody",
            "give this cluster's context a user in the kubeconfig",
        )


def _of_health(checks: Sequence[HealthCheck]) -> Iterator[Problem]:
    for check in checks:
        if not check.passed:
            yield Problem(
                Severity.ERROR if check.endpoint == "livez" else Severity.WARNING,
                "API server",
                f"its check {check.endpoint}/{check.name} fails: {check.message}",
                "look at the logs of the API server (on EKS: at the cluster's health in AWS)",
            )


def _of_permissions(info: ClusterInfo) -> Iterator[Problem]:
    features: dict[str, list[Permission]] = {}
    served = {group.name for group in info.api_groups}
    for each in info.permissions:
        # Nothing is lost where the kind is not installed.
        is_served = each.api_group in served or not served
        if is_served and each.state in (PermissionState.DENIED, PermissionState.PARTLY):
            features.setdefault(each.feature, []).append(each)
    for feature, missing in features.items():
        denied = [each for each in missing if each.state is PermissionState.DENIED]
        rules = dict.fromkeys(each.rule for each in missing)
        what = ", ".join(_what(each) for each in (denied or missing))
        if denied:
            message = f"not possible, or not fully: may not {what}"
        else:
            names = ", ".join(missing[0].namespaces)
            message = f"only in {names}: may not {what} elsewhere"
        essential = bool(denied) and feature in _ESSENTIAL
        yield Problem(
            Severity.ERROR if essential else Severity.WARNING,
            f"permissions: {feature}",
            message,
            f"grant by a ClusterRole: {' '.join(rules)}",
        )


def _what(permission: Permission) -> str:
    group = f".{permission.api_group}" if permission.api_group else ""
    return f"{permission.verb} {permission.resource}{group}"


def _of_component(component: Component) -> Iterator[Problem]:
    match component.state:
        case ComponentState.NOT_READY:
            message = component.message
        case ComponentState.MISSING if component.needed:
            message = component.message or "it is not there"
        case _:
            return
    lost = f"; {component.lost}" if component.lost else ""
    yield Problem(Severity.WARNING, component.name, f"{message}{lost}", component.remedy)


def _minor(version: str) -> int | None:
    parts = version.removeprefix("v").split(".")
    return int(parts[1]) if len(parts) > 1 and parts[0] == "1" and parts[1].isdigit() else None
