"""Fields of requests that Python has types of its own for."""

from __future__ import annotations

import datetime
from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2


def timed(options: Any) -> dict[str, Any]:
    """The fields of a request, with `since` and `since_time` as messages."""
    fields: dict[str, Any] = dict(options)
    if "since" in options:
        fields["since"] = duration(options["since"])
    if "since_time" in options:
        fields["since_time"] = timestamp_pb2.Timestamp()
        fields["since_time"].FromDatetime(options["since_time"])
    return fields


def duration(value: datetime.timedelta) -> duration_pb2.Duration:
    """A length of time as a message."""
    message = duration_pb2.Duration()
    message.FromTimedelta(value)
    return message
