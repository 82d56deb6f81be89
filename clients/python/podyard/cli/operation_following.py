"""Following an operation: its log to the end, then its outcome."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from podyard.cli import output
from podyard.cli.exits import ERROR, OK
from podyard.cli.operation_views import ENDED, outcome
from podyard.cli.session import note_interruption
from podyard.cli.words import enum_word

if TYPE_CHECKING:
    from podyard.client import Podyard


def follow_operation(client: Podyard, operation: Any) -> int:
    """Print the operation's log while it runs; the exit code is 0 only if it succeeded.

    Interrupting this ends only the following: the operation goes on.
    """
    from podyard.client import NotFoundError

    tailed = False
    current = operation
    try:
        for current in client.clusters.watch_operations(
            operation_id=operation.id, on_interruption=note_interruption
        ):
            state = enum_word(current, "state")
            if state == "QUEUED":
                output.note(f"{current.kind} of {current.target} waits for its turn")
            elif current.log_id and not tailed:
                try:
                    print_log(client, current.target, current.log_id)
                    tailed = True
                except NotFoundError:
                    pass  # not written yet: the next change of the operation tries again
            if state in ENDED:
                break
    except KeyboardInterrupt:
        output.note(
            f"\nthe operation goes on; follow it with: podyard ops watch {operation.id}, "
            f"stop it with: podyard ops cancel {operation.id}"
        )
        raise
    current = client.clusters.get_operation(operation.id)
    output.note(outcome(current))
    return OK if enum_word(current, "state") == "SUCCEEDED" else ERROR


def print_log(client: Podyard, tag: str, log_id: str, offset: int = 0) -> None:
    """Print a log from an offset until the step that writes it has ended."""
    stream = client.clusters.tail_log(tag, log_id, offset=offset, on_interruption=note_interruption)
    for piece in stream:
        sys.stdout.write(piece.content)
        sys.stdout.flush()
