"""kubectl's output, line by line as it comes."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.processes import ended
from tools.stack.control_plane import ControlPlane


@contextmanager
def following(
    plane: ControlPlane, arguments: Sequence[str], saw: Callable[[bytes], None]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run kubectl within, and give each line that it prints to `saw`; ready after the first."""
    command = [str(plane.kubectl_path), "--kubeconfig", str(plane.kubeconfig), *arguments]
    with lines_of(command, saw) as process:
        yield process


@contextmanager
def lines_of(
    command: Sequence[str | Path], saw: Callable[[bytes], None], *, wait: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program within, and give each line that it prints to `saw`."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    first = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            first.set()
            saw(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with ended(process):
        if wait:
            assert first.wait(30), f"{command[0]} printed nothing"
        yield process
    reader.join()
