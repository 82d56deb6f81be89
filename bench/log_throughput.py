"""One long log: from a simulated kubelet, and from a source that is faster."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as k8s_pb
from podyard.k8s_resource.v1 import logs_pb2 as pb

from bench import cluster, running
from bench.processes import Usage
from bench.raw_https import RawHttps
from bench.registry import Budget, Figure, Finding, Measured, Row, Scale, register
from bench.replay.logs import TEXT_BYTES, numbered
from bench.replay.source import replay_source
from tools.stack import testing

_RAW = "raw HTTP"
_KUBECTL = "kubectl logs"
_POD = "long"
_TAIL = "/podyard.k8s_resource.v1.K8sResourceService/TailLogs"
_ABOUT = (
    f"TailLogs of one pod, all of its {{}} lines of {TEXT_BYTES} bytes, without following; the "
    "client takes the messages and counts their bytes."
)
_KUBELET = (
    f"{_ABOUT.format('1,000,000')} They are a file that a simulated kubelet serves, which limits "
    "everybody. Raw HTTP is a GET to the API server whose body is thrown away; kubectl writes into "
    "nothing."
)
CPU = Row(
    name="one log of 1,000,000 lines, CPU",
    unit="s",
    peers=(_KUBECTL,),
    budget=Budget(at_most=3),
    about=f"{_KUBELET} Processor time of the service, or of kubectl.",
)
WALL = Row(
    name="one log of 1,000,000 lines, wall",
    unit="s",
    peers=(_RAW, _KUBECTL),
    budget=Budget(ratio_at_least=round(1 / 1.2, 3)),
    about=_KUBELET,
    if_missed="the service decodes each line while the API server, the simulated kubelet and the "
    "client share two cores with it; raw HTTP throws the bytes away.",
)
FAST = Row(
    name="one log from a faster source",
    unit="lines/s",
    peers=(_RAW,),
    budget=Budget(at_least=200_000),
    about=f"{_ABOUT.format('1,000,000')} The replay server of this bench sends them from memory.",
    higher_is_better=True,
)


@dataclass(frozen=True)
class _Cost:
    seconds: float
    cpu: float
    rss: float = 0.0


@register("log-throughput", CPU, WALL, FAST)
def measure(scale: Scale) -> Mapping[str, Finding]:
    lines = scale.of(1_000_000, 100_000)
    with testing.control_plane("bench", nodes=1) as plane:
        cluster.plain_pods(plane, [_POD], "long")
        _fill(plane.pod_logs(_POD).file("main"), lines)
        with running.k8s_resource(plane.kubeconfig) as service:
            ours = _tail(service, _POD, lines)
        path = f"/api/v1/namespaces/default/pods/{_POD}/log?timestamps=true"
        with RawHttps(plane.kubeconfig) as api:
            raw = _timed(lambda: api.discard(path))
        kubectl = _command(
            [str(plane.kubectl_path), "--kubeconfig", str(plane.kubeconfig), "logs", _POD]
        )
    with replay_source(1, lines) as source, running.k8s_resource(source.kubeconfig) as service:
        fast = _tail(service, "replay-000000", lines)
        with RawHttps(source.kubeconfig) as api:
            path = "/api/v1/namespaces/default/pods/replay-000000/log?timestamps=true"
            fast_raw = _timed(lambda: api.discard(path))
    return {
        CPU.name: Measured(ours.cpu, {_KUBECTL: kubectl.cpu}, (Figure("RSS", ours.rss, "MB"),)),
        WALL.name: Measured(ours.seconds, {_RAW: raw, _KUBECTL: kubectl.seconds}),
        FAST.name: Measured(
            lines / fast.seconds,
            {_RAW: lines / fast_raw},
            (Figure("CPU", fast.cpu, "s"), Figure("RSS", fast.rss, "MB")),
        ),
    }


def _fill(file: Path, lines: int) -> None:
    """Write the log in the format of the container runtime, a piece at a time."""
    with file.open("wb") as log:
        for start in range(0, lines, 50_000):
            end = min(lines, start + 50_000)
            log.write("".join(numbered(start, end, " stdout F ")).encode())


def _tail(service: running.Service, pod: str, lines: int) -> _Cost:
    """Read it all; AssertionError if it is not all."""
    # The cache of pods is there, as in a service that is in use.
    service.stub.ListPods(k8s_pb.ListPodsRequest(page_size=1))
    request = pb.TailLogsRequest(namespace="default", pod=pod)
    with grpc.insecure_channel(service.address) as channel:
        tail: Any = channel.unary_stream(_TAIL, pb.TailLogsRequest.SerializeToString)
        with Usage(service.pid) as usage:
            begun = time.perf_counter()
            messages = list(tail(request))
            seconds = time.perf_counter() - begun
    found = sum(
        len(event.lines.text)
        for message in messages
        for event in pb.TailLogsResponse.FromString(message).events
    )
    assert found == lines, f"{found} lines came, not {lines}"
    return _Cost(seconds, usage.cpu_seconds, usage.peak_rss_mb)


def _timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _command(command: list[str]) -> _Cost:
    """Run a program and throw its output away."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command[0]} failed"
    return _Cost(time.perf_counter() - begun, used.ru_utime + used.ru_stime)
