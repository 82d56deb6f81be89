"""Following container logs."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypedDict, Unpack

from podyard.client.channel import ServiceChannel
from podyard.client.request_fields import duration, timed
from podyard.client.streams import Batch, Interruption, ResumingStream
from podyard.k8s_resource.v1 import logs_pb2

_LOG_SIGNALS = frozenset({logs_pb2.LOG_MARKER_TYPE_HEARTBEAT, logs_pb2.LOG_MARKER_TYPE_END})


class LogOptions(TypedDict, total=False):
    """Whose logs and which lines; the fields of TailLogsRequest, exactly one source of them."""

    cluster: str
    namespace: str
    pod: str
    label_selector: str
    deployment: str
    job: str
    training_job: str
    stateful_set: str
    daemon_set: str
    replica_set: str
    containers: Sequence[str]
    include_init_containers: bool
    container_types: Sequence[logs_pb2.LogContainerType]
    follow: bool
    since: datetime.timedelta
    since_time: datetime.datetime
    tail_lines: int
    previous: bool
    include: str | Sequence[str]
    exclude: str | Sequence[str]
    limit_bytes: int
    detect_levels: bool
    min_level: logs_pb2.LogLevel
    merge_window: datetime.timedelta
    max_containers: int
    captured: logs_pb2.CapturedLogs
    pod_uid: str


class LogLine(NamedTuple):
    """One line of a container; `time_unix_nano` in nanoseconds since 1970 UTC.

    `level` is LOG_LEVEL_UNSPECIFIED unless levels were asked for and the line states one.
    """

    source: logs_pb2.LogSource
    time_unix_nano: int
    text: str
    truncated: bool
    level: logs_pb2.LogLevel = logs_pb2.LOG_LEVEL_UNSPECIFIED


class LogTailCalls:
    """The call of K8sResourceService that follows logs."""

    _channel: ServiceChannel
    _stub: Any

    def tail_logs(
        self,
        *,
        resume_token: str = "",
        on_interruption: Callable[[Interruption], None] | None = None,
        **options: Unpack[LogOptions],
    ) -> ResumingStream[logs_pb2.LogEvent]:
        """Container logs, each line once, as groups of lines and marks between them.

        Goes on by itself when the connection breaks. `log_lines` takes an event apart.
        """
        request = _tail_request(options)

        def connect(token: str) -> Any:
            request.resume_token = token
            return self._stub.TailLogs(request)

        return self._channel.stream(
            connect, _read_logs, resume_token=resume_token, on_interruption=on_interruption
        )


def log_lines(event: logs_pb2.LogEvent) -> Iterable[LogLine]:
    """The lines of an event; none for a mark."""
    lines = event.lines
    truncated = frozenset(lines.truncated)
    for index, (text, time) in enumerate(zip(lines.text, lines.time_unix_nano, strict=True)):
        level = lines.level[index] if lines.level else logs_pb2.LOG_LEVEL_UNSPECIFIED
        yield LogLine(lines.source, time, text, index in truncated, level)


def _read_logs(message: logs_pb2.TailLogsResponse) -> Batch[logs_pb2.LogEvent]:
    end = None
    events = []
    for event in message.events:
        if event.marker.type == logs_pb2.LOG_MARKER_TYPE_END:
            end = event.marker.end
        elif event.marker.type not in _LOG_SIGNALS:
            events.append(event)
    return Batch(events, message.resume_token, end)


def _tail_request(options: LogOptions) -> logs_pb2.TailLogsRequest:
    fields = timed(options)
    for name in ("include", "exclude"):
        if isinstance(fields.get(name), str):
            fields[name] = [fields[name]] if fields[name] else []
    if "merge_window" in options:
        fields["merge_window"] = duration(options["merge_window"])
    return logs_pb2.TailLogsRequest(**fields)
