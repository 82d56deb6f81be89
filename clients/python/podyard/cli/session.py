"""What one run of the CLI shares between its commands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from podyard.cli.output import note
from podyard.cli.times import human_duration

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
    """Tell people that a stream goes on after a break; the data are whole all the same."""
    note(f"{interruption.reason}; trying again in {human_duration(interruption.delay)}")
