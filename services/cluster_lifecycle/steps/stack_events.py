"""A stack's events: each once, in order, and which one was the cause of a failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Event = Mapping[str, Any]

_STACK = "AWS::CloudFormation::Stack"
_DEEPEST = 5


class StackEvents:
    """The events of one stack, by its id, from an event on that was not yet given."""

    def __init__(self, client: Any, stack_id: str) -> None:
        self._client = client
        self._stack_id = stack_id
        self._seen: set[str] = set()

    def new(self) -> list[Event]:
        """Events since the last call, oldest first; errors of boto3 leave them for the next."""
        found: list[Event] = []
        for event in _newest_first(self._client, self._stack_id):
            if event["EventId"] in self._seen:
                break
            found.append(event)
        found.reverse()
        self._seen.update(event["EventId"] for event in found)
        return found


def in_words(event: Event) -> str:
    """An event as a line of a log."""
    reason = event.get("ResourceStatusReason", "")
    return (
        f"{event['ResourceStatus']:<28} {event['LogicalResourceId']} ({event['ResourceType']})"
        + (f": {reason}" if reason else "")
    )


def first_failure(client: Any, stack_id: str, depth: int = 0) -> str:
    """The resource that failed first in the stack's last operation, and why; empty if none.

    A nested stack is looked into, because its own reason names no cause.
    """
    for event in _last_operation(client, stack_id):
        if not event["ResourceStatus"].endswith("_FAILED") or _is_own(event):
            continue
        reason = event.get("ResourceStatusReason", "")
        if "cancelled" in reason.lower():  # the consequence of another's failure
            continue
        name, physical = event["LogicalResourceId"], event.get("PhysicalResourceId", "")
        if event["ResourceType"] == _STACK and physical and depth < _DEEPEST:
            inner = first_failure(client, physical, depth + 1)
            if inner:
                return f"{name} / {inner}"
        return f"{name} ({event['ResourceType']}): {reason or event['ResourceStatus']}"
    return ""


def _last_operation(client: Any, stack_id: str) -> list[Event]:
    """Events since the last create, update or delete began, oldest first."""
    found: list[Event] = []
    for event in _newest_first(client, stack_id):
        found.append(event)
        if _is_own(event) and event["ResourceStatus"] in (
            "CREATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
            "DELETE_IN_PROGRESS",
            "IMPORT_IN_PROGRESS",
        ):
            break
    found.reverse()
    return found


def _is_own(event: Event) -> bool:
    """Whether the event is about the stack itself and not one of its resources."""
    physical: str = event.get("PhysicalResourceId", "")
    return bool(event["ResourceType"] == _STACK and physical == event["StackId"])


def _newest_first(client: Any, stack_id: str) -> Iterator[Event]:
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        yield from page["StackEvents"]
