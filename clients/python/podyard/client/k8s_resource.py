"""Reading, watching and changing Kubernetes."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any, TypedDict, Unpack

from google.protobuf import field_mask_pb2
from podyard.client.captured_logs import CapturedLogCalls
from podyard.client.channel import ServiceChannel
from podyard.client.list_options import (
    EventListOptions,
    InventoryOptions,
    NamespacedListOptions,
    NodeListOptions,
    PhaseListOptions,
    PodListOptions,
    QueueListOptions,
    TrainingJobListOptions,
)
from podyard.client.listing import Listing
from podyard.client.log_reads import LogReadCalls
from podyard.client.log_tails import LogTailCalls
from podyard.client.request_fields import duration, timed
from podyard.client.streams import Batch, Interruption, ResumingStream
from podyard.k8s_resource.v1 import (
    events_pb2,
    inventory_pb2,
    namespaces_pb2,
    objects_pb2,
    queues_pb2,
    training_jobs_pb2,
    watch_pb2,
)
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb
from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

PAGE_SIZE = 1000
"""Pages are fetched as large as the service allows, unless `page_size` says otherwise."""
OBJECTS_PAGE_SIZE = 500
_SHORTEST_WATCH_SECONDS = 0.001


class ObjectListOptions(TypedDict, total=False):
    """Which objects of any kind; the fields of ListObjectsRequest."""

    cluster: str
    namespace: str
    label_selector: str
    field_selector: str
    page_size: int
    include_managed_fields: bool


class K8sResource(CapturedLogCalls, LogReadCalls, LogTailCalls):
    """The calls of K8sResourceService."""

    def __init__(self, channel: ServiceChannel) -> None:
        self._channel = channel
        self._stub: Any = pb_grpc.K8sResourceServiceStub(channel.grpc)

    def list_cluster_connections(self) -> pb.ListClusterConnectionsResponse:
        """The Kubernetes clusters that `cluster` may name."""
        request = pb.ListClusterConnectionsRequest()
        answer: pb.ListClusterConnectionsResponse = self._channel.unary(
            self._stub.ListClusterConnections, request
        )
        return answer

    def get_cluster_info(
        self, cluster: str = "", *, namespaces: Sequence[str] = (), timeout: float | None = None
    ) -> pb.GetClusterInfoResponse:
        """The preflight of a cluster: version, rights, components, and `problems` with remedies.

        What is not allowed everywhere is looked for in `namespaces` too. A cluster that is down
        is an answer: `reachable` is false.
        """
        request = pb.GetClusterInfoRequest(cluster=cluster, namespaces=namespaces)
        answer: pb.GetClusterInfoResponse = self._channel.unary(
            self._stub.GetClusterInfo, request, timeout
        )
        return answer

    def list_nodes(
        self, **options: Unpack[NodeListOptions]
    ) -> Listing[objects_pb2.Node, pb.ListNodesResponse]:
        """Nodes with their GPUs."""
        request = pb.ListNodesRequest(**_paged(options))
        return self._channel.listing(self._stub.ListNodes, request, "nodes")

    def get_node(self, name: str, *, cluster: str = "") -> pb.GetNodeResponse:
        """One node with its GPUs."""
        request = pb.GetNodeRequest(cluster=cluster, name=name)
        answer: pb.GetNodeResponse = self._channel.unary(self._stub.GetNode, request)
        return answer

    def get_gpu_inventory(
        self, **options: Unpack[InventoryOptions]
    ) -> inventory_pb2.GetGpuInventoryResponse:
        """GPUs and other extended resources: totals, nodes, who holds them, who waits for them."""
        return self.gpu_inventory(**options).answer()

    def gpu_inventory(
        self, **options: Unpack[InventoryOptions]
    ) -> Listing[inventory_pb2.InventoryNode, inventory_pb2.GetGpuInventoryResponse]:
        """The same as a list of nodes; all but the nodes is in the first of its `pages()`."""
        request = inventory_pb2.GetGpuInventoryRequest(**_paged(options))
        return self._channel.listing(self._stub.GetGpuInventory, request, "nodes")

    def list_pods(
        self, **options: Unpack[PodListOptions]
    ) -> Listing[objects_pb2.Pod, pb.ListPodsResponse]:
        """Pods."""
        request = pb.ListPodsRequest(**_paged(options))
        return self._channel.listing(self._stub.ListPods, request, "pods")

    def list_services(
        self, **options: Unpack[NamespacedListOptions]
    ) -> Listing[objects_pb2.Service, pb.ListServicesResponse]:
        """Services."""
        request = pb.ListServicesRequest(**_paged(options))
        return self._channel.listing(self._stub.ListServices, request, "services")

    def list_deployments(
        self, **options: Unpack[NamespacedListOptions]
    ) -> Listing[objects_pb2.Deployment, pb.ListDeploymentsResponse]:
        """Deployments."""
        request = pb.ListDeploymentsRequest(**_paged(options))
        return self._channel.listing(self._stub.ListDeployments, request, "deployments")

    def list_persistent_volumes(
        self, **options: Unpack[PhaseListOptions]
    ) -> Listing[objects_pb2.PersistentVolume, pb.ListPersistentVolumesResponse]:
        """Persistent volumes."""
        request = pb.ListPersistentVolumesRequest(**_paged(options))
        return self._channel.listing(
            self._stub.ListPersistentVolumes, request, "persistent_volumes"
        )

    def list_training_jobs(
        self, **options: Unpack[TrainingJobListOptions]
    ) -> Listing[objects_pb2.TrainingJob, pb.ListTrainingJobsResponse]:
        """Training jobs of every supported kind that the cluster knows."""
        request = pb.ListTrainingJobsRequest(**_paged(options))
        return self._channel.listing(self._stub.ListTrainingJobs, request, "training_jobs")

    def get_training_job(
        self,
        name: str,
        *,
        namespace: str = "",
        kind: str = "",
        cluster: str = "",
        consistent: bool = False,
    ) -> training_jobs_pb2.GetTrainingJobResponse:
        """One training job with its pods by rank; the kind only where it is not clear."""
        request = training_jobs_pb2.GetTrainingJobRequest(
            cluster=cluster, namespace=namespace, name=name, kind=kind, consistent=consistent
        )
        answer: training_jobs_pb2.GetTrainingJobResponse = self._channel.unary(
            self._stub.GetTrainingJob, request
        )
        return answer

    def list_queues(
        self, **options: Unpack[QueueListOptions]
    ) -> Listing[queues_pb2.Queue, queues_pb2.ListQueuesResponse]:
        """Kueue's queues with quota and use; none, with a note, where there is no Kueue."""
        request = queues_pb2.ListQueuesRequest(**_paged(options))
        return self._channel.listing(self._stub.ListQueues, request, "queues")

    def list_events(
        self, **options: Unpack[EventListOptions]
    ) -> Listing[events_pb2.Event, events_pb2.ListEventsResponse]:
        """Events, the last seen first."""
        request = events_pb2.ListEventsRequest(**_paged(options))
        return self._channel.listing(self._stub.ListEvents, request, "events")

    def list_namespaces(
        self, **options: Unpack[PhaseListOptions]
    ) -> Listing[namespaces_pb2.Namespace, namespaces_pb2.ListNamespacesResponse]:
        """Namespaces."""
        request = namespaces_pb2.ListNamespacesRequest(**_paged(options))
        return self._channel.listing(self._stub.ListNamespaces, request, "namespaces")

    def list_objects(
        self, kind: str, **options: Unpack[ObjectListOptions]
    ) -> Listing[objects_pb2.KubernetesObject, pb.ListObjectsResponse]:
        """Objects of any kind, read live, whole; all pages are of one snapshot."""
        fields: dict[str, Any] = {"page_size": OBJECTS_PAGE_SIZE, **options}
        request = pb.ListObjectsRequest(kind=kind, **fields)
        return self._channel.listing(self._stub.ListObjects, request, "objects")

    def get_object(
        self, kind: str, name: str, *, namespace: str = "", cluster: str = ""
    ) -> pb.GetObjectResponse:
        """One object of any kind, read live; `object.json` is the whole of it."""
        request = pb.GetObjectRequest(cluster=cluster, kind=kind, namespace=namespace, name=name)
        answer: pb.GetObjectResponse = self._channel.unary(self._stub.GetObject, request)
        return answer

    def watch(
        self,
        *kinds: str,
        cluster: str = "",
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        targets: Iterable[watch_pb2.WatchTarget] = (),
        view: watch_pb2.ObjectView = watch_pb2.OBJECT_VIEW_SUMMARY,
        coalesce: bool = False,
        skip_initial_state: bool = False,
        timeout: float | None = None,
        resume_token: str = "",
        on_interruption: Callable[[Interruption], None] | None = None,
    ) -> ResumingStream[watch_pb2.WatchEvent]:
        """The present state of some kinds, SYNCED, then every change, each once and in order.

        Goes on by itself when the connection breaks. RELISTED means: history was lost; forget
        the objects of that target, its complete state follows, then SYNCED. GAP means: states
        between were lost; the differences follow, and nothing is to be forgotten.

        `coalesce` gives the newest state of each object in place of every change as far as
        the reader is slower than they come. `skip_initial_state` begins with the changes from
        now on. `timeout` in seconds ends the watch in order, reconnections included.
        """
        request = watch_pb2.WatchRequest(
            cluster=cluster,
            kinds=kinds,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            targets=targets,
            view=view,
            coalesce=coalesce,
            skip_initial_state=skip_initial_state,
        )
        deadline = None if timeout is None else monotonic() + timeout

        def connect(token: str) -> Any:
            request.resume_token = token
            if deadline is not None:
                left = max(_SHORTEST_WATCH_SECONDS, deadline - monotonic())
                request.timeout.FromTimedelta(datetime.timedelta(seconds=left))
            return self._stub.Watch(request)

        return self._channel.stream(
            connect, _read_watch, resume_token=resume_token, on_interruption=on_interruption
        )

    def apply(
        self,
        manifest: str,
        *,
        cluster: str = "",
        namespace: str = "",
        field_manager: str = "",
        force: bool = False,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> pb.ApplyResponse:
        """Create or change the objects of a manifest, YAML or JSON, by server-side apply."""
        request = pb.ApplyRequest(
            cluster=cluster,
            manifest=manifest,
            namespace=namespace,
            field_manager=field_manager,
            force=force,
            validate_only=validate_only,
        )
        answer: pb.ApplyResponse = self._channel.unary(self._stub.Apply, request, timeout)
        return answer

    def delete(
        self,
        *,
        objects: Iterable[pb.ObjectKey] = (),
        manifest: str = "",
        selector: pb.DeleteSelector | None = None,
        cluster: str = "",
        namespace: str = "",
        propagation_policy: pb.PropagationPolicy = pb.PROPAGATION_POLICY_BACKGROUND,
        grace_period: datetime.timedelta | None = None,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> pb.DeleteResponse:
        """Remove objects: exactly one of `objects`, `manifest` and `selector` is given."""
        request = pb.DeleteRequest(
            cluster=cluster,
            objects=objects,
            manifest=manifest,
            selector=selector,
            namespace=namespace,
            propagation_policy=propagation_policy,
            grace_period=None if grace_period is None else duration(grace_period),
            validate_only=validate_only,
        )
        answer: pb.DeleteResponse = self._channel.unary(self._stub.Delete, request, timeout)
        return answer


def _paged(options: Any) -> dict[str, Any]:
    fields = {"page_size": PAGE_SIZE, **timed(options)}
    if "read_mask" in options:
        fields["read_mask"] = field_mask_pb2.FieldMask(paths=options["read_mask"])
    return fields


def _read_watch(message: watch_pb2.WatchResponse) -> Batch[watch_pb2.WatchEvent]:
    ends = [e.end for e in message.events if e.type == watch_pb2.WATCH_EVENT_TYPE_END]
    events = [e for e in message.events if e.type not in _WATCH_SIGNALS]
    return Batch(events, message.resume_token, ends[0] if ends else None)


# These concern the connection, which this client looks after.
_WATCH_SIGNALS = frozenset(
    {
        watch_pb2.WATCH_EVENT_TYPE_BOOKMARK,
        watch_pb2.WATCH_EVENT_TYPE_HEARTBEAT,
        watch_pb2.WATCH_EVENT_TYPE_END,
    }
)
