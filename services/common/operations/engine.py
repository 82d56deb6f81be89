"""The engine that services run."""

from __future__ import annotations

from collections.abc import Mapping

from services.common.operations.ports import OperationEngine, OperationHandler
from services.common.operations.settings import OperationSettings


def operation_engine(
    settings: OperationSettings, handlers: Mapping[str, OperationHandler]
) -> OperationEngine:
    """An engine for the kinds of `handlers`; call `start` before anything else."""
    raise NotImplementedError
