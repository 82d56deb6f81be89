"""Who calls, and whether they may.

The check is made by the pipeline on the decoded message, with the policy
that each method's proto option states.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from podyard.common.v1 import options_pb2

from services.common.errors import PermissionDeniedError

Metadata = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: `name` for audit, `role` a value of podyard.common.v1.Role."""

    name: str
    role: int


class Authenticator(Protocol):
    """Finds out who calls."""

    def authenticate(self, metadata: Metadata, peer: str) -> Principal:
        """The caller; UnauthenticatedError if not known."""


class LoopbackAuthenticator:
    """Takes every caller for the local administrator.

    Only for servers bound to loopback, which `settings.LoopbackAddress` enforces.
    """

    _local = Principal("local", options_pb2.ROLE_ADMIN)

    def authenticate(self, metadata: Metadata, peer: str) -> Principal:
        return self._local


def authorize(principal: Principal, policy: options_pb2.MethodPolicy) -> None:
    """PermissionDeniedError unless the principal's role reaches the policy's."""
    if principal.role < policy.role:
        needed = options_pb2.Role.Name(policy.role).removeprefix("ROLE_").lower()
        raise PermissionDeniedError(
            f'{principal.name} may not {policy.action} a {policy.resource}: this needs the role "{needed}"'
        )
