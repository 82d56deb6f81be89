"""Between domain values and protos; pure."""
