"""Ages, durations and times as people read and write them."""

from __future__ import annotations

import datetime
import re
from typing import Any

MISSING = "-"

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|d|h|m|s))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def human_duration(seconds: float) -> str:
    """At most two units, finer for short times: "95s", "3m12s", "45m", "5h10m", "30h", "3d4h".

    The same steps as kubectl's ages (apimachinery's duration.HumanDuration).
    """
    if seconds < 0:
        return "0s"
    total = int(seconds)
    if total < 2 * _MINUTE:
        return f"{total}s"
    minutes, hours, days = total // _MINUTE, total // _HOUR, total // _DAY
    if minutes < 10:
        return _pair(minutes, "m", total % _MINUTE, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _pair(days // 365, "y", days % 365, "d")


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def age(message: Any, field: str, now: datetime.datetime) -> str:
    """The time since a Timestamp field; "-" if it is unset."""
    if not message.HasField(field):
        return MISSING
    return human_duration((now - moment(getattr(message, field))).total_seconds())


def span(message: Any, start: str, end: str, now: datetime.datetime) -> str:
    """The time from one Timestamp field to another, or until now while the other is unset."""
    if not message.HasField(start):
        return MISSING
    until = moment(getattr(message, end)) if message.HasField(end) else now
    return human_duration((until - moment(getattr(message, start))).total_seconds())


def local_time(message: Any, field: str) -> str:
    """A Timestamp field in this machine's time zone, to the second; "-" if it is unset."""
    if not message.HasField(field):
        return MISSING
    return f"{moment(getattr(message, field)).astimezone():%Y-%m-%d %H:%M:%S}"


def clock_time(message: Any, field: str) -> str:
    """A Timestamp field as time of day, to the millisecond; "-" if it is unset."""
    if not message.HasField(field):
        return MISSING
    local = moment(getattr(message, field)).astimezone()
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"


def nanosecond_time(time_unix_nano: int) -> str:
    """RFC 3339 in UTC with all nine digits, as Kubernetes writes log times."""
    seconds, nanos = divmod(time_unix_nano, 10**9)
    time = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


def parse_duration(text: str) -> datetime.timedelta:
    """ "90s", "10m", "1h30m", "2d", "500ms"; ValueError says what is expected."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f'"{text}" is not a duration such as 90s, 10m, 1h30m or 2d')
    seconds = sum(float(n) * _UNITS[unit] for n, unit in _DURATION_PART.findall(text))
    try:
        return datetime.timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f'"{text}" is too long') from None


def parse_time(text: str) -> datetime.datetime:
    """An RFC 3339 time in UTC; ValueError says what is expected."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(
            f'"{text}" is not a time with a zone, such as 2026-01-31T15:04:05Z'
        ) from None
    try:
        return found.astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError(f'"{text}" is out of the range of times') from None


def moment(timestamp: Any) -> datetime.datetime:
    """A Timestamp as a time with a zone."""
    found: datetime.datetime = timestamp.ToDatetime(tzinfo=datetime.UTC)
    return found
