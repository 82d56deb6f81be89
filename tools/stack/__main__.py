"""`python -m tools.stack setup|run|up|down|status`. Standard library only at import."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from tools.stack import environments, layout, prerequisites, programs
from tools.stack.console import say, warn
from tools.stack.errors import StackError

_STOPPED = 130  # as a shell reports an end by Ctrl-C


def main() -> int:
    """Run one command; 0 when it did what was asked, 1 with the reason on standard error."""
    options = _arguments()
    # Ended in whatever way, a long command that `setup` has started is ended first.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, signal.default_int_handler)
    try:
        if options.command == "setup":
            setup()
        else:
            _in_checkout_environment()
            _run(options)
    except StackError as error:
        warn(f"\n{error}")
        return 1
    except OSError as error:  # a full disk, a folder that may not be written
        warn(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        warn("\nInterrupted.")
        return _STOPPED
    return 0


def setup() -> None:
    """Make the environments and the control plane; what is up to date is left alone."""
    prerequisites.check(go_needed=not programs.available())
    say("Setting up:")
    environments.ensure_checkout_environment()
    for server in environments.SERVERS:
        environments.ensure_server_environment(server)
    environments.ensure_mlflow_template()
    programs.ensure()


def _run(options: argparse.Namespace) -> None:
    # Late: these need what `setup` installs.
    from tools.stack import commands
    from tools.stack.settings import RunOptions

    if options.command == "down":
        commands.down(options.state)
    elif options.command == "status":
        commands.status(options.state)
    else:
        wanted = RunOptions(options.state, options.kubeconfig, options.backing_only)
        wanted.check()
        (commands.run if options.command == "run" else commands.up)(wanted)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.stack", description="The local stack of Podyard."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {
        "setup": "make the environments and build the control plane",
        "run": "run everything until Ctrl-C",
        "up": "run everything in the background",
        "down": "stop what `run` or `up` started",
        "status": "print the addresses of a running stack",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--state", type=_folder, default=layout.state_folder())
        if name in ("run", "up"):
            command.add_argument(
                *("--kubeconfig", "--real-cluster"),
                type=_folder,
                help="use this real cluster; nothing is started or loaded in its place",
            )
            command.add_argument(
                "--backing-only",
                action="store_true",
                help="without the services and the gateway",
            )
    return parser.parse_args()


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _in_checkout_environment() -> None:
    """Start again with `.venv`'s interpreter when another one runs this."""
    if Path(sys.prefix) == layout.CHECKOUT_ENVIRONMENT:
        return
    python = layout.CHECKOUT_PYTHON
    if not python.exists():
        raise StackError("There is no .venv yet: run `make setup` first.")
    os.chdir(layout.CHECKOUT)
    os.execv(python, [str(python), "-m", "tools.stack", *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
