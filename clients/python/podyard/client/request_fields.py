"""Fields of requests that Python has types of its own for."""

from __future__ import annotations

import datetime
from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2


def timed(options: Any, *moments: str) -> dict[str, Any]:
    """The fields of a request, with `since`, `since_time`, `until_time` and further `moments`
    as messages."""
    fields: dict[str, Any] = dict(options)
    if "since" in fields:
        fields["since"] = duration(fields["since"])
    for name in ("since_time", "until_time", *moments):
        if name in fields:
            moment = timestamp_pb2.Timestamp()
            moment.FromDatetime(fields[name])
            fields[name] = moment
    return fields


def duration(value: datetime.timedelta) -> duration_pb2.Duration:
    """A length of time as a message."""
    message = duration_pb2.Duration()
    message.FromTimedelta(value)
    return message
