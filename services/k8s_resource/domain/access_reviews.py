"""Asking an API server what the credentials in use may do.

SelfSubjectAccessReview is decided by all authorizers together; a list of rules
(SelfSubjectRulesReview) is incomplete where one of them is a webhook, as on EKS.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from services.common.errors import UnavailableError
from services.k8s_resource.domain.ports import KubeApi
from services.k8s_resource.domain.resources import Resource

_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that one may be allowed to do. An empty `namespace` means all of them."""

    verb: str
    resource: Resource
    namespace: str = ""
    subresource: str = ""


class Decision(msgspec.Struct, frozen=True):
    """An answer. `reason` is the authorizer's, often empty."""

    allowed: bool = False
    reason: str = ""


class _Review(msgspec.Struct):
    status: Decision = msgspec.field(default_factory=Decision)


async def review(api: KubeApi, action: Action) -> Decision:
    """Whether an action is allowed now."""
    attributes = {
        "verb": action.verb,
        "group": action.resource.group,
        "version": action.resource.version,
        "resource": action.resource.plural,
        "subresource": action.subresource,
        "namespace": action.namespace,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    response = await api.request(
        "POST", _PATH, body=msgspec.json.encode(body), retry=True, timeout=_SECONDS
    )
    try:
        return msgspec.json.decode(response.body, type=_Review).status
    except msgspec.DecodeError as error:
        raise UnavailableError(f"the API server's access review cannot be read: {error}") from None
