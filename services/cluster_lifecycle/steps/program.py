"""What the steps' programs have in common: their log, their phases, and how they end.

Everything printed is the log of the run. Exit codes: 0 done, 1 failed, 143 asked to stop.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from services.cluster_lifecycle.adapters.aws_clients import domain_error
from services.cluster_lifecycle.steps.request import StepRequest, read_request
from services.common.errors import PodyardError, RetryableError
from services.common.operations.progress import report

LONGEST_PAUSE = 60.0

T = TypeVar("T")


class StoppedError(BaseException):
    """The program was asked to stop. No error: nothing that handles errors may catch it."""


def say(text: str) -> None:
    """Write a line to the log."""
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}\n")
    sys.stdout.flush()


def operation_id() -> str:
    """The id of the operation that this program runs for."""
    return os.environ.get("PODYARD_OPERATION_ID", "")


@contextmanager
def phase(name: str, message: str) -> Iterator[None]:
    """Report a phase's beginning and its end; `message` says what it does."""
    say(f"== {message}")
    report(name, "running", message)
    try:
        yield
    except StoppedError:
        raise
    except Exception as error:
        known = _known(error)
        report(name, "failed", known.message, known.reason)
        raise known from error
    report(name, "succeeded", message)


def patiently(call: Callable[[], T]) -> T:
    """The answer of `call`, through outages and throttling of AWS for as long as they last."""
    pause = 1.0
    said = ""
    while True:
        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            known = domain_error(error)
            if not isinstance(known, RetryableError):
                raise
            if known.message != said:
                said = known.message
                say(f"{known.message}; trying again until it answers")
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def run(main: Callable[[StepRequest], None], stopped: str) -> int:
    """Run a step's program; its exit code. `stopped` says what a stop leaves behind."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise StoppedError

    signal.signal(signal.SIGTERM, stop)
    try:
        main(read_request(Path(sys.argv[1])))
    except StoppedError:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say(f"stopped on request; {stopped}")
        return 128 + signal.SIGTERM
    except PodyardError as error:
        say(f"FAILED: {error.message}")
        return 1
    return 0


def _known(error: Exception) -> PodyardError:
    if isinstance(error, PodyardError):
        return error
    if isinstance(error, (BotoCoreError, ClientError)):
        return domain_error(error)
    for line in traceback.format_exception(error):
        sys.stdout.write(line)
    return PodyardError(f"unexpected {type(error).__name__}: {error}")
