"""Asking for lists and showing them, for all commands that list Kubernetes objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer
from podyard.cli import output, resource_tables
from podyard.cli.output import ListFormat, OutputFormat
from podyard.cli.session import connect
from podyard.cli.tables import Column
from podyard.cli.times import MISSING

if TYPE_CHECKING:
    from podyard.client import Listing, Podyard

PAGE_SIZE = 1000


def fields_of(
    *,
    cluster: str = "",
    selector: str = "",
    field_selector: str = "",
    sort_by: str = "",
    limit: int = 0,
    consistent: bool = False,
    count_by: str = "",
    **filters: Any,
) -> dict[str, Any]:
    """The fields of a list request; filters that choose nothing are left out."""
    fields: dict[str, Any] = {
        "cluster": cluster,
        "label_selector": selector,
        "field_selector": field_selector,
        "order_by": sort_by,
        "consistent": consistent,
        "page_size": min(limit, PAGE_SIZE) or PAGE_SIZE,
    }
    if counted := _parts(count_by):
        # Objects are of no interest then, but a page of none cannot be asked for.
        fields |= {"count_by": counted, "page_size": 1, "read_mask": ["name"]}
    # No option was given: None, [] or False; one that was given may be False or "" all the same.
    given = {name: value for name, value in filters.items() if value not in (None, [])}
    return fields | given


def namespaces_of(namespace: str, all_namespaces: bool) -> dict[str, Any]:
    """The fields that say which namespaces."""
    parts = _parts(namespace)
    if all_namespaces:
        return {}
    return {"namespaces": parts} if len(parts) > 1 else {"namespace": namespace.strip()}


def show_list(
    context: typer.Context,
    fetch: Callable[[Podyard], Listing[Any, Any]],
    field: str,
    columns: Sequence[Column[Any]],
    form: ListFormat,
    *,
    limit: int = 0,
    count_by: str = "",
) -> Any:
    """Ask, and print what came: rows, or counts if they were asked for. Gives the answer."""
    counted = bool(_parts(count_by))
    with connect(context) as client:
        answer = fetch(client).answer(1 if counted else limit)
    output.note_answer(answer)
    what = field.replace("_", " ")
    if counted:
        _show_counts(answer, what, form)
        return answer
    items = list(getattr(answer, field))
    if form not in (ListFormat.TABLE, ListFormat.WIDE):
        output.print_message(answer, OutputFormat(form.value))
        return answer
    output.print_table(columns, items, f"no {what} found", wide=form is ListFormat.WIDE)
    if answer.total_size > len(items):
        output.note(f"{len(items)} of {answer.total_size} shown")
    return answer


def with_namespace(columns: list[Column[Any]], shown: bool) -> list[Column[Any]]:
    """The columns, with the namespace in front if more than one is listed."""
    return [resource_tables.namespace_column(), *columns] if shown else columns


def several(namespace: str, all_namespaces: bool) -> bool:
    """Whether more than one namespace is listed."""
    return all_namespaces or len(_parts(namespace)) > 1


def _show_counts(answer: Any, what: str, form: ListFormat) -> None:
    if form not in (ListFormat.TABLE, ListFormat.WIDE):
        from podyard.cli import documents

        document = documents.to_document(answer)
        shown = {name: document[name] for name in ("totalSize", "counts", "freshness", "notes")}
        output.print_document(shown, OutputFormat(form.value))
        return
    for counts in answer.counts:
        columns: list[Column[Any]] = [
            Column(counts.field.upper().replace("_", " "), lambda v: v.value or MISSING),
            Column("COUNT", lambda v: str(v.count), right=True),
        ]
        output.print_table(columns, list(counts.values), f"no {what} found")
    output.note(f"{answer.total_size} {what} in all")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
