"""Answers that are shared by those who ask at the same time, and kept for a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Question(Generic[T]):
    task: asyncio.Task[T]
    askers: int = 0
    answered: float | None = None


class SharedResults(Generic[T]):
    """Runs a question once for all who ask while it is being answered.

    An answer is kept for `seconds`; a failure is not kept. When the last asker
    is cancelled, so is the question.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._questions: dict[Hashable, _Question[T]] = {}

    async def get(
        self, key: Hashable, ask: Callable[[], Awaitable[T]], *, fresh: bool = False
    ) -> T:
        """The answer to `key`; with `fresh` one that was asked for after this call."""
        question = self._questions.get(key)
        if question is None or fresh or not self._usable(question):
            question = _Question(asyncio.create_task(self._ask(key, ask)))
            question.task.add_done_callback(_look_at_error)
            self._questions[key] = question
        question.askers += 1
        try:
            return await asyncio.shield(question.task)
        except asyncio.CancelledError:
            if question.askers == 1:
                question.task.cancel()
                # Its end takes a moment: who asks within it must not be ended with it.
                if self._questions.get(key) is question:
                    del self._questions[key]
            raise
        finally:
            question.askers -= 1

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.current_task()
        try:
            answer = await ask()
        except BaseException:
            if (question := self._questions.get(key)) and question.task is task:
                del self._questions[key]
            raise
        if (question := self._questions.get(key)) and question.task is task:
            question.answered = time.monotonic()
            self._forget_old()
        return answer

    def _usable(self, question: _Question[T]) -> bool:
        if question.answered is None:
            return not question.task.done()
        return time.monotonic() - question.answered < self._seconds

    def _forget_old(self) -> None:
        for key in [k for k, q in self._questions.items() if not self._usable(q)]:
            del self._questions[key]


def _look_at_error(task: asyncio.Task[T]) -> None:
    """A failure that nobody waits for any more is not worth a warning."""
    if not task.cancelled():
        task.exception()
