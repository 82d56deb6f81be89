"""What a 403 of the API server says is missing, and the RBAC rule that would help.

The texts are those of `ForbiddenMessage` and `forbiddenMessage` in k8s.io/apiserver. A 403
without them is no lack of rights: a quota, pod security, an admission webhook.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from services.common.errors import PermissionDeniedError

REASON = "KUBERNETES_FORBIDDEN"

_RESOURCE = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" '
    r'in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)"| at the cluster scope)?'
)
_PATH = re.compile(r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) path "(?P<path>[^"]*)"')
_ANONYMOUS = "system:anonymous"
_READING = ("get", "list", "watch")


@dataclass(frozen=True, slots=True)
class MissingRight:
    """What may not be done. `resource` may have a subresource: "pods/log". An empty
    `namespace` means the whole cluster; `path` is given in place of a resource."""

    user: str
    verb: str
    resource: str = ""
    group: str = ""
    namespace: str = ""
    path: str = ""

    @property
    def rule(self) -> str:
        """The rule of a Role or ClusterRole that grants it, as JSON, which is YAML too."""
        if self.path:
            return json.dumps({"nonResourceURLs": [self.path], "verbs": [self.verb]})
        # Reading goes by lists and watches, so that one without the other is of no use.
        reads = self.verb in ("list", "watch") and "/" not in self.resource
        verbs = _READING if reads else (self.verb,)
        rule = {"apiGroups": [self.group], "resources": [self.resource], "verbs": verbs}
        return json.dumps(rule)

    @property
    def what(self) -> str:
        """ "list pods in namespace x"."""
        if self.path:
            return f"{self.verb} {self.path}"
        full = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"
        return f"{self.verb} {full} {where}"

    @property
    def remedy(self) -> str:
        """How to grant it."""
        if self.user == _ANONYMOUS:
            return "no credentials are sent: give this cluster's context a user in the kubeconfig"
        role = f"a Role in namespace {self.namespace}" if self.namespace else "a ClusterRole"
        whom = f"user {self.user}" if self.user else "that user"
        return f"bind {whom} to {role} with the rule {self.rule}"

    def metadata(self) -> dict[str, str]:
        """For programs."""
        found = {
            "user": self.user,
            "verb": self.verb,
            "resource": self.resource,
            "api_group": self.group,
            "namespace": self.namespace,
            "path": self.path,
            "rule": self.rule,
        }
        return {name: value for name, value in found.items() if value}


def missing_right(message: str) -> MissingRight | None:
    """What the text of a 403 says is missing; None if it is about something else."""
    if found := _RESOURCE.search(message):
        return MissingRight(
            found["user"],
            found["verb"],
            found["resource"],
            found["group"],
            found["namespace"] or "",
        )
    if found := _PATH.search(message):
        return MissingRight(found["user"], found["verb"], path=found["path"])
    return None


def forbidden(message: str) -> PermissionDeniedError:
    """The error of a 403: who lacks which right, and how to grant it."""
    right = missing_right(message)
    if right is None:
        return PermissionDeniedError(message, reason=REASON)
    return PermissionDeniedError(
        f"the credentials used for this cluster may not {right.what}; {right.remedy} "
        f"(Kubernetes: {message})",
        reason=REASON,
        metadata=right.metadata(),
    )
