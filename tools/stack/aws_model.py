"""Checks of requests and responses against botocore's own model of an AWS service.

botocore's validator checks presence, types and minima; this adds what AWS checks besides:
enums, patterns and maxima, all from the same model.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator


class AwsModel:
    """One service of botocore, by its botocore name such as `sagemaker`."""

    def __init__(self, service: str) -> None:
        self._service = botocore.session.get_session().get_service_model(service)

    def operation(self, name: str) -> OperationModel | None:
        """The operation's model; None when the service has no such operation."""
        return (
            self._service.operation_model(name) if name in self._service.operation_names else None
        )

    def declares_error(self, operation: str, code: str) -> bool:
        """Whether the model lists the error for the operation."""
        shapes = self._service.operation_model(operation).error_shapes
        return any(shape.name == code for shape in shapes)


def problems(shape: Shape | None, value: dict[str, Any]) -> list[str]:
    """What is wrong with a request's or response's members; empty when all is well."""
    if shape is None:
        return ["no members are allowed"] if value else []
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        return [line for line in report.generate_report().splitlines() if line]
    return _constraint_problems(shape, value, shape.name)


def to_wire(shape: Shape | None, value: Any) -> Any:
    """The JSON 1.1 form: timestamps are seconds since the epoch."""
    if isinstance(shape, StructureShape):
        return {name: to_wire(shape.members[name], item) for name, item in value.items()}
    if isinstance(shape, ListShape):
        return [to_wire(shape.member, item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).timestamp()
    return value


def _constraint_problems(shape: Shape, value: Any, where: str) -> list[str]:
    found: list[str] = []
    if isinstance(shape, StructureShape):
        for name, item in value.items():
            if name not in shape.members:
                found.append(f"{where}: unknown member {name}")
            else:
                found += _constraint_problems(shape.members[name], item, f"{where}.{name}")
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value):
            found += _constraint_problems(shape.member, item, f"{where}[{index}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            found += _constraint_problems(shape.value, item, f"{where}[{key}]")
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        found.append(f"{where}: {value!r} is not one of {', '.join(shape.enum)}")
    return found + _limit_problems(shape, value, where)


def _limit_problems(shape: Shape, value: Any, where: str) -> list[str]:
    found = []
    size = value if isinstance(value, int | float) else None
    if isinstance(value, str | list):
        size = len(value)
    limit = shape.metadata.get("max")
    if limit is not None and size is not None and size > limit:
        found.append(f"{where}: {size} is more than {limit}")
    pattern = shape.metadata.get("pattern")
    if pattern and isinstance(value, str) and not _matches(pattern, value):
        found.append(f"{where}: {value!r} does not match {pattern}")
    return found


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:  # Java's dialect; such a pattern says nothing here.
        return True
