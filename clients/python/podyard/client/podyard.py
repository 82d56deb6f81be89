"""The entry to the SDK: one object with the three services."""

from __future__ import annotations

from functools import cached_property
from types import TracebackType

from podyard.client.addresses import Addresses, resolve_addresses
from podyard.client.channel import ServiceChannel
from podyard.client.cluster_lifecycle import ClusterLifecycle
from podyard.client.k8s_resource import K8sResource
from podyard.client.training_history import TrainingHistory

DEFAULT_TIMEOUT = 30.0
"""Seconds that a call other than a stream may take."""


class Podyard:
    """A client of Podyard. Connections are made when first used.

    Safe to use from several threads; not across a fork.
    """

    def __init__(
        self,
        *,
        k8s_resource: str = "",
        cluster_lifecycle: str = "",
        training_history: str = "",
        addresses: Addresses | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Each address is "host:port"; one not given is found as `resolve_addresses` says.
        `timeout` in seconds holds for each call other than a stream."""
        self.addresses = addresses or resolve_addresses(
            k8s_resource=k8s_resource,
            cluster_lifecycle=cluster_lifecycle,
            training_history=training_history,
        )
        self._timeout = timeout
        self._channels: list[ServiceChannel] = []

    @cached_property
    def k8s(self) -> K8sResource:
        """Kubernetes: nodes, pods, logs, apply and so on."""
        return K8sResource(self._open("k8s-resource", self.addresses.k8s_resource.value))

    @cached_property
    def clusters(self) -> ClusterLifecycle:
        """HyperPod clusters and operations on them."""
        return ClusterLifecycle(
            self._open("cluster-lifecycle", self.addresses.cluster_lifecycle.value)
        )

    @cached_property
    def runs(self) -> TrainingHistory:
        """The training history."""
        return TrainingHistory(
            self._open("training-history", self.addresses.training_history.value)
        )

    def close(self) -> None:
        """Close all connections; streams end."""
        for channel in self._channels:
            channel.close()

    def __enter__(self) -> Podyard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, service: str, address: str) -> ServiceChannel:
        channel = ServiceChannel(service, address, self._timeout)
        self._channels.append(channel)
        return channel
