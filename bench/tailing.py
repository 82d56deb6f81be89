"""One TailLogs stream, read in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from podyard.k8s_resource.v1 import logs_pb2 as pb

from bench.log_lines import Tally


class Tail:
    """What came: lines in the tally, pods in `attached`."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.attached: set[str] = set()

    def take(self, response: pb.TailLogsResponse) -> None:
        """One message."""
        for event in response.events:
            if event.HasField("lines"):
                for text in event.lines.text:
                    self.tally.saw(text)
            elif event.marker.type == pb.LOG_MARKER_TYPE_ATTACHED:
                self.attached.add(event.marker.source.pod)


@contextmanager
def tailing(
    stub: Any, tally: Tally, saw: Callable[[], None] = lambda: None, **request: Any
) -> Iterator[Tail]:
    """Follow within; `saw` is called after each message."""
    tail = Tail(tally)
    call = stub.TailLogs(pb.TailLogsRequest(follow=True, namespace="default", **request))

    def read() -> None:
        try:
            for response in call:
                tail.take(response)
                saw()
        except grpc.RpcError:
            return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield tail
    finally:
        call.cancel()
        thread.join()
