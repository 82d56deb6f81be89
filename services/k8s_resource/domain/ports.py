"""What the domain needs from outside: an API server, and the clusters one may name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.k8s_resource.domain.resources import Resource

Params = Mapping[str, str | int | bool]
JSON = "application/json"
APPLY_PATCH = "application/apply-patch+yaml"
"""Content type of server-side apply; the body may be YAML or JSON."""


@dataclass(frozen=True, slots=True)
class KubeResponse:
    """A complete successful (2xx) answer. Header names are lower case; repeated ones joined by
    newlines."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class KubeStream(Protocol):
    """A successful answer whose body is read as it comes."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """Raw bytes as received; ends at the server's end of the stream.

        UnavailableError when the connection breaks, or nothing came for the stream's
        `inactivity` (reason "INACTIVE").
        """


class KubeApi(Protocol):
    """One API server. Refusals are raised as domain errors, see `api_status.error_of`."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = 30.0,
        retry: bool | None = None,
    ) -> KubeResponse:
        """Send a request and read the whole answer, within `timeout` seconds in all.

        What was certainly not processed (no connection, 429, 401 with expired
        credentials) is tried again for every method. What may have been processed
        (time-outs, broken connections, 5xx) only if `retry` says that this is safe; by
        default for GET, HEAD and OPTIONS. False switches all retries off.
        """

    def stream(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        inactivity: float,
        sent: Callable[[], None] | None = None,
    ) -> AbstractAsyncContextManager[KubeStream]:
        """Send a request and read the answer piece by piece; leaving closes the connection.

        There is no limit on the whole time. `inactivity`, in seconds, is how long nothing
        may come, headers included. Not retried, except once with renewed credentials.
        `sent` is called when the request is on its way: an answer may take its time.
        """


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster that can be named. A new server address makes a new `api`, hence another
    connection; new credentials do not, they only count as `renewals`."""

    name: str
    server: str
    namespace: str
    default: bool
    api: KubeApi
    renewals: int = 0


class Connections(Protocol):
    """The clusters of the kubeconfig, or the one this process runs in."""

    @property
    def problem(self) -> str:
        """What is wrong with the configuration that is in use all the same; empty if nothing."""

    def get(self, cluster: str) -> Connection:
        """The cluster of that name; the default one for "".

        NotFoundError naming the known ones; FailedPreconditionError, with what to do,
        if there is no usable configuration.
        """

    def list(self) -> Sequence[Connection]:
        """All of them by name; FailedPreconditionError as in `get`."""


class ResourceCatalog(Protocol):
    """Knows the kinds that a cluster serves (API discovery)."""

    async def resolve(self, connection: Connection, kind: str) -> Resource:
        """The kind that kubectl would take "po", "pods", "Deployment.apps", "apps/v1/Job" for.

        NotFoundError naming similar kinds if the cluster does not serve it.
        """
