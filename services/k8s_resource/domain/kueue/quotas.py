"""Quota and use of a queue, by flavor and resource."""

from __future__ import annotations

from dataclasses import dataclass

from services.k8s_resource.domain.objects.kueue import FlavorAmounts, Queue, ResourceAmounts
from services.k8s_resource.domain.quantity import amount


@dataclass(slots=True)
class FlavorQuota:
    """Amounts in units of the resource. None for a limit that is not set."""

    flavor: str
    resource: str
    nominal: float = 0.0
    borrowing_limit: float | None = None
    lending_limit: float | None = None
    reserved: float = 0.0
    used: float = 0.0
    borrowed: float = 0.0
    error: str = ""


def quotas_of(queue: Queue) -> list[FlavorQuota]:
    """In the queue's order of flavors, which is the order in which they are tried; what is used
    of others, which it had before, after them."""
    found: dict[tuple[str, str], FlavorQuota] = {}

    def at(flavor: str, resource: str) -> FlavorQuota:
        return found.setdefault((flavor, resource), FlavorQuota(flavor, resource))

    for group in queue.spec.resource_groups or ():
        for flavor in group.flavors or ():
            for amounts in flavor.resources or ():
                quota = at(flavor.name, amounts.name)
                quota.nominal = _read(quota, amounts.nominal_quota)
                quota.borrowing_limit = _limit(quota, amounts.borrowing_limit)
                quota.lending_limit = _limit(quota, amounts.lending_limit)
    for flavor, amounts in _each(queue.status.reservation):
        quota = at(flavor.name, amounts.name)
        quota.reserved = _read(quota, amounts.total)
    for flavor, amounts in _each(queue.status.usage or queue.status.local_usage):
        quota = at(flavor.name, amounts.name)
        quota.used = _read(quota, amounts.total)
        quota.borrowed = _read(quota, amounts.borrowed)
    return list(found.values())


def weight_of(queue: Queue) -> float | None:
    """The weight of fair sharing; None where it is not set or no number."""
    sharing = queue.spec.fair_sharing
    try:
        return float(amount(sharing.weight)) if sharing and sharing.weight is not None else None
    except ValueError:
        return None


def _each(flavors: list[FlavorAmounts] | None) -> list[tuple[FlavorAmounts, ResourceAmounts]]:
    return [(flavor, amounts) for flavor in flavors or () for amounts in flavor.resources or ()]


def _read(quota: FlavorQuota, quantity: object) -> float:
    if quantity is None:
        return 0.0
    try:
        return float(amount(quantity))
    except ValueError as error:
        quota.error = f"{quota.resource} of {quota.flavor} cannot be read: {error}"
        return 0.0


def _limit(quota: FlavorQuota, quantity: object) -> float | None:
    return None if quantity is None else _read(quota, quantity)
