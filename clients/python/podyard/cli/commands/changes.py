"""Changing Kubernetes: apply and delete."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer
from podyard.cli import kinds, options, output
from podyard.cli.colors import colored, paint, state_color
from podyard.cli.exits import ERROR, NOT_FOUND, exit_with, report, usage
from podyard.cli.manifest import read_manifest
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect
from podyard.cli.words import enum_word

_NO_FILES = "no file: give -f FILE, or -f - for standard input"


def apply(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Option("--filename", "-f", help='Manifest: a file, a folder, or "-" for stdin.'),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Take over fields that other managers own.")
    ] = False,
    dry_run: options.DryRun = False,
    field_manager: Annotated[
        str, typer.Option(help="Name under which fields are owned.", show_default="podyard")
    ] = "",
    namespace: options.Namespace = "default",
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Create or change the objects of a manifest, by server-side apply."""
    manifest = _manifest(files)
    with connect(context) as client:
        answer = client.k8s.apply(
            manifest,
            cluster=cluster,
            namespace=namespace,
            field_manager=field_manager,
            force=force,
            validate_only=dry_run,
        )
    _report_results(answer, answer.results, lambda r: enum_word(r, "action"), dry_run, form)


def delete(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="Kind as kubectl takes it.")] = "",
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Names.")] = None,
    files: Annotated[
        list[str] | None,
        typer.Option("--filename", "-f", help='Manifest: a file, a folder, or "-" for stdin.'),
    ] = None,
    selector: options.Selector = "",
    cascade: Annotated[
        str, typer.Option(help="What happens to dependents: background, foreground or orphan.")
    ] = "background",
    grace_period: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=options.MAX_INT32,
            help="Seconds to end in.",
            show_default="the object's own",
        ),
    ] = None,
    dry_run: options.DryRun = False,
    namespace: options.Namespace = "default",
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Delete objects: by name, by label (KIND -l), or those of a manifest (-f)."""
    import datetime

    from podyard.cli.words import enum_number
    from podyard.k8s_resource.v1 import k8s_resource_service_pb2 as pb

    if sum([bool(files), bool(names), bool(selector)]) != 1 or bool(files) == bool(kind):
        usage("give one of: -f FILE, KIND NAME..., KIND -l SELECTOR")
    where = kinds.namespace_for(kind, namespace)
    try:
        policy: Any = enum_number(pb.DeleteRequest(), "propagation_policy", cascade)
    except ValueError as error:
        usage(f"--cascade: {error}")
    with connect(context) as client:
        answer = client.k8s.delete(
            objects=[pb.ObjectKey(kind=kind, namespace=where, name=n) for n in names or ()],
            manifest=_manifest(files) if files else "",
            selector=pb.DeleteSelector(kind=kind, namespace=where, label_selector=selector)
            if selector
            else None,
            cluster=cluster,
            namespace=namespace,
            propagation_policy=policy,
            grace_period=None if grace_period is None else datetime.timedelta(seconds=grace_period),
            validate_only=dry_run,
        )
    if not answer.results and form is OutputFormat.TABLE:
        output.note("nothing matched, nothing was deleted")
    _report_results(answer, answer.results, lambda r: enum_word(r, "outcome"), dry_run, form)


def _manifest(files: list[str]) -> str:
    if not files:
        usage(_NO_FILES)
    return "\n---\n".join(read_manifest(name) for name in files)


def _report_results(
    answer: Any,
    results: Iterable[Any],
    word_of: Callable[[Any], str],
    dry_run: bool,
    form: OutputFormat,
) -> None:
    """One line for each object; exit code 1 when one failed, else 3 when one was missing."""
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
    words = set()
    for result in results:
        word = word_of(result)
        words.add(word)
        if form is OutputFormat.TABLE:
            _report_result(result, word, dry_run)
    if "FAILED" in words:
        exit_with(ERROR)
    if "MISSING" in words:
        exit_with(NOT_FOUND)


def _report_result(result: Any, word: str, dry_run: bool) -> None:
    where = f" in {result.ref.namespace}" if result.ref.namespace else ""
    name = f"{result.ref.kind.lower()}/{result.ref.name}{where}"
    for warning in getattr(result, "warnings", ()):
        output.note(f"{name}: warning: {warning}")
    if word == "FAILED":
        sys.stdout.flush()
        report(f"{name}: {result.error.message}")
        return
    text = word.lower()
    shown = paint(text, state_color(text)) if colored(sys.stdout) else text
    print(f"{name} {shown}{' (dry run)' if dry_run else ''}")
