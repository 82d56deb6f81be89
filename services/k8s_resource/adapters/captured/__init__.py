"""Captured logs on disk and in S3."""
