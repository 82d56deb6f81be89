"""What a field manager owns of an object, with its values.

Reads metadata.managedFields (fieldsV1 of sigs.k8s.io/structured-merge-diff): a tree whose keys
are `f:<field>`, `k:<list item's keys>`, `v:<set item>`, `i:<index>`, and `.` for the item
itself.
"""

from __future__ import annotations

from typing import Any

import orjson

_MISSING = object()


def owned(value: dict[str, Any], manager: str) -> list[tuple[str, Any, Any]]:
    """The manager's entries made by apply: their version, their tree, and the values in it.

    Equal before and after an apply that changed nothing, whoever else changed the object in
    between.
    """
    entries = value.get("metadata", {}).get("managedFields", ())
    return [
        (entry.get("apiVersion", ""), entry.get("fieldsV1"), _extract(value, entry["fieldsV1"]))
        for entry in entries
        if entry.get("manager") == manager
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
        and isinstance(entry.get("fieldsV1"), dict)
    ]


def _extract(value: Any, tree: dict[str, Any]) -> Any:
    if not tree:
        return value if value is not _MISSING else None
    return {
        key: _extract(_child(value, key), subtree if isinstance(subtree, dict) else {})
        for key, subtree in tree.items()
        if key != "."
    }


def _child(value: Any, key: str) -> Any:
    kind, _, name = key.partition(":")
    if kind == "f":
        return value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
    if not isinstance(value, list):
        return _MISSING
    if kind == "i":
        return value[int(name)] if int(name) < len(value) else _MISSING
    wanted = orjson.loads(name)
    for item in value:
        if kind == "v" and item == wanted:
            return item
        if kind == "k" and isinstance(item, dict) and wanted.items() <= item.items():
            return item
    return _MISSING
