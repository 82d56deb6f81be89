"""Starting programs under supervisors, and ending what supervisors left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import PodyardError
from services.common.logs import get_logger
from services.common.operations.ports import StepRun
from services.common.operations.processes import (
    OPERATION_ID_VARIABLE,
    ProcessIdentity,
    processes_of,
    signal_process,
)
from services.common.operations.progress import PROGRESS_FILE_VARIABLE
from services.common.operations.run_folder import RunFolder, RunLock

ATTEMPT_VARIABLE = "PODYARD_ATTEMPT"

_ROOT = Path(__file__).resolve().parents[3]
_START_SECONDS = 60.0
_END_SECONDS = 10.0
_MAX_ERROR = 2000


class SupervisorError(PodyardError):
    """A supervisor could not be started; nothing was run."""

    reason = "SUPERVISOR_NOT_STARTED"


@dataclass(frozen=True, slots=True)
class DetachedRunner:
    """Runs programs in processes that outlast this one."""

    cancel_grace_seconds: float

    async def start(
        self, folder: RunFolder, lock: RunLock, run: StepRun, operation_id: str, attempt: int
    ) -> None:
        """Start the program; on return it runs, has ended, or will never run.

        The supervisor takes over the lock with its descriptor, so that it is
        never free in between. SupervisorError if nothing was started, and nothing
        will be; OSError if that is not known: then the folder's records tell, once
        the lock is let go.
        """
        specification = {
            "argv": list(run.argv),
            "environment": {
                **run.environment,
                OPERATION_ID_VARIABLE: operation_id,
                ATTEMPT_VARIABLE: str(attempt),
                PROGRESS_FILE_VARIABLE: str(folder.progress.resolve()),
            },
            "cwd": str(run.cwd.absolute()),
            "log": str(run.log.absolute()),
            "standard_input": run.standard_input,
            "grace_seconds": self.cancel_grace_seconds,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-E", "-s", "-m", "services.common.operations.supervisor"),
            *(str(folder.path.resolve()), str(lock.descriptor)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={},
            cwd=_ROOT,
            pass_fds=(lock.descriptor,),
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                _, errors = await process.communicate(json.dumps(specification).encode())
        finally:
            # Only the process that starts the supervisor: once that runs, it is not reached.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if process.returncode is None or process.returncode < 0:
            raise OSError("the process that starts the supervisor was killed")
        if folder.untouched:
            text = errors.decode(errors="replace").strip()
            get_logger("operations").error("supervisor not started", errors=text[-_MAX_ERROR:])
            # The last line of a traceback; the rest is for the service's log.
            reason = text.splitlines()[-1] if text else f"exit code {process.returncode}"
            raise SupervisorError(f"the program's supervisor did not start: {reason}")

    def cancel(self, folder: RunFolder) -> None:
        """Ask the supervisor to end its program: by a file that stays, and by a signal, now."""
        folder.request_cancel()
        supervisor = folder.supervisor
        if supervisor is not None:
            signal_process(supervisor, signal.SIGTERM)

    async def end_leftovers(self, operation_id: str, supervisor: ProcessIdentity) -> None:
        """Kill what is left of a program whose supervisor is gone.

        OSError if something does not go: then nothing may be concluded yet.
        """
        for _ in range(int(_END_SECONDS / 0.05)):
            left = processes_of(operation_id, supervisor)
            if not left:
                return
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.05)
        raise TimeoutError(f"processes {left} of operation {operation_id} do not end")
