"""HyperPod clusters: registry, steps, status, logs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from podyard.cli import options, output
from podyard.cli.cluster_files import read_cluster
from podyard.cli.cluster_views import cluster_columns, log_columns, print_cluster, print_status
from podyard.cli.confirm import confirm_deletion
from podyard.cli.exits import exit_with, usage
from podyard.cli.operation_following import follow_operation, print_log
from podyard.cli.operation_views import print_operation
from podyard.cli.output import OutputFormat
from podyard.cli.session import connect

if TYPE_CHECKING:
    from podyard.client import Podyard
    from podyard.cluster_lifecycle.v1 import cluster_pb2

app = typer.Typer(no_args_is_help=True, help="HyperPod clusters: configure, launch, follow.")

_Tag = Annotated[str, typer.Argument(metavar="TAG", help="The cluster's tag.")]
_OptionalTag = Annotated[
    str, typer.Argument(metavar="[TAG]", help="The cluster's tag; may stand in the file instead.")
]
_File = Annotated[
    str, typer.Option("--filename", "-f", help='Configuration as YAML or JSON; "-" for stdin.')
]
_Region = Annotated[str | None, typer.Option("--region", help="AWS region.")]
_Zone = Annotated[str | None, typer.Option("--az", help="Availability zone of the GPU instances.")]
_Type = Annotated[str | None, typer.Option("--instance-type", help="Such as ml.p5.48xlarge.")]
_Count = Annotated[
    int | None,
    typer.Option("--instance-count", min=0, max=options.MAX_INT32, help="Number of GPU instances."),
]
_Plan = Annotated[
    str | None, typer.Option("--training-plan", help="SageMaker training plan; empty for none.")
]
_Stack = Annotated[str | None, typer.Option("--stack-name", help="CloudFormation stack.")]
_Eks = Annotated[str | None, typer.Option("--eks-cluster", help="EKS cluster.")]
_HyperPod = Annotated[str | None, typer.Option("--hyperpod-cluster", help="HyperPod cluster.")]
_Mlflow = Annotated[str | None, typer.Option("--mlflow-server", help="MLflow tracking server.")]
_Bucket = Annotated[str | None, typer.Option("--model-bucket", help="Bucket that is mounted.")]
_Follow = Annotated[
    bool,
    typer.Option("--follow", help="Print the log until the end; exit by the outcome."),
]


@app.command()
def create(
    context: typer.Context,
    tag: _OptionalTag = "",
    file: _File = "",
    region: _Region = None,
    az: _Zone = None,
    instance_type: _Type = None,
    instance_count: _Count = None,
    training_plan: _Plan = None,
    stack_name: _Stack = None,
    eks_cluster: _Eks = None,
    hyperpod_cluster: _HyperPod = None,
    mlflow_server: _Mlflow = None,
    model_bucket: _Bucket = None,
    dry_run: options.DryRun = False,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Register a cluster and write its configuration. Options win over the file."""
    from podyard.cluster_lifecycle.v1 import cluster_pb2

    cluster = read_cluster(file) if file else cluster_pb2.Cluster()
    _set_tag(cluster, tag, file)
    _set_fields(
        cluster.config,
        aws_region=region,
        gpu_capacity_az=az,
        gpu_instance_type=instance_type,
        gpu_instance_count=instance_count,
        training_plan=training_plan,
        stack_name=stack_name,
        eks_cluster_name=eks_cluster,
        hyperpod_cluster_name=hyperpod_cluster,
        mlflow_server_name=mlflow_server,
        model_bucket=model_bucket,
    )
    with connect(context) as client:
        created = client.clusters.create_cluster(cluster.tag, cluster.config, validate_only=dry_run)
    if dry_run:
        output.note("valid; nothing was created")
    _show_cluster(created, form)


@app.command()
def update(
    context: typer.Context,
    tag: _OptionalTag = "",
    file: _File = "",
    region: _Region = None,
    az: _Zone = None,
    instance_type: _Type = None,
    instance_count: _Count = None,
    training_plan: _Plan = None,
    stack_name: _Stack = None,
    eks_cluster: _Eks = None,
    hyperpod_cluster: _HyperPod = None,
    mlflow_server: _Mlflow = None,
    model_bucket: _Bucket = None,
    dry_run: options.DryRun = False,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Change a cluster's configuration: the options given, or all of it from a file."""
    from podyard.cluster_lifecycle.v1 import cluster_pb2

    wanted = read_cluster(file) if file else cluster_pb2.Cluster()
    _set_tag(wanted, tag, file)
    with connect(context) as client:
        cluster = client.clusters.get_cluster(wanted.tag)
        if file:
            cluster.config.CopyFrom(wanted.config)
            cluster.etag = wanted.etag or cluster.etag
        _set_fields(
            cluster.config,
            aws_region=region,
            gpu_capacity_az=az,
            gpu_instance_type=instance_type,
            gpu_instance_count=instance_count,
            training_plan=training_plan,
            stack_name=stack_name,
            eks_cluster_name=eks_cluster,
            hyperpod_cluster_name=hyperpod_cluster,
            mlflow_server_name=mlflow_server,
            model_bucket=model_bucket,
        )
        answer = client.clusters.update_cluster(cluster, validate_only=dry_run)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
        return
    print_cluster(answer.cluster)
    if dry_run:
        output.note("valid; nothing was changed")
    elif answer.backup:
        output.note(f"the configuration before is kept as {answer.backup}")
    else:
        output.note("nothing changed")


@app.command("list")
def list_clusters(context: typer.Context, form: options.Output = OutputFormat.TABLE) -> None:
    """List the clusters of the registry."""
    with connect(context) as client:
        answer = client.clusters.list_clusters().answer()
    if form is OutputFormat.TABLE:
        empty = "no clusters yet; `podyard clusters create TAG` registers one"
        output.print_table(cluster_columns(output.now()), list(answer.clusters), empty)
    else:
        output.print_message(answer, form)


@app.command()
def show(context: typer.Context, tag: _Tag, form: options.Output = OutputFormat.TABLE) -> None:
    """Show one cluster with its configuration."""
    with connect(context) as client:
        cluster = client.clusters.get_cluster(tag)
    _show_cluster(cluster, form)


@app.command()
def delete(
    context: typer.Context,
    tag: _Tag,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Take a cluster out of the registry. Nothing in AWS is touched."""
    confirm_deletion(f'cluster "{tag}" from the registry', yes=yes or dry_run)
    with connect(context) as client:
        answer = client.clusters.delete_cluster(tag, validate_only=dry_run)
    if form is not OutputFormat.TABLE:
        output.print_message(answer, form)
    elif dry_run:
        output.note("could be deleted; nothing was changed")
    else:
        print(f"cluster {tag} deleted; its files are kept in {answer.archive}")


@app.command()
def launch(
    context: typer.Context,
    tag: _Tag,
    follow: _Follow = False,
    dry_run: options.DryRun = False,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Create the cluster in AWS: bucket, tracking server, CloudFormation stack."""
    _check_follow(follow, form)
    with connect(context) as client:
        operation = client.clusters.launch(tag, validate_only=dry_run)
        _after_start(client, operation, follow=follow, dry_run=dry_run, form=form)


@app.command()
def configure(
    context: typer.Context,
    tag: _Tag,
    follow: _Follow = False,
    dry_run: options.DryRun = False,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Prepare a launched cluster for training."""
    _check_follow(follow, form)
    with connect(context) as client:
        operation = client.clusters.configure(tag, validate_only=dry_run)
        _after_start(client, operation, follow=follow, dry_run=dry_run, form=form)


@app.command()
def status(
    context: typer.Context,
    tag: _Tag,
    cached: Annotated[
        bool, typer.Option("--cached", help="A result of the last seconds will do.")
    ] = False,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Show where launch and configure stand in the real world."""
    with connect(context) as client:
        answer = client.clusters.get_status(tag, consistent=not cached)
    if form is OutputFormat.TABLE:
        print_status(answer)
    else:
        output.print_message(answer, form)


@app.command()
def log(
    context: typer.Context,
    tag: _Tag,
    log_id: Annotated[
        str, typer.Argument(metavar="[LOG]", help='"launch", "configure", or an id of `logs`.')
    ] = "launch",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the step ends.")
    ] = False,
    offset: Annotated[
        int, typer.Option(min=0, max=options.MAX_INT64, help="First byte to print.")
    ] = 0,
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """Print a log of a cluster's step."""
    _check_follow(follow, form)
    with connect(context) as client:
        if follow:
            print_log(client, tag, log_id, offset)
            return
        while True:
            piece = client.clusters.read_log(tag, log_id, offset=offset, max_bytes=1024 * 1024)
            if form is OutputFormat.TABLE:
                sys.stdout.write(piece.content)
            else:
                output.print_streamed(_piece_document(piece), form)
            log_id = piece.log.id or log_id  # stay with it when a newer one begins
            if piece.next_offset <= offset or piece.next_offset >= piece.size:
                return
            offset = piece.next_offset


@app.command()
def logs(
    context: typer.Context,
    tag: _Tag,
    step: Annotated[str, typer.Option(help='Only "launch" or "configure".')] = "",
    form: options.Output = OutputFormat.TABLE,
) -> None:
    """List the logs of a cluster's steps, newest first."""
    with connect(context) as client:
        answer = client.clusters.list_logs(tag, step=step)
    if form is OutputFormat.TABLE:
        output.print_table(log_columns(output.now()), list(answer.logs), "no logs yet")
    else:
        output.print_message(answer, form)


def _set_tag(cluster: cluster_pb2.Cluster, tag: str, file: str) -> None:
    if tag and cluster.tag and tag != cluster.tag:
        usage(f'TAG is "{tag}", but {file} says "{cluster.tag}"')
    cluster.tag = tag or cluster.tag
    if not cluster.tag:
        usage("give a TAG" + (", or write `tag:` in the file" if file else ""))


def _set_fields(config: cluster_pb2.ClusterConfig, **values: Any) -> None:
    for name, value in values.items():
        if value is not None:
            setattr(config, name, value)


def _show_cluster(cluster: cluster_pb2.Cluster, form: OutputFormat) -> None:
    if form is OutputFormat.TABLE:
        print_cluster(cluster)
    else:
        output.print_message(cluster, form)


def _check_follow(follow: bool, form: OutputFormat) -> None:
    """Before anything is called, so that a step is not started by a command that then fails."""
    if follow and form is not OutputFormat.TABLE:
        usage("--follow prints text; leave -o out")


def _after_start(
    client: Podyard, operation: Any, *, follow: bool, dry_run: bool, form: OutputFormat
) -> None:
    if dry_run:
        output.note("could start; nothing was started")
    elif follow:
        exit_with(follow_operation(client, operation))
    elif form is not OutputFormat.TABLE:
        output.print_message(operation, form)
    else:
        print_operation(operation)
        output.note(f"follow its log with: podyard clusters log {operation.target} -f")


def _piece_document(piece: Any) -> Any:
    from podyard.cli.documents import to_document

    return to_document(piece)
