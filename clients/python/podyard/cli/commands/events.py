"""Events: what Kubernetes' components report about objects."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

import typer
from podyard.cli import documents, exits, kinds, options, output, resource_tables, times
from podyard.cli.listing import (
    fields_of,
    namespaces_of,
    several,
    show_list,
    with_namespace,
)
from podyard.cli.output import ListFormat, OutputFormat
from podyard.cli.session import connect, note_interruption
from podyard.cli.tables import cut, one_line
from podyard.cli.words import enum_word

_Several = list[str] | None
_OBJECT_WIDTH = 40


def events(
    context: typer.Context,
    namespace: options.Namespaces = "default",
    all_namespaces: options.AllNamespaces = False,
    about: Annotated[
        str,
        typer.Option("--for", help="Only those about this object: KIND/NAME.", metavar="OBJECT"),
    ] = "",
    since: Annotated[
        str, typer.Option(help="Only those last seen within this time, such as 10m or 2h.")
    ] = "",
    kind_of_event: Annotated[
        _Several, typer.Option("--type", help="Only of these types: Normal, Warning.")
    ] = None,
    reason: Annotated[
        _Several, typer.Option("--reason", help="Only with these reasons, such as BackOff.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on with new ones until interrupted.")
    ] = False,
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    sort_by: options.SortBy = "",
    count_by: options.CountBy = "",
    limit: options.Limit = 0,
    consistent: options.Consistent = False,
    cluster: options.Cluster = "",
    form: options.ListOutput = ListFormat.TABLE,
) -> None:
    """List events, the last seen first."""
    kind, name = _object(about)
    where = namespaces_of(namespace, all_namespaces)
    if kind and not kinds.namespace_for(kind, "x"):
        # Events about objects outside of namespaces are in "default", or wherever.
        where = {}
    try:
        span = times.parse_duration(since) if since else None
    except ValueError as error:
        exits.usage(f"--since: {error}")
    if watch:
        if count_by or sort_by or limit:
            exits.usage("--watch shows events as they come: without --count-by, --sort-by, --limit")
        chosen = _Chosen(kind, name, span, kind_of_event or [], reason or [])
        _watch(context, chosen, where, selector, field_selector, cluster, form)
        return
    fields = fields_of(
        cluster=cluster,
        selector=selector,
        field_selector=field_selector,
        sort_by=sort_by,
        limit=limit,
        consistent=consistent,
        count_by=count_by,
        types=kind_of_event,
        reasons=reason,
        since=span,
        **where,
    )
    if kind:
        from podyard.k8s_resource.v1 import events_pb2

        fields["involved_object"] = events_pb2.InvolvedObject(kind=kind, name=name)
    columns = resource_tables.event_columns(output.now())
    show_list(
        context,
        lambda client: client.k8s.list_events(**fields),
        "events",
        with_namespace(columns, several(namespace, all_namespaces)),
        form,
        limit=limit,
        count_by=count_by,
    )


def _object(about: str) -> tuple[str, str]:
    """KIND/NAME; the kind may have slashes of its own: apps/v1/Deployment/web."""
    if not about:
        return "", ""
    kind, slash, name = about.rpartition("/")
    if not (slash and kind and name):
        exits.usage(f"--for takes KIND/NAME, such as pod/web-0; this is {about!r}")
    return kind, name


class _Chosen:
    """Which of the events of a watch are shown: a watch has selectors only."""

    def __init__(
        self,
        kind: str,
        name: str,
        since: datetime.timedelta | None,
        types: list[str],
        reasons: list[str],
    ) -> None:
        self._kind = kind
        self._name = name
        self._oldest = output.now() - since if since is not None else None
        self._types = {each.casefold() for each in types}
        self._reasons = {each.casefold() for each in reasons}
        self._seen: dict[str, str] = {}

    def takes(self, event: Any) -> bool:
        """Whether an event is to be shown; one that was shown is not, unless it has changed."""
        if self._seen.get(event.uid) == event.resource_version:
            return False
        self._seen[event.uid] = event.resource_version
        about = event.involved_object
        return bool(
            (not self._kind or (about.name == self._name and kinds.is_kind(self._kind, about.kind)))
            and (not self._types or event.type.casefold() in self._types)
            and (not self._reasons or event.reason.casefold() in self._reasons)
            and (self._oldest is None or times.moment(event.last_seen_time) >= self._oldest)
        )

    def forget(self, event: Any) -> None:
        """It has expired."""
        self._seen.pop(event.uid, None)


def _watch(
    context: typer.Context,
    chosen: _Chosen,
    where: dict[str, Any],
    selector: str,
    field_selector: str,
    cluster: str,
    form: ListFormat,
) -> None:
    """What exists, the oldest first, then every event once, also when it happens again."""
    from podyard.k8s_resource.v1 import watch_pb2

    targets = [
        watch_pb2.WatchTarget(
            kind="events",
            namespace=each,
            label_selector=selector,
            field_selector=field_selector,
        )
        for each in where.get("namespaces") or [where.get("namespace", "")]
    ]
    with connect(context) as client:
        stream = client.k8s.watch(
            targets=targets, cluster=cluster, on_interruption=note_interruption
        )
        present: list[Any] | None = []
        for change in stream:
            match enum_word(change, "type"):
                case "ADDED" | "MODIFIED":
                    if not chosen.takes(change.event):
                        continue
                    if present is None:
                        _print(change.event, form)
                    else:
                        present.append(change.event)
                case "DELETED":
                    chosen.forget(change.event)
                case "RELISTED":
                    present = [] if present is None else present
                case "SYNCED":
                    for event in sorted(present or (), key=_last_seen):
                        _print(event, form)
                    present = None
                case "DISCONNECTED":
                    output.note("the cluster's API server cannot be reached; nothing is lost")
                case "RECONNECTED":
                    output.note("the API server can be reached again")


def _last_seen(event: Any) -> tuple[int, int]:
    return event.last_seen_time.seconds, event.last_seen_time.nanos


def _print(event: Any, form: ListFormat) -> None:
    if form not in (ListFormat.TABLE, ListFormat.WIDE):
        output.print_streamed(documents.to_document(event), OutputFormat(form.value))
        return
    about = one_line(f"{event.involved_object.kind.lower()}/{event.involved_object.name}")
    time = times.clock_time(event, "last_seen_time").partition(".")[0]
    count = f" (x{event.count})" if event.count > 1 else ""
    about = cut(about, _OBJECT_WIDTH)
    line = f"{time}  {one_line(event.type):<7}  {one_line(event.reason):<18}  {about:<{_OBJECT_WIDTH}}  "
    line += one_line(event.message) + count
    width = None if form is ListFormat.WIDE else output.terminal_width()
    print(line if width is None else cut(line, width), flush=True)
