"""The call being served: who makes it, under which id. Read with `current_call()`."""

from __future__ import annotations

import random
from contextvars import ContextVar
from dataclasses import dataclass

from services.common.identity import Principal

REQUEST_ID_HEADER = "x-request-id"


@dataclass(slots=True)
class Call:
    """One RPC. `request_id` is the caller's x-request-id, or a new one."""

    method: str
    request_id: str
    principal: Principal
    peer: str


_current: ContextVar[Call | None] = ContextVar("podyard_call", default=None)


def current_call() -> Call:
    """The call being served; LookupError outside of one."""
    call = _current.get()
    if call is None:
        raise LookupError("no call is being served in this context")
    return call


def enter_call(call: Call) -> None:
    """Make `call` current for this task. Each RPC has a task, so nothing is to be undone."""
    _current.set(call)


def new_request_id() -> str:
    """A random id of 16 hexadecimal digits. It tells calls apart and is no secret."""
    return f"{random.getrandbits(64):016x}"
