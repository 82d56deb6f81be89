"""HTTP/JSON, SSE and NDJSON in front of Podyard's gRPC services."""
