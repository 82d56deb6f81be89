"""Exit codes, and what is said when a command fails."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import typer
from podyard.cli.colors import colored, paint

if TYPE_CHECKING:
    from podyard.client import CallError, PodyardError

OK = 0
ERROR = 1
USAGE = 2
NOT_FOUND = 3
DENIED = 4
UNAVAILABLE = 5
INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended, as other tools do here."""


class CommandError(Exception):
    """A command cannot go on; `code` is its exit code."""

    def __init__(self, message: str, code: int = ERROR) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def usage(message: str) -> NoReturn:
    """End with the exit code of wrong usage."""
    raise CommandError(message, USAGE)


def report(message: str) -> None:
    """One error on stderr."""
    label = paint("error:", "red") if colored(sys.stderr) else "error:"
    sys.stderr.write(f"{label} {message}\n")
    sys.stderr.flush()


def report_failure(error: PodyardError) -> int:
    """Say what went wrong in a call, with its bad fields and the remedy; the exit code."""
    from podyard.client import AccessError, CallError, NotFoundError, RetryableError

    if not isinstance(error, CallError):
        report(error.message)
        return ERROR
    fields = [f"  {v.field}: {v.description}" for v in error.violations]
    if fields and error.message == "; ".join(
        f"{v.field}: {v.description}" for v in error.violations
    ):
        # The message repeats the fields, each of which gets a line of its own.
        plural = "s" if len(fields) > 1 else ""
        report("\n".join([f"the request has {len(fields)} bad field{plural}", *fields]))
    else:
        report("\n".join([error.message, *fields]))
    for hint in _hints(error):
        sys.stderr.write(f"  {hint}\n")
    match error:
        case NotFoundError():
            return NOT_FOUND
        case AccessError():
            return DENIED
        case RetryableError():
            return UNAVAILABLE
        case _:
            return ERROR


def _hints(error: CallError) -> list[str]:
    from podyard.client import InternalError, UnavailableError

    hints = []
    if isinstance(error, UnavailableError) and not error.details.reason:
        hints.append("is it running? `podyard doctor` tells what is up and what is wrong")
    if error.retry_after:
        hints.append(f"try again in {error.retry_after:g} s")
    if isinstance(error, InternalError) and error.details.request_id:
        hints.append(f"request id {error.details.request_id}")
    return hints


def exit_with(code: int) -> NoReturn:
    """End the command with an exit code, without a message."""
    raise typer.Exit(code)
