"""Logs that are kept beyond their pods."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from podyard.cli import options, output
from podyard.cli.captured_tables import log_columns, rule_columns, size, status_text
from podyard.cli.confirm import confirm_deletion
from podyard.cli.exits import usage
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect
from podyard.cli.times import parse_duration

app = typer.Typer(no_args_is_help=True, help="Logs that are kept beyond their pods.")
rules = typer.Typer(no_args_is_help=True, help="Which logs are kept, and how long.")
app.add_typer(rules, name="rules")

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The rule's name.")]
_Namespaces = Annotated[
    list[str] | None,
    typer.Option("--namespace", "-n", help="Only this namespace; may be repeated. Default: all."),
]
_TrainingJobs = Annotated[
    bool, typer.Option("--training-jobs", help="Only pods of training jobs, of any kind.")
]
_Containers = Annotated[
    list[str] | None,
    typer.Option("--container", "-c", help="Only this container; may be repeated."),
]
_MaxAge = Annotated[str, typer.Option(help="Keep lines for so long, such as 30d.")]
_MaxBytes = Annotated[
    int, typer.Option(min=0, max=options.MAX_INT64, help="Keep at most so many bytes.")
]
_MaxPods = Annotated[
    int, typer.Option(min=0, max=options.MAX_INT32, help="Keep at most so many pods that are gone.")
]


@rules.command("list")
def list_rules(context: typer.Context, form: options.Output = OutputFormat.TABLE) -> None:
    """List the rules, and say what capture does now."""
    with connect(context) as client:
        answer = client.k8s.list_capture_rules().answer()
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    output.print_table(rule_columns(), list(answer.rules), "no capture rules")
    output.note(f"capture is {status_text(answer.status)}")


@rules.command()
def create(
    context: typer.Context,
    name: _Name,
    namespace: _Namespaces = None,
    selector: options.Selector = "",
    training_jobs: _TrainingJobs = False,
    container: _Containers = None,
    init: Annotated[bool, typer.Option("--init", help="Init containers too.")] = False,
    max_age: _MaxAge = "",
    max_bytes: _MaxBytes = 0,
    max_pods: _MaxPods = 0,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    cluster: options.Cluster = "",
    dry_run: options.DryRun = False,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Have the logs of some pods kept from now on."""
    from podyard.k8s_resource.v1 import captured_logs_pb2 as pb

    retention = pb.CaptureRetention(max_bytes=max_bytes, max_pods=max_pods)
    if max_age:
        try:
            retention.max_age.FromTimedelta(parse_duration(max_age))
        except ValueError as error:
            usage(f"--max-age: {error}")
    rule = pb.CaptureRule(
        name=name,
        description=description,
        cluster=cluster,
        namespaces=namespace or [],
        label_selector=selector,
        training_jobs=training_jobs,
        containers=container or [],
        include_init_containers=init,
        retention=retention,
    )
    with connect(context) as client:
        made = client.k8s.create_capture_rule(rule, validate_only=dry_run)
    if form is OutputFormat.TABLE:
        print(f"capture rule {made.name} {'could be created (dry run)' if dry_run else 'created'}")
    else:
        output.print_message(made, form)


@rules.command()
def show(context: typer.Context, name: _Name, form: options.Output = OutputFormat.YAML) -> None:
    """Show one rule."""
    with connect(context) as client:
        rule = client.k8s.get_capture_rule(name)
    if form is OutputFormat.TABLE:
        output.print_table(rule_columns(), [rule])
    else:
        output.print_message(rule, form)


@rules.command()
def disable(context: typer.Context, name: _Name) -> None:
    """Capture nothing more by a rule; what it captured stays under its retention."""
    _switch(context, name, disabled=True)


@rules.command()
def enable(context: typer.Context, name: _Name) -> None:
    """Capture by a rule again."""
    _switch(context, name, disabled=False)


@rules.command("delete")
def delete_rule(context: typer.Context, name: _Name, dry_run: options.DryRun = False) -> None:
    """End a rule; what it captured stays until it is deleted."""
    with connect(context) as client:
        client.k8s.delete_capture_rule(name, validate_only=dry_run)
    print(f"capture rule {name} {'could be deleted (dry run)' if dry_run else 'deleted'}")


@app.command("list")
def list_logs(
    context: typer.Context,
    pod: Annotated[str, typer.Argument(help="Only this pod.")] = "",
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    selector: options.Selector = "",
    training_job: Annotated[str, typer.Option(help="Only pods of this training job.")] = "",
    limit: options.Limit = 100,
    cluster: options.Cluster = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List what is kept: a row for each run of a container."""
    fields = _query(pod, namespace, all_namespaces, selector, training_job, cluster)
    with connect(context) as client:
        listing = client.k8s.list_captured_logs(page_size=min(limit, 1000) or 1000, **fields)
        answer = listing.answer(limit)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    output.print_table(log_columns(output.now()), list(answer.logs), "no captured logs")
    if answer.total_size > len(answer.logs):
        output.note(f"{len(answer.logs)} of {answer.total_size} shown; --limit 0 shows all")


@app.command()
def delete(
    context: typer.Context,
    pod: Annotated[str, typer.Argument(help="Only this pod.")] = "",
    namespace: options.Namespace = "default",
    all_namespaces: options.AllNamespaces = False,
    selector: options.Selector = "",
    training_job: Annotated[str, typer.Option(help="Only pods of this training job.")] = "",
    older_than: Annotated[str, typer.Option(help="Only logs that ended so long ago.")] = "",
    cluster: options.Cluster = "",
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Delete what is kept; what is being captured or read is left."""
    fields = _query(pod, namespace, all_namespaces, selector, training_job, cluster)
    if older_than:
        try:
            fields["before"] = output.now() - parse_duration(older_than)
        except ValueError as error:
            usage(f"--older-than: {error}")
    confirm_deletion("captured logs", yes=yes or dry_run)
    with connect(context) as client:
        answer = client.k8s.delete_captured_logs(validate_only=dry_run, **fields)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    done = "could be deleted (dry run)" if dry_run else "deleted"
    print(f"{answer.deleted} captured logs, {size(answer.deleted_bytes)}, {done}")
    for count, why in ((answer.skipped_active, "captured"), (answer.skipped_read, "read")):
        if count:
            output.note(f"{count} were left: they are being {why} now")


def _switch(context: typer.Context, name: str, *, disabled: bool) -> None:
    with connect(context) as client:
        rule = client.k8s.get_capture_rule(name)
        rule.disabled = disabled
        client.k8s.update_capture_rule(rule)
    print(f"capture rule {name} {'disabled' if disabled else 'enabled'}")


def _query(
    pod: str,
    namespace: str,
    all_namespaces: bool,
    selector: str,
    training_job: str,
    cluster: str,
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "cluster": cluster,
        "namespace": "" if all_namespaces else namespace,
        "pod": pod,
        "label_selector": selector,
        "training_job": training_job,
    }
    return fields
