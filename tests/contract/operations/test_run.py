"""What becomes of an operation's program."""

from __future__ import annotations

import signal

import pytest

from services.common.errors import FailedPreconditionError, InvalidArgumentError, UnavailableError
from services.common.operations.model import OperationState
from tests.contract.operations.world import World, ended, eventually, states


async def test_success_is_recorded_with_log_and_times(world: World) -> None:
    async with world.engine() as engine:
        operation = await engine.submit(
            "script", "c1", actor="ann", payload={"script": "echo out; echo err >&2"}
        )
        assert operation.state is OperationState.QUEUED
        assert operation.id.startswith("c1.")
        assert operation.actor == "ann"
        end = await ended(engine, operation)
        assert await engine.get(operation.id) == end
    assert end.state is OperationState.SUCCEEDED
    assert (end.exit_code, end.exit_signal, end.error) == (0, None, None)
    assert end.start_time
    assert end.end_time
    assert end.create_time <= end.start_time <= end.end_time
    assert end.progress_percent == 100
    assert world.log(end) == "out\nerr\n"
    assert end.recoveries == 0
    assert not list(world.settings.runs_folder.glob("c1.*")), "its folder is removed"


async def test_failure_keeps_exit_code_error_and_folder(world: World) -> None:
    async with world.engine() as engine:
        operation = await engine.submit(
            "script", "c1", actor="ann", payload={"script": "echo bad; exit 7"}
        )
        end = await ended(engine, operation)
    assert end.state is OperationState.FAILED
    assert (end.exit_code, end.exit_signal) == (7, None)
    assert end.error
    assert end.error.reason == "EXIT"
    assert end.steps[0].state is OperationState.FAILED
    assert end.steps[0].message == "it ended with 7"
    (attempt,) = world.settings.runs_folder.glob("c1.*/1")
    assert (attempt / "work" / "script.sh").exists(), "it is kept, to look at"


async def test_signal_is_recorded(world: World) -> None:
    async with world.engine() as engine:
        operation = await engine.submit(
            "script", "c1", actor="ann", payload={"script": "kill -KILL $$"}
        )
        end = await ended(engine, operation)
    assert end.state is OperationState.FAILED
    assert (end.exit_code, end.exit_signal) == (None, signal.SIGKILL)


async def test_program_that_cannot_be_started_fails(world: World) -> None:
    async with world.engine() as engine:
        operation = await engine.submit(
            "script", "c1", actor="ann", payload={"script": "", "shell": "/no/such/program"}
        )
        end = await ended(engine, operation)
    assert end.state is OperationState.FAILED
    assert end.error
    assert end.error.reason == "PROGRAM_NOT_STARTED"
    assert "/no/such/program" in end.error.message


async def test_environment_is_what_the_handler_gave(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODYARD_TEST_SECRET", "of the service")
    payload = {"script": "exec env", "environment": {"GIVEN": "a b=c"}}
    async with world.engine() as engine:
        end = await ended(engine, await engine.submit("script", "c1", actor="ann", payload=payload))
    variables = dict(line.split("=", 1) for line in world.log(end).splitlines())
    # PWD is the shell's own.
    assert variables.pop("PWD").endswith("/1/work")
    assert variables.pop("PODYARD_PROGRESS_FILE").endswith("/1/progress.jsonl")
    assert variables == {
        "PATH": "/usr/bin:/bin",
        "GIVEN": "a b=c",
        "PODYARD_OPERATION_ID": end.id,
        "PODYARD_ATTEMPT": "1",
    }


async def test_prompt_is_answered_and_then_ends(world: World) -> None:
    script = 'read answer; echo "got $answer"; read again || echo "no more"'
    async with world.engine() as engine:
        payload = {"script": script, "standard_input": "y\n"}
        end = await ended(engine, await engine.submit("script", "c1", actor="ann", payload=payload))
    assert world.log(end) == "got y\nno more\n"


async def test_reported_steps_are_seen_in_order(world: World) -> None:
    script = """
        report() { echo "{\\"step\\": \\"$1\\", \\"state\\": \\"$2\\", \\"message\\": \\"$3\\"}" \
            >> "$PODYARD_PROGRESS_FILE"; }
        report bucket running "making it"
        echo no report >> "$PODYARD_PROGRESS_FILE"
        report unknown running
        %s
        report stack running
        %s
    """ % (world.wait_for_file("seen-bucket"), world.wait_for_file("seen-stack"))  # noqa: UP031
    payload = {"script": script, "steps": ["bucket", "stack", "outputs"]}
    async with world.engine() as engine:
        operation = await engine.submit("script", "c1", actor="ann", payload=payload)
        await eventually(lambda: any(world.settings.runs_folder.glob("c1.*/1/progress.jsonl")))
        world.touch("seen-bucket")
        world.touch("seen-stack")
        seen = await states(engine, operation)
    end = seen[-1]
    assert [step.state for step in end.steps] == [
        OperationState.SUCCEEDED,
        OperationState.SUCCEEDED,
        OperationState.CANCELLED,
    ]
    assert end.steps[0].message == "making it"
    assert end.steps[2].message == "not run"
    percents = [state.progress_percent for state in seen]
    assert percents == sorted(percents)


async def test_reports_that_no_database_could_keep_do_not_hold_up_the_end(world: World) -> None:
    script = r"""
        cat >> "$PODYARD_PROGRESS_FILE" <<'END'
{"step": "one", "state": "running", "time": "0001-01-01T00:00:00+14:00"}
{"step": "one", "state": "failed", "message": "de\u0000nied", "reason": "NO\u0000PE"}
END
        exit 3
    """
    payload = {"script": script, "steps": ["one"]}
    async with world.engine() as engine:
        end = await ended(engine, await engine.submit("script", "c1", actor="ann", payload=payload))
    assert end.error
    assert (end.error.reason, end.error.message) == ("NO\ufffdPE", "de\ufffdnied")


async def test_reported_failure_is_the_error(world: World) -> None:
    script = """
        echo '{"step": "two", "state": "failed", "message": "denied", "reason": "ACCESS"}' \
            >> "$PODYARD_PROGRESS_FILE"
        exit 3
    """
    payload = {"script": script, "steps": ["one", "two", "three"]}
    async with world.engine() as engine:
        end = await ended(engine, await engine.submit("script", "c1", actor="ann", payload=payload))
    assert end.error
    assert (end.error.reason, end.error.message) == ("ACCESS", "denied")
    assert [step.state for step in end.steps] == [
        OperationState.SUCCEEDED,
        OperationState.FAILED,
        OperationState.CANCELLED,
    ]


async def test_what_a_program_leaves_running_is_ended_before_its_end(world: World) -> None:
    script = f"""
        (trap '' HUP; trap '{world.append("told")}; exit' TERM; {world.append("ready")}
            while :; do sleep 0.02; done) &
        setsid sh -c '{world.append("ready")}; exec sleep 1000' &
        while [ "$(wc -l < {world.folder}/lines)" -lt 2 ]; do sleep 0.02; done
    """
    world.touch("lines")  # without the file the loop would end at once
    async with world.engine() as engine:
        end = await ended(
            engine, await engine.submit("script", "c1", actor="ann", payload={"script": script})
        )
    assert end.state is OperationState.SUCCEEDED
    assert sorted(world.lines()) == ["ready", "ready", "told"]


async def test_errors_of_handlers_fail_the_operation(world: World) -> None:
    async with world.engine() as engine:
        world.handler.prepare_errors = [
            UnavailableError("S3 is down", retry_after=0.01),
            FailedPreconditionError("no configuration", reason="NOT_CONFIGURED"),
        ]
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": ""})
        end = await ended(engine, operation)
        assert end.error
        assert (end.error.reason, end.error.message) == ("NOT_CONFIGURED", "no configuration")
        assert end.steps[0].state is OperationState.CANCELLED

        world.handler.prepare_errors = [RuntimeError("secret detail")]
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": ""})
        end = await ended(engine, operation)
        assert end.error
        assert end.error.reason == "INTERNAL"
        assert "secret" not in end.error.message

        world.handler.conclude_errors = [
            UnavailableError("CloudFormation is down", retry_after=0.01),
            FailedPreconditionError("rolled back", reason="ROLLED_BACK"),
        ]
        operation = await engine.submit("script", "c1", actor="ann", payload={"script": ""})
        end = await ended(engine, operation)
        assert end.error
        assert end.error.reason == "ROLLED_BACK"
        assert end.exit_code == 0


async def test_check_tells_whether_operations_run(world: World) -> None:
    async with world.engine() as engine:
        await engine.check()
    with pytest.raises(UnavailableError):
        await engine.check()


async def test_refused_plan_records_nothing(world: World) -> None:
    async with world.engine() as engine:
        world.handler.refuse = True
        with pytest.raises(InvalidArgumentError):
            await engine.submit("script", "c1", actor="ann", payload={"script": ""})
        assert (await engine.list()).operations == ()
