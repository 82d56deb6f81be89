"""The present objects of one kind, with what makes reading them quick."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Set
from typing import Any, TypeVar

from services.k8s_resource.domain.cache.item import Item, ItemKey

T = TypeVar("T")

_REMEMBERED = 64
_NOTHING: frozenset[ItemKey] = frozenset()


class Store:
    """Objects by key, in order of key, and by label."""

    def __init__(self) -> None:
        self._items: dict[ItemKey, Item] = {}
        self._order: list[ItemKey] = []
        self._by_label: dict[tuple[str, str], set[ItemKey]] = {}
        self._memory: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: ItemKey) -> Item | None:
        """The object of that key."""
        return self._items.get(key)

    def items(self) -> list[Item]:
        """All objects in order of key; a copy."""
        return [self._items[key] for key in self._order]

    def keys(self) -> list[ItemKey]:
        """All keys in order; not a copy."""
        return self._order

    def labelled(self, key: str, value: str) -> Set[ItemKey]:
        """Keys of the objects that have the label; not a copy."""
        return self._by_label.get((key, value), _NOTHING)

    def in_namespace(self, namespace: str) -> Iterator[ItemKey]:
        """Keys of a namespace's objects in order."""
        for index in range(bisect_left(self._order, (namespace, "")), len(self._order)):
            key = self._order[index]
            if key[0] != namespace:
                return
            yield key

    def remembered(self, query: Hashable, compute: Callable[[], T]) -> T:
        """What `compute` makes of the store, made again only after the store has changed."""
        if query not in self._memory:
            if len(self._memory) >= _REMEMBERED:
                self._memory.clear()
            self._memory[query] = compute()
        found: T = self._memory[query]
        return found

    def put(self, item: Item) -> Item | None:
        """Add an object or a new version of one; the version before."""
        old = self._items.get(item.key)
        self._items[item.key] = item
        if old is None:
            insort(self._order, item.key)
            self._index(item)
        elif old.labels != item.labels:
            self._unindex(old)
            self._index(item)
        self._memory.clear()
        return old

    def remove(self, key: ItemKey) -> Item | None:
        """Remove an object; its last version, None if there was none."""
        old = self._items.pop(key, None)
        if old is not None:
            del self._order[bisect_left(self._order, key)]
            self._unindex(old)
            self._memory.clear()
        return old

    def replace(self, items: Iterable[Item]) -> None:
        """Hold exactly these objects."""
        self._items = {item.key: item for item in items}
        self._order = sorted(self._items)
        self._by_label = {}
        for item in self._items.values():
            self._index(item)
        self._memory.clear()

    def _index(self, item: Item) -> None:
        for label in (item.labels or {}).items():
            keys = self._by_label.get(label)
            if keys is None:
                self._by_label[label] = {item.key}
            else:
                keys.add(item.key)

    def _unindex(self, item: Item) -> None:
        for label in (item.labels or {}).items():
            keys = self._by_label[label]
            keys.discard(item.key)
            if not keys:
                del self._by_label[label]
