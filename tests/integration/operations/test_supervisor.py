"""The supervisor as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.common.operations.processes import (
    ProcessIdentity,
    alive,
    host_identity,
    identify,
    processes_of,
    signal_process,
)
from services.common.operations.run_folder import ExitRecord, RunFolder, Withdrawal
from services.common.operations.supervisor import TAKEN
from tests.contract.operations.world import eventually

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Run:
    """One run folder, and a shell script to run in it."""

    path: Path
    script: str
    grace_seconds: float = 30.0
    standard_input: str = ""
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = RunFolder(self.path / "run")
        self.log = self.path / "log"

    def start(self) -> int:
        """The exit code of the process that starts the supervisor."""
        specification = {
            "argv": ["/bin/sh", "-c", self.script],
            "environment": {"PATH": "/usr/bin:/bin"},
            "cwd": str(self.path),
            "log": str(self.log),
            "standard_input": self.standard_input,
            "grace_seconds": self.grace_seconds,
            **self.changes,
        }
        return subprocess.run(
            [
                *(sys.executable, "-E", "-s", "-m", "services.common.operations.supervisor"),
                str(self.folder.path),
            ],
            cwd=ROOT,
            env={},
            input=json.dumps(specification).encode(),
            stderr=subprocess.PIPE,
            timeout=60,
        ).returncode

    async def end(self) -> ExitRecord:
        """The exit record, once the supervisor has let go."""
        await eventually(lambda: not self.folder.locked())
        record = self.folder.exit
        assert record
        return record

    @property
    def supervisor(self) -> ProcessIdentity:
        found = self.folder.supervisor
        assert found
        return found

    @property
    def program(self) -> ProcessIdentity:
        found = self.folder.program
        assert found
        return found


def session_and_group(pid: int) -> tuple[int, int]:
    return os.getsid(pid), os.getpgid(pid)


async def test_program_is_in_a_session_and_group_of_its_own(tmp_path: Path) -> None:
    run = Run(tmp_path, "exec sleep 1000")
    assert run.start() == 0
    supervisor, program = run.supervisor.pid, run.program.pid
    assert session_and_group(supervisor) == (supervisor, supervisor)
    assert session_and_group(program) == (supervisor, program)
    assert run.folder.locked()
    assert identify(program) == run.program
    os.kill(program, signal.SIGUSR1)
    assert (await run.end()).signal == signal.SIGUSR1


async def test_nothing_of_the_supervisor_reaches_the_program(tmp_path: Path) -> None:
    run = Run(tmp_path, "ls /proc/self/fd; grep SigBlk /proc/self/status; env | grep -v PWD")
    assert run.start() == 0
    assert (await run.end()).code == 0
    # Standard streams, and the folder that ls itself reads.
    assert run.log.read_text().split() == [
        *"0123",
        "SigBlk:",
        "0000000000000000",
        "PATH=/usr/bin:/bin",
    ]


async def test_a_big_answer_nobody_reads_does_not_block(tmp_path: Path) -> None:
    run = Run(tmp_path, "exit 3", standard_input="y\n" * 200_000)
    assert run.start() == 0
    assert (await run.end()).code == 3


async def test_log_is_appended_to_and_private(tmp_path: Path) -> None:
    run = Run(tmp_path, "seq 20000; echo last >&2")
    run.log.write_text("before\n")
    assert run.start() == 0
    await run.end()
    assert run.log.read_text().splitlines() == [
        "before",
        *(str(number) for number in range(1, 20001)),
        "last",
    ]
    fresh = Run(tmp_path / "second", "echo", changes={"log": str(tmp_path / "new")})
    fresh.path.mkdir()
    assert fresh.start() == 0
    await fresh.end()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


async def test_second_supervisor_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, "echo run; while ! [ -e go ]; do sleep 0.02; done")
    assert run.start() == 0
    first = run.supervisor
    assert run.start() == TAKEN
    (tmp_path / "go").touch()
    assert (await run.end()).code == 0
    # Neither when the first has finished.
    assert run.start() == TAKEN
    assert run.supervisor == first
    assert run.log.read_text() == "run\n"


async def test_withdrawn_run_is_never_started(tmp_path: Path) -> None:
    run = Run(tmp_path, "echo run")
    lock = run.folder.try_lock()
    assert lock
    assert run.start() == TAKEN
    with lock:
        run.folder.withdraw(Withdrawal("", ""))
    assert run.start() == TAKEN
    assert not run.log.exists()


@pytest.mark.parametrize(
    "change",
    [{"argv": ["/no/such/program"]}, {"cwd": "/no/such/folder"}, {"log": "/no/such/folder/log"}],
)
async def test_what_cannot_be_started_is_recorded(tmp_path: Path, change: dict[str, Any]) -> None:
    run = Run(tmp_path, "", changes=change)
    assert run.start() == 0
    record = await run.end()
    assert "/no/such/" in record.error
    assert (record.code, record.signal) == (None, None)


def test_a_starter_that_is_told_nothing_leaves_the_folder_free(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    done = subprocess.run(
        [
            *(sys.executable, "-E", "-s", "-m", "services.common.operations.supervisor"),
            str(folder.path),
        ],
        cwd=ROOT,
        env={},
        input=b"",
        capture_output=True,
    )
    assert done.returncode == 1
    assert b"JSONDecodeError" in done.stderr
    assert folder.untouched
    assert not folder.locked()


@pytest.mark.parametrize("how", ["file", "signal"])
async def test_cancel_tells_the_whole_group(tmp_path: Path, how: str) -> None:
    script = """
        (trap 'echo child; exit' TERM; touch up1; while :; do sleep 0.02; done) &
        trap 'wait; echo parent; exit 5' TERM; touch up2; while :; do sleep 0.02; done
    """
    run = Run(tmp_path, script)
    assert run.start() == 0
    await eventually(lambda: (tmp_path / "up1").exists() and (tmp_path / "up2").exists())
    if how == "file":
        run.folder.request_cancel()
    else:
        assert signal_process(run.supervisor, signal.SIGTERM)
    record = await run.end()
    assert record.cancelled
    assert record.code == 5
    # The shells also tell that their sleep, in the same group, was terminated.
    lines = run.log.read_text().splitlines()
    assert [line for line in lines if line != "Terminated"] == ["child", "parent"]


async def test_cancel_is_forced_after_the_grace_time(tmp_path: Path) -> None:
    run = Run(tmp_path, "trap '' TERM; touch up; sleep 1000; sleep 1000", grace_seconds=0.2)
    assert run.start() == 0
    await eventually((tmp_path / "up").exists)
    signal_process(run.supervisor, signal.SIGTERM)
    record = await run.end()
    assert record.cancelled
    assert record.signal == signal.SIGKILL


async def test_supervisor_does_not_wait_for_a_folder_that_was_removed(tmp_path: Path) -> None:
    run = Run(tmp_path, "touch up; while ! [ -e go ]; do sleep 0.02; done")
    assert run.start() == 0
    await eventually((tmp_path / "up").exists)
    supervisor = run.supervisor
    shutil.rmtree(run.folder.path)
    (tmp_path / "go").touch()
    await eventually(lambda: not alive(supervisor))


async def test_program_dies_with_its_supervisor(tmp_path: Path) -> None:
    run = Run(tmp_path, "exec sleep 1000")
    assert run.start() == 0
    program = run.program
    os.kill(run.supervisor.pid, signal.SIGKILL)
    await eventually(lambda: not alive(program))
    assert not run.folder.locked()
    assert run.folder.exit is None


async def test_processes_of_finds_what_left_the_session(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        "setsid sleep 1000 & env -i sleep 1000 & wait",
        changes={"environment": {"PATH": "/usr/bin:/bin", "PODYARD_OPERATION_ID": "c1.1"}},
    )
    assert run.start() == 0
    supervisor = run.supervisor
    found = await eventually(lambda: len(pids := processes_of("c1.1", supervisor)) == 3 and pids)
    assert run.program.pid in found
    assert len(processes_of("c1.11", supervisor)) == 2, "those in the session"
    # The same numbers on another boot, or of a supervisor whose pid was given out anew.
    assert processes_of("c1.1", ProcessIdentity(supervisor.pid, 1, "other boot")) == []
    renewed = ProcessIdentity(supervisor.pid, supervisor.start_ticks - 1, host_identity())
    assert len(processes_of("c1.11", renewed)) == 0
    assert not alive(renewed)
    assert not signal_process(renewed, signal.SIGKILL)
    signal_process(supervisor, signal.SIGTERM)
    await run.end()
    assert processes_of("c1.1", supervisor) == []


def test_supervisor_needs_the_standard_library_only() -> None:
    code = (
        "import sys; import services.common.operations.supervisor;"
        "print([m for m in sys.modules if m.partition('.')[0] not in sys.stdlib_module_names"
        " and not m.startswith(('services', '__'))])"
    )
    done = subprocess.run(
        [sys.executable, "-E", "-s", "-S", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
