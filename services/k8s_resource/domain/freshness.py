"""The freshness of answers made of several caches."""

from __future__ import annotations

from services.k8s_resource.domain.cache.kind_cache import Freshness


def oldest(*parts: Freshness) -> Freshness:
    """The least recent confirmation, stale if a part is; the version is the first's."""
    stale = next((part for part in parts if part.stale), parts[0])
    return Freshness(
        min(part.confirmed for part in parts), parts[0].version, stale.stale, stale.reason
    )
