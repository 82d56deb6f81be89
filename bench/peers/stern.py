"""stern, built once from the Go module beside this file."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers.absent import PeerMissingError
from bench.peers.kubectl import lines_of
from tools.stack import layout
from tools.stack.console import run_step
from tools.stack.control_plane import ControlPlane
from tools.stack.errors import StackError
from tools.stack.locks import held

NAME = "stern"
_MODULE = Path(__file__).resolve().parent / "stern"
_PACKAGE = "github.com/stern/stern"


@contextmanager
def tailing(
    plane: ControlPlane, selector: str, saw: Callable[[bytes], None]
) -> Iterator[subprocess.Popen[bytes]]:
    """Tail pods from now on, and give each line to `saw`; its limit of 50 logs is raised."""
    options = ("--kubeconfig", plane.kubeconfig, "--selector", selector, "--namespace", "default")
    output = ("--since", "1s", "--max-log-requests", "1000", "--only-log-lines", "--output", "raw")
    with lines_of([program(), *options, *output], saw, wait=False) as process:
        yield process


def program() -> Path:
    """The program, built if it is not there; PeerMissingError if it cannot be."""
    if shutil.which("go") is None:
        raise PeerMissingError("stern is built with Go, which is not installed")
    digest = hashlib.sha256((_MODULE / "go.sum").read_bytes()).hexdigest()[:16]
    built = layout.cache_folder() / "peers" / f"stern-{digest}"
    with held(built.with_suffix(".lock"), "building stern"):
        if not built.exists():
            try:
                run_step(
                    "building stern",
                    ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", built, _PACKAGE],
                    layout.cache_folder() / "logs" / "build-stern.log",
                    cwd=_MODULE,
                    env={
                        **os.environ,
                        "CGO_ENABLED": "0",
                        "GOFLAGS": "-mod=readonly",
                        "GOWORK": "off",
                    },
                )
            except StackError as error:
                raise PeerMissingError(f"stern cannot be built: {error}") from error
    return built
