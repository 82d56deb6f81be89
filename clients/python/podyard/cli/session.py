"""What one run of the CLI shares between its commands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from podyard.cli.output import note

if TYPE_CHECKING:
    from podyard.client import Interruption, Podyard


@dataclass(frozen=True)
class Session:
    """Options of the program itself; `timeout` in seconds, for calls other than streams."""

    timeout: float


@contextlib.contextmanager
def connect(context: typer.Context) -> Iterator[Podyard]:
    """The client, with the options of this run."""
    from podyard.client import Podyard

    session: Session = context.find_root().obj
    with Podyard(timeout=session.timeout) as client:
        yield client


def note_interruption(interruption: Interruption) -> None:
    """Tell people, once for each break, that a stream goes on after it and lacks nothing."""
    if interruption.attempt == 1:
        note(f"{interruption.reason}; connecting again until it can be reached")
