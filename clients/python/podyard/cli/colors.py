"""The few colours that the output uses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "orange": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}

_STREAM_COLORS = ("cyan", "green", "yellow", "magenta", "blue", "red")

_GOOD = frozenset(
    {"Running", "Ready", "Active", "Bound", "Available", "Succeeded", "Completed", "Complete"}
    | {"SUCCEEDED", "COMPLETED", "READY", "FINISHED", "Schedulable", "Passed", "ADDED", "ok"}
    | {"created", "configured", "deleted"}
)
_UNDER_WAY = frozenset(
    {"Pending", "ContainerCreating", "Terminating", "PodInitializing", "Released", "Suspended"}
    | {"QUEUED", "RUNNING", "CANCELLING", "PARTIAL", "PENDING", "SCHEDULED", "MODIFIED", "warning"}
    | {"Created", "Restarting", "PendingReboot", "PendingReplacement", "InProgress", "terminating"}
)
_QUIET = frozenset({"-", "NOT_STARTED", "UNSPECIFIED", "unchanged", "skipped", "missing"})


def colored(stream: IO[str], environment: Mapping[str, str] | None = None) -> bool:
    """Whether to colour what goes to a stream: on a terminal, unless NO_COLOR is set."""
    environ = os.environ if environment is None else environment
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb" and stream.isatty()


def paint(text: str, color: str) -> str:
    """The text in a colour; unchanged for a colour that is not known, such as "default"."""
    code = _CODES.get(color)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text else text


def state_color(text: str, _: object = None) -> str:
    """The colour of a word that says how something stands; red for those not known as good."""
    word = text.split(",")[0].split(" ")[0]
    if word in _GOOD:
        return "green"
    if word in _UNDER_WAY or word.startswith("Init:"):
        return "yellow"
    return "dim" if word in _QUIET else "red"


def stream_color(index: int) -> str:
    """Colours that tell sources apart, in turn."""
    return _STREAM_COLORS[index % len(_STREAM_COLORS)]
