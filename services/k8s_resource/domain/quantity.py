"""Kubernetes quantities (k8s.io/apimachinery/pkg/api/resource)."""

from __future__ import annotations

import re
from decimal import Decimal

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]{1,2})|(\w{0,2}))\Z")
_SUFFIXES = {
    "": Decimal(1),
    **{s: Decimal(10) ** e for s, e in zip(("n", "u", "m"), (-9, -6, -3), strict=True)},
    **{s: Decimal(1000) ** (i + 1) for i, s in enumerate(("k", "M", "G", "T", "P", "E"))},
    **{s: Decimal(1024) ** (i + 1) for i, s in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))},
}


def whole_devices(quantity: object) -> int:
    """The number of devices that a quantity such as "8" or "1k" means.

    ValueError for what is not a quantity, and for negative or fractional ones: devices
    cannot be shared.
    """
    if type(quantity) is str and quantity.isdecimal() and quantity.isascii():
        return int(quantity)
    value = amount(quantity)
    if value < 0:
        raise ValueError(f"{quantity} is negative")
    if value != value.to_integral_value():
        raise ValueError(f'"{quantity}" is not a whole number of devices')
    return int(value)


def amount(quantity: object) -> Decimal:
    """What a quantity means in units of its resource: "500m" is a half, "1Ki" 1024.

    ValueError for what is not a quantity.
    """
    if isinstance(quantity, int) and not isinstance(quantity, bool):
        return Decimal(quantity)
    if isinstance(quantity, str):
        found = _QUANTITY.match(quantity)
        if found is not None and quantity.isascii() and (found[3] or "") in _SUFFIXES:
            return Decimal(found[1] + (found[2] or "")) * _SUFFIXES[found[3] or ""]
    raise ValueError(f"{quantity!r} is not a quantity")
