"""Which pods are captured and how long what is captured is kept."""

from __future__ import annotations

import hashlib

import msgspec

from services.common.errors import FieldViolation, InvalidArgumentError
from services.k8s_resource.domain.logs.pods import ContainerState
from services.k8s_resource.domain.manifests import name_problem, namespace_problem
from services.k8s_resource.domain.objects.metadata import ObjectMeta
from services.k8s_resource.domain.pod_owner import training_job_of
from services.k8s_resource.domain.selectors.labels import LabelSelector, parse_label_selector

SECOND = 1_000_000_000
_LEAST_AGE = 60 * SECOND
_LONGEST_NAME = 63


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits; 0 means none. `max_age` in nanoseconds, `max_pods` counts pods that are gone."""

    max_age: int = 0
    max_bytes: int = 0
    max_pods: int = 0


class CaptureRule(msgspec.Struct, frozen=True):
    """One rule; see CaptureRule of the API. Times in nanoseconds since 1970 UTC."""

    name: str
    description: str = ""
    cluster: str = ""
    namespaces: tuple[str, ...] = ()
    label_selector: str = ""
    training_jobs: bool = False
    containers: tuple[str, ...] = ()
    include_init_containers: bool = False
    disabled: bool = False
    retention: Retention = Retention()
    create_time: int = 0
    update_time: int = 0

    @property
    def etag(self) -> str:
        """Changes with every change of the rule."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=16).hexdigest()

    @property
    def content(self) -> CaptureRule:
        """The rule without its times: equal for rules that ask for the same."""
        return msgspec.structs.replace(self, create_time=0, update_time=0)

    def takes_container(self, container: ContainerState) -> bool:
        """Whether a container of a captured pod is captured."""
        if self.containers:
            return container.name in self.containers
        return self.include_init_containers or not container.init


class RuleMatcher:
    """A rule that is ready to be asked about pods."""

    def __init__(self, rule: CaptureRule) -> None:
        self.rule = rule
        self._namespaces = frozenset(rule.namespaces)
        self._selector: LabelSelector = parse_label_selector(rule.label_selector)

    def takes_pod(self, pod: ObjectMeta) -> bool:
        """Whether the logs of a pod are to be captured."""
        if self._namespaces and pod.namespace not in self._namespaces:
            return False
        if not self._selector.matches(pod.labels):
            return False
        return not self.rule.training_jobs or training_job_of(pod) is not None


def check_rule(rule: CaptureRule, prefix: str = "rule.") -> None:
    """InvalidArgumentError naming every bad field."""
    violations = []
    problem = name_problem(rule.name)
    if problem or "." in rule.name or len(rule.name) > _LONGEST_NAME:
        violations.append(
            FieldViolation(
                f"{prefix}name",
                f'"{rule.name}" must be a DNS label: at most 63 lower-case letters, digits and '
                "-, beginning and ending with a letter or digit",
            )
        )
    for index, namespace in enumerate(rule.namespaces):
        if problem := namespace_problem(namespace):
            violations.append(FieldViolation(f"{prefix}namespaces[{index}]", problem))
    try:
        parse_label_selector(rule.label_selector, field=f"{prefix}label_selector")
    except InvalidArgumentError as error:
        violations += error.violations
    for index, container in enumerate(rule.containers):
        if problem := name_problem(container):
            violations.append(FieldViolation(f"{prefix}containers[{index}]", problem))
    retention = rule.retention
    if 0 < retention.max_age < _LEAST_AGE or retention.max_age < 0:
        violations.append(
            FieldViolation(f"{prefix}retention.max_age", "must be at least one minute, or unset")
        )
    for name in ("max_bytes", "max_pods"):
        if getattr(retention, name) < 0:
            violations.append(FieldViolation(f"{prefix}retention.{name}", "must not be negative"))
    if violations:
        raise InvalidArgumentError.fields(violations)
