"""Copying sealed segments to where they outlive this machine, and letting go of local copies."""

from __future__ import annotations

import asyncio

from services.common.logs import get_logger
from services.k8s_resource.domain.captured import measures
from services.k8s_resource.domain.captured.catalogue import Segment
from services.k8s_resource.domain.captured.records import Copies, CopyFailedError
from services.k8s_resource.domain.captured.store import CaptureStore

_LOOK_SECONDS = 1.0
_FIRST_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 60.0


class Uploader:
    """Use `run` while the store is open. `local_bytes` is what sealed segments that were copied
    may take on the local disk."""

    def __init__(self, store: CaptureStore, copies: Copies, local_bytes: int) -> None:
        self._store = store
        self._copies = copies
        self._local_bytes = local_bytes
        self.pending = 0
        self.problem = ""
        self._log = get_logger("captured_logs")

    async def run(self) -> None:
        """Copy until cancelled; what fails is tried again, with pauses that grow."""
        await self._store.opened.wait()
        pause = _FIRST_RETRY_SECONDS
        while True:
            try:
                await self._copy_all()
                await self._make_room()
                self.problem, pause = "", _FIRST_RETRY_SECONDS
                await asyncio.sleep(_LOOK_SECONDS)
            except CopyFailedError as error:
                if str(error) != self.problem:
                    self._log.warning("captured logs not copied to S3", why=str(error))
                self.problem = str(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_RETRY_SECONDS)

    async def _copy_all(self) -> None:
        due = [
            segment
            for segment in self._sealed()
            if not segment.summary.copied and not segment.summary.problems
        ]
        self.pending = len(due)
        for segment in due:
            segment.readers += 1
            try:
                await asyncio.to_thread(self._copies.copy, segment.key)
                segment.summary.copied = True
            finally:
                segment.readers -= 1
            self.pending -= 1
            measures.COPIED.inc()

    async def _make_room(self) -> None:
        local = [s for s in self._sealed() if s.summary.copied and s.summary.local]
        excess = sum(segment.summary.size for segment in local) - self._local_bytes
        for segment in sorted(local, key=lambda segment: segment.summary.highest_time):
            if excess <= 0:
                return
            if not segment.readers:
                segment.summary.local = False
                await asyncio.to_thread(self._copies.drop_local, segment.key)
                excess -= segment.summary.size

    def _sealed(self) -> list[Segment]:
        return [
            segment
            for run in self._store.catalogue.runs()
            for segment in run.segments
            if segment.summary.sealed
        ]
