"""Choosing the objects of a store that a request asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.errors import InvalidArgumentError
from services.k8s_resource.domain.cache.item import Item, ItemKey
from services.k8s_resource.domain.cache.store import Store
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.list_fields import FilterReader
from services.k8s_resource.domain.live_objects import check_namespace
from services.k8s_resource.domain.selectors import fields, labels
from services.k8s_resource.domain.selectors.fields import FieldSelector, parse_field_selector
from services.k8s_resource.domain.selectors.labels import LabelSelector, parse_label_selector

_MANY = 4
"""From a quarter of a store on, filtering its ordered keys beats sorting the chosen ones."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Objects that have one of the wanted values, without regard to case."""

    name: str
    wanted: frozenset[str]
    read: FilterReader

    def matches(self, decoded: Any) -> bool:
        """Whether an object is chosen."""
        return any(value.casefold() in self.wanted for value in self.read(decoded))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind. No `namespaces` means all."""

    namespaces: tuple[str, ...] = ()
    labels: LabelSelector = labels.EVERYTHING
    fields: FieldSelector = fields.EVERYTHING
    filters: tuple[Filter, ...] = ()

    @property
    def namespace(self) -> str:
        """The only namespace; empty if it is not one."""
        return self.namespaces[0] if len(self.namespaces) == 1 else ""

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not (
            self.namespaces or self.labels.requirements or self.fields.requirements or self.filters
        )

    def matches(self, item: Item) -> bool:
        """Whether an object is chosen."""
        return (
            (not self.namespaces or item.key[0] in self.namespaces)
            and self.labels.matches(item.labels)
            and self.fields.matches(item.decoded)
            and all(each.matches(item.decoded) for each in self.filters)
        )

    def identity(self) -> tuple[str, ...]:
        """Equal for equal selections."""
        filters = (f"{each.name}={','.join(sorted(each.wanted))}" for each in self.filters)
        return ",".join(self.namespaces), str(self.labels), str(self.fields), *filters

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
        if name is not None and self.namespaces:
            return [(namespace, name) for namespace in self.namespaces]
        equality = self.labels.equality()
        if equality is not None:
            labelled = store.labelled(*equality)
            if len(labelled) * _MANY < len(store):
                return sorted(labelled)
            return [key for key in store.keys() if key in labelled]  # noqa: SIM118 - no mapping
        if self.namespaces:
            return (key for namespace in self.namespaces for key in store.in_namespace(namespace))
        return store.keys()


EVERYTHING = Selection()


def parse_selection(
    kind: Kind,
    namespace: str,
    label_selector: str,
    field_selector: str,
    *,
    namespaces: Sequence[str] = (),
    filters: Mapping[str, Sequence[str]] | None = None,
    prefix: str = "",
) -> Selection:
    """The selection of a request; InvalidArgumentError naming the field, after `prefix`.

    A namespace is ignored for kinds without namespaces, as kubectl does. A filter without
    values chooses nothing.
    """
    chosen = _namespaces(namespace, namespaces, prefix)
    return Selection(
        chosen if kind.resource.namespaced else (),
        parse_label_selector(label_selector, field=f"{prefix}label_selector"),
        parse_field_selector(field_selector, kind.fields, field=f"{prefix}field_selector"),
        tuple(
            _filter(kind, name, values, prefix)
            for name, values in (filters or {}).items()
            if values
        ),
    )


def _namespaces(namespace: str, several: Sequence[str], prefix: str) -> tuple[str, ...]:
    check_namespace(namespace, f"{prefix}namespace")
    for index, each in enumerate(several):
        check_namespace(each, f"{prefix}namespaces[{index}]")
    if namespace and several:
        raise InvalidArgumentError.field(
            f"{prefix}namespaces", "cannot be given together with namespace; give only one of them"
        )
    return tuple(sorted({*several})) if several else (namespace,) if namespace else ()


def _filter(kind: Kind, name: str, values: Sequence[str], prefix: str) -> Filter:
    choices = kind.choices.get(name)
    if choices is not None:
        known = {choice.casefold() for choice in choices}
        for index, value in enumerate(values):
            if value.casefold() not in known:
                raise InvalidArgumentError.field(
                    f"{prefix}{name}[{index}]", f'"{value}" is not one of {", ".join(choices)}'
                )
    return Filter(name, frozenset(value.casefold() for value in values), kind.filters[name])
