"""Entry of the CLI: the commands, and how their failures become exit codes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from podyard.cli import exits
from podyard.cli.commands import (
    capture,
    changes,
    clusters,
    connections,
    doctor,
    events,
    get,
    gpus,
    job,
    logs,
    operations,
    resources,
    runs,
    search_logs,
    watch,
)
from podyard.cli.session import Session
from typer.core import TyperGroup

_KUBERNETES = "Kubernetes"
_HYPERPOD = "HyperPod clusters"
_TRAINING = "Training history"


class _Root(TyperGroup):
    """Ends quietly when the reader of stdout goes away, as `podyard pods | head -1` does."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still buffered would raise again when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(exits.BROKEN_PIPE) from None
        return result


app = typer.Typer(
    name="podyard",
    cls=_Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"podyard {version('podyard')}")
        raise typer.Exit(exits.OK)


@app.callback()
def root(
    context: typer.Context,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            envvar="PODYARD_TIMEOUT_SECONDS",
            help="Seconds that a call may take; streams go on until they end.",
        ),
    ] = 30.0,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """The control plane of machine-learning training clusters, on the command line."""
    context.obj = Session(timeout)


app.command(rich_help_panel=_KUBERNETES)(connections.connections)
app.command("cluster-info", rich_help_panel=_KUBERNETES)(connections.cluster_info)
app.command(rich_help_panel=_KUBERNETES)(resources.nodes)
app.command(rich_help_panel=_KUBERNETES)(gpus.gpus)
app.command(rich_help_panel=_KUBERNETES)(resources.pods)
app.command(rich_help_panel=_KUBERNETES)(resources.services)
app.command(rich_help_panel=_KUBERNETES)(resources.deployments)
app.command("pv", rich_help_panel=_KUBERNETES)(resources.persistent_volumes)
app.command(rich_help_panel=_KUBERNETES)(resources.namespaces)
app.command(rich_help_panel=_KUBERNETES)(resources.jobs)
app.add_typer(job.app, name="job", rich_help_panel=_KUBERNETES)
app.command(rich_help_panel=_KUBERNETES)(job.queues)
app.command(rich_help_panel=_KUBERNETES)(events.events)
app.command(rich_help_panel=_KUBERNETES)(get.get)
app.command(rich_help_panel=_KUBERNETES)(watch.watch)
app.command(rich_help_panel=_KUBERNETES)(logs.logs)
app.command(rich_help_panel=_KUBERNETES)(search_logs.search_logs)
app.add_typer(capture.app, name="capture", rich_help_panel=_KUBERNETES)
app.command(rich_help_panel=_KUBERNETES)(changes.apply)
app.command(rich_help_panel=_KUBERNETES)(changes.delete)
app.add_typer(clusters.app, name="clusters", rich_help_panel=_HYPERPOD)
app.add_typer(operations.app, name="ops", rich_help_panel=_HYPERPOD)
app.add_typer(runs.app, name="runs", rich_help_panel=_TRAINING)
app.command(rich_help_panel="This installation")(doctor.doctor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    command = typer.main.get_command(app)
    try:
        _check_text(sys.argv[1:] if arguments is None else arguments)
        result = command.main(args=arguments, prog_name="podyard", standalone_mode=False)
    except typer.Abort:
        sys.stderr.write("\n")
        return exits.INTERRUPTED
    except exits.CommandError as error:
        exits.report(error.message)
        return error.code
    except typer.TyperException as error:
        exits.report(f"{error.format_message()}{_help_hint(error)}")
        return error.exit_code
    except Exception as error:
        from podyard.client import PodyardError

        if isinstance(error, PodyardError):
            return exits.report_failure(error)
        if os.environ.get("PODYARD_TRACE"):
            raise
        what = f"{type(error).__name__}: {error}"
        exits.report(f"unexpected {what}\n  PODYARD_TRACE=1 shows where; please report it")
        return exits.ERROR
    return result if isinstance(result, int) else exits.OK


def run() -> None:
    """The program `podyard`."""
    try:
        code = main()
    except KeyboardInterrupt:  # outside of a command: while loading or closing
        code = exits.INTERRUPTED
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    raise SystemExit(code)


def _check_text(arguments: Sequence[str]) -> None:
    """Bytes that are no UTF-8 come as surrogates, which no field of the API can hold."""
    for number, argument in enumerate(arguments, 1):
        if not argument.isascii() and any("\ud800" <= c <= "\udfff" for c in argument):
            exits.usage(f"argument {number} is not UTF-8 text: {argument!a}")


def _help_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"\n  `{context.command_path} --help` shows what is possible" if context else ""
