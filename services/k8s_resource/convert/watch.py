"""Watch requests, and events encoded once for all streams that carry them."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from podyard.common.v1 import stream_pb2
from podyard.k8s_resource.v1 import watch_pb2 as pb

from services.k8s_resource.convert.lists import epoch_to_pb
from services.k8s_resource.convert.summaries import encoded_summary, ref_to_pb
from services.k8s_resource.convert.wire import embedded, number
from services.k8s_resource.domain import resources
from services.k8s_resource.domain.cache.item import Change, ChangeType, Gap, Item
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.watching.events import (
    EventBatch,
    Notice,
    View,
    WatchOptions,
    WatchTarget,
)
from services.k8s_resource.domain.watching.field_changes import field_changes
from services.k8s_resource.domain.watching.watches import TargetQuery

_FIELDS = pb.WatchEvent.DESCRIPTOR.fields_by_name
_TYPE, _TARGET, _JSON = (_FIELDS[name].number for name in ("type", "target", "json"))
_OBJECT = _FIELDS["object"].number
_RECEIVE_TIME = _FIELDS["receive_time"].number
_COALESCED = _FIELDS["coalesced_changes"].number
_SUMMARY_FIELDS = {
    resources.POD: _FIELDS["pod"].number,
    resources.NODE: _FIELDS["node"].number,
    resources.SERVICE: _FIELDS["service"].number,
    resources.DEPLOYMENT: _FIELDS["deployment"].number,
    resources.PERSISTENT_VOLUME: _FIELDS["persistent_volume"].number,
    resources.NAMESPACE: _FIELDS["namespace"].number,
    resources.EVENT: _FIELDS["event"].number,
    **dict.fromkeys(resources.TRAINING_JOBS, _FIELDS["training_job"].number),
}
_EVENTS, _TOKEN = (
    pb.WatchResponse.DESCRIPTOR.fields_by_name[name].number for name in ("events", "resume_token")
)
_CHANGE_TYPES = {
    ChangeType.ADDED: pb.WATCH_EVENT_TYPE_ADDED,
    ChangeType.MODIFIED: pb.WATCH_EVENT_TYPE_MODIFIED,
    ChangeType.DELETED: pb.WATCH_EVENT_TYPE_DELETED,
}
_NOTICE_TYPES = {
    Notice.SYNCED: pb.WATCH_EVENT_TYPE_SYNCED,
    Notice.RELISTED: pb.WATCH_EVENT_TYPE_RELISTED,
    Notice.BOOKMARK: pb.WATCH_EVENT_TYPE_BOOKMARK,
    Notice.HEARTBEAT: pb.WATCH_EVENT_TYPE_HEARTBEAT,
    Notice.DISCONNECTED: pb.WATCH_EVENT_TYPE_DISCONNECTED,
    Notice.RECONNECTED: pb.WATCH_EVENT_TYPE_RECONNECTED,
    Notice.DRAINING: pb.WATCH_EVENT_TYPE_END,
    Notice.TIMEOUT: pb.WATCH_EVENT_TYPE_END,
}
_VIEWS = {
    pb.OBJECT_VIEW_UNSPECIFIED: View.SUMMARY,
    pb.OBJECT_VIEW_NAME: View.NAME,
    pb.OBJECT_VIEW_SUMMARY: View.SUMMARY,
    pb.OBJECT_VIEW_FULL: View.FULL,
    pb.OBJECT_VIEW_CHANGES: View.CHANGES,
}
_RECONNECT_AFTER = Duration(seconds=1)


def targets_from_pb(request: pb.WatchRequest) -> list[TargetQuery]:
    """The kinds to watch, from either way of naming them."""
    if request.targets:
        return [
            TargetQuery(
                f"targets[{index}].",
                target.kind,
                target.namespace,
                target.label_selector,
                target.field_selector,
            )
            for index, target in enumerate(request.targets)
        ]
    return [
        TargetQuery("", kind, request.namespace, request.label_selector, request.field_selector)
        for kind in request.kinds
    ]


def options_from_pb(request: pb.WatchRequest) -> WatchOptions:
    """How the stream is to be delivered."""
    timeout = request.timeout.ToTimedelta().total_seconds() if request.HasField("timeout") else None
    return WatchOptions(request.coalesce, request.skip_initial_state, timeout)


def encoded_batch(batch: EventBatch) -> bytes:
    """A WatchResponse. Events come with the field number and length they have in it."""
    return b"".join([*batch.events, embedded(_TOKEN, batch.token.encode())])


class WatchEventEncoder:
    """`EventEncoder` of protos, for one view."""

    def __init__(self, view: pb.ObjectView) -> None:
        self.view = _VIEWS[view]

    def change(self, target: WatchTarget, type_: ChangeType, change: Change) -> bytes:
        key = (self.view, type_, target.index)
        event = change.encoded.get(key)
        if event is None:
            event = self._change(target, type_, change)
            target.cache.history.keep_encoded(change, key, event)
        return event

    def merged(self, target: WatchTarget, type_: ChangeType, change: Change, earlier: int) -> bytes:
        return self._change(target, type_, change, number(_COALESCED, earlier))

    def _change(
        self, target: WatchTarget, type_: ChangeType, change: Change, more: bytes = b""
    ) -> bytes:
        kind = target.cache.kind
        if self.view is View.CHANGES:
            body = self._difference(target, type_, change)
        else:
            body = self._object(kind, change.item)
        time = embedded(_RECEIVE_TIME, epoch_to_pb(change.receive_time).SerializeToString())
        return _event(_CHANGE_TYPES[type_], target.index, body + time + more)

    def state(self, target: WatchTarget, item: Item) -> bytes:
        body = self._object(target.cache.kind, item)
        return _event(pb.WATCH_EVENT_TYPE_ADDED, target.index, body)

    def gap(self, target: WatchTarget, gap: Gap) -> bytes:
        rest = pb.WatchEvent(message=gap.reason)
        if gap.until:
            rest.gap.after_resource_version = str(gap.after)
            rest.gap.until_resource_version = str(gap.until)
        return _event(pb.WATCH_EVENT_TYPE_GAP, target.index, rest.SerializeToString())

    def notice(self, notice: Notice, target: int, message: str = "") -> bytes:
        rest = pb.WatchEvent(message=message)
        if notice is Notice.DRAINING:
            rest.end.reason = stream_pb2.STREAM_END_REASON_DRAINING
            rest.end.message = "the server is stopping; connect again with the resume token"
            rest.end.retry_after.CopyFrom(_RECONNECT_AFTER)
        elif notice is Notice.TIMEOUT:
            rest.end.reason = stream_pb2.STREAM_END_REASON_FINISHED
            rest.end.message = "the time that was asked for is over"
        return _event(_NOTICE_TYPES[notice], target, rest.SerializeToString())

    def _object(self, kind: Kind, item: Item) -> bytes:
        ref = _ref(kind, item)
        match self.view:
            case View.NAME:
                return ref
            case View.FULL | View.CHANGES:
                return ref + embedded(_JSON, item.raw or b"")
        field = _SUMMARY_FIELDS.get(kind.resource, _OBJECT)
        return ref + embedded(field, encoded_summary(kind, item))

    def _difference(self, target: WatchTarget, type_: ChangeType, change: Change) -> bytes:
        kind, item, old = target.cache.kind, change.item, change.old
        if type_ is ChangeType.DELETED:
            return _ref(kind, item)
        if type_ is ChangeType.ADDED or old is None or old.raw is None or item.raw is None:
            return self._object(kind, item)
        changes = field_changes(old.raw, item.raw)
        if changes is None:
            return self._object(kind, item)
        event = pb.WatchEvent(
            changes=[pb.FieldChange(path=c.path, old_json=c.old, new_json=c.new) for c in changes]
        )
        return _ref(kind, item) + event.SerializeToString()


def _ref(kind: Kind, item: Item) -> bytes:
    return pb.WatchEvent(ref=ref_to_pb(item.decoded, kind.resource)).SerializeToString()


def _event(type_: int, target: int, rest: bytes) -> bytes:
    return embedded(_EVENTS, number(_TYPE, type_) + number(_TARGET, target) + rest)
