"""All objects of a kind that may be read, where not all of them may: the union of the caches
of single namespaces.

It looks like any other cache. Its history is its own: the API server has none of such a
union, so that its positions carry no version, and a subscriber that comes back after a
restart of the service is told everything anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.k8s_resource.domain.cache.history import History
from services.k8s_resource.domain.cache.item import Change, ChangeType, Gap
from services.k8s_resource.domain.cache.kind_cache import Freshness, KindCache
from services.k8s_resource.domain.kinds import Kind


class PartialCache(KindCache):
    """Fed by `PartialSource` with what happens in `parts`."""

    def __init__(self, kind: Kind, history: History) -> None:
        super().__init__(kind, history)
        self.parts: Sequence[KindCache] = ()
        self._instances: set[bytes] = set()

    def freshness(self) -> Freshness:
        """As recent as the oldest part."""
        own = super().freshness()
        confirmed = min((part.freshness().confirmed for part in self.parts), default=own.confirmed)
        return Freshness(confirmed, 0, own.stale, own.reason)

    def take(self, change: Change) -> None:
        """A change of one of the parts."""
        item = change.item
        if change.type is ChangeType.DELETED:
            old = self.store.remove(item.key)
            if old is not None:
                self._publish(ChangeType.DELETED, item, old, 0)
        else:
            old = self.store.put(item)
            type_ = ChangeType.ADDED if old is None else ChangeType.MODIFIED
            self._publish(type_, item, old, 0)
        self._notify()

    def skip(self, gap: Gap) -> None:
        """One of the parts has lost some of its history."""
        self._skip(0, gap.reason)

    def synchronise(self, parts: Sequence[KindCache], *, raw: bool) -> None:
        """Hold what these parts hold; the difference is told as changes."""
        before, self._instances = self._instances, {part.position.instance for part in parts}
        self.parts = parts
        if not self.loaded:
            items = [item for part in parts for item in part.store.items()]
            self.replace(items, 0, raw=raw)
            return
        # The changes of parts that were there before have been taken one by one.
        if before <= self._instances:
            for part in parts:
                if part.position.instance not in before:
                    self._add(part)
        else:
            found = {item.key: item for part in parts for item in part.store.items()}
            self._compare(found, 0, "what may be read has changed")
        self.has_raw = raw
        self._notify()

    def _add(self, part: KindCache) -> None:
        for item in part.store.items():
            if self.store.put(item) is None:
                self._publish(ChangeType.ADDED, item, None, 0)

    def drop_raw(self) -> None:
        """Whole objects are the parts', which others may still want."""
        self.has_raw = False
        self.history.forget_encoded()
