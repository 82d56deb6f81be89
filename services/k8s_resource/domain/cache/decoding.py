"""From the API server's JSON to items: pages of lists and lines of watches."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from services.common.logs import get_logger
from services.k8s_resource.domain.cache.item import Item
from services.k8s_resource.domain.kinds import Kind
from services.k8s_resource.domain.objects.metadata import MetadataOnly

T = TypeVar("T")

PARTIAL = "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1,application/json"
"""Accept header that leaves out all but metadata, where the API server can."""


class _ListMeta(msgspec.Struct):
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    continue_: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct, Generic[T]):
    metadata: _ListMeta
    items: list[T] | None = None


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


class Page(msgspec.Struct):
    """A decoded page. `continue_token` is empty on the last."""

    items: list[Item]
    version: int
    continue_token: str


class Line(msgspec.Struct):
    """A decoded line of a watch. `body` is the object's JSON."""

    type: str
    body: msgspec.Raw


class KindDecoder:
    """Decodes objects of one kind.

    Of an object that does not fit the kind's Struct (a custom resource with a field of
    another type) what fits is kept, and the item says so: one odd object never hides the
    others, nor one odd field the rest of its object.
    """

    def __init__(self, kind: Kind, *, keep_raw: bool) -> None:
        self._kind = kind
        self._keep_raw = keep_raw
        self._object = msgspec.json.Decoder(kind.object_type)
        self._page: Any = msgspec.json.Decoder(
            _Page[msgspec.Raw] if keep_raw else _Page[kind.object_type]  # type: ignore[name-defined]
        )
        self._line = msgspec.json.Decoder(_Line)
        self._log = get_logger("cache")

    def accept(self, *, watch: bool) -> str:
        """The Accept header for what is needed."""
        if self._kind.metadata_only and not self._keep_raw:
            return PARTIAL.replace("{list}", "" if watch else "List")
        return "application/json"

    def page(self, body: bytes) -> Page:
        """A page of a list; msgspec.DecodeError if it is none."""
        try:
            page = self._page.decode(body)
        except msgspec.ValidationError:
            page = msgspec.json.decode(body, type=_Page[msgspec.Raw])
        found = page.items or ()
        size = len(body) // max(1, len(found))
        items = [
            self.item(each) if isinstance(each, msgspec.Raw) else Item(each, None, size)
            for each in found
        ]
        return Page(items, int(page.metadata.resource_version or 0), page.metadata.continue_)

    def line(self, line: bytes) -> Line:
        """A line of a watch; msgspec.DecodeError if it is none."""
        decoded = self._line.decode(line)
        return Line(decoded.type, decoded.object)

    def item(self, body: msgspec.Raw | bytes) -> Item:
        """One object; msgspec.DecodeError if it has no readable metadata."""
        raw = self._strip(body) if self._keep_raw else None
        problem = ""
        try:
            decoded = self._object.decode(body)
        except msgspec.ValidationError as error:
            plain = msgspec.json.decode(body, type=MetadataOnly)
            self._log.warning(
                "object of unknown form",
                kind=self._kind.resource.full_name,
                namespace=plain.metadata.namespace,
                name=plain.metadata.name,
                why=str(error),
            )
            decoded = self._fitting(body)
            problem = str(error)
        return Item(decoded, raw, len(body if raw is None else raw), problem)

    def version(self, body: msgspec.Raw) -> int:
        """The resourceVersion of a bookmark."""
        return int(msgspec.json.decode(body, type=MetadataOnly).metadata.resource_version or 0)

    def _fitting(self, body: msgspec.Raw | bytes) -> Any:
        """The kind's Struct with what fits: fields of the object, or of its spec and status."""
        document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        kept: dict[str, Any] = {"metadata": document.pop("metadata", msgspec.Raw(b"{}"))}
        for name, value in document.items():
            if self._fits({**kept, name: value}):
                kept[name] = value
                continue
            try:
                parts = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
            except msgspec.ValidationError:
                continue
            kept[name] = {
                field: part
                for field, part in parts.items()
                if self._fits({"metadata": kept["metadata"], name: {field: part}})
            }
        return self._object.decode(msgspec.json.encode(kept))

    def _fits(self, document: dict[str, Any]) -> bool:
        try:
            self._object.decode(msgspec.json.encode(document))
        except msgspec.ValidationError:
            return False
        return True

    def _strip(self, body: msgspec.Raw | bytes) -> bytes:
        """The object without managedFields, and with the type that lists leave out."""
        document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        metadata = msgspec.json.decode(document["metadata"], type=dict[str, msgspec.Raw])
        metadata.pop("managedFields", None)
        resource = self._kind.resource
        head: dict[str, object] = {"apiVersion": resource.api_version, "kind": resource.kind}
        return msgspec.json.encode({**head, **document, "metadata": metadata})
