"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer
from podyard.cli.output import ListFormat, OutputFormat

MAX_INT32 = 2**31 - 1
MAX_INT64 = 2**63 - 1
"""What fits into a field of the API; more is wrong usage."""

Output = Annotated[
    OutputFormat, typer.Option("--output", "-o", help="Form of the output.", show_default=True)
]
ListOutput = Annotated[
    ListFormat,
    typer.Option(
        "--output", "-o", help="Form of the output; wide shows all columns.", show_default=True
    ),
]
CountBy = Annotated[
    str,
    typer.Option(
        "--count-by", help="Count all that match by these fields, joined by commas, and list none."
    ),
]
Namespaces = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        envvar="PODYARD_NAMESPACE",
        help="Namespace, or several joined by commas.",
    ),
]
Cluster = Annotated[
    str,
    typer.Option(
        "--cluster",
        envvar="PODYARD_CLUSTER",
        help="Kubernetes cluster, as the service's kubeconfig names it.",
        show_default="the service's default",
    ),
]
Namespace = Annotated[
    str,
    typer.Option("--namespace", "-n", envvar="PODYARD_NAMESPACE", help="Namespace."),
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")]
Selector = Annotated[
    str, typer.Option("--selector", "-l", help="Label selector, such as app=web,tier!=db.")
]
FieldSelector = Annotated[
    str, typer.Option("--field-selector", help="Field selector, such as status.phase=Running.")
]
SortBy = Annotated[str, typer.Option("--sort-by", help='Order: "name", "create_time desc", "age".')]
Consistent = Annotated[
    bool, typer.Option("--consistent", help="Wait until the cache has caught up with Kubernetes.")
]
Limit = Annotated[
    int,
    typer.Option("--limit", min=0, help="At most so many rows; 0 means all.", show_default=True),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check only; change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
