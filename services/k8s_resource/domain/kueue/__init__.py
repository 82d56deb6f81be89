"""Kueue: its queues, and the jobs that wait in them."""
