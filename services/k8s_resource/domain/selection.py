"""Choosing the objects of a store that a request asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.k8s_resource.domain.cache.item import Item, ItemKey
from services.k8s_resource.domain.cache.store import Store
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.live_objects import check_namespace
from services.k8s_resource.domain.selectors.fields import FieldSelector, parse_field_selector
from services.k8s_resource.domain.selectors.labels import LabelSelector, parse_label_selector

_MANY = 4
"""From a quarter of a store on, filtering its ordered keys beats sorting the chosen ones."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind. `namespace` is empty for all."""

    namespace: str
    labels: LabelSelector
    fields: FieldSelector

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self.namespace or self.labels.requirements or self.fields.requirements)

    def matches(self, item: Item) -> bool:
        """Whether an object is chosen."""
        return (
            (not self.namespace or item.key[0] == self.namespace)
            and self.labels.matches(item.labels)
            and self.fields.matches(item.decoded)
        )

    def identity(self) -> tuple[str, str, str]:
        """Equal for equal selections."""
        return self.namespace, str(self.labels), str(self.fields)

    def of(self, store: Store) -> list[Item]:
        """The chosen objects in order of namespace and name. Not to be changed."""
        return store.remembered(("selection", self.identity()), lambda: self._of(store))

    def _of(self, store: Store) -> list[Item]:
        if self.everything:
            return store.items()
        found = (store.get(key) for key in self._candidates(store))
        return [item for item in found if item is not None and self.matches(item)]

    def _candidates(self, store: Store) -> Iterable[ItemKey]:
        name = self.fields.exact("metadata.name")
        if name is not None and self.namespace:
            return [(self.namespace, name)]
        equality = self.labels.equality()
        if equality is not None:
            labelled = store.labelled(*equality)
            if len(labelled) * _MANY < len(store):
                return sorted(labelled)
            return [key for key in store.keys() if key in labelled]  # noqa: SIM118 - no mapping
        return store.in_namespace(self.namespace) if self.namespace else store.keys()


def parse_selection(
    kind: Kind, namespace: str, label_selector: str, field_selector: str, *, prefix: str = ""
) -> Selection:
    """The selection of a request; InvalidArgumentError naming the field, after `prefix`.

    A namespace is ignored for kinds without namespaces, as kubectl does.
    """
    check_namespace(namespace, f"{prefix}namespace")
    return Selection(
        namespace if kind.resource.namespaced else "",
        parse_label_selector(label_selector, field=f"{prefix}label_selector"),
        parse_field_selector(field_selector, kind.fields, field=f"{prefix}field_selector"),
    )
