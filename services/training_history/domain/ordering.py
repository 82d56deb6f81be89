"""The order of a list of runs: parsing "metrics.loss desc, run_name", and sort keys.

A sort key is one byte string whose plain comparison gives the order, so that sorting, merging
and bisecting run at the speed of memcmp, and a key can travel inside a page token. Per column it
holds a marker (value, NaN, missing: in this order in both directions) and the value's bytes,
inverted when descending. Doubles become order-preserving bytes by flipping the sign bit, or all
bits of negative ones; texts are UTF-8, whose byte order is that of the code points.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from services.common.errors import InvalidArgumentError
from services.training_history.domain.model import Run

MAX_COLUMNS = 4
"""Bounds the size of a page token, as does `_TEXT_CHARACTERS`."""

_TEXT_CHARACTERS = 128
"""Texts are compared by so many characters; those that agree so far are ordered by run id."""

_VALUE, _NAN, _MISSING = b"\x01", b"\x02", b"\x03"
_IS_NUMBER, _IS_TEXT = b"\x01", b"\x02"
_INVERTED = bytes(255 - byte for byte in range(256))
_DOUBLE = struct.Struct(">d")
_UNSIGNED = struct.Struct(">Q")
_SIGN = 1 << 63
_ALL = (1 << 64) - 1


class Family(Enum):
    """What kind of column."""

    ATTRIBUTE = ""
    METRIC = "metrics"
    PARAM = "params"
    TAG = "tags"


ATTRIBUTES = ("start_time", "end_time", "duration", "run_name", "experiment_name", "status")


@dataclass(frozen=True, slots=True)
class OrderColumn:
    """One column to order by."""

    family: Family
    key: str
    descending: bool

    @property
    def live(self) -> bool:
        """Whether the values of runs at work change as time passes."""
        return self.family is Family.ATTRIBUTE and self.key == "duration"


Order = tuple[OrderColumn, ...]

DEFAULT_ORDER: Order = (OrderColumn(Family.ATTRIBUTE, "start_time", descending=True),)

# `key`, "key", or a bare key; commas and blanks only inside quotes.
_TERM = re.compile(
    r"""\s*(?:(?P<family>metrics|params|tags)\.(?:`(?P<ticked>[^`]+)`|"(?P<quoted>[^"]+)"|(?P<bare>[^\s,`"]+))
        |(?P<attribute>[A-Za-z_][\w.]*))
        (?:\s+(?P<direction>[A-Za-z]+))?\s*(?P<end>,|$)""",
    re.VERBOSE,
)


def parse_order(text: str) -> Order:
    """The order that `text` asks for; InvalidArgumentError on `order_by` if it is not one.

    Grammar: `column [asc|desc] {, column [asc|desc]}`; a column is one of `ATTRIBUTES`, or
    `metrics.KEY`, `params.KEY`, `tags.KEY`, the key in backticks or double quotes when it holds
    blanks or commas.
    """
    if not text.strip():
        return DEFAULT_ORDER
    columns: list[OrderColumn] = []
    position = 0
    while True:
        match = _TERM.match(text, position)
        if match is None:
            raise InvalidArgumentError.field(
                "order_by",
                f"cannot be read at character {position + 1}: {text[position : position + 40]!r}; "
                'write columns with asc or desc, such as "metrics.loss desc, run_name"',
            )
        columns.append(_column(match))
        position = match.end()
        if not match["end"]:
            break
    if len(columns) > MAX_COLUMNS:
        raise InvalidArgumentError.field(
            "order_by", f"has {len(columns)} columns; at most {MAX_COLUMNS} are possible"
        )
    return tuple(columns)


def _column(match: re.Match[str]) -> OrderColumn:
    direction = (match["direction"] or "asc").lower()
    if direction not in ("asc", "desc"):
        raise InvalidArgumentError.field(
            "order_by", f'has the direction "{match["direction"]}"; write asc or desc'
        )
    family = Family(match["family"] or "")
    key: str = match["attribute"] or match["ticked"] or match["quoted"] or match["bare"]
    if family is Family.ATTRIBUTE and key not in ATTRIBUTES:
        raise InvalidArgumentError.field(
            "order_by",
            f'names the unknown column "{key}"; possible are {", ".join(ATTRIBUTES)}, '
            "metrics.KEY, params.KEY, tags.KEY",
        )
    return OrderColumn(family, key, direction == "desc")


SortKey = Callable[[Run, int], bytes]
"""Makes the sort key of a run at a time (milliseconds since the epoch)."""


def sort_key(order: Order, experiment_name: Callable[[str], str]) -> SortKey:
    """The function that makes sort keys for `order`."""
    parts = [_part(column, experiment_name) for column in order]
    if len(parts) == 1:
        return parts[0]
    return lambda run, now_ms: b"".join([part(run, now_ms) for part in parts])


def _part(column: OrderColumn, experiment_name: Callable[[str], str]) -> SortKey:
    down, key = column.descending, column.key
    match column.family:
        case Family.METRIC:
            return lambda run, _now: _number(run.metric(key), down)
        case Family.PARAM:
            return lambda run, _now: _mixed(run.param(key), down)
        case Family.TAG:
            return lambda run, _now: _mixed(run.tag(key), down)
    match key:
        case "start_time":
            return lambda run, _now: _number(run.start_ms, down)
        case "end_time":
            return lambda run, _now: _number(run.end_ms, down)
        case "duration":
            return lambda run, now_ms: _number(run.duration_ms(now_ms), down)
        case "run_name":
            return lambda run, _now: _text(run.run_name or None, down)
        case "experiment_name":
            return lambda run, _now: _text(experiment_name(run.experiment_id) or None, down)
        case _:
            return lambda run, _now: _text(run.status.value, down)


def _number(value: float | None, descending: bool) -> bytes:
    if value is None:
        return _MISSING
    if math.isnan(value):
        return _NAN
    return _value(_double(value), descending)


def _text(value: str | None, descending: bool) -> bytes:
    return _MISSING if value is None else _value(_utf8(value), descending)


def _mixed(value: str | None, descending: bool) -> bytes:
    """Parameters and tags are texts that often hold numbers: those order as numbers, first."""
    if value is None:
        return _MISSING
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        return _value(_IS_TEXT + _utf8(value), descending)
    return _value(_IS_NUMBER + _double(number), descending)


def _value(payload: bytes, descending: bool) -> bytes:
    return _VALUE + (payload.translate(_INVERTED) if descending else payload)


def _double(value: float) -> bytes:
    # Adding zero turns -0.0 into 0.0, so that both are equal.
    (bits,) = _UNSIGNED.unpack(_DOUBLE.pack(value + 0.0))
    return _UNSIGNED.pack(bits ^ (_ALL if bits & _SIGN else _SIGN))


def _utf8(value: str) -> bytes:
    # A terminator below every other byte puts "ab" before "abc"; zero bytes inside are escaped.
    encoded = value[:_TEXT_CHARACTERS].encode("utf-8", "surrogatepass")
    return encoded.replace(b"\x00", b"\x00\xff") + b"\x00\x00"
