"""Events, as written by either API: v1 with counts, events.k8s.io/v1 with series.

The API server gives both in the form of v1; which fields are set depends on the
writer. The rules are those of kubectl's printer (kubernetes/pkg/printers/internalversion,
`printEvent`).
"""

from __future__ import annotations

from sys import intern

import msgspec

from services.k8s_resource.domain.objects.metadata import ObjectMeta

_SECONDS_LENGTH = len("2026-01-31T08:30:00Z")


class ObjectReference(msgspec.Struct, gc=False, rename="camel"):
    """The object that an event is about."""

    api_version: str = msgspec.field(default="", name="apiVersion")
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    field_path: str = msgspec.field(default="", name="fieldPath")

    def __post_init__(self) -> None:
        self.api_version = intern(self.api_version)
        self.kind = intern(self.kind)
        self.namespace = intern(self.namespace)


class EventSource(msgspec.Struct, gc=False):
    """Who reported it, in v1."""

    component: str = ""
    host: str = ""


class EventSeries(msgspec.Struct, gc=False):
    """An event that goes on, in events.k8s.io."""

    count: int = 0
    last_observed_time: str | None = msgspec.field(default=None, name="lastObservedTime")


class Event(msgspec.Struct, gc=False):
    """An event. Times are as sent: whole seconds, or microseconds in events.k8s.io."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    involved_object: ObjectReference = msgspec.field(
        default_factory=ObjectReference, name="involvedObject"
    )
    reason: str = ""
    message: str = ""
    type: str = ""
    source: EventSource = msgspec.field(default_factory=EventSource)
    first_timestamp: str | None = msgspec.field(default=None, name="firstTimestamp")
    last_timestamp: str | None = msgspec.field(default=None, name="lastTimestamp")
    counted: int = msgspec.field(default=0, name="count")
    event_time: str | None = msgspec.field(default=None, name="eventTime")
    series: EventSeries | None = None
    action: str = ""
    related: ObjectReference | None = None
    reporting_component: str = msgspec.field(default="", name="reportingComponent")
    reporting_instance: str = msgspec.field(default="", name="reportingInstance")

    def __post_init__(self) -> None:
        # Thousands of events share these few texts.
        self.reason = intern(self.reason)
        self.type = intern(self.type)
        self.reporting_component = intern(self.reporting_component)

    @property
    def first_seen(self) -> str:
        """When it happened first, in microseconds, so that texts sort as times do."""
        return microseconds(
            self.first_timestamp or self.event_time or self.metadata.creation_timestamp
        )

    @property
    def last_seen(self) -> str:
        """When it happened last, in microseconds."""
        if self.series is not None and self.series.last_observed_time:
            return microseconds(self.series.last_observed_time)
        return microseconds(self.last_timestamp) or self.first_seen

    @property
    def count(self) -> int:
        """How often it happened, at least once."""
        return (self.series.count if self.series is not None else self.counted) or 1

    @property
    def reporter(self) -> str:
        """The component that reported it."""
        return self.source.component or self.reporting_component


def microseconds(time: str | None) -> str:
    """A time of whole seconds as one of microseconds; others as they are."""
    if time and len(time) == _SECONDS_LENGTH:
        return f"{time[:-1]}.000000Z"
    return time or ""
