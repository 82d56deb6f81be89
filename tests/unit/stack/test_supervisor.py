"""The supervisor: order, readiness, death, and nothing left behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.stack import layout, processes
from tools.stack.component import Component
from tools.stack.errors import StackError
from tools.stack.processes import ProcessIdentity
from tools.stack.records import Records
from tools.stack.supervisor import MOST_RESTARTS, Supervisor
from tools.stack.units import ProcessUnit, Unit


class Recorder:
    """Makes components that say when they start and stop, and knows their processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = Records(folder)
        self.events = folder / "events"
        self.events.touch()
        self.reports: list[str] = []

    def said(self) -> list[str]:
        return self.events.read_text().split()

    def unit(
        self,
        name: str,
        body: str = "wait()",
        after: tuple[str, ...] = (),
        *,
        once: bool = False,
        restart: bool = False,
        ready_seconds: float = 20.0,
        grace_seconds: float = 10.0,
    ) -> Unit:
        script = self.folder / f"{name}.py"
        script.write_text(
            "import os, signal, sys, threading, time\n"
            f"def say(word): open({str(self.events)!r}, 'a').write(word + ':{name} ')\n"
            "def wait(): signal.pause()\n"
            "def end(*_): say('stopped'); sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, end)\n"
            f"say('started')\n{body}\n"
        )
        started = f"started:{name}"
        component = Component(
            name=name,
            argv=(sys.executable, str(script)),
            ready=lambda: started in self.said(),
            after=after,
            once=once,
            restart=restart,
            ready_seconds=ready_seconds,
            grace_seconds=grace_seconds,
        )
        return ProcessUnit(component, self.records)

    def supervisor(self, *units: Unit) -> Supervisor:
        return Supervisor(units, self.reports.append)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path)
    yield made
    assert made.records.recorded() == {}, "something was left running"


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (what is awaited happens in another process)
            await asyncio.sleep(0.02)


async def test_starts_by_dependency_and_stops_in_reverse(recorder: Recorder) -> None:
    supervisor = recorder.supervisor(
        recorder.unit("top", after=("middle",)),
        recorder.unit("middle", after=("bottom",)),
        recorder.unit("bottom"),
    )
    await supervisor.run(supervisor.ask_to_stop)
    assert recorder.said() == [
        *("started:bottom", "started:middle", "started:top"),
        *("stopped:top", "stopped:middle", "stopped:bottom"),
    ]


async def test_ready_is_said_after_all_are(recorder: Recorder) -> None:
    supervisor = recorder.supervisor(recorder.unit("one"), recorder.unit("two", after=("one",)))
    seen: list[list[str]] = []

    def on_ready() -> None:
        seen.append(recorder.said())
        supervisor.ask_to_stop()

    await supervisor.run(on_ready)
    assert seen == [["started:one", "started:two"]]


async def test_death_is_reported_with_the_end_of_the_log(recorder: Recorder) -> None:
    dying = recorder.unit("dying", "print('line one'); print('the reason'); wait()")
    supervisor = recorder.supervisor(recorder.unit("other"), dying)

    def kill() -> None:
        processes.kill([recorder.records.recorded()["dying"]])

    with pytest.raises(StackError) as caught:
        await supervisor.run(kill)
    assert "dying ended unexpectedly (killed by signal 9)" in str(caught.value)
    assert "the reason" in str(caught.value)
    assert str(recorder.records.log("dying")) in str(caught.value)
    assert "stopped:other" in recorder.said()


async def test_failure_to_start_is_reported(recorder: Recorder) -> None:
    body = "sys.exit('no such thing: blue')"
    failing = recorder.unit("failing", body, once=True)
    supervisor = recorder.supervisor(recorder.unit("other"), failing)
    with pytest.raises(
        StackError, match=r"(?s)failing failed \(exit code 1\).*no such thing: blue"
    ):
        await supervisor.run(lambda: None)


async def test_program_that_is_missing_is_reported(recorder: Recorder) -> None:
    component = Component(name="absent", argv=("/nonexistent/program",), ready=lambda: True)
    supervisor = recorder.supervisor(ProcessUnit(component, recorder.records))
    with pytest.raises(StackError, match="absent cannot be started"):
        await supervisor.run(lambda: None)


async def test_never_ready_is_reported(recorder: Recorder) -> None:
    component = Component(
        name="deaf",
        argv=(sys.executable, "-c", "import signal; print('hm', flush=True); signal.pause()"),
        ready=lambda: False,
        ready_seconds=1.0,
    )
    supervisor = recorder.supervisor(ProcessUnit(component, recorder.records))
    with pytest.raises(StackError, match=r"(?s)deaf was not ready after 1 s.*hm"):
        await supervisor.run(lambda: None)


async def test_grandchildren_and_the_deaf_end_too(recorder: Recorder) -> None:
    child_file = recorder.folder / "child"
    body = (
        "import subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        f"open({str(child_file)!r}, 'w').write(str(child.pid) + ' ')\n"
        "while True: signal.pause()"
    )
    supervisor = recorder.supervisor(recorder.unit("stubborn", body, grace_seconds=0.2))
    running = asyncio.create_task(supervisor.run(lambda: None))
    await _until(lambda: child_file.exists() and child_file.read_text().endswith(" "))
    child = processes.identify(int(child_file.read_text()))
    assert child is not None
    supervisor.ask_to_stop()
    await running
    await asyncio.to_thread(processes.wait_gone, child, 5.0)
    assert not processes.is_alive(child)


async def test_stop_while_starting(recorder: Recorder) -> None:
    component = Component(
        name="slow",
        argv=(sys.executable, "-c", "import signal; signal.pause()"),
        ready=lambda: False,
    )
    supervisor = recorder.supervisor(
        ProcessUnit(component, recorder.records), recorder.unit("next", after=("slow",))
    )
    running = asyncio.create_task(supervisor.run(lambda: None))
    await _until(lambda: "slow" in recorder.records.recorded())
    supervisor.ask_to_stop()
    await running
    assert recorder.said() == []


async def test_second_request_kills(recorder: Recorder) -> None:
    deaf = recorder.unit(
        "deaf", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()"
    )
    supervisor = recorder.supervisor(deaf)
    ready = asyncio.Event()
    running = asyncio.create_task(supervisor.run(ready.set))
    await ready.wait()
    supervisor.ask_to_stop()
    supervisor.ask_to_stop()
    async with asyncio.timeout(5):  # its grace is twice that
        await running


def test_unknown_dependency_is_refused(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="waits for absent"):
        recorder.supervisor(recorder.unit("one", after=("absent",)))


def test_process_with_another_start_time_is_left_alone() -> None:
    own = processes.identify(1)
    assert own is not None
    earlier = ProcessIdentity(own.pid, own.start_time + 1)
    assert not processes.is_alive(earlier)
    processes.stop([earlier], 1.0)  # would end process 1, and this test with it
    assert processes.is_alive(own)


def test_detached_descendants_are_found_and_ended(tmp_path: Path) -> None:
    (tmp_path / "detach.py").write_text(
        "import subprocess, sys\n"
        "sleeper = [sys.executable, '-c', 'import signal; signal.pause()']\n"
        "nowhere = subprocess.DEVNULL\n"
        "print(subprocess.Popen(sleeper, start_new_session=True, stdout=nowhere, stderr=nowhere).pid)"
    )
    code = (
        "import subprocess, sys; from tools.stack import processes\n"
        "processes.adopt_orphans()\n"
        "pid = int(subprocess.run([sys.executable, sys.argv[1]], stdout=subprocess.PIPE).stdout)\n"
        "assert processes.identify(pid)\n"
        "assert processes.end_children(2.0) == [pid]\n"
        "assert processes.identify(pid) is None\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "detach.py")],
        cwd=layout.CHECKOUT,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


async def test_a_unit_that_may_restart_does_and_goes_on_in_its_log(recorder: Recorder) -> None:
    unit = recorder.unit("service", "print('hello'); wait()", restart=True)
    supervisor = recorder.supervisor(unit)

    def kill() -> None:
        processes.kill([recorder.records.recorded()["service"]])

    restarted = asyncio.Event()
    running = asyncio.create_task(supervisor.run(kill, on_restart=restarted.set))
    await restarted.wait()
    await _until(lambda: len(recorder.said()) == 2)
    supervisor.ask_to_stop()
    await running
    assert recorder.said() == ["started:service", "started:service", "stopped:service"]
    assert recorder.records.log("service").read_text() == "hello\nhello\n"
    assert any("service ended unexpectedly (killed by signal 9)" in r for r in recorder.reports)


async def test_a_unit_that_keeps_ending_ends_the_stack(recorder: Recorder) -> None:
    # Its first words already make it ready, then it fails.
    unit = recorder.unit("broken", "time.sleep(0.5); sys.exit(7)", restart=True)
    with pytest.raises(StackError, match=r"broken ended unexpectedly \(exit code 7\)"):
        await recorder.supervisor(unit).run(lambda: None)
    assert recorder.said() == ["started:broken"] * (MOST_RESTARTS + 1)
