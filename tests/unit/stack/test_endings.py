"""However it is ended, and whoever has stopped reading: nothing is left running."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.operations.processes import ProcessIdentity, identify
from services.common.operations.run_folder import RunFolder
from tools.stack import commands, layout, processes

PAUSE = "import signal; signal.pause()"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", PAUSE], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def _record(state: Path, operation: str, identity: ProcessIdentity) -> None:
    """As the cluster-lifecycle service records what it started."""
    folder = state / "data" / "cluster-lifecycle" / "runs" / operation / "1"
    folder.mkdir(parents=True)
    RunFolder(folder).record_supervisor(identity)


def test_down_ends_operations_that_a_killed_stack_left(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    _record(tmp_path, "mine.1", identify(sleeper.pid))
    commands.down(tmp_path)
    assert sleeper.wait(timeout=20) == -signal.SIGTERM
    said = capsys.readouterr().out
    assert "under way: mine.1" in said
    assert "Everything has stopped." in said


def test_down_leaves_a_process_that_has_the_number_of_an_ended_one(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    now = identify(sleeper.pid)
    _record(tmp_path, "mine.1", ProcessIdentity(now.pid, now.start_ticks - 1, now.host))
    commands.down(tmp_path)
    assert sleeper.poll() is None
    assert "not running" in capsys.readouterr().out


def test_work_goes_on_when_nobody_reads_what_is_said(tmp_path: Path) -> None:
    done = tmp_path / "done"
    code = (
        "import pathlib, sys; from tools.stack.console import say, warn\n"
        "sys.stdin.read()\n"
        "for n in range(3): say('hello'); warn('hello')\n"
        f"pathlib.Path({str(done)!r}).touch()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=layout.CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        for pipe in (process.stdout, process.stderr, process.stdin):
            assert pipe is not None
            pipe.close()
        assert process.wait(timeout=30) == 0
    assert done.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_setup_that_is_ended_ends_what_it_started(tmp_path: Path, number: signal.Signals) -> None:
    step = f"import os; print(os.getpid(), flush=True); {PAUSE}"
    code = (
        "import pathlib, sys; from tools.stack import __main__ as stack\n"
        "from tools.stack.console import run_step\n"
        f"log = pathlib.Path({str(tmp_path / 'log')!r})\n"
        f"stack.setup = lambda: run_step('x', [sys.executable, '-c', {step!r}], log)\n"
        "sys.argv[1:] = ['setup']\n"
        "sys.exit(stack.main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=layout.CHECKOUT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        started = _pid_in(tmp_path / "log")
        process.send_signal(number)
        assert process.wait(timeout=30) == 130
        assert process.stderr is not None
        assert "Interrupted." in process.stderr.read()
    assert processes.identify(started) is None


def _pid_in(log: Path) -> int:
    # Through tail, so that there is nothing to wait for by the clock.
    command = ["timeout", "30", "tail", "-n", "+1", "--retry", "-f", str(log)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as tail:
        assert tail.stdout is not None
        line = tail.stdout.readline()
        tail.kill()
    return int(line)
