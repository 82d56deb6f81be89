"""Numbered log lines: written to the files that the simulated kubelets serve, and counted.

A line is `<pod> <number> <nanoseconds since the epoch>`.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.stack import testing
from tools.stack.pod_logs import cri_line

_TICK_SECONDS = 0.01


class Tally:
    """The lines that one reader has seen."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = defaultdict(list)
        # In ms; when the lines came, by the monotonic clock.
        self.latencies: list[float] = []
        self.times: list[float] = []

    def saw(self, text: str) -> None:
        """A line came; one of another form is none of ours."""
        parts = text.split()
        if len(parts) != 3:
            return
        now = time.time_ns()
        self.seen[parts[0]].append(int(parts[1]))
        self.latencies.append((now - int(parts[2])) / 1e6)
        self.times.append(time.monotonic())

    def saw_bytes(self, line: bytes) -> None:
        """As above, of a program's output."""
        self.saw(line.decode())

    def doubled(self) -> int:
        """Lines that came more than once."""
        return sum(len(numbers) - len(set(numbers)) for numbers in self.seen.values())

    def lost(self, after: Mapping[str, int], last: Mapping[str, int]) -> int:
        """Lines that did not come, of those after a number of each pod and up to its last."""
        return sum(
            newest - after[pod] - len({n for n in self.seen[pod] if after[pod] < n <= newest})
            for pod, newest in last.items()
        )

    def first(self, last: Mapping[str, int]) -> dict[str, int]:
        """The number before the first line that came of each pod; of none, the last one's."""
        return {pod: min(self.seen.get(pod, [newest + 1])) - 1 for pod, newest in last.items()}

    def complete(self, last: Mapping[str, int]) -> bool:
        """Whether the newest line of each pod has come."""
        return all(self.seen.get(pod, [-1])[-1] >= newest for pod, newest in last.items())


class Writer:
    """Appends lines to the logs of pods at a rate; `last` holds each pod's newest number."""

    def __init__(self, plane: testing.ControlPlane, pods: Sequence[str], per_second: float) -> None:
        """`per_second` is for each pod."""
        self._files: list[tuple[str, Path]] = [
            (pod, plane.pod_logs(pod).file("main")) for pod in pods
        ]
        self._per_second = per_second
        self.last = dict.fromkeys(pods, -1)
        self._over = threading.Event()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lines are written within, evenly spread over the pods and the time."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        begun = time.monotonic()
        written = 0
        files = [(pod, path.open("ab", buffering=0)) for pod, path in self._files]
        while not self._over.is_set():
            due = int((time.monotonic() - begun) * self._per_second * len(files))
            for index in range(written, due):
                pod, file = files[index % len(files)]
                number = self.last[pod] + 1
                file.write(cri_line(f"{pod} {number} {time.time_ns()}"))
                self.last[pod] = number
            written = max(written, due)
            time.sleep(_TICK_SECONDS)
        for _, file in files:
            file.close()
