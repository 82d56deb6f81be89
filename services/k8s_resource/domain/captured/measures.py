"""Metrics of capture."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

LINES = Counter("podyard_capture_lines", "Lines stored.")
TEXT_BYTES = Counter("podyard_capture_text_bytes", "Characters of text stored.")
STORED_BYTES = Gauge("podyard_capture_stored_bytes", "Bytes of captured logs on disk.")
CONTAINERS = Gauge("podyard_capture_containers", "Containers being captured.")
PAUSED = Gauge("podyard_capture_paused", "1 while nothing can be stored, such as on a full disk.")
GAPS = Counter("podyard_capture_gaps", "Places where lines may be missing.")
DAMAGED = Counter("podyard_capture_damaged_blocks", "Parts of the store found damaged.")
DELETED_BYTES = Counter("podyard_capture_deleted_bytes", "Bytes deleted by retention.")
COPIED = Counter("podyard_capture_copied_segments", "Segments copied to S3.")
