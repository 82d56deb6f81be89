"""Server streams as SSE and NDJSON, shared between equal callers."""
