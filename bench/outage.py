"""The API server is killed and is away for three seconds; who has seen everything after it?"""

from __future__ import annotations

import math
import re
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
from podyard.k8s_resource.v1 import watch_pb2 as pb

from bench import cluster, running
from bench.kernel_limits import followed_logs
from bench.log_lines import Tally, Writer
from bench.peers import stern
from bench.peers.absent import PeerMissingError
from bench.peers.kubectl import following
from bench.processes import wait_until
from bench.registry import Budget, Figure, Finding, Measured, Row, Scale, register
from bench.tailing import tailing
from tools.stack import testing

_PODS = 20
_RATE = 10
_AWAY_SECONDS = 3
_BEFORE_SECONDS = 2
_AFTER_SECONDS = 10
KUBECTL = "kubectl get pods -w"
_HOW = (
    f"kill -9, nothing for {_AWAY_SECONDS} s, started again; {_PODS} pods, all readers at the same "
    "time on the same control plane."
)
LOGS = Row(
    name="API server killed for 3 s: log lines lost or doubled",
    unit="lines",
    peers=(stern.NAME,),
    budget=Budget(at_most=0),
    about=f"{_HOW} {_RATE} lines a second are written to each pod before, during and after.",
)
LOGS_RESUMED = Row(
    name="API server killed for 3 s: logs go on, after it is ready",
    unit="s",
    peers=(stern.NAME,),
    budget=Budget(at_most=3),
    about="From the API server's /readyz to the first line that comes, in the row above.",
)
WATCH = Row(
    name="API server killed for 3 s: changes missed or doubled by a watch",
    unit="changes",
    peers=(KUBECTL,),
    budget=Budget(at_most=0),
    about=f"{_HOW} A label of one pod after the other is patched with a new number whenever the "
    "API server takes it; a change counts as seen by the number that comes.",
)
WATCH_RESUMED = Row(
    name="API server killed for 3 s: watch goes on, after it is ready",
    unit="s",
    peers=(),
    budget=Budget(at_most=3),
    about="From /readyz to the first change that comes. kubectl has ended.",
)
_NUMBER = re.compile(rb"\bn(\d+)\b")


class _Changes:
    """Numbers that a watcher has seen, and when the last came (monotonic)."""

    def __init__(self) -> None:
        self.seen: Counter[int] = Counter()
        self.times: list[float] = []

    def saw(self, number: int) -> None:
        self.seen[number] += 1
        self.times.append(time.monotonic())

    def wrong(self, numbers: set[int]) -> int:
        """Of these changes, those missed and those seen more than once."""
        return sum(self.seen[number] != 1 for number in numbers)


@register("outage", LOGS, LOGS_RESUMED, WATCH, WATCH_RESUMED)
def measure(scale: Scale) -> Mapping[str, Finding]:
    names = [f"talk-{number}" for number in range(_PODS)]
    tally, stern_tally = Tally(), Tally()
    changes, kubectl_changes = _Changes(), _Changes()
    absent: dict[str, str] = {}
    with (
        followed_logs(2 * _PODS),
        testing.control_plane("bench", nodes=2) as plane,
        ExitStack() as stack,
    ):
        cluster.plain_pods(plane, names, "talk")
        writer = Writer(plane, names, _RATE)
        service = stack.enter_context(running.k8s_resource(plane.kubeconfig))
        stack.enter_context(writer.writing())
        tail = stack.enter_context(tailing(service.stub, tally, label_selector="app=talk"))
        wait_until(lambda: len(tail.attached) == _PODS, "all logs are attached", 30)
        try:
            stack.enter_context(stern.tailing(plane, "app=talk", stern_tally.saw_bytes))
            wait_until(lambda: len(stern_tally.seen) == _PODS, "stern reads all logs", 60)
        except PeerMissingError as error:
            absent[stern.NAME] = str(error)
        options = ("get", "pods", "-l", "app=talk", "-w", "-L", "number", "--no-headers")
        kubectl = stack.enter_context(
            following(plane, options, lambda line: _saw_line(kubectl_changes, line))
        )
        stack.enter_context(_watching(service.stub, changes))
        patcher = stack.enter_context(_patching(plane, names))
        wait_until(lambda: changes.seen.total() > 20, "changes are seen", 30)
        wait_until(lambda: kubectl_changes.seen.total() > 20, "kubectl sees changes", 30)
        first, begun = patcher.number, dict(writer.last)
        time.sleep(_BEFORE_SECONDS)
        plane.kill_apiserver()
        time.sleep(_AWAY_SECONDS)
        plane.start_apiserver(wait=False)
        wait_until(plane.api().is_ready, "the API server is ready again", 60, 0.02)
        ready = time.monotonic()
        time.sleep(_AFTER_SECONDS)
        numbers = {number for number in patcher.taken if number > first}
        last = dict(writer.last)
        wait_until(lambda: changes.seen[max(numbers)] > 0, "the last change", 30)
        wait_until(lambda: tally.complete(last), "the last lines", 30)
        ended = kubectl.poll() is not None
        if not absent:
            # What it has not by then, it will not have.
            _at_most(lambda: stern_tally.complete(last), 15)
    lost = {} if absent else {stern.NAME: stern_tally.lost(begun, last) + stern_tally.doubled()}
    stern_after = _after(stern_tally.times, ready)
    resumed = {} if absent else {stern.NAME: stern_after}
    never = absent or (
        {stern.NAME: "it did not go on within the measurement"} if math.isinf(stern_after) else {}
    )
    kubectl_wrong = kubectl_changes.wrong(numbers)
    return {
        LOGS.name: Measured(
            tally.lost(begun, last) + tally.doubled(),
            lost,
            (Figure("of", sum(last.values()) - sum(begun.values()), "lines"),),
            absent,
        ),
        LOGS_RESUMED.name: Measured(_after(tally.times, ready), resumed, absent=never),
        WATCH.name: Measured(
            changes.wrong(numbers),
            {KUBECTL: kubectl_wrong},
            (
                Figure("of", len(numbers), "changes"),
                Figure("watches ended", 0, "", {KUBECTL: float(ended)}),
            ),
        ),
        WATCH_RESUMED.name: Measured(_after(changes.times, ready)),
    }


def _after(times: list[float], moment: float) -> float:
    return min((each for each in times if each > moment), default=float("inf")) - moment


def _at_most(condition: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)


def _saw_line(changes: _Changes, line: bytes) -> None:
    found = _NUMBER.search(line)
    if found is not None:
        changes.saw(int(found[1]))


@contextmanager
def _watching(stub: Any, changes: _Changes) -> Iterator[None]:
    """Watch within; the stream itself goes on through the outage."""
    call = stub.Watch(pb.WatchRequest(kinds=["pods"], label_selector="app=talk"))

    def read() -> None:
        try:
            for response in call:
                for event in response.events:
                    number = event.pod.labels.get("number", "")
                    if event.type == pb.WATCH_EVENT_TYPE_MODIFIED and number:
                        changes.saw(int(number[1:]))
        except grpc.RpcError:
            return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        call.cancel()
        thread.join()


class _Patcher:
    """Patches pod after pod; `taken` are the numbers that the API server took."""

    def __init__(self, plane: testing.ControlPlane, pods: list[str]) -> None:
        self._api = plane.api()
        self._pods = pods
        self.number = 0
        self.taken: set[int] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            number = self.number = self.number + 1
            path = f"/api/v1/namespaces/default/pods/{self._pods[number % len(self._pods)]}"
            labels = {"number": f"n{number}"}
            try:
                self._api.request(
                    "PATCH",
                    path,
                    {"metadata": {"labels": labels}},
                    content_type="application/merge-patch+json",
                    timeout_seconds=2.0,
                )
            except (OSError, urllib.error.HTTPError):
                continue
            self.taken.add(number)


@contextmanager
def _patching(plane: testing.ControlPlane, pods: list[str]) -> Iterator[_Patcher]:
    patcher = _Patcher(plane, pods)
    thread = threading.Thread(target=patcher.run, daemon=True)
    thread.start()
    try:
        yield patcher
    finally:
        patcher.over.set()
        thread.join()
