"""What `podyard doctor` looks at. Every check answers; none raises."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from podyard.cli.words import enum_word
from podyard.client import Address, CallError, Podyard, PodyardError
from podyard.client.addresses import ENDPOINTS_FILE, read_endpoints, state_folder
from podyard.client.channel import DIRECT
from podyard.client.errors import from_rpc_error

PROBE_SECONDS = 5.0
"""How long one check may take."""

_START = "start everything with `make run`"
# The published types of this package lack the newest of its messages.
_LIST_REQUEST: Any = vars(health_pb2)["HealthListRequest"]()
# The gateway is asked directly, also where the environment names a proxy for the web.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_SERVING = health_pb2.HealthCheckResponse.SERVING


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `state` is "ok", "warning", "problem" or "skipped"."""

    group: str
    name: str
    state: str
    detail: str = ""
    address: str = ""
    latency_ms: float | None = None
    remedy: str = ""

    def document(self) -> dict[str, Any]:
        """For JSON: without what is empty."""
        return {key: value for key, value in asdict(self).items() if value not in ("", None)}


def findings(client: Podyard) -> Iterator[Finding]:
    """Look at everything, in an order in which the first problem is likely the cause."""
    yield from stack_findings(state_folder())
    addresses = client.addresses
    reachable = {}
    for name, address in (
        ("k8s-resource", addresses.k8s_resource),
        ("cluster-lifecycle", addresses.cluster_lifecycle),
        ("training-history", addresses.training_history),
    ):
        found = list(service_findings(name, address))
        reachable[name] = found[0].state != "problem"
        yield from found
    yield gateway_finding(addresses.gateway)
    yield from kubernetes_findings(client, reachable["k8s-resource"])
    yield tracking_finding(client, reachable["training-history"])


def stack_findings(folder: Path) -> Iterator[Finding]:
    """The processes of the local stack, as recorded when it started."""
    file = str(folder / ENDPOINTS_FILE)
    try:
        recorded = read_endpoints(folder)
    except PodyardError as error:
        yield Finding("stack", "local stack", "problem", error.message, file, remedy=_START)
        return
    components = recorded.get("components")
    if not isinstance(components, list) or not components:
        yield Finding("stack", "local stack", "skipped", "none is running from this folder", file)
        return
    for component in components:
        if isinstance(component, dict):
            yield _component_finding(component)


def _component_finding(component: dict[str, Any]) -> Finding:
    name, address = str(component.get("name", "?")), str(component.get("address") or "")
    pid, log = component.get("pid"), component.get("log")
    if isinstance(pid, int) and is_alive(pid):
        return Finding("stack", name, "ok", f"process {pid}", address)
    see = f"its log is {log}; " if log else ""
    detail = f"process {pid} has ended" if pid else "was not started"
    return Finding("stack", name, "problem", detail, address, remedy=f"{see}{_START} again")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not collected yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    return status.rpartition(b")")[2].split()[:1] != [b"Z"]


def service_findings(name: str, address: Address) -> Iterator[Finding]:
    """The health that a service reports, then that of each of its dependencies."""
    group = "services"
    with grpc.insecure_channel(address.value, options=[DIRECT]) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        started = time.monotonic()
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=PROBE_SECONDS)
        except grpc.RpcError as raised:
            error = from_rpc_error(raised, name, address.value)
            remedy = f"{_START}, or look at the address (from {address.source})"
            detail = error.message.removeprefix(f"the {name} service at {address.value} ")
            yield Finding(group, name, "problem", detail, address.value, remedy=remedy)
            return
        latency = _milliseconds(started)
        statuses = _statuses(stub)
    if answer.status == _SERVING:
        yield Finding(group, name, "ok", "serving", address.value, latency)
    else:
        detail = (
            "answers, but does not serve: a dependency that it needs is down, or it is stopping"
        )
        yield Finding(group, name, "warning", detail, address.value, latency)
    for dependency, status in sorted(statuses.items()):
        label = f"{name} → {dependency.removeprefix('dependency:')}"
        if status == _SERVING:
            yield Finding("services", label, "ok", "reachable")
        else:
            remedy = f"the log of {name} says why it is down"
            yield Finding("services", label, "problem", "not reachable", remedy=remedy)


def _statuses(stub: Any) -> dict[str, int]:
    try:
        answer = stub.List(_LIST_REQUEST, timeout=PROBE_SECONDS)
    except grpc.RpcError:
        return {}  # an older server: its dependencies are not told
    return {
        service: response.status
        for service, response in answer.statuses.items()
        if service.startswith("dependency:")
    }


def gateway_finding(address: Address) -> Finding:
    """The gateway's own readiness."""
    url = f"{address.value}/readyz"
    started = time.monotonic()
    try:
        with _direct.open(url, timeout=PROBE_SECONDS) as response:
            response.read()
        return Finding("services", "gateway", "ok", "ready", address.value, _milliseconds(started))
    except urllib.error.HTTPError as error:
        detail = f"answers {error.code}: {_reason(error.read())}"
        remedy = "the services above that are down are what it waits for"
        return Finding("services", "gateway", "problem", detail, address.value, remedy=remedy)
    except (OSError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)
        text = getattr(cause, "strerror", None) or str(cause)
        remedy = f"{_START}, or look at the address (from {address.source})"
        detail = f"cannot be reached: {text.lower()}"
        return Finding("services", "gateway", "problem", detail, address.value, remedy=remedy)


def kubernetes_findings(client: Podyard, service_up: bool) -> Iterator[Finding]:
    """Every cluster that the Kubernetes service may talk to."""
    group = "kubernetes"
    if not service_up:
        yield Finding(group, "clusters", "skipped", "k8s-resource cannot be reached")
        return
    try:
        connections = client.k8s.list_cluster_connections().connections
    except CallError as error:
        remedy = "the kubeconfig of k8s-resource (PODYARD_K8S_RESOURCE_KUBECONFIG)"
        yield Finding(group, "clusters", "problem", error.message, remedy=f"look at {remedy}")
        return
    if not connections:
        remedy = "set PODYARD_K8S_RESOURCE_KUBECONFIG for k8s-resource"
        yield Finding(group, "clusters", "problem", "none is configured", remedy=remedy)
    for connection in connections:
        yield from _cluster_findings(client, connection)


def _cluster_findings(client: Podyard, connection: Any) -> Iterator[Finding]:
    """The cluster itself, then what its preflight found to be wrong."""
    name = f"{connection.name} (default)" if connection.default else connection.name
    group = "kubernetes"
    try:
        info = client.k8s.get_cluster_info(connection.name, timeout=2 * PROBE_SECONDS)
    except CallError as error:
        yield Finding(group, name, "problem", error.message, connection.server)
        return
    if not info.reachable:
        detail = info.problem or "cannot be reached"
        remedy = info.problems[0].remedy if info.problems else ""
        yield Finding(group, name, "problem", detail, info.server, remedy=remedy)
        return
    latency = round(info.latency.ToTimedelta().total_seconds() * 1000, 1)
    nodes = [c for c in info.components if c.name == "nodes" and c.desired]
    detail = info.version + "".join(f", {c.ready} of {c.desired} nodes ready" for c in nodes)
    yield Finding(group, name, "ok", detail, info.server, latency)
    for problem in info.problems:
        state = "problem" if enum_word(problem, "severity") == "ERROR" else "warning"
        yield Finding(
            group,
            f"{connection.name} → {problem.subject}",
            state,
            problem.message,
            remedy=problem.remedy,
        )


def tracking_finding(client: Podyard, service_up: bool) -> Finding:
    """The tracking server behind the training history."""
    group, name = "mlflow", "tracking server"
    if not service_up:
        return Finding(group, name, "skipped", "training-history cannot be reached")
    try:
        status = client.runs.get_sync_status(timeout=PROBE_SECONDS)
    except CallError as error:
        return Finding(group, name, "problem", error.message)
    held = f"{status.runs} runs in {status.experiments} experiments"
    if not status.reachable or status.freshness.stale:
        why = status.freshness.stale_reason or "cannot be reached"
        detail = f"{why}; {held} are served from the cache"
        remedy = "start the server, or set PODYARD_TRAINING_HISTORY_TRACKING_URI"
        return Finding(group, name, "problem", detail, status.tracking_uri, remedy=remedy)
    if status.experiment_errors:
        names = ", ".join(sorted(status.experiment_errors))
        detail = f"{held}; not readable: {names}"
        return Finding(group, name, "warning", detail, status.tracking_uri)
    return Finding(group, name, "ok", held, status.tracking_uri)


def _reason(body: bytes) -> str:
    """What a readiness answer says is wrong, on one line."""
    text = " ".join(body.decode("utf-8", "replace").split())
    try:
        services = json.loads(text)["services"]
        wrong = [
            f"{name} {service['status']}" + (f" ({why})" if (why := service.get("message")) else "")
            for name, service in services.items()
            if service["status"] != "serving"
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        wrong = [text]  # not the gateway, or another version of it
    reason = ", ".join(wrong)
    return reason if len(reason) <= 300 else f"{reason[:300]}…"


def _milliseconds(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
