"""Namespaces."""

from __future__ import annotations

import msgspec

from services.k8s_resource.domain.objects.metadata import ObjectMeta


class NamespaceStatus(msgspec.Struct, gc=False):
    """status."""

    phase: str = ""


class Namespace(msgspec.Struct, gc=False):
    """A namespace."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    status: NamespaceStatus = msgspec.field(default_factory=NamespaceStatus)
