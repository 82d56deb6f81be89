"""Keeps the values of Secrets out of errors: the API server quotes what it refuses."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from services.common.errors import FieldViolation, InvalidArgumentError, PodyardError
from services.k8s_resource.domain.manifests import ManifestObject

_MARK = "(value hidden)"
# As structured-merge-diff writes values: `expected string, got &{12}`.
_QUOTED_VALUE = re.compile(r"(, got |Invalid value: ).*", re.DOTALL)


def redacted(error: PodyardError, item: ManifestObject) -> PodyardError:
    """The same error, without what a Secret holds."""
    if item.kind != "Secret" or item.group:
        return error
    values = sorted(
        {value for key in ("data", "stringData") for value in _leaves(item.value.get(key))},
        key=len,
        reverse=True,
    )
    shown = copy.copy(error)
    shown.message = _without(error.message, values)
    shown.args = (shown.message,)
    shown.metadata = {key: _without(text, values) for key, text in error.metadata.items()}
    if isinstance(shown, InvalidArgumentError):
        shown.violations = tuple(
            FieldViolation(v.field, _without(v.description, values)) for v in shown.violations
        )
    return shown


def _without(text: str, values: list[str]) -> str:
    text = _QUOTED_VALUE.sub(lambda match: match[1] + _MARK, text)
    for value in values:
        text = text.replace(value, _MARK)
    return text


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for child in value.values():
            yield from _leaves(child)
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(child)
    elif value is not None and len(str(value)) >= 4:
        yield str(value)
