"""Applying what a watch of changed fields tells, as its contract says."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any


def with_changes(document: Any, changes: Iterable[tuple[str, str]]) -> Any:
    """A copy of the document with each path (RFC 6901) set to its JSON; empty JSON removes it."""
    made = copy.deepcopy(document)
    for path, text in changes:
        *parents, last = [
            token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]
        ]
        place = made
        for token in parents:
            place = place[int(token) if isinstance(place, list) else token]
        key: Any = int(last) if isinstance(place, list) else last
        if text:
            place[key] = json.loads(text)
        else:
            del place[key]
    return made
