"""Durable operations: work that outlives the call, and the process, that started it."""
