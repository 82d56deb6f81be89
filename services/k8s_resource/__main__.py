"""Starts the service: `python -m services.k8s_resource`. The only wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from podyard.k8s_resource.v1 import k8s_resource_service_pb2_grpc as pb_grpc

from services.common.health import Dependency
from services.common.server import (
    Draining,
    GrpcServer,
    Registration,
    run_service,
    serve_until_signalled,
)
from services.common.settings import load_settings
from services.k8s_resource.adapters.captured.rules_file import RulesFile, read_seed
from services.k8s_resource.adapters.captured.s3_objects import S3Objects
from services.k8s_resource.adapters.captured.segment_files import LocalSegmentFiles
from services.k8s_resource.adapters.captured.tiered_files import TieredSegmentFiles
from services.k8s_resource.adapters.kubeconfig import KubeconfigConnections
from services.k8s_resource.convert.wire import registering
from services.k8s_resource.domain.apply import Applier
from services.k8s_resource.domain.cache.clusters import CacheLimits, ClusterCaches
from services.k8s_resource.domain.captured.capture import CaptureLimits
from services.k8s_resource.domain.captured.captured_logs import CapturedLogs
from services.k8s_resource.domain.captured.library import LiveAndKeptLogs
from services.k8s_resource.domain.captured.store import StoreLimits
from services.k8s_resource.domain.delete import Deleter
from services.k8s_resource.domain.discovery import Discovery
from services.k8s_resource.domain.event_lists import EventLists
from services.k8s_resource.domain.inventory.inventory import GpuInventory
from services.k8s_resource.domain.jobs.training_jobs import TrainingJobs
from services.k8s_resource.domain.kueue.queues import Queues
from services.k8s_resource.domain.lists import Lists
from services.k8s_resource.domain.live_objects import LiveObjects
from services.k8s_resource.domain.logs.cached_pods import CachedPodSource
from services.k8s_resource.domain.logs.download import Downloads
from services.k8s_resource.domain.logs.feed_registry import FeedRegistry
from services.k8s_resource.domain.logs.library import LogLibrary
from services.k8s_resource.domain.logs.live_logs import LiveLogs
from services.k8s_resource.domain.logs.logs import Logs
from services.k8s_resource.domain.logs.pages import LogPages
from services.k8s_resource.domain.logs.read_query import LogFinder
from services.k8s_resource.domain.logs.search import Searches
from services.k8s_resource.domain.preflight.clusters import Clusters
from services.k8s_resource.domain.watching.watches import Watches
from services.k8s_resource.servicer import FULL_NAME, K8sResourceServicer
from services.k8s_resource.servicers.captured_logs import CapturedLogsServicer
from services.k8s_resource.servicers.info import InfoServicer
from services.k8s_resource.servicers.inventory import InventoryServicer
from services.k8s_resource.servicers.jobs import JobsServicer
from services.k8s_resource.servicers.lists import ListsServicer
from services.k8s_resource.servicers.log_reads import LogReadsServicer
from services.k8s_resource.servicers.logs import LogsServicer
from services.k8s_resource.servicers.objects import ObjectsServicer
from services.k8s_resource.servicers.watch import WatchServicer
from services.k8s_resource.settings import K8sResourceSettings


@asynccontextmanager
async def assembled(settings: K8sResourceSettings) -> AsyncIterator[GrpcServer]:
    """The server with all its parts, not yet started; the parts end with the context."""
    connections = KubeconfigConnections(settings.kubeconfig_paths())
    draining = Draining()
    catalog = Discovery()
    limits = CacheLimits(
        settings.watch_history,
        settings.watch_history_bytes,
        settings.kind_idle_seconds,
        settings.watch_inactivity_seconds,
    )
    caches = ClusterCaches(connections, limits, settings.namespaces)
    clusters = Clusters(connections, caches, settings.namespaces)
    feeds = FeedRegistry()
    captured = _captured_logs(settings, connections, caches, feeds)
    lists = Lists(connections, caches)
    queues = Queues(connections, caches)
    pods = CachedPodSource(caches)
    library: LogLibrary = LiveLogs(pods)
    if captured.archive is not None:
        library = LiveAndKeptLogs(library, captured.archive)
    finder = LogFinder(connections, library, captured.archive)
    servicer = K8sResourceServicer(
        InfoServicer(clusters),
        ListsServicer(lists, EventLists(connections, catalog, lists)),
        JobsServicer(TrainingJobs(connections, caches, lists, queues), queues),
        InventoryServicer(GpuInventory(connections, caches)),
        WatchServicer(Watches(connections, caches, catalog, draining.event)),
        LogsServicer(Logs(connections, pods, feeds, draining.event, captured.archive)),
        CapturedLogsServicer(captured),
        LogReadsServicer(LogPages(finder), Downloads(finder), Searches(finder, draining.event)),
        ObjectsServicer(
            LiveObjects(connections, catalog),
            Applier(connections, catalog),
            Deleter(connections, catalog),
        ),
    )
    add = registering(pb_grpc.add_K8sResourceServiceServicer_to_server)
    async with connections.running(), caches.running(), captured.running():
        yield GrpcServer(
            settings.listen,
            [Registration(FULL_NAME, add, servicer)],
            draining,
            dependencies=[
                Dependency("kubernetes", clusters.check_default),
                *([Dependency("captured-logs", captured.check)] if settings.state else ()),
            ],
            drain_seconds=settings.drain_seconds,
            streams=settings.stream_budget(),
        )


def _captured_logs(
    settings: K8sResourceSettings,
    connections: KubeconfigConnections,
    caches: ClusterCaches,
    feeds: FeedRegistry,
) -> CapturedLogs:
    state = settings.state
    files, copies = None, None
    if state is not None:
        files = LocalSegmentFiles(state / "captured-logs")
        if settings.capture_s3:
            objects = S3Objects(settings.capture_s3)
            files = copies = TieredSegmentFiles(state / "captured-logs", objects)
    return CapturedLogs(
        connections,
        caches,
        feeds,
        rules=RulesFile(state / "capture-rules.json") if state is not None else None,
        files=files,
        limits=CaptureLimits(settings.capture_max_bytes, settings.capture_min_free_bytes),
        store_limits=StoreLimits(
            settings.capture_segment_bytes,
            settings.capture_segment_seconds,
            settings.capture_sync_seconds,
        ),
        seed=read_seed(settings.capture_rules) if settings.capture_rules is not None else None,
        copies=copies,
        local_bytes=settings.capture_local_bytes,
    )


async def serve(settings: K8sResourceSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    async with assembled(settings) as server:
        await serve_until_signalled(server, settings)


def main() -> None:
    """Read the settings and serve."""
    settings = load_settings(K8sResourceSettings)
    run_service("k8s_resource", settings, lambda: serve(settings))


if __name__ == "__main__":
    main()
