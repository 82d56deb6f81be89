"""Logs that are kept beyond their pods: rules, capture, store, retention, reading."""
