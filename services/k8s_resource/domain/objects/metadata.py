"""What all objects have."""

from __future__ import annotations

import datetime as dt

import msgspec

Labels = dict[str, str]


class OwnerReference(msgspec.Struct, gc=False, rename="camel"):
    """An owner of an object."""

    api_version: str = msgspec.field(default="", name="apiVersion")
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class ObjectMeta(msgspec.Struct, gc=False):
    """metadata. Times are as sent: RFC 3339 in UTC with whole seconds, which sorts as text."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    creation_timestamp: str | None = msgspec.field(default=None, name="creationTimestamp")
    deletion_timestamp: str | None = msgspec.field(default=None, name="deletionTimestamp")
    labels: Labels | None = None
    owner_references: list[OwnerReference] | None = msgspec.field(
        default=None, name="ownerReferences"
    )

    def controller(self) -> OwnerReference | None:
        """The owner that manages the object."""
        for owner in self.owner_references or ():
            if owner.controller:
                return owner
        return None


class AnnotatedMeta(ObjectMeta, gc=False):
    """metadata with its annotations, for the kinds whose annotations are read."""

    annotations: dict[str, str] | None = None


class PodAnnotations(msgspec.Struct, gc=False):
    """The annotations of pods that are read; what else they carry is not kept."""

    completion_index: str | None = msgspec.field(
        default=None, name="batch.kubernetes.io/job-completion-index"
    )


class PodMeta(ObjectMeta, gc=False):
    """metadata of a pod."""

    annotations: PodAnnotations | None = None


class Condition(msgspec.Struct, gc=False):
    """An entry of status.conditions."""

    type: str = ""
    status: str = ""
    reason: str | None = ""
    message: str | None = ""
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")


class MetadataOnly(msgspec.Struct, gc=False):
    """An object of a kind of which nothing but metadata is read."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    api_version: str = msgspec.field(default="", name="apiVersion")
    kind: str = ""


def parse_time(text: str | None) -> dt.datetime | None:
    """The moment that an RFC 3339 text means; None for none or for nonsense."""
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
