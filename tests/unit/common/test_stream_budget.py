"""How many streams may be open."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from services.common.errors import ResourceExhaustedError
from services.common.stream_budget import StreamBudget


def test_one_caller_and_all_have_a_limit_which_is_named() -> None:
    budget = StreamBudget(3, 2, "PODYARD_X_")
    with ExitStack() as stack:
        stack.enter_context(budget.taken("a"))
        first = ExitStack()
        stack.enter_context(first)
        first.enter_context(budget.taken("a"))
        with pytest.raises(ResourceExhaustedError, match="a has 2 streams") as caught:
            stack.enter_context(budget.taken("a"))
        assert caught.value.retry_after
        assert caught.value.metadata == {"limit": "PODYARD_X_MAX_STREAMS_PER_IDENTITY"}
        stack.enter_context(budget.taken("b"))
        with pytest.raises(ResourceExhaustedError, match="PODYARD_X_MAX_STREAMS\\)"):
            stack.enter_context(budget.taken("c"))
        first.close()
        stack.enter_context(budget.taken("c"))
    with budget.taken("a"), budget.taken("a"):
        pass


def test_a_refused_stream_holds_no_place() -> None:
    budget = StreamBudget(1, 1)
    with budget.taken("a"):
        for _ in range(3):
            with pytest.raises(ResourceExhaustedError), budget.taken("a"):
                raise AssertionError("taken")
    with budget.taken("a"):
        pass
