"""Names of enum values without importing the generated modules, which keeps the start quick."""

from __future__ import annotations

import re
from typing import Any


def enum_word(message: Any, field: str) -> str:
    """A value's name without its enum's prefix: "RUNNING" for OPERATION_STATE_RUNNING.

    "UNSPECIFIED" for the zero value; the number for one that this version does not know.
    """
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    number = getattr(message, field)
    value = enum.values_by_number.get(number)
    if value is None:
        return str(number)
    return str(value.name).removeprefix(_prefix(enum.name))


def enum_number(message: Any, field: str, word: str) -> int:
    """The number of a value's name without prefix, in either case; ValueError names the choices."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    prefix = _prefix(enum.name)
    value = enum.values_by_name.get(prefix + word.upper())
    if value is None or value.number == 0:
        choices = ", ".join(
            v.name.removeprefix(prefix).lower() for v in enum.values if v.number != 0
        )
        raise ValueError(f'"{word}" is not one of: {choices}')
    return int(value.number)


def _prefix(enum_name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum_name).upper() + "_"
